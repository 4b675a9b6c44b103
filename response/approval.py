"""The answer to a proposal: a person's yes or no, and what follows.

A yes is not yet a change. What was shown is looked at again first, with the policy, the switch and the budget of that moment:
where the state is no longer the one that was shown, the present plan is proposed instead. Then the containment goes the same
way as one that the policy decided on. Every answer is one conditional write, and names its request: a request that is
delivered again finds its own entry, and goes on from there; a further one is refused, with who answered first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from response import guard
from response.actions import Action, CloudUnavailable, Mode, Plan
from response.answers import Answer
from response.applying import Applier
from response.budget import Ledgers
from response.containment import Containment, Stream, fold
from response.journal import Journal, JournalEntry, SequenceTaken, Step
from response.notices import Notify
from response.people import needed, objection
from response.policy import ActionPolicy, Policy
from response.proposals import Proposal, changed_since, digest
from response.room import Room
from response.settling import beyond_budget, draft_of
from response.switch import read_switch
from response.telling import moment, tell
from response.turns import ROUNDS
from shared_model.errors import BreakwaterError
from shared_model.verdicts import Verdict

#: Steps that an answer ends with, of those that name its request.
_ENDS = frozenset({Step.APPROVED, Step.DENIED, Step.REFUSED, Step.NOOP, Step.PROPOSED})
#: A stream after the answer, where the answer ended, and why.
_End: TypeAlias = tuple[Stream, Step, str]


class UnknownProposal(BreakwaterError):
    """The journal has no proposal of this id: nothing was ever asked under it."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of an answer.

    Attributes
    ----------
    proposal_id, correlation_id : str
    step : Step
        DENIED; APPROVED (somebody else is needed too); where its containment stands (APPLIED, FAILED …); NOOP (nothing is left
        to do); REFUSED (the answer does not count); PROPOSED (the state changed: ``plan`` is proposed instead).
    reason : str
    plan : Plan
        What was approved, or is proposed now.
    entries : tuple of JournalEntry
        What this call wrote.
    earlier : tuple of JournalEntry
        What an earlier delivery of the request wrote, and may not have kept anywhere else: keep it again.
    """

    proposal_id: str
    correlation_id: str
    step: Step
    reason: str
    plan: Plan
    entries: tuple[JournalEntry, ...]
    earlier: tuple[JournalEntry, ...] = ()


def settle_answer(
    answer: Answer,
    *,
    policy: Policy,
    actions: Mapping[str, Action],
    journal: Journal,
    budget: Ledgers,
    now_ms: int,
    notify: Notify,
    delivery: str = "",
) -> Answered:
    """Take a person's answer to a proposal; contain where it was approved by all whom the policy wants.

    Parameters
    ----------
    answer : Answer
    policy : Policy
        With Breakwater's own roles on its never-touch list, as for :func:`response.responder.respond`.
    actions, journal, budget, now_ms, notify
    delivery : str
        Id of the message that brought the answer, whose earlier deliveries are over.

    Raises
    ------
    UnknownProposal
    ValueError
        A denial without a reason, or an action that this function does not have.
    CloudUnavailable
        Deliver the answer again; what was begun is finished then.
    """
    if not answer.approves and not answer.reason.strip():
        raise ValueError("say why it is denied: the journal, and whoever looks at the next verdict, will name it")
    name = journal.find(answer.proposal_id)
    if name is None:
        raise UnknownProposal(f"the journal has no proposal {answer.proposal_id}")
    desk: _Desk | None = None
    for _ in range(ROUNDS):
        stream = fold(name, journal.stream(name))
        proposal = stream.proposals.get(answer.proposal_id)
        if proposal is None:
            raise UnknownProposal(f"{answer.proposal_id} was never proposed: there is nothing to answer")
        if desk is None:
            desk = _Desk(
                answer,
                replace(_room(proposal, policy, journal, budget, now_ms, notify), delivery=delivery),
                _action(proposal, actions),
                proposal.actor,
            )
            desk.repeat(stream)
        try:
            stream, step, reason = desk.settle(stream, proposal)
        except SequenceTaken:
            continue
        plan = stream.proposals[proposal.id].plan
        written, earlier = tuple(desk.applier.written), tuple(desk.room.earlier)
        return Answered(proposal.id, proposal.correlation_id, step, reason, plan, written, earlier)
    raise CloudUnavailable(f"{name}: lost its place to other writers {ROUNDS} times")


def _room(proposal: Proposal, policy: Policy, journal: Journal, budget: Ledgers, now_ms: int, notify: Notify) -> Room:
    return Room(
        verdict=Verdict.from_json(proposal.verdict),
        partners=(),
        look_again=tuple,
        policy=policy,
        journal=journal,
        budget=budget,
        now_ms=now_ms,
        notify=notify,
        case=proposal.case,
    )


def _action(proposal: Proposal, actions: Mapping[str, Action]) -> Action:
    action = actions.get(proposal.plan.action)
    if action is None:
        raise ValueError(
            f"this function has no action {proposal.plan.action}: deploy the version that proposed {proposal.id}, or deny it"
        )
    return action


class _Desk:
    """One answer in progress."""

    def __init__(self, answer: Answer, room: Room, action: Action, proposed_by: str) -> None:
        self.answer = answer
        self.room = room
        self.action = action
        self.proposed_by = proposed_by
        self.terms = room.policy.terms_under(proposed_by, action.name)
        self.applier = Applier(room, action)

    @property
    def _policy(self) -> ActionPolicy:
        return self.room.policy.of(self.action.name)

    def repeat(self, stream: Stream) -> None:
        """Tell again, and collect, what an earlier delivery of this request may have written without telling anyone."""
        own = [entry for entry in stream.entries if self._is_own(entry)]
        if own:
            carried = [e for e in stream.entries if e.containment_id == own[0].containment_id and e.sequence >= own[0].sequence]
            self.room.earlier.extend(carried)
            for entry in carried:
                tell(self.room, stream, entry)

    def settle(self, stream: Stream, proposal: Proposal) -> _End:
        """Bring the answer to its end. Raises SequenceTaken, CloudUnavailable."""
        contained = stream.containments.get(proposal.id)
        own = [entry for entry in stream.entries if self._is_own(entry)]
        mine = next((entry for entry in reversed(own) if entry.step in _ENDS), None)
        begun_by_me = any(entry.step is Step.APPLYING for entry in own)
        approved_by_me = mine is not None and mine.step is Step.APPROVED
        if mine is not None and not (approved_by_me and proposal.step is Step.APPROVED):
            return stream, mine.step, str(mine.detail.get("reason", ""))
        if contained is not None and (approved_by_me or begun_by_me):
            return self._carried_out(stream, contained)
        if reason := _too_late(proposal, contained, self.room.now_ms):
            return self._refuse(stream, proposal, reason)
        if not self.answer.approves:
            return self._deny(stream, proposal)
        return self._approve(stream, proposal)

    def _is_own(self, entry: JournalEntry) -> bool:
        return entry.containment_id == self.answer.proposal_id and entry.detail.get("request") == self.answer.request

    def _deny(self, stream: Stream, proposal: Proposal) -> _End:
        if proposal.step is Step.APPROVED:
            return self._refuse(stream, proposal, "it is approved already: undo it when it is contained")
        if reason := objection(self.answer.by, self.room.verdict, self._policy.four_eyes, ()):
            return self._refuse(stream, proposal, reason)
        return self._write(stream, Step.DENIED, proposal, {"reason": self.answer.reason}), Step.DENIED, self.answer.reason

    def _approve(self, stream: Stream, proposal: Proposal) -> _End:
        """The second look, then the approval, then the change."""
        decided = proposal.step is Step.APPROVED  # and whoever wrote that was killed before the change was begun
        approvers = {str(entry.detail.get("attested") or entry.actor): entry.actor for entry in proposal.approvals}
        if not decided and (reason := self._objection(proposal, approvers)):
            return self._refuse(stream, proposal, reason)
        stream, overtaken = self._beside(stream)
        if overtaken:
            return self._write(stream, Step.NOOP, proposal, {"reason": overtaken}), Step.NOOP, overtaken
        plan = self.action.plan(proposal.plan.target, self.room.verdict)
        if plan.is_noop and (reason := stream.just_undone(self.room.now_ms)):
            raise CloudUnavailable(reason)
        if plan.is_noop:
            return self._write(stream, Step.NOOP, proposal, {"reason": "already so"}), Step.NOOP, "already so"
        if reason := self._against(plan):
            return self._refuse(stream, proposal, reason)
        if reason := changed_since(proposal.plan, plan):
            return self._propose_instead(stream, proposal, plan, reason)
        if reason := self.action.check(plan):  # changed since the plan was made, a moment ago: look again
            raise CloudUnavailable(reason)
        approvers |= {} if decided else {self.answer.by.id: self.answer.by.name}
        missing = 0 if decided else max(0, needed(self._policy.four_eyes) - len(approvers))
        if missing:
            reason = f"{missing} more must approve it"
            return self._write(stream, Step.APPROVED, proposal, self._yes(plan, missing)), Step.APPROVED, reason
        draft = draft_of(plan, stream.name, self.room.verdict, self.room, self.terms, actor=[*approvers.values()][-1])
        # Last, because it is the only look that uses something up.
        used_up = beyond_budget(self.room, draft, whatever=self.answer.beyond_budget)
        if used_up and not self.answer.beyond_budget:
            return self._refuse(stream, proposal, f"{used_up}: if it is meant all the same, approve it beyond the budget")
        if not decided:
            stream = self._write(stream, Step.APPROVED, proposal, self._yes(plan, 0))
        # Who takes up another's approval has no other entry that names its request.
        detail = {
            "approved_by": [*approvers.values()],
            "request": self.answer.request,
            **({"beyond": used_up} if used_up else {}),
        }
        if self.answer.by.id not in approvers:  # who took up what an approver's killed function had not begun
            detail["begun_for"] = self.answer.by.name
        applying = stream.entry(Step.APPLYING, draft, now_ms=self.room.now_ms, plan=True, detail=detail, expires=True)
        return self._carried_out(self.applier.append(stream, applying), draft)

    def _objection(self, proposal: Proposal, approvers: Mapping[str, str]) -> str:
        if self.answer.plan != digest(proposal.plan):
            return "what was shown is not what is proposed now: look at the plan again, then approve that one"
        return objection(self.answer.by, self.room.verdict, self._policy.four_eyes, approvers)

    def _against(self, plan: Plan) -> str:
        """Return what the policy and the switch say now, ``""`` when nothing speaks against the plan."""
        if self.terms.mode is Mode.OBSERVE:
            by = f"{plan.action}, as {self.proposed_by} proposed it,"
            return f"{by} is in mode observe by now, which changes nothing: approve it when it is not"
        return read_switch(self.room.journal).objection or guard.refusal(plan, self.room.verdict, self.room.policy.never_touch)

    def _beside(self, stream: Stream) -> tuple[Stream, str]:
        """Look at another containment of the same target; return the stream, and why there is nothing left to approve."""
        current = stream.current
        if current is not None and current.is_under_way:
            stream = self.applier.finish(stream, current)
            current = stream.current
        if reason := stream.being_undone(self.room.now_ms):
            raise CloudUnavailable(f"{reason}: this answer is looked at after that")
        covered = current is not None and self.action.covers(current.plan, self.room.verdict)
        return stream, f"already contained by {current.id}" if current is not None and covered else ""

    def _propose_instead(self, stream: Stream, proposal: Proposal, plan: Plan, reason: str) -> _End:
        until_ms = max(proposal.expires_ms, self.room.now_ms + self._policy.answer_within_s * 1000)
        instead = replace(proposal, plan=plan, expires_ms=until_ms)
        detail = {"reason": reason, "instead_of": digest(proposal.plan), "question": proposal.question}
        return self._write(stream, Step.PROPOSED, instead, detail, plan=True), Step.PROPOSED, reason

    def _carried_out(self, stream: Stream, containment: Containment) -> _End:
        stream = self.applier.finish(stream, containment)
        last = [entry for entry in stream.entries if entry.containment_id == containment.id][-1]
        return stream, stream.containments[containment.id].step, str(last.detail.get("reason", ""))

    def _yes(self, plan: Plan, missing: int) -> dict[str, object]:
        return {"plan": digest(plan), "missing": missing, "reason": self.answer.reason}

    def _refuse(self, stream: Stream, proposal: Proposal, reason: str) -> _End:
        return self._write(stream, Step.REFUSED, proposal, {"reason": reason}), Step.REFUSED, reason

    def _write(
        self, stream: Stream, step: Step, proposal: Proposal, detail: Mapping[str, object], *, plan: bool = False
    ) -> Stream:
        by = self.answer.by
        said = {"request": self.answer.request, **({"attested": by.attested} if by.attested else {}), **detail}
        entry = stream.entry(
            step, proposal, now_ms=self.room.now_ms, actor=by.name, plan=plan, detail=said, expires=step is Step.PROPOSED
        )
        return self.applier.append(stream, replace(entry, verdict=proposal.verdict) if plan else entry)


def _too_late(proposal: Proposal, contained: Containment | None, now_ms: int) -> str:
    """Return why no answer counts any more, ``""`` while one does."""
    answer = proposal.answer
    if contained is not None:
        by = ", ".join(entry.actor for entry in proposal.approvals)
        return f"it was approved already, by {by}, and stands at {contained.step}: breakwater show {proposal.id}"
    if answer is not None and proposal.step is not Step.APPROVED:
        why = f" ({reason})" if (reason := answer.detail.get("reason")) else ""
        words = {Step.DENIED: "denied by", Step.NOOP: "overtaken, as found by"}.get(proposal.step, "lapsed, as said by")
        return f"it was {words} {answer.actor} at {moment(answer.time_ms)}{why}"
    if now_ms >= proposal.expires_ms:
        begun = "approved, but never begun, and " if proposal.step is Step.APPROVED else ""
        return f"it was {begun}to be answered until {moment(proposal.expires_ms)}: a new verdict asks again"
    return ""
