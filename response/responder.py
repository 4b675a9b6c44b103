"""One verdict to journal entries: rule → target → plan → guard → mode → APPLYING → apply → APPLIED → verify.

The rules that keep a containment from being lost or made twice:

* ``APPLYING``, with the whole plan and the state before, is in the journal before anything is changed.
* Whoever comes to a stream whose last containment stands at ``APPLYING`` (the same verdict delivered again, or the next one)
  finishes it with the plan that is written there; ``apply`` is idempotent.
* An append that loses its sequence number to another writer starts over from the stream as it now is.
* A verdict that the containment in force does not cover (a session whose token is newer than the deny) begins another.
* A verdict that is settled in the stream is settled: delivered again it changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from response import guard
from response.actions import Action, CannotApply, CloudUnavailable, Mode, Plan, Verification
from response.containment import Containment, Stream, containment_id, fold, stream_name
from response.journal import Journal, JournalEntry, SequenceTaken, Step
from response.notices import Notify, notice
from response.policy import Policy, Rule
from response.signals import Signal, SignalStore, corroborating
from shared_model.events import Entity
from shared_model.verdicts import Verdict

#: Writers that meet on one stream settle within a few rounds; more means that something else is wrong.
_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Decision:
    """What came of one rule for one verdict.

    Attributes
    ----------
    rule, action : str
    target : Entity
    step : Step
        Where it ended.
    reason : str
    containment_id : str
    entries : tuple of JournalEntry
        What this call wrote; empty for a verdict that was settled before.
    """

    rule: str
    action: str
    target: Entity
    step: Step
    reason: str
    containment_id: str
    entries: tuple[JournalEntry, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one verdict: one decision per action whose rule matched."""

    verdict_id: str
    corroborated_by: str
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class _Room:
    """What every step of one response needs."""

    verdict: Verdict
    partner: Signal | None
    policy: Policy
    journal: Journal
    budget: guard.Budget
    now_ms: int
    notify: Notify


def respond(
    verdict: Verdict,
    *,
    policy: Policy,
    actions: Mapping[str, Action],
    journal: Journal,
    signals: SignalStore,
    budget: guard.Budget,
    now_ms: int,
    notify: Notify,
) -> Outcome:
    """Respond to one verdict as the policy says.

    Parameters
    ----------
    verdict : Verdict
        Sample findings never become verdicts, so none arrives here.
    policy : Policy
        With Breakwater's own roles already on its never-touch list (:meth:`Policy.protecting`).
    actions : mapping of name to Action
    journal, signals, budget
    now_ms : int
    notify : Notify
        Told once for each entry that a person should know of.

    Returns
    -------
    Outcome

    Raises
    ------
    CloudUnavailable
        Nothing was decided or a containment stands at APPLYING: deliver the verdict again.
    """
    signal = Signal.of(verdict)
    new = signals.record(signal, window_ms=policy.window_ms, now_ms=now_ms)
    partner = corroborating(signal, signals, policy.window_ms)
    room = _Room(verdict, partner, policy, journal, budget, now_ms, notify)
    decisions = []
    for rule, target in _matching(policy, verdict):
        action = actions.get(rule.action)
        if action is None or target.kind not in action.handles:
            raise ValueError(f"rule {rule.name}: no action {rule.action} that handles {target.kind}; check the policy")
        decisions.append(_settle(room, rule, action, target))
    if new and not decisions:
        notify(notice(f"Signal: {verdict.title}", [*_about(room), "No rule of the policy applies."], verdict.correlation_id))
    return Outcome(verdict.id, partner.verdict_id if partner else "", tuple(decisions))


def _matching(policy: Policy, verdict: Verdict) -> list[tuple[Rule, Entity]]:
    chosen: dict[str, tuple[Rule, Entity]] = {}
    for rule in policy.rules:
        target = rule.pick(verdict) if rule.action not in chosen and rule.matches(verdict) else None
        if target is not None:
            chosen[rule.action] = (rule, target)
    return list(chosen.values())


def _settle(room: _Room, rule: Rule, action: Action, target: Entity) -> Decision:
    name = stream_name(rule.action, target)
    written: list[JournalEntry] = []
    for _ in range(_ROUNDS):
        stream = fold(name, room.journal.stream(name))
        try:
            if stream.current is not None:
                stream = _finish(room, stream, action, stream.current, written)
            if room.verdict.id not in stream.decided:
                stream = _decide(room, stream, rule, action, target, written)
        except SequenceTaken:
            continue
        settled = stream.decided[room.verdict.id]
        return Decision(
            rule.name, action.name, target, settled.step, settled.detail.get("reason", ""), settled.containment_id, tuple(written)
        )
    raise CloudUnavailable(f"{name}: lost its place to other writers {_ROUNDS} times")


def _decide(room: _Room, stream: Stream, rule: Rule, action: Action, target: Entity, written: list[JournalEntry]) -> Stream:
    current = stream.current
    if current is not None and current.step is Step.UNDOING:
        raise CloudUnavailable(f"containment {current.id} is being undone: this verdict is looked at after that")
    if current is None or not action.covers(current.plan, room.verdict):
        return _begin(room, stream, rule, action, action.plan(target, room.verdict), written)
    return _already_contained(room, stream, rule, current, written)


def _begin(room: _Room, stream: Stream, rule: Rule, action: Action, plan: Plan, written: list[JournalEntry]) -> Stream:
    verdict, action_policy = room.verdict, room.policy.of(action.name)
    lifetime_s = max(action_policy.time_to_live_s, plan.min_lifetime_s)
    draft = Containment(
        id=containment_id(action.name, plan.target, verdict.id),
        stream=stream.name,
        verdict_id=verdict.id,
        correlation_id=verdict.correlation_id,
        actor=f"policy:{rule.name}",
        plan=plan,
        step=Step.APPLYING,
        applied_ms=room.now_ms,
        expires_ms=room.now_ms + lifetime_s * 1000,
    )
    if plan.is_noop:
        return _append(room, stream, stream.entry(Step.NOOP, draft, now_ms=room.now_ms, detail={"reason": "already so"}), written)
    if reason := _reason_against(room, action, draft, enforcing=action_policy.mode is Mode.ENFORCE):
        entry = stream.entry(Step.REFUSED, draft, now_ms=room.now_ms, plan=True, detail={"reason": reason})
        stream = _append(room, stream, entry, written)
        _tell(room, "Not contained", plan, reason)
        return stream
    detail = {"corroborated_by": room.partner.verdict_id if room.partner else ""}
    if action_policy.mode is not Mode.ENFORCE:
        entry = stream.entry(Step.OBSERVED, draft, now_ms=room.now_ms, plan=True, detail=detail)
        stream = _append(room, stream, entry, written)
        _tell(room, "Would contain", plan, f"{action.name} is in mode observe")
        return stream
    entry = stream.entry(Step.APPLYING, draft, now_ms=room.now_ms, plan=True, detail=detail, expires=True)
    return _finish(room, _append(room, stream, entry, written), action, draft, written)


def _reason_against(room: _Room, action: Action, draft: Containment, *, enforcing: bool) -> str:
    if reason := guard.refusal(draft.plan, room.verdict, room.policy.never_touch):
        return reason
    if reason := action.check(draft.plan):  # changed since the plan was made: not the target's fault, so plan again later
        raise CloudUnavailable(reason)
    if room.partner is None:
        minutes = room.policy.window_ms // 60_000
        return f"one signal ({room.verdict.telemetry}): a containment needs an independent second one within {minutes} minutes"
    limit, account = room.policy.containments_per_hour, draft.plan.target.account
    # Last, because it is the only check that uses something up; observing uses nothing up.
    if enforcing and not room.budget.take(account, draft.id, limit=limit, now_ms=room.now_ms):
        return f"the budget of {limit} containments an hour is used up in account {account}: look, then contain by hand"
    return ""


def _finish(room: _Room, stream: Stream, action: Action, containment: Containment, written: list[JournalEntry]) -> Stream:
    """Carry the current containment through apply and verify, from wherever its entries stop."""
    if containment.step is Step.UNDOING or containment.checked:
        return stream
    if containment.step is Step.APPLYING:
        try:
            if reason := action.check(containment.plan):
                raise CannotApply(reason)
            action.apply(containment.plan)
        except CannotApply as error:
            entry = stream.entry(Step.FAILED, containment, now_ms=room.now_ms, detail={"reason": str(error)})
            stream = _append(room, stream, entry, written)
            _tell(room, "FAILED to contain", containment.plan, f"{error}. What was done can be undone: {containment.id}")
            return stream
        entry = stream.entry(Step.APPLIED, containment, now_ms=room.now_ms, expires=True)
        stream = _append(room, stream, entry, written)
        _tell(room, "Contained", containment.plan, f"To undo it: breakwater undo {containment.id}")
    return _verify(room, stream, action, containment, written)


def _verify(room: _Room, stream: Stream, action: Action, containment: Containment, written: list[JournalEntry]) -> Stream:
    try:
        found = action.verify(containment.plan)
    except CloudUnavailable:
        found = Verification.UNREACHABLE
    stream = _append(room, stream, stream.entry(Step(found), containment, now_ms=room.now_ms), written)
    if found is not Verification.VERIFIED:
        _tell(room, f"Containment {found}", containment.plan, "Look at the target: the change could not be read back as made.")
    return stream


def _already_contained(room: _Room, stream: Stream, rule: Rule, containment: Containment, written: list[JournalEntry]) -> Stream:
    """A further verdict that the containment in force covers: written down, and nothing else."""
    entry = JournalEntry(
        stream=stream.name,
        sequence=stream.last + 1,
        containment_id=containment_id(containment.plan.action, containment.plan.target, room.verdict.id),
        step=Step.NOOP,
        time_ms=room.now_ms,
        correlation_id=room.verdict.correlation_id,
        verdict_id=room.verdict.id,
        actor=f"policy:{rule.name}",
        plan=None,
        detail={"reason": f"already contained by {containment.id}"},
    )
    return _append(room, stream, entry, written)


def _append(room: _Room, stream: Stream, entry: JournalEntry, written: list[JournalEntry]) -> Stream:
    room.journal.append(entry)
    written.append(entry)
    return stream.followed_by(entry)


def _tell(room: _Room, subject: str, plan: Plan, why: str) -> None:
    lines = [*_about(room), f"Change: {plan.summary}", *(f"Touches: {touched}" for touched in plan.touches), why]
    room.notify(notice(f"{subject}: {plan.target.kind} {plan.target.id}", lines, room.verdict.correlation_id))


def _about(room: _Room) -> list[str]:
    verdict = room.verdict
    return [
        f"{verdict.title} ({verdict.entity.kind} {verdict.entity.id}, account {verdict.entity.account})",
        f"{verdict.detector}: probability {verdict.probability:.2f}, threshold {verdict.threshold:.2f}, {verdict.technique}",
        f"Second signal: {room.partner.detector} from {room.partner.telemetry}" if room.partner else "",
        *(f"Evidence: {evidence.summary}" for evidence in verdict.evidence),
    ]
