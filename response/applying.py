"""APPLYING → apply → APPLIED → verify, of a containment that was decided on: by a policy, or by a person.

* Whoever comes to a stream whose last containment stands at ``APPLYING`` finishes it with the plan that is written there;
  ``apply`` is idempotent.
* Nobody applies and undoes at the same time. An ``APPLYING`` keeps every undo away for longer than its writer can live; who
  takes up another's writes a new one first, and an undo that has begun meanwhile has taken the number that it needs.
* What another message began a moment ago is left to it, once: two at the same time help nobody, and an undo would have to
  wait for both. A verdict that comes again finishes what it finds.
* Who takes up what another began looks at the never-touch list again: it may have been written since.
* Nothing is changed while the master switch is off: it is read right before each change, also of what is being finished.
"""

from __future__ import annotations

from dataclasses import replace

from response import guard
from response.acting import acting_for
from response.actions import Action, CannotApply, CloudUnavailable, Plan, Verification
from response.containment import Containment, Stream
from response.journal import JournalEntry, Step
from response.room import Room
from response.switch import read_switch
from response.telling import tell

_AT_WORK = frozenset({Step.APPLYING, Step.APPLIED, Step.FAILED})


class Applier:
    """One containment being carried out: what it has written, and which plan it has applied itself.

    Attributes
    ----------
    room : Room
    action : Action
    written : list of JournalEntry
    """

    def __init__(self, room: Room, action: Action) -> None:
        self.room = room
        self.action = action
        self.written: list[JournalEntry] = []
        self._mine = ""
        self._taken_up = ""
        self._applied = ""

    def finish(self, stream: Stream, containment: Containment) -> Stream:
        """Carry a containment through apply and verify, from wherever its entries stop."""
        if not containment.is_under_way:
            return stream
        now_ms = self.room.now_ms
        if containment.step is Step.APPLYING:
            if containment.id not in (self._mine, self._applied):
                if self.room.first and containment.was_begun_by_another_just_now(now_ms, self.room.delivery):
                    raise CloudUnavailable(f"containment {containment.id} is just being applied: this verdict comes after it")
                detail = {"reason": "taken up again"}
                stream = self.append(
                    stream, stream.entry(Step.APPLYING, containment, now_ms=now_ms, plan=True, detail=detail, expires=True)
                )
                self._taken_up = containment.id
            try:
                self._apply(containment)
            except CannotApply as error:
                return self.append(stream, stream.entry(Step.FAILED, containment, now_ms=now_ms, detail={"reason": str(error)}))
            stream = self.append(stream, stream.entry(Step.APPLIED, containment, now_ms=now_ms, expires=True))
        return self._verify(stream, containment)

    def append(self, stream: Stream, entry: JournalEntry) -> Stream:
        """Write the entry, tell of it, and return the stream with it. Raises SequenceTaken."""
        if entry.step in _AT_WORK and self.room.delivery:  # who is at work, and who no longer
            entry = replace(entry, detail={**entry.detail, "delivery": self.room.delivery})
        self.room.journal.append(entry)
        self.written.append(entry)
        self._mine = entry.containment_id if entry.step is Step.APPLYING else self._mine
        stream = stream.followed_by(entry)
        tell(self.room, stream, entry)
        return stream

    def _apply(self, containment: Containment) -> None:
        if self._applied == containment.id:  # and lost the number of its APPLIED
            return
        if self._taken_up == containment.id and (reason := self._protected_since(containment.plan)):
            raise CannotApply(reason)
        if reason := self.action.check(containment.plan):
            raise CannotApply(reason)
        # The last word before every change. What a killed function left half made is for a person to end.
        if reason := read_switch(self.room.journal).objection:
            raise CannotApply(reason)
        with acting_for(containment.id):
            self.action.apply(containment.plan)
        self._applied = containment.id

    def _protected_since(self, plan: Plan) -> str:
        """Say what protects its target by now, ``""`` where nothing does: somebody may have tagged it, or put it on the list."""
        tags = self.action.plan(plan.target, self.room.verdict).tags
        return guard.protection(replace(plan, tags=tags), self.room.policy.never_touch)

    def _verify(self, stream: Stream, containment: Containment) -> Stream:
        try:
            found = self.action.verify(containment.plan)
        except CloudUnavailable:
            found = Verification.UNREACHABLE
        return self.append(stream, stream.entry(Step(found), containment, now_ms=self.room.now_ms))
