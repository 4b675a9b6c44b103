"""One verdict on one stream: plan → guard → mode → OBSERVED, PROPOSED, or APPLYING and what follows (``applying.py``).

The rules that keep a containment from being lost or made twice:

* ``APPLYING``, with the whole plan and the state before, is in the journal before anything is changed.
* An append that loses its sequence number to another writer starts over from the stream as it now is.
* A verdict that the containment in force does not cover (a session whose token is newer than the deny) begins another.
* A verdict that it does cover lets it end later (EXTENDED), if it could have begun it; there is never a second one beside it.
* What a person is asked about is not asked twice, and what one denied is not begun for as long as the question would have stood.
* What belongs to a containment that was undone begins nothing anew, whatever id it comes under (``undone.py``).
* A verdict that is settled in the stream is settled: delivered again it changes nothing. Only a refusal for want of a
  second signal is decided again, when that has come.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from response import guard
from response.actions import Action, CloudUnavailable, Mode, Plan
from response.applying import Applier
from response.budget import Limits, contain, line_for, one_of_a_few
from response.containment import Containment, Stream, containment_id, fold, stream_name
from response.journal import BELONGS_TO, CORROBORATION, HEARD_MS, JournalEntry, SequenceTaken, Step
from response.policy import Rule, Terms
from response.proposals import ASKS, WITH_ANOTHER, Proposal
from response.room import Room
from response.signals import kept
from response.switch import read_switch
from response.telling import moment
from response.turns import ROUNDS
from response.undone import begins_nothing, undone_with
from shared_model.events import Entity
from shared_model.verdicts import Verdict

#: An extension by less than this part of the time to live is not worth an entry of its own, nor a notice.
_WORTH_IT = 12


@dataclass(frozen=True, slots=True)
class Decision:
    """What came of one rule for one verdict.

    Attributes
    ----------
    verdict_id, rule, action : str
    target : Entity
    step : Step
        Where it ended.
    reason : str
    containment_id : str
    entries : tuple of JournalEntry
        What this call wrote; empty for a verdict that was settled before.
    """

    verdict_id: str
    rule: str
    action: str
    target: Entity
    step: Step
    reason: str
    containment_id: str
    entries: tuple[JournalEntry, ...]


def settle(room: Room, rule: Rule, action: Action, target: Entity) -> Decision:
    """Bring the verdict of the room to its end on one stream. Raises CloudUnavailable: deliver it again."""
    name = stream_name(rule.action, target)
    desk = _Desk(room.among(room.partners, rule), rule, action)
    applier = desk.applier
    for _ in range(ROUNDS):
        stream = fold(name, room.journal.stream(name))
        try:
            if stream.current is not None:
                stream = applier.finish(stream, stream.current)
            waiting = room.verdict.id in stream.waiting
            may = desk.room.partner is not None and room.policy.is_fresh(room.verdict.time_ms, room.now_ms)
            corroborated_now = waiting and may and not is_covered(stream, action, desk.room, desk.terms.mode)
            if room.verdict.id not in stream.decided or corroborated_now:
                stream = desk.decide(stream, target)
        except SequenceTaken:
            continue
        settled = stream.decided[room.verdict.id]
        # Who recorded the second signal may have read this stream just before the refusal stood in it.
        if desk.room.partner is None and settled.awaits_corroboration:
            desk.room = applier.room = room.among(room.look_again(), rule)
            if desk.room.partner is not None:
                continue
        return Decision(
            verdict_id=room.verdict.id,
            rule=rule.name,
            action=action.name,
            target=target,
            step=settled.step,
            reason=settled.detail.get("reason", ""),
            containment_id=settled.containment_id,
            entries=tuple(applier.written),
        )
    raise CloudUnavailable(f"{name}: lost its place to other writers {ROUNDS} times")


def is_covered(stream: Stream, action: Action, room: Room, mode: Mode) -> bool:
    """Whether this verdict would change nothing, or ask nothing, that is not so already.

    Its target is contained, or asked about, or was observed. What one rule only asks or observes stands in the way of no other
    that goes further (``mode`` is how far this one goes); what one that enforces asks, since the budget is used up, does.
    """
    current = stream.current
    if current is not None:
        return current.step is Step.APPLIED and action.covers(current.plan, room.verdict)
    asked = _asked(stream, action, room)
    if asked is not None and (mode is not Mode.ENFORCE or room.policy.terms_under(asked.actor, action.name).mode is mode):
        return True
    last = stream.entries[-1:] if mode is Mode.OBSERVE else ()
    observed = [entry for entry in last if entry.step is Step.OBSERVED and entry.plan is not None]
    return any(action.covers(Plan.from_json_value(entry.plan), room.verdict) for entry in observed if entry.plan is not None)


def _asked(stream: Stream, action: Action, room: Room) -> Proposal | None:
    """The open proposal that, approved, contains what the verdict found."""
    open_ones = (each for each in reversed(list(stream.proposals.values())) if each.is_open(room.now_ms))
    return next((each for each in open_ones if action.covers(each.plan, room.verdict)), None)


def _denied(stream: Stream, action: Action, room: Room) -> str:
    """Why a person's no still counts, ``""`` where there is none."""
    for proposal in reversed(list(stream.proposals.values())):
        if proposal.holds_denied(room.now_ms) and proposal.answer and action.covers(proposal.plan, room.verdict):
            said = f"{proposal.answer.actor} denied it ({proposal.answer.detail.get('reason', '')})"
            return f"{said}: it is not begun, nor asked about again, before {moment(proposal.expires_ms)}"
    return ""


def _wanting(room: Room, rule: Rule) -> str:
    """Say what is wanted of a second signal."""
    policy, verdict = room.policy, room.verdict
    window = policy.window_ms // 60_000
    drawn = f", drawn from {' or '.join(sorted(rule.corroborate))}," if rule.corroborate else ""
    needed = f"a containment needs an independent second one{drawn} within {window} minutes"
    return f"one signal ({verdict.telemetry}): {needed}"


class _Desk:
    """One settling in progress."""

    def __init__(self, room: Room, rule: Rule, action: Action) -> None:
        self.room = room
        self.rule = rule
        self.action = action
        self.terms = room.policy.terms(rule)
        self.applier = Applier(room, action)

    def decide(self, stream: Stream, target: Entity) -> Stream:
        """Begin a containment, ask about it, or say why there is none."""
        if reason := stream.being_undone(self.room.now_ms):
            raise CloudUnavailable(f"{reason}: this verdict is looked at after that")
        current = stream.current
        if current is None or not self.action.covers(current.plan, self.room.verdict):
            return self._begin(stream, self.action.plan(target, self.room.verdict))
        return self._extend(stream, current)

    def _extend(self, stream: Stream, current: Containment) -> Stream:
        """Let what is contained end later, as if it were contained now, but no later than the policy says at most."""
        room, known = self.room, f"already contained by {current.id}"
        draft = self._draft(current.plan, stream)
        ends_ms, lifetime_ms = draft.expires_ms or room.now_ms, (draft.expires_ms or room.now_ms) - room.now_ms
        until_ms = min(ends_ms, current.applied_ms + room.policy.of(self.action.name).extend_to_s * 1000)
        if current.expires_ms is None or until_ms - current.expires_ms < lifetime_ms // _WORTH_IT:
            # What could not have begun it settles nothing: one signal of noise before the end would let go of what came before.
            begins = self.terms.mode is not Mode.OBSERVE and not self._weak(current)
            heard = {HEARD_MS: room.now_ms, **self._second_signal()} if begins else {}
            return self._noted(stream, current, known, heard)
        if reason := self._against_longer(current):
            return self._noted(stream, current, f"{known}, and not extended: {reason}")
        longer = replace(draft, id=current.id, case=current.case or room.case, expires_ms=until_ms)
        detail = {"reason": f"extended until {moment(until_ms)}", **self._second_signal()}
        extended = stream.entry(Step.EXTENDED, longer, now_ms=room.now_ms, detail=detail, expires=True)
        return self._append(stream, replace(extended, verdict=kept(room.verdict)))

    def _against_longer(self, current: Containment) -> str:
        """Why a further verdict does not extend what is contained, ``""`` when it does: it takes what a containment takes."""
        if self.terms.mode is not Mode.ENFORCE:
            return f"rule {self.rule.name} is in mode {self.terms.mode}"
        return self._weak(current) or read_switch(self.room.journal).objection

    def _weak(self, current: Containment) -> str:
        """Why a further verdict would not take what is contained by itself, ``""`` when it would."""
        refused = guard.refusal(current.plan, self.room.verdict, self.room.policy.never_touch)
        return refused or self._too_old() or self._uncorroborated()

    def _uncorroborated(self) -> str:
        """Why the verdict alone is not enough, ``""`` when it is, or has a second signal."""
        return "" if self.room.partner is not None or self.rule.alone else _wanting(self.room, self.rule)

    def _too_old(self) -> str:
        """Why the verdict only notifies, ``""`` while it may lead to a change."""
        room, verdict = self.room, self.room.verdict
        if room.policy.is_fresh(verdict.time_ms, room.now_ms):
            return ""
        age, limit = (room.now_ms - verdict.time_ms) // 60_000, room.policy.fresh_ms // 60_000
        old = f"this signal ({verdict.telemetry}) is {age} minutes old"
        return f"{old}, and what is older than {limit} is only told of: look whether it goes on; a newer one decides for itself"

    def _second_signal(self) -> dict[str, str]:
        return {"corroborated_by": self.room.partner.verdict_id if self.room.partner else ""}

    def _begin(self, stream: Stream, plan: Plan) -> Stream:
        room, verdict, mode = self.room, self.room.verdict, self.terms.mode
        draft = self._draft(plan, stream)
        if plan.is_noop:
            if reason := stream.just_undone(room.now_ms):
                raise CloudUnavailable(reason)
            return self._append(stream, stream.entry(Step.NOOP, draft, now_ms=room.now_ms, detail={"reason": "already so"}))
        if detail := self._against(stream, draft):
            known = stream.containments.get(detail.get(BELONGS_TO, ""))
            draft = replace(draft, case=known.case) if known and known.case else draft
            entry = stream.entry(Step.REFUSED, draft, now_ms=room.now_ms, plan=True, detail=detail)
            return self._append(stream, replace(entry, verdict=kept(verdict)) if entry.awaits_corroboration else entry)
        detail = self._second_signal()
        if mode is Mode.OBSERVE:
            return self._append(stream, stream.entry(Step.OBSERVED, draft, now_ms=room.now_ms, plan=True, detail=detail))
        # Last, because it is the only look that uses something up; observing and proposing use nothing up.
        used_up = beyond_budget(room, draft) if mode is Mode.ENFORCE else ""
        if mode is Mode.APPROVE or used_up:
            return self._propose(stream, draft, used_up, detail)
        applying = stream.entry(Step.APPLYING, draft, now_ms=room.now_ms, plan=True, detail=detail, expires=True)
        return self.applier.finish(self._append(stream, replace(applying, verdict=kept(verdict))), draft)

    def _against(self, stream: Stream, draft: Containment) -> dict[str, str]:
        """Return the detail of a refusal, empty when nothing speaks against the plan."""
        room, mode = self.room, self.terms.mode
        if reason := guard.refusal(draft.plan, room.verdict, room.policy.never_touch):
            return {"reason": reason}
        if reason := self.action.check(draft.plan):  # not the target's fault: plan again later
            raise CloudUnavailable(reason)
        if reason := self._too_old():
            return {"reason": reason}
        if undone := undone_with(stream, room.verdict):
            return {"reason": begins_nothing(undone), BELONGS_TO: undone.id}
        if reason := self._uncorroborated():
            return {"reason": reason, "wants": CORROBORATION}
        if mode is not Mode.OBSERVE and (reason := _denied(stream, self.action, room)):
            return {"reason": reason, "told": "with the denial"}
        if mode is Mode.ENFORCE and (reason := read_switch(room.journal).objection):
            return {"reason": reason}
        return {}

    def _propose(self, stream: Stream, draft: Containment, used_up: str, detail: dict[str, str]) -> Stream:
        """Ask a person, unless one is asked already. Of a burst, one question asks for all."""
        room = self.room
        if asked := _asked(stream, self.action, room):
            return self._noted(stream, asked, f"already proposed: {asked.id}")
        account, limit = draft.plan.target.account, room.policy.containments_per_hour
        if not used_up:
            few, _ = one_of_a_few(room.budget, f"{account}/proposals", draft.id, limit=limit, now_ms=room.now_ms)
            used_up = "" if few else f"more than {limit} proposals within an hour in account {account}"
        if used_up:
            asks, asked_by = one_of_a_few(room.budget, f"{account}/question", draft.id, limit=1, now_ms=room.now_ms)
            detail |= {"reason": used_up, "question": _question(account, asked_by)}
            detail |= {"asks": ASKS} if asks else {"told": WITH_ANOTHER}
        until_ms = room.now_ms + room.policy.of(self.action.name).answer_within_s * 1000
        proposed = replace(draft, expires_ms=until_ms)
        entry = stream.entry(Step.PROPOSED, proposed, now_ms=room.now_ms, plan=True, detail=detail, expires=True)
        return self._append(stream, replace(entry, verdict=kept(room.verdict)))

    def _noted(
        self, stream: Stream, known: Containment | Proposal, reason: str, heard: Mapping[str, object] | None = None
    ) -> Stream:
        """A further verdict that changes nothing: written down, and nothing else."""
        further = self._draft(known.plan, stream)
        detail = {"reason": reason, BELONGS_TO: known.id, **(heard or {})}
        return self._append(stream, stream.entry(Step.NOOP, further, now_ms=self.room.now_ms, detail=detail))

    def _draft(self, plan: Plan, stream: Stream) -> Containment:
        return draft_of(plan, stream.name, self.room.verdict, self.room, self.terms, actor=self.rule.actor)

    def _append(self, stream: Stream, entry: JournalEntry) -> Stream:
        return self.applier.append(stream, entry)


def draft_of(plan: Plan, stream: str, verdict: Verdict, room: Room, terms: Terms, *, actor: str) -> Containment:
    """Return the containment that this plan would be, from now on."""
    lifetime_s = max(terms.time_to_live_s, plan.min_lifetime_s)
    return Containment(
        id=containment_id(plan.action, plan.target, verdict.id),
        stream=stream,
        verdict_id=verdict.id,
        correlation_id=verdict.correlation_id,
        actor=actor,
        plan=plan,
        step=Step.APPLYING,
        applied_ms=room.now_ms,
        expires_ms=room.now_ms + lifetime_s * 1000,
        case=room.case,
    )


def beyond_budget(room: Room, draft: Containment, *, whatever: bool = False) -> str:
    """Take from the budget; return why nothing is left, ``""`` where it was taken.

    With ``whatever``, it is contained all the same: then it counts though nothing was left.
    """
    limits = Limits(room.policy.containments_per_hour, room.policy.percent_at_once)
    line = line_for(draft.id, draft.stream, draft.plan, room.now_ms)
    return contain(room.budget, room.journal, draft.plan, line, limits, now_ms=room.now_ms, whatever=whatever)


def _question(account: str, asked_by: str) -> str:
    """Name the question that asks for all that came beyond the budget of an account, by whoever asks it."""
    return hashlib.sha256(f"{account}\n{asked_by}".encode()).hexdigest()[:12]
