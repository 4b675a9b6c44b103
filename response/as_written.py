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
#: Days of anchors that are looked at: five minutes after it was written, each entry is in one.
_MOST_DAYS = 40
_BY_HAND = "Nothing was undone. breakwater show has the state before: compare it with the cloud's own log, and restore by hand"


def objection(journal: Journal, stream: Stream, containment: Containment, *, now_ms: int) -> str:
    """Return why the journal is not believed about a containment, ``""`` where it is. Raises CloudUnavailable."""
    plan = containment.plan
    named = containment_id(plan.action, plan.target, containment.verdict_id)
    if (stream.name, containment.id) != (stream_name(plan.action, plan.target), named):
        return f"{stream.name} holds {containment.id} with a plan of something else: somebody has written it there. {_BY_HAND}"
    known = anchors.Known()
    began_ms = next(entry.time_ms for entry in stream.entries if entry.containment_id == containment.id)
    times_ms = range(max(began_ms, now_ms - _MOST_DAYS * _DAY_MS), now_ms, _DAY_MS)
    for day in dict.fromkeys(map(anchors.stream_of, (*times_ms, now_ms))):
        for each in journal.stream(day):
            known.add(each)
    problem = next(check(stream.name, stream.entries, known.digests.get(stream.name, {})), None)
    return f"The journal is not as it was written ({problem}). {_BY_HAND}" if problem else ""
