"""One containment undone: by hand, or when its time to live is over.

Undo restores exactly the state that the journal holds, names what someone changed since, and leaves that. It runs under
an identity of its own. A revoked session is never given back while its token could still be valid.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from response import orders
from response.acting import acting_for
from response.actions import Action, CloudUnavailable, Overwriting
from response.as_written import Record
from response.containment import Containment, Stream
from response.ends import Ended, ending, tell_of_end
from response.journal import Journal, JournalEntry, Step
from response.notices import Notify
from response.people import Person, undo_objection
from response.telling import moment
from response.turns import with_turns
from shared_model.errors import BreakwaterError, RefusedByCloud
from shared_model.verdicts import Verdict

#: Where it stands what a person does whom no link reaches: a notice may lack its link, and the page may be down.
_NO_LINK = "docs/response.md, Undo without a link"


class UnknownContainment(BreakwaterError):
    """No containment has this id, or it was only observed or refused: there is nothing to undo."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What an undo works with, and who asked for it.

    Attributes
    ----------
    actions, journal, now_ms, notify
    record : Record
        What the anchors hold.
    person : Person or None
        None where it is the schedule's.
    order : Order or None
        Which the schedule carries out for one that was killed.
    overwrite, delivery, attested_only
        As :func:`undo` is told.
    """

    actions: Mapping[str, Action]
    journal: Journal
    now_ms: int
    notify: Notify
    record: Record
    person: Person | None = None
    order: orders.Order | None = None
    overwrite: bool = False
    delivery: str = ""
    attested_only: bool = False


def undo(
    containment_id: str,
    *,
    approved_by: Person,
    actions: Mapping[str, Action],
    journal: Journal,
    now_ms: int,
    notify: Notify,
    overwrite: bool = False,
    delivery: str = "",
    attested_only: bool = False,
) -> Ended:
    """Undo one containment because a person says so.

    Parameters
    ----------
    containment_id : str
    approved_by : Person
        Who asks, which is the approval: refused where a verdict that led to it is about that person. What the cloud attests
        stands in the detail of UNDOING, as ``requested_by``; ``unattested`` stands there where nothing does.
    actions, journal, now_ms, notify
    overwrite : bool
        Also what someone changed since shall be as it was before; refused where the action cannot do that.
    delivery : str
        Id of the message that brought it, whose earlier deliveries are over.
    attested_only : bool
        There is a page where people sign in: who asks under a name that nothing attests is sent there, by a link.

    Raises
    ------
    UnknownContainment
        There is nothing of that id to undo.
    CloudUnavailable
        Try again later; what was restored already stays so.
    """
    name = journal.find(containment_id)
    if name is None:
        raise UnknownContainment(f"the journal has no containment {containment_id}")
    desk = Desk(
        actions=actions,
        journal=journal,
        now_ms=now_ms,
        notify=notify,
        record=Record(journal, now_ms),
        person=approved_by,
        overwrite=overwrite,
        delivery=delivery,
        attested_only=attested_only,
    )
    return end(desk, name, containment_id, approved_by.name)


def end(desk: Desk, name: str, containment_id: str, actor: str) -> Ended:
    """Undo a containment of the stream ``name``, decided by ``actor``. Raises UnknownContainment, CloudUnavailable."""
    one = _Undo(desk, actor)

    def attempt() -> Ended:
        stream = orders.Book(desk.journal).stream(name)
        containment = stream.containments.get(containment_id)
        if containment is None:
            raise UnknownContainment(f"{containment_id} was observed or refused, never applied: there is nothing to undo")
        ended = one.restore(stream, containment)
        earlier = tuple(entry for entry in ending(stream, containment) if entry not in one.written)
        return replace(ended, earlier=earlier)

    return with_turns(name, attempt)


class _Undo:
    """One undo in progress: what it has written, and the order that it carries out."""

    def __init__(self, desk: Desk, actor: str) -> None:
        self.desk = desk
        self.actor = actor
        self.written: list[JournalEntry] = []
        self.order = desk.order

    def restore(self, stream: Stream, containment: Containment) -> Ended:
        """Undo it from wherever its entries stop, or say why not. Raises SequenceTaken: the stream is another by now."""
        desk = self.desk
        undone = next((entry for entry in reversed(ending(stream, containment)) if entry.step is Step.UNDONE), None)
        once_more = containment.is_held or (desk.overwrite and undone is not None and bool(undone.detail.get("left")))
        # Else perhaps by a function that was killed before it told anyone.
        if containment.step is Step.UNDONE and undone is not None and not once_more:
            tell_of_end(desk.actions, desk.notify, undone, containment)
            self._settle()
            return self._ended(containment, Step.UNDONE, "it was undone before", tuple(undone.detail.get("left", ())))
        if self.actor == orders.BY_EXPIRY and (reason := _not_due(containment, desk.now_ms)):
            self._settle(reason)
            return self._ended(containment, Step.EXTENDED, reason)
        # When it is stuck, the entry UNDOING takes the number that a late APPLIED would need.
        if reason := stream.being_applied(desk.now_ms):
            raise CloudUnavailable(f"{reason}: undo {containment.id} when that is over")
        if reason := _unattested(desk):
            return self._refused(stream, containment, reason, sign_in=True)
        if reason := _not_now(desk, stream, containment):
            return self._refused(stream, containment, reason)
        if reason := desk.record.objection(stream, containment):
            return self._refused(stream, containment, reason)
        action = desk.actions.get(containment.plan.action)
        if action is None:
            raise ValueError(
                f"this function has no action {containment.plan.action}: deploy the version that applied {containment.id}"
            )
        if desk.overwrite and (reason := _against_overwriting(action, stream, containment)):
            return self._refused(stream, containment, reason)
        changed, unseen = list[str](), ""
        try:
            changed = [str(each) for each in action.compare(containment.plan) if each.is_changed]
        except RefusedByCloud as refusal:  # what was contained is perhaps not there any more: it ends all the same
            if desk.overwrite:  # nobody would know over what
                reason = f"what was changed since cannot be seen ({refusal}): undo it without --overwrite"
                return self._refused(stream, containment, reason)
            unseen = str(refusal)
        stream = self._begin(stream, containment, changed)
        with acting_for(containment.id):
            if isinstance(action, Overwriting) and desk.overwrite:
                result = action.overwrite(containment.plan)
            else:
                result = action.undo(containment.plan)
        outcome = {
            **({"order": self.order.entry.id} if self.order is not None else {}),
            **({"unattested": True} if _is_unattested(stream, containment) else {}),
            "restored": list(result.restored),
            "left": list(result.left),
            **({"changed_since": changed} if changed else {}),
            **({"not_compared": unseen} if unseen else {}),
            **({"held": True, "holds": list(result.held)} if result.held else {}),
        }
        self._write(stream, containment, Step.UNDONE, {**outcome, **self._delivery})
        tell_of_end(desk.actions, desk.notify, self.written[-1], containment)
        self._settle()
        return self._ended(containment, Step.UNDONE, "", result.left)

    def _begin(self, stream: Stream, containment: Containment, changed: list[str]) -> Stream:
        """Write down that it was decided on, and that it is being undone."""
        desk, sender = self.desk, _who_asked(self.desk)
        detail = {**sender, **self._delivery}
        self.order = desk.order or orders.give(desk.journal, containment, actor=self.actor, now_ms=desk.now_ms, detail=detail)
        # Also of one that another began to undo: until when somebody may be at it counts from here.
        if any(entry.step is Step.UNDOING for entry in self.written):
            return stream
        overwrites = {"overwrites": changed} if desk.overwrite else {}
        return self._write(stream, containment, Step.UNDOING, {**sender, **overwrites, **self._delivery})

    def _settle(self, reason: str = "") -> None:
        if self.order is not None:
            orders.settle(self.desk.journal, self.order, now_ms=self.desk.now_ms, reason=reason)

    @property
    def _delivery(self) -> dict[str, Any]:
        return {"delivery": self.desk.delivery} if self.desk.delivery else {}

    def _write(self, stream: Stream, containment: Containment, step: Step, detail: Mapping[str, Any]) -> Stream:
        entry = stream.entry(step, containment, now_ms=self.desk.now_ms, actor=self.actor, detail=detail)
        self.desk.journal.append(entry)
        self.written.append(entry)
        return stream.followed_by(entry)

    def _refused(self, stream: Stream, containment: Containment, reason: str, **said: bool) -> Ended:
        self._write(stream, containment, Step.REFUSED, {"reason": reason, **said})
        tell_of_end(self.desk.actions, self.desk.notify, self.written[-1], containment)
        return self._ended(containment, Step.REFUSED, reason)

    def _ended(self, containment: Containment, step: Step, reason: str, left: tuple[str, ...] = ()) -> Ended:
        return Ended(containment.id, containment.correlation_id, step, reason, left, tuple(self.written))


def _not_due(containment: Containment, now_ms: int) -> str:
    """Why time does not undo it, ``""`` where it does: it may have been extended since it was found due, or since the order."""
    if containment.expires_ms is None or containment.expires_ms <= now_ms:
        return ""
    return f"a further verdict has extended it until {moment(containment.expires_ms)}: time does not undo it before"


def _who_asked(desk: Desk) -> dict[str, Any]:
    """What attests who asked: of whom the schedule goes on for, what the order says; nothing where time decided."""
    if desk.order is not None:
        return {name: value for name, value in desk.order.entry.detail.items() if name in ("requested_by", "unattested")}
    if desk.person is None:
        return {}
    return {"requested_by": desk.person.attested} if desk.person.attested else {"unattested": True}


def _is_unattested(stream: Stream, containment: Containment) -> bool:
    """Whether it was begun for somebody of whom there was only the name that the request gave."""
    began = (each.detail for each in reversed(ending(stream, containment)) if each.step is Step.UNDOING)
    # Who goes on with it for one that was killed says nothing of who asked.
    return next(("unattested" in detail for detail in began if detail.keys() & {"requested_by", "unattested"}), False)


def _led_to(stream: Stream, containment: Containment) -> Iterator[Verdict]:
    """The verdicts by which it was proposed, begun and extended."""
    return (Verdict.from_json(each.verdict) for each in stream.entries if each.containment_id == containment.id and each.verdict)


def _against_overwriting(action: Action, stream: Stream, containment: Containment) -> str:
    """Why what someone changed since is not written over, ``""`` where it may be."""
    if not isinstance(action, Overwriting):
        return (
            f"{containment.plan.action} writes over nothing: it takes out what it put in, beside what others put there. Undo it "
            "without --overwrite, and look at what it leaves"
        )
    if stream.current is not None and stream.current.id != containment.id:
        return f"{containment.plan.target.id} is contained again, by {stream.current.id}: undo that one first"
    return ""


def _unattested(desk: Desk) -> str:
    """Why a request that nothing attests is answered with a link instead, ``""`` where it may be carried out."""
    if not desk.attested_only or desk.person is None or desk.person.attested:
        return ""
    said = f"nothing attests that {desk.person.name} asked, so it takes the link that is sent about this, and signing in there"
    return f"who undoes it signs in: {said}. Where no link comes, or it opens nothing: {_NO_LINK}"


def _not_now(desk: Desk, stream: Stream, containment: Containment) -> str:
    """Return why it must not be undone as things stand, or by this person, with what to do instead; ``""`` where it may."""
    if desk.person is not None and (reason := undo_objection(desk.person, _led_to(stream, containment))):
        return reason
    if desk.now_ms < containment.earliest_undo_ms:
        earliest = moment(containment.earliest_undo_ms)
        return f"sessions issued before the revocation may be valid until {earliest}: undo it after that"
    current = stream.current
    # Of one that only who contains says was undone, as of these: its target may have been contained once more.
    said_undone = {each.containment_id for each in stream.entries if each.sequence in stream.disbelieved}
    may_be_below = containment.step is Step.FAILED or containment.is_held or containment.id in said_undone
    if may_be_below and current is not None and current.id != containment.id:
        # What this one changed, the later one found, and holds: given back now, its target would be open in part.
        return f"its target was contained again since, by {current.id}: undo that one first"
    return ""
