"""What a person is told of an entry of the journal: once, and again under the same id where a function may have been killed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from response.actions import Plan
from response.containment import Stream
from response.journal import Journal, JournalEntry, Step
from response.notices import Notice, Notify, notice
from response.policy import AtEnd, Policy
from response.proposals import ASKS, Proposal, digest
from response.room import Room
from shared_model.verdicts import Verdict

#: Steps of a containment that also another verdict's delivery may write, and those that only the verdict's own does.
_FINISHING = frozenset({Step.APPLYING, Step.APPLIED, Step.FAILED, Step.VERIFIED, Step.DRIFTED, Step.UNREACHABLE})
#: Units in which a policy gives durations, from how many of them on.
_UNITS = (("d", 86_400, 2), ("h", 3600, 1), ("m", 60, 1), ("s", 1, 1))
_DECIDING = _FINISHING | {Step.REFUSED, Step.NOOP, Step.OBSERVED, Step.PROPOSED, Step.EXTENDED}


def repeat(room: Room, stream: Stream, *, after: int = 0) -> None:
    """Tell again, and collect, what an earlier delivery may have written into this stream without telling anyone.

    That is what stands there about the verdict, and any containment that it may have found unfinished. A refused undo
    (it has no plan) is no work of the responder.
    """
    verdict = room.verdict
    for entry in stream.entries[after:]:
        own = entry.verdict_id == verdict.id and entry.step in _DECIDING and (entry.plan or entry.step is not Step.REFUSED)
        finished = entry.step in _FINISHING and entry.time_ms >= verdict.time_ms
        if (own or finished) and entry not in room.earlier:
            room.earlier.append(entry)
            tell(room, stream, entry)


def tell(room: Room, stream: Stream, entry: JournalEntry) -> None:
    """Tell a person of an entry that one should know of."""
    found = _words(room, stream, entry)
    plan = _plan_of(stream, entry)
    if found is None or plan is None:
        return
    subject, why = found
    lines = [*about(room), f"Change: {plan.summary}", *(f"Touches: {touched}" for touched in plan.touches), why]
    told = notice(entry.id, f"{subject}: {plan.target.kind} {plan.target.id}", lines, room.verdict.correlation_id)
    told = replace(told, case=entry.case)
    proposal = stream.proposals.get(entry.containment_id)
    if proposal is not None and proposal.is_open(room.now_ms):
        told = replace(told, proposal_id=proposal.id, plan=digest(proposal.plan), until_ms=proposal.expires_ms)
    room.notify(told)


def tell_of_unnamed(what: str, containment_id: str, why: str, *, journal: Journal, notify: Notify, delivery: str) -> None:
    """Tell that an answer, or the request of an undo, counts for nothing, since nobody could be named who sent it.

    Whoever sent it was only told that it is on its way. Of what the journal does not have nobody is told.

    Parameters
    ----------
    what : str
        What was sent, e.g. ``Undo``.
    containment_id : str
        The containment or proposal that it was about.
    why : str
    journal, notify
    delivery : str
        Id of the message: the notice has it, and is the same when the message comes again.

    Raises
    ------
    CloudUnavailable
    """
    name = journal.find(containment_id)
    entries = [each for each in journal.stream(name) if each.containment_id == containment_id] if name is not None else []
    if not entries:
        return
    summary = next((f": {each.plan['summary']}" for each in entries if each.plan), "")
    lines = [f"{containment_id}{summary}", f"{why[:500]}.", "Nothing was changed. Send it again as a role or user of your own."]
    told = notice(delivery, f"{what} refused: nobody could be named who sent it", lines, entries[-1].correlation_id)
    notify(replace(told, case=entries[-1].case))


def forged(verdict: Verdict, reason: str, *, delivery: str) -> Notice:
    """Return what a person is told of a verdict that was sent in another detector's name: whoever sent it may be taken over.

    ``delivery`` is the id of the message: the notice has it, and is the same when the message comes again.
    """
    lines = [
        f"Verdict {verdict.id[:64]} says that it is of {verdict.detector[:64]}, about {verdict.entity.key[:200]}.",
        f"{reason[:500]}.",
        "It counts for nothing, and is a dead letter. Unless somebody has redriven it, look who holds the sender's role.",
        "What else this sender sends in another's name within the hour is a dead letter too, and not told.",
    ]
    return notice(delivery, "Verdict refused: another sent it than it says", lines, verdict.correlation_id[:200])


def about(room: Room) -> list[str]:
    """Say what the verdict says."""
    verdict = room.verdict
    return [
        f"{verdict.title} ({verdict.entity.kind} {verdict.entity.id}, account {verdict.entity.account})",
        f"{verdict.detector}: probability {verdict.probability:.2f}, threshold {verdict.threshold:.2f}, {verdict.technique}",
        f"Second signal: {room.partner.detector} from {room.partner.telemetry}" if room.partner else "",
        *(f"Evidence: {evidence.summary}" for evidence in verdict.evidence),
    ]


def _words(room: Room, stream: Stream, entry: JournalEntry) -> tuple[str, str] | None:
    """Return the subject and what there is to say, None where it is not told."""
    reason, identifier = str(entry.detail.get("reason", "")), entry.containment_id
    if entry.detail.get("told"):
        return None
    match entry.step:
        case Step.PROPOSED | Step.APPROVED | Step.DENIED:
            return _of_proposal(room, stream, entry, reason)
        case Step.REFUSED if entry.detail.get("request"):
            return "Answer refused", f"{entry.actor}: {reason}"
        case Step.REFUSED:
            return "Not contained", reason
        case Step.OBSERVED:
            return "Would contain", f"Rule {entry.actor.removeprefix('policy:')} is in mode observe"
        case Step.APPLIED:
            return "Contained", f"Decided by {entry.actor}. To undo it: breakwater undo {identifier}"
        case Step.EXTENDED:
            return "Containment extended", f"{reason}. To end it: breakwater undo {identifier}"
        case Step.FAILED:
            return "FAILED to contain", f"{reason}. What was done can be undone: {identifier}"
        case Step.DRIFTED | Step.UNREACHABLE:
            return f"Containment {entry.step}", "Look at the target: the change could not be read back as made."
    return None


def _of_proposal(room: Room, stream: Stream, entry: JournalEntry, reason: str) -> tuple[str, str] | None:
    missing = int(entry.detail.get("missing", 0))
    how = _how_to_answer(stream.proposals[entry.containment_id], room.policy)
    match entry.step:
        case Step.PROPOSED if entry.detail.get("asks") == ASKS:
            question = entry.detail.get("question")
            others = f"What follows within this hour waits for the same answer and is not told one by one: {_OTHERS} {question}"
            return "BUDGET USED UP, is this meant?", f"{reason}. {others}. {_MISTAKE}.\n{how}"
        case Step.PROPOSED:
            return ("Changed since it was shown, approve?" if reason else "Approve?"), f"{reason}\n{how}"
        case Step.APPROVED if missing:
            return "One more approval is needed", f"Approved by {entry.actor}.\n{how}"
        case Step.DENIED:
            return "Denied", f"By {entry.actor}: {reason}"
    return None  # what is approved by all whom it needs is told of when it is contained


_OTHERS = "breakwater proposals --question"
_MISTAKE = "If it is a mistake: breakwater disarm --reason …"


def _how_to_answer(proposal: Proposal, policy: Policy) -> str:
    """Say what a yes does, as the policy stands: for how long it contains, and what happens then; and how to say it."""
    plan = proposal.plan
    contains_s = max(policy.terms_under(proposal.actor, plan.action).time_to_live_s, plan.min_lifetime_s)
    then = "a person is asked" if policy.of(plan.action).at_end is AtEnd.ASK else "it is undone"
    yes = f"A yes contains for {span(contains_s)}; then {then}."
    how = f"breakwater approve {proposal.id}, or breakwater deny {proposal.id} --reason …"
    return f"{yes}\nTo answer, until {moment(proposal.expires_ms)}: {how}"


def moment(time_ms: int) -> str:
    """Return a time as a person reads it, in UTC."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="seconds")


def span(seconds: int) -> str:
    """Return a duration as a policy gives it."""
    return next(f"{seconds // size}{unit}" for unit, size, least in _UNITS if seconds % size == 0 and seconds // size >= least)


def _plan_of(stream: Stream, entry: JournalEntry) -> Plan | None:
    if entry.plan is not None:
        return Plan.from_json_value(entry.plan)
    known = stream.containments.get(entry.containment_id) or stream.proposals.get(entry.containment_id)
    return known.plan if known else None
