"""What the policy would do with a verdict, in words: which rule, which guard, what would happen. Asks no cloud."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from response import guard
from response.actions import Mode, Plan
from response.containment import Stream, stream_name
from response.outside import outside_signals
from response.policy import FourEyes, Policy, Rule
from response.signals import Signal
from response.switch import Switch
from response.telling import moment, span
from shared_model.events import Entity
from shared_model.verdicts import Verdict

_WHO = {
    FourEyes.NONE: "whoever may answer",
    FourEyes.OTHER: "nobody whom the verdict is about",
    FourEyes.TWO: "two people, neither of them whom the verdict is about",
}


@dataclass(frozen=True, slots=True)
class Known:
    """What was read before it is said what would happen; by itself, nothing.

    Attributes
    ----------
    plans : mapping of action name to Plan
        Plans that are known (a journal's, or one that was just made): their tags, regions and resources are then judged too.
    switch : Switch or None
        How the master switch stands, None where nobody looked.
    undone : mapping of stream name to str
        Where the verdict belongs to what was undone, why it begins nothing anew (:func:`response.undone.begins_nothing`).
        None where nobody looked into the journal.
    standing : mapping of stream name to str
        Id of the containment that stands there. Whether it covers the verdict, its action says when it is decided.
    asked : mapping of stream name to str
        What a person is asked there, or said (:func:`asked_about`). Whether that covers the verdict, its action says likewise.
    """

    plans: Mapping[str, Plan] = field(default_factory=dict)
    switch: Switch | None = None
    undone: Mapping[str, str] | None = None
    standing: Mapping[str, str] = field(default_factory=dict)
    asked: Mapping[str, str] = field(default_factory=dict)


_NOTHING = Known()


@dataclass(frozen=True, slots=True)
class Explanation:
    """What one rule says about a verdict.

    Attributes
    ----------
    rule, action : str
    target : Entity or None
        None where the verdict names none of the rule's kind.
    applies : bool
        It is the rule that decides about its action, as far as the verdict and the clock say.
    terms : str
        How far it goes and for how long (:func:`terms_of`).
    why : tuple of str
        Of one that does not apply: every condition that fails, or which rule stands before it. Of one that does: the guards
        in the order in which they are asked, then what would happen.
    """

    rule: str
    action: str
    target: Entity | None
    applies: bool
    terms: str
    why: tuple[str, ...]


def terms_of(rule: Rule, policy: Policy) -> str:
    """Say how far a rule goes, for how long and what is done then; and where its action's entry holds it back."""
    terms, entry = policy.terms(rule), f"actions.{rule.action}"
    held = [f"its mode {rule.mode} is held back by {entry}.mode"] if rule.mode not in (None, terms.mode) else []
    if rule.time_to_live_s not in (None, terms.time_to_live_s):
        held.append(f"its time_to_live {span(rule.time_to_live_s or 0)} is held back by {entry}.time_to_live")
    return f"{terms.mode} for {span(terms.time_to_live_s)}, then {policy.of(rule.action).at_end}" + (
        f" ({'; '.join(held)})" if held else ""
    )


def explain(verdict: Verdict, *, policy: Policy, now_ms: int, known: Known = _NOTHING) -> tuple[Explanation, ...]:
    """Return what each rule of the policy says about a verdict, in the policy's order.

    Parameters
    ----------
    verdict : Verdict
    policy : Policy
    now_ms : int
        When it would be decided.
    known : Known
    """
    decides: dict[str, str] = {}
    found = []
    for rule in policy.rules:
        target, plan = rule.pick(verdict), known.plans.get(rule.action)
        plan = plan if plan is not None and plan.target == target else None
        misses = (*rule.misses(verdict), *rule.misfits(plan, now_ms))
        applies = not misses and rule.action not in decides
        if applies and target is not None:
            why = tuple(_course(verdict, rule, target, plan, policy, now_ms, known))
            if plan is not None or not (rule.tags or rule.regions):  # else a later rule may decide
                decides[rule.action] = rule.name
        else:
            why = misses or (f"rule {decides[rule.action]} decides about {rule.action} before it",)
        found.append(Explanation(rule.name, rule.action, target, applies, terms_of(rule, policy), why))
    return tuple(found)


def asked_about(stream: Stream, now_ms: int) -> str:
    """Say what a person is asked about a target, or said, and for how long that counts; ``""`` where nothing of it stands."""
    for each in reversed([*stream.proposals.values()]):
        if each.holds_denied(now_ms) and each.answer is not None:
            said = f"{each.answer.actor} denied {each.id} ({each.answer.detail.get('reason', '')})"
            return f"{said}: what that covers is refused, and not asked about again, before {moment(each.expires_ms)}"
        if each.is_open(now_ms):
            return f"{each.id} asks a person until {moment(each.expires_ms)}: what that covers is not asked about again"
    return ""


def _course(
    verdict: Verdict, rule: Rule, target: Entity, plan: Plan | None, policy: Policy, now_ms: int, known: Known
) -> Iterator[str]:
    action, terms, stream, switch = policy.of(rule.action), policy.terms(rule), stream_name(rule.action, target), known.switch
    if current := known.standing.get(stream):
        yield f"already contained by {current}: what that covers is noted, or extends it; anything else is decided as follows"
    if terms.mode is not Mode.OBSERVE and (said := known.asked.get(stream)):
        yield said
    if plan is None:
        for name, wanted in (
            ("tags", ", ".join(f"{key}={value}" for key, value in rule.tags.items())),
            ("regions", rule.regions),
        ):
            if wanted:
                yield f"if the resource's {name} fit ({wanted if isinstance(wanted, str) else ', '.join(sorted(wanted))})"
    if plan is not None and plan.is_noop:
        yield "nothing to do: it is so already"
        return
    if reason := guard.refusal(plan or Plan(rule.action, target, {}, {"": ""}, (), ""), verdict, policy.never_touch):
        yield f"refused: {reason}"
        return
    yield "never-touch: nothing known speaks against it" + (
        "" if plan else " (its tags and resources are looked at when it is planned)"
    )
    if not policy.is_fresh(verdict.time_ms, now_ms):
        age, limit = timedelta(seconds=(now_ms - verdict.time_ms) // 1000), timedelta(milliseconds=policy.fresh_ms)
        yield f"refused: it is {age} old, and what is older than {limit} is only told of, whatever corroborates it"
        return
    if settled := (known.undone or {}).get(stream):
        yield f"refused: {settled}"
        return
    if known.undone is None:
        yield "journal: not read; what belongs to a containment that was undone would be refused"
    once = ""
    if rule.alone:
        yield "corroboration: none is needed, the rule says alone: true"
    elif outside := [each for each in outside_signals(verdict, policy) if rule.takes(each.telemetry)]:
        yield f"corroboration: its own events show {outside[0].verdict_id}, which is a second signal"
    else:
        drawn = " or ".join(sorted(rule.corroborate)) or f"any telemetry but {verdict.telemetry}"
        names = ", ".join(Signal.of(verdict).names)
        window = timedelta(milliseconds=policy.window_ms)
        once = " once that signal is there"
        yield (
            f"corroboration: refused until a second signal from {drawn}, within {window}, names one of {names};"
            " whether there is one is not read"
        )
    if terms.mode is Mode.OBSERVE:
        yield f"observed{once}: {rule.action} on {target.kind} {target.id} would be journalled and told, and nothing changed"
        return
    asks = f"who answers within {timedelta(seconds=action.answer_within_s)} ({_WHO[action.four_eyes]})"
    if terms.mode is Mode.APPROVE:
        yield f"proposed{once}: {rule.action} on {target.kind} {target.id} waits for {asks}; switch, budget and state count then"
        if switch is not None and switch.objection:
            yield f"a yes would be refused now: {switch.objection}"
        return
    if switch is None:
        yield "master switch: not read; disarmed, it would be refused"
    elif switch.objection:
        yield f"refused: {switch.objection}"
        return
    else:
        yield "master switch: armed"
    yield (
        f"budget: at most {policy.containments_per_hour} an hour in account {target.account}, of which what is left is not read;"
        f" what comes after waits for {asks}"
    )
    yield f"enforced{once}: {rule.action} on {target.kind} {target.id}, for {span(terms.time_to_live_s)}, then {action.at_end}"
