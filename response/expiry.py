"""What the schedule does: it ends, or asks about, whatever has had its time, and goes on with undos whose function was killed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from response import orders
from response.actions import Action
from response.as_written import Record
from response.containment import Containment, Stream
from response.ends import Ended, ending, tell_of_end
from response.journal import Journal, SequenceTaken, Step
from response.lapsing import lapse, tell_of_lapse
from response.notices import Notify, notice
from response.orders import BY_EXPIRY
from response.policy import AtEnd, Policy
from response.proposals import Proposal
from response.switch import read_switch
from response.undoing import Desk, end


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

    Undos that were decided on and not carried out, because whoever began was killed, are carried out first.

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
    desk = Desk(actions, journal, now_ms, notify, Record(journal, now_ms), delivery=delivery)
    ended: list[Ended] = []
    errors: list[Exception] = []
    names = sorted(set(journal.expiring(now_ms)))
    book = orders.Book(journal)
    given: list[orders.Order] = []
    with _kept_in(errors):
        given.extend(orders.standing_of(journal, names))
    for order in given:
        with _kept_in(errors):
            carried_out = _carry_out(desk, order)
            ended.extend([carried_out] if carried_out is not None else [])
    ordered, told = {order.containment_id for order in given}, {each.containment_id for each in ended}
    for name in names:
        with _kept_in(errors):
            stream = book.stream(name)
            for proposal in stream.proposals.values():
                with _kept_in(errors):
                    ended.extend(_lapsed(desk, stream, proposal, since_ms))
            for containment in stream.containments.values():
                with _kept_in(errors):
                    before = _ended_before(desk, stream, containment, since_ms) if containment.id not in told else None
                    result = _expire_one(desk, policy, stream, containment, ordered)
                    ended.extend(each for each in (before, result) if each is not None)
    return tuple(ended), tuple(errors)


def _lapsed(desk: Desk, stream: Stream, proposal: Proposal, since_ms: int | None) -> Iterator[Ended]:
    """End a proposal that nobody answered in time, or tell again of one that an earlier delivery of the request ended."""
    before = proposal.answer if proposal.step is Step.LAPSED else None
    if before is not None and since_ms is not None and before.time_ms >= since_ms:
        tell_of_lapse(before, proposal, desk.notify)
        reason = str(before.detail.get("reason", ""))
        yield Ended(proposal.id, proposal.correlation_id, Step.LAPSED, reason, (), (), (before,))
    entry = lapse(stream, proposal, journal=desk.journal, now_ms=desk.now_ms, notify=desk.notify)
    if entry is not None:
        yield Ended(proposal.id, proposal.correlation_id, Step.LAPSED, str(entry.detail["reason"]), (), (entry,))


def _ended_before(desk: Desk, stream: Stream, containment: Containment, since_ms: int | None) -> Ended | None:
    """Tell again what an earlier delivery of the request wrote about this containment."""
    earlier = tuple(entry for entry in ending(stream, containment) if since_ms is not None and entry.time_ms >= since_ms)
    for entry in earlier:
        tell_of_end(desk.actions, desk.notify, entry, containment)
    if not earlier:
        return None
    last = earlier[-1]
    return Ended(containment.id, containment.correlation_id, last.step, "told again", (), (), earlier)


@contextmanager
def _kept_in(errors: list[Exception]) -> Iterator[None]:
    """Keep an error, of whatever kind, for the caller to raise after everything else had its turn."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the boundary: the caller raises it
        errors.append(error)


def _carry_out(desk: Desk, order: orders.Order) -> Ended | None:
    """Go on with an undo that was decided on, unless whoever wrote that down may still be at it."""
    stream = orders.Book(desk.journal).stream(order.stream)
    containment = stream.containments.get(order.containment_id)
    if containment is None or not order.is_for(containment):
        _drop(desk, order)
        return None
    done = [entry for entry in ending(stream, containment) if entry.time_ms >= order.entry.time_ms]
    if containment.step is Step.UNDONE and done and done[-1].step is Step.UNDONE:  # perhaps it told nobody
        tell_of_end(desk.actions, desk.notify, done[-1], containment)
        orders.settle(desk.journal, order, now_ms=desk.now_ms)
        return Ended(containment.id, containment.correlation_id, Step.UNDONE, "told again", (), (), tuple(done))
    alive = order.may_be_at_work(desk.now_ms, but_by=desk.delivery)
    if alive or containment.may_be_being_undone(desk.now_ms, but_by=desk.delivery):
        return None  # what comes of it, the next run sees
    if order.entry.actor == BY_EXPIRY and not read_switch(desk.journal).armed:
        return None  # goes on once it is armed, or when a person undoes it
    ended = end(replace(desk, order=order), order.stream, containment.id, order.entry.actor)
    orders.settle(desk.journal, order, now_ms=desk.now_ms, reason="" if ended.step is Step.UNDONE else ended.reason)
    return ended


def _drop(desk: Desk, order: orders.Order) -> None:
    """Settle an order whose containment is not there, or has another plan, as not to be carried out, and tell a person."""
    reason = f"{order.stream} does not hold {order.containment_id} with the plan that {order.entry.actor} decided on any more"
    lines = [f"{reason}: nothing was undone.", "To see what was changed in the journal: breakwater journal verify"]
    desk.notify(notice(order.entry.id, "Undo NOT done: THE JOURNAL WAS CHANGED", lines, order.entry.correlation_id))
    orders.settle(desk.journal, order, now_ms=desk.now_ms, reason=reason)


def _expire_one(desk: Desk, policy: Policy, stream: Stream, containment: Containment, ordered: Collection[str]) -> Ended | None:
    if containment.step is Step.UNDOING:
        if containment.id in ordered or containment.asked or containment.may_be_being_undone(desk.now_ms):
            return None
        # Who undoes has not written down that anybody decided on it: whoever contains may have written this.
        return _ask(desk, stream.name, containment)
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
    doubt = ""
    if by_itself and read_switch(desk.journal).armed:
        doubt = desk.record.objection(stream, containment)
        if not doubt:
            return end(desk, stream.name, containment.id, BY_EXPIRY)
    return None if containment.asked else _ask(desk, stream.name, containment, doubt)


def _gives_back(desk: Desk, containment: Containment) -> str:
    """What its undo gives back, in words; ``""`` where that is nothing, or where this function does not have the action."""
    action = desk.actions.get(containment.plan.action)
    return action.gives_back if action else ""


def _ask(desk: Desk, name: str, containment: Containment, doubt: str = "") -> Ended | None:
    stream = orders.Book(desk.journal).stream(name)
    state = "it was never wholly applied: it may hold in part" if containment.is_stuck(desk.now_ms) else "it still holds"
    if containment.step is Step.UNDOING:
        state = (
            f"an undo by {containment.undo_actor} stands in the journal that nobody is known to have asked for: it was not done"
        )
    known = _gives_back(desk, containment)
    gives_back = f", which gives back {known}" if known else ""
    how = doubt or f"To end it{gives_back}: breakwater undo {containment.id}"
    question = f"Its time to live is over and {state}. {how}"
    detail = {"reason": question}
    entry = stream.entry(Step.EXPIRY_DUE, containment, now_ms=desk.now_ms, actor=BY_EXPIRY, detail=detail)
    try:
        desk.journal.append(entry)
    except SequenceTaken:  # someone is at work on this stream: the next run looks again
        return None
    tell_of_end(desk.actions, desk.notify, entry, containment)
    return Ended(containment.id, containment.correlation_id, Step.EXPIRY_DUE, question, (), (entry,))
