"""The end of a proposal that nobody answered in time: written down, and told where it was told."""

from __future__ import annotations

from dataclasses import replace

from response.containment import Stream
from response.journal import Journal, JournalEntry, SequenceTaken, Step
from response.notices import Notify, notice
from response.proposals import Proposal
from response.telling import moment

#: Who ends what nobody answered.
BY_TIME = "policy:answer_within"


def lapse(stream: Stream, proposal: Proposal, *, journal: Journal, now_ms: int, notify: Notify) -> JournalEntry | None:
    """End the proposal if its time is over. Returns the entry; None where it is not due, or somebody is at work on it.

    One that was approved and never begun ends too: whoever approved it did not mean some later day.
    """
    waiting = proposal.step is Step.PROPOSED or (proposal.step is Step.APPROVED and proposal.id not in stream.containments)
    if not waiting or now_ms < proposal.expires_ms:
        return None
    begun = "it was approved but never begun" if proposal.step is Step.APPROVED else "nobody answered"
    detail = {"reason": f"{begun} until {moment(proposal.expires_ms)}: nothing was changed, a new verdict asks again"}
    entry = stream.entry(Step.LAPSED, proposal, now_ms=now_ms, actor=BY_TIME, detail=detail)
    try:
        journal.append(entry)
    except SequenceTaken:  # an answer in the last moment: the next run looks again
        return None
    tell_of_lapse(entry, proposal, notify)
    return entry


def tell_of_lapse(entry: JournalEntry, proposal: Proposal, notify: Notify) -> None:
    """Tell of it, unless it was one of many that one question asked for."""
    if not proposal.told:
        return
    target = proposal.plan.target
    lines = [f"Proposal {proposal.id}: {proposal.plan.summary}", str(entry.detail["reason"])]
    told = notice(entry.id, f"Nobody answered, not contained: {target.kind} {target.id}", lines, proposal.correlation_id)
    notify(replace(told, case=proposal.case))
