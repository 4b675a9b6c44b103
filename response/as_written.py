"""Whether what an undo is about to give back is what was written when it was taken.

Who contains writes the journal, and on AWS can write over an entry. What the identity that undoes gives back is the state before,
of the plan. So it first looks whether the containment stands where its id says, whether the entries of its stream fit together,
and whether they are those that the anchors hold, which only the schedule writes.
"""

from __future__ import annotations

from response import anchors
from response.chain import check
from response.containment import Containment, Stream, containment_id, stream_name
from response.journal import Journal

_DAY_MS = 86_400_000
#: How many days of anchors before today's are looked at: five minutes after it was written, each entry is in one.
_DAYS = 40
_BY_HAND = "Nothing was undone. breakwater show has the state before: compare it with the cloud's own log, and restore by hand"


class Record:
    """What the anchors of the last days hold: read when it is first asked for, and once.

    All of these days, whatever the entries say when they were written: who writes a stream anew dates it as he likes.
    """

    def __init__(self, journal: Journal, now_ms: int) -> None:
        self._journal = journal
        self._now_ms = now_ms
        self._known: anchors.Known | None = None

    def objection(self, stream: Stream, containment: Containment) -> str:
        """Return why the journal is not believed about a containment, ``""`` where it is. Raises CloudUnavailable."""
        plan = containment.plan
        named = containment_id(plan.action, plan.target, containment.verdict_id)
        if (stream.name, containment.id) != (stream_name(plan.action, plan.target), named):
            return (
                f"{stream.name} holds {containment.id} with a plan of something else: somebody has written it there. {_BY_HAND}"
            )
        problem = next(check(stream.name, stream.entries, self._held().digests.get(stream.name, {})), None)
        return f"The journal is not as it was written ({problem}). {_BY_HAND}" if problem else ""

    def _held(self) -> anchors.Known:
        if self._known is None:
            known = anchors.Known()
            for day in range(_DAYS, -1, -1):
                for each in self._journal.stream(anchors.stream_of(self._now_ms - day * _DAY_MS)):
                    known.add(each)
            self._known = known
        return self._known
