"""The end of a containment: undone by hand, or when its time to live is over.

Undo restores exactly the state that the journal holds, names what someone changed since, and leaves that. It runs under
an identity of its own. A revoked session is never given back while its token could still be valid.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from response.acting import acting_for
from response.actions import Action, CloudUnavailable, Overwriting, Plan
from response.containment import Containment, Stream, fold
from response.journal import Journal, JournalEntry, SequenceTaken, Step
from response.lapsing import lapse, tell_of_lapse
from response.notices import Notify, notice
from response.people import Person, undo_objection
from response.policy import AtEnd, Policy
from response.proposals import Proposal, digest
from response.switch import read_switch
from shared_model.errors import BreakwaterError, RefusedByCloud
from shared_model.verdicts import Verdict

_ROUNDS = 8
#: Steps that the end of a containment consists of.
_ENDING = frozenset({Step.EXPIRY_DUE, Step.UNDOING, Step.UNDONE})
#: How long the link of a notice leads to the undo of a containment.
_LINK_MS = 24 * 3_600_000
#: Where it stands what a person does whom no link reaches: a notice may lack its link, and the page may be down.
_NO_LINK = "docs/response.md, Undo without a link"
#: Who decided on an undo that nobody asked for.
BY_EXPIRY = "policy:time_to_live"


class UnknownContainment(BreakwaterError):
    """No containment has this id, or it was only observed or refused: there is nothing to undo."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of one request to end a containment.

    Attributes
    ----------
    containment_id, correlation_id : str
    step : Step
        UNDONE, REFUSED (``reason`` says when it may), EXPIRY_DUE (a person was asked) or LAPSED (nobody answered a proposal).
    reason : str
    left : tuple of str
        What was not restored because someone changed it since.
    entries : tuple of JournalEntry
        What this call wrote; empty when it had ended before.
    earlier : tuple of JournalEntry
        What an earlier delivery of this request wrote, and may not have kept anywhere else: keep it again.
    """

    containment_id: str
    correlation_id: str
    step: Step
    reason: str
    left: tuple[str, ...]
    entries: tuple[JournalEntry, ...]
    earlier: tuple[JournalEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class _Desk:
    actions: Mapping[str, Action]
    journal: Journal
    now_ms: int
    notify: Notify
    person: Person | None = None
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
    desk = _Desk(actions, journal, now_ms, notify, approved_by, overwrite, delivery, attested_only)
    return _end(desk, name, containment_id, approved_by.name)


def expire(
    *,
    policy: Policy,
    actions: Mapping[str, Action],
    journal: Journal,
    now_ms: int,
    notify: Notify,
    since_ms: int | None = None,
    delivery: str = "",
) -> tuple[tuple[Ended, ...], tuple[Exception, ...]]:
    """End, or ask about, every containment whose time to live is over, and end every proposal that nobody answered in time.

    One that cannot be ended now, whatever the reason, does not hold up the others: its error is returned beside the
    results, and the next run tries it again.

    Parameters
    ----------
    policy, actions, journal, now_ms, notify
    since_ms : int or None
        When the request was sent, for one that was delivered before: what has been written since may not have been told,
        is told again under the same id, and is returned as ``earlier``.
    delivery : str
        Id of the message that brought the request, whose earlier deliveries are over.
    """
    desk = _Desk(actions, journal, now_ms, notify, delivery=delivery)
    ended: list[Ended] = []
    errors: list[Exception] = []
    for name in sorted(set(journal.expiring(now_ms))):
        with _kept_in(errors):
            stream = fold(name, journal.stream(name))
            for proposal in stream.proposals.values():
                with _kept_in(errors):
                    ended.extend(_lapsed(desk, stream, proposal, since_ms))
            for containment in stream.containments.values():
                with _kept_in(errors):
                    before = _ended_before(desk, stream, containment, since_ms)
                    result = _expire_one(desk, policy, name, containment)
                    ended.extend(each for each in (before, result) if each is not None)
    return tuple(ended), tuple(errors)


def _lapsed(desk: _Desk, stream: Stream, proposal: Proposal, since_ms: int | None) -> Iterator[Ended]:
    """End a proposal that nobody answered in time, or tell again of one that an earlier delivery of the request ended."""
    before = proposal.answer if proposal.step is Step.LAPSED else None
    if before is not None and since_ms is not None and before.time_ms >= since_ms:
        tell_of_lapse(before, proposal, desk.notify)
        reason = str(before.detail.get("reason", ""))
        yield Ended(proposal.id, proposal.correlation_id, Step.LAPSED, reason, (), (), (before,))
    entry = lapse(stream, proposal, journal=desk.journal, now_ms=desk.now_ms, notify=desk.notify)
    if entry is not None:
        yield Ended(proposal.id, proposal.correlation_id, Step.LAPSED, str(entry.detail["reason"]), (), (entry,))


def _ended_before(desk: _Desk, stream: Stream, containment: Containment, since_ms: int | None) -> Ended | None:
    """Tell again what an earlier delivery of the request wrote about this containment."""
    earlier = tuple(entry for entry in _ending(stream, containment) if since_ms is not None and entry.time_ms >= since_ms)
    for entry in earlier:
        _tell(desk, entry, containment)
    if not earlier:
        return None
    last = earlier[-1]
    return Ended(containment.id, containment.correlation_id, last.step, "told again", (), (), earlier)


def _ending(stream: Stream, containment: Containment) -> tuple[JournalEntry, ...]:
    return tuple(entry for entry in stream.entries if entry.containment_id == containment.id and entry.step in _ENDING)


@contextmanager
def _kept_in(errors: list[Exception]) -> Iterator[None]:
    """Keep an error, of whatever kind, for the caller to raise after everything else had its turn."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the boundary: the caller raises it
        errors.append(error)


def _expire_one(desk: _Desk, policy: Policy, name: str, containment: Containment) -> Ended | None:
    if containment.step is Step.UNDOING:
        if containment.may_be_being_undone(desk.now_ms, but_by=desk.delivery):
            return None  # whoever began may live; what comes of it, the next run sees
        if containment.undo_actor == BY_EXPIRY and not read_switch(desk.journal).armed:
            return None  # goes on once it is armed, or when a person undoes it
        return _end(desk, name, containment.id, containment.undo_actor)
    due = containment.expires_ms is not None and containment.expires_ms <= desk.now_ms
    stuck = containment.is_stuck(desk.now_ms)
    if not due or not (stuck or containment.step is Step.APPLIED):
        return None
    # What is stuck was never wholly made, and why is for a person to find out: it is not undone by time. Nor is, whatever the
    # policy says, what would give anything back.
    gives_back = _gives_back(desk, containment)
    by_itself = not stuck and not gives_back and policy.of(containment.plan.action).at_end is AtEnd.UNDO
    if by_itself and desk.now_ms < containment.earliest_undo_ms:
        return None
    if by_itself and read_switch(desk.journal).armed:
        return _end(desk, name, containment.id, BY_EXPIRY)
    return None if containment.asked else _ask(desk, name, containment)


def _gives_back(desk: _Desk, containment: Containment) -> str:
    """What its undo gives back, in words; ``""`` where that is nothing, or where this function does not have the action."""
    action = desk.actions.get(containment.plan.action)
    return action.gives_back if action else ""


def _ask(desk: _Desk, name: str, containment: Containment) -> Ended | None:
    stream = fold(name, desk.journal.stream(name))
    state = "it was never wholly applied: it may hold in part" if containment.is_stuck(desk.now_ms) else "it still holds"
    known = _gives_back(desk, containment)
    gives_back = f", which gives back {known}" if known else ""
    question = f"Its time to live is over and {state}. To end it{gives_back}: breakwater undo {containment.id}"
    detail = {"reason": question}
    entry = stream.entry(Step.EXPIRY_DUE, containment, now_ms=desk.now_ms, actor=BY_EXPIRY, detail=detail)
    try:
        desk.journal.append(entry)
    except SequenceTaken:  # someone is at work on this stream: the next run looks again
        return None
    _tell(desk, entry, containment)
    return Ended(containment.id, containment.correlation_id, Step.EXPIRY_DUE, question, (), (entry,))


def _end(desk: _Desk, name: str, containment_id: str, actor: str) -> Ended:
    written: list[JournalEntry] = []
    for _ in range(_ROUNDS):
        stream = fold(name, desk.journal.stream(name))
        containment = stream.containments.get(containment_id)
        if containment is None:
            raise UnknownContainment(f"{containment_id} was observed or refused, never applied: there is nothing to undo")
        try:
            ended = _restore(desk, stream, containment, actor, written)
        except SequenceTaken:
            continue
        earlier = tuple(entry for entry in _ending(stream, containment) if entry not in written)
        return replace(ended, earlier=earlier)
    raise CloudUnavailable(f"{name}: lost its place to other writers {_ROUNDS} times")


def _restore(desk: _Desk, stream: Stream, containment: Containment, actor: str, written: list[JournalEntry]) -> Ended:
    def write(stream: Stream, entry: JournalEntry) -> Stream:
        desk.journal.append(entry)
        written.append(entry)
        return stream.followed_by(entry)

    def ended(step: Step, reason: str, left: tuple[str, ...] = ()) -> Ended:
        return Ended(containment.id, containment.correlation_id, step, reason, left, tuple(written))

    def refused(reason: str, **said: bool) -> Ended:
        detail = {"reason": reason, **said}
        refusal = stream.entry(Step.REFUSED, containment, now_ms=desk.now_ms, actor=actor, detail=detail)
        write(stream, refusal)
        _tell(desk, refusal, containment)
        return ended(Step.REFUSED, reason)

    undone = next((entry for entry in reversed(_ending(stream, containment)) if entry.step is Step.UNDONE), None)
    once_more = containment.is_held or (desk.overwrite and undone is not None and bool(undone.detail.get("left")))
    # Else perhaps by a function that was killed before it told anyone.
    if containment.step is Step.UNDONE and undone is not None and not once_more:
        _tell(desk, undone, containment)
        return ended(Step.UNDONE, "it was undone before", tuple(undone.detail.get("left", ())))
    # When it is stuck, the entry UNDOING takes the number that a late APPLIED would need.
    if reason := stream.being_applied(desk.now_ms):
        raise CloudUnavailable(f"{reason}: undo {containment.id} when that is over")
    if reason := _unattested(desk):
        return refused(reason, sign_in=True)
    if reason := _not_now(desk, stream, containment):
        return refused(reason)
    action = desk.actions.get(containment.plan.action)
    if action is None:
        raise ValueError(
            f"this function has no action {containment.plan.action}: deploy the version that applied {containment.id}"
        )
    if desk.overwrite and (reason := _against_overwriting(action, stream, containment)):
        return refused(reason)
    changed, unseen = list[str](), ""
    try:
        changed = [str(each) for each in action.compare(containment.plan) if each.is_changed]
    except RefusedByCloud as refusal:  # what was contained is perhaps not there any more: it ends all the same
        if desk.overwrite:  # nobody would know over what
            return refused(f"what was changed since cannot be seen ({refusal}): undo it without --overwrite")
        unseen = str(refusal)
    said: dict[str, Any] = {"delivery": desk.delivery} if desk.delivery else {}
    # Also of one that another began to undo: until when somebody may be at it counts from here.
    if not any(entry.step is Step.UNDOING for entry in written):
        sender: dict[str, Any] = _who_asked(desk.person) if desk.person else {}
        sender |= {"overwrites": changed} if desk.overwrite else {}
        undoing = stream.entry(Step.UNDOING, containment, now_ms=desk.now_ms, actor=actor, detail={**sender, **said})
        stream = write(stream, undoing)
    with acting_for(containment.id):
        if isinstance(action, Overwriting) and desk.overwrite:
            result = action.overwrite(containment.plan)
        else:
            result = action.undo(containment.plan)
    outcome = {
        **({"unattested": True} if _is_unattested(stream, containment) else {}),
        "restored": list(result.restored),
        "left": list(result.left),
        **({"changed_since": changed} if changed else {}),
        **({"not_compared": unseen} if unseen else {}),
        **({"held": True} if result.left and _is_held(action, containment.plan) else {}),
    }
    undone = stream.entry(Step.UNDONE, containment, now_ms=desk.now_ms, actor=actor, detail={**outcome, **said})
    write(stream, undone)
    _tell(desk, undone, containment)
    return ended(Step.UNDONE, "", result.left)


def _who_asked(person: Person) -> dict[str, Any]:
    return {"requested_by": person.attested} if person.attested else {"unattested": True}


def _is_unattested(stream: Stream, containment: Containment) -> bool:
    """Whether it was begun for somebody of whom there was only the name that the request gave."""
    began = (each.detail for each in reversed(_ending(stream, containment)) if each.step is Step.UNDOING)
    # Who goes on with it for one that was killed says nothing of who asked.
    return next(("unattested" in detail for detail in began if detail.keys() & {"requested_by", "unattested"}), False)


def _is_held(action: Action, plan: Plan) -> bool:
    """Whether an undo that left something left the target, in part at least, as the action had made it: out of its work."""
    try:
        parts = action.compare(plan) if action.gives_back else ()
    except RefusedByCloud:  # it is not there any more
        return False
    return any(each.now == each.applied != each.before for each in parts)


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


def _unattested(desk: _Desk) -> str:
    """Why a request that nothing attests is answered with a link instead, ``""`` where it may be carried out."""
    if not desk.attested_only or desk.person is None or desk.person.attested:
        return ""
    said = f"nothing attests that {desk.person.name} asked, so it takes the link that is sent about this, and signing in there"
    return f"who undoes it signs in: {said}. Where no link comes, or it opens nothing: {_NO_LINK}"


def _not_now(desk: _Desk, stream: Stream, containment: Containment) -> str:
    """Return why it must not be undone as things stand, or by this person, with what to do instead; ``""`` where it may."""
    if desk.person is not None and (reason := undo_objection(desk.person, _led_to(stream, containment))):
        return reason
    if desk.now_ms < containment.earliest_undo_ms:
        earliest = datetime.fromtimestamp(containment.earliest_undo_ms / 1000, UTC).isoformat(timespec="seconds")
        return f"sessions issued before the revocation may be valid until {earliest}: undo it after that"
    current = stream.current
    if (containment.step is Step.FAILED or containment.is_held) and current is not None:
        # What this one changed, the later one found, and holds: given back now, its target would be open in part.
        return f"its target was contained again since, by {current.id}: undo that one first"
    return ""


def _decided(entry: JournalEntry) -> str:
    return f"Decided by {entry.actor}" + (": so the request said, nothing attests it" if entry.detail.get("unattested") else "")


def _tell(desk: _Desk, entry: JournalEntry, containment: Containment) -> None:
    reason, detail = str(entry.detail.get("reason", "")), entry.detail
    match entry.step:
        case Step.EXPIRY_DUE:
            subject, lines = "Containment is stuck" if containment.step is Step.APPLYING else "Containment is due", [reason]
        case Step.REFUSED:
            subject, lines = "Sign in to undo" if detail.get("sign_in") else "Undo refused", [reason]
        case Step.UNDONE:
            restored = [f"Restored: {item}" for item in detail.get("restored", ())]
            left = [f"LEFT AS IT IS: {item}" for item in detail.get("left", ())]
            changed = [f"Changed since: {item}" for item in detail.get("changed_since", ())]
            changed += [f"What was changed since cannot be seen: {reason}" for reason in (detail.get("not_compared"),) if reason]
            subject, lines = "Containment undone", [_decided(entry), *restored, *left, *changed]
            if left and changed and isinstance(desk.actions.get(containment.plan.action), Overwriting):
                lines.append(f"To have it as it was before all the same: breakwater undo {containment.id} --overwrite")
            if entry.left_held:
                place = "It keeps its place in the budget's share for as long again as it was to live, or"
                lines.append(f"It still holds. {place} until: breakwater undo {containment.id}")
        case _:
            return
    target = containment.plan.target
    text = [f"Containment {containment.id}: {containment.plan.summary}", *lines]
    told = notice(entry.id, f"{subject}: {target.kind} {target.id}", text, containment.correlation_id)
    if entry.step is Step.EXPIRY_DUE or detail.get("sign_in"):
        until_ms = entry.time_ms + _LINK_MS
        told = replace(told, proposal_id=containment.id, plan=digest(containment.plan), until_ms=until_ms, undoes=True)
    desk.notify(replace(told, case=containment.case))
