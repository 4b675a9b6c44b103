"""One verdict to containments: which rules match, which second signal there is, and whom else that signal decides.

Corroboration holds both ways, so the order of arrival must not matter: the verdict that brings the second signal first
settles its own rules, then those of every verdict that was refused for want of it (another rule, another target). Whoever
refuses for want of a second signal looks once more after the refusal stands in the journal; of two verdicts that are
handled at the same time, at least one sees the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from response import guard
from response.actions import Action, CloudUnavailable
from response.containment import fold, stream_name
from response.journal import Journal, JournalEntry, Step
from response.notices import Notify, notice
from response.policy import Policy, Rule
from response.settling import Decision, Room, about, is_covered, repeat, settle
from response.signals import Signal, SignalStore, corroborating
from shared_model.events import Entity
from shared_model.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one verdict.

    Attributes
    ----------
    verdict_id, corroborated_by : str
    decisions : tuple of Decision
        One per action whose rule matched; then those of other verdicts that wanted this second signal.
    earlier : tuple of JournalEntry
        What an earlier delivery of this verdict wrote, and may not have kept anywhere else: keep it again.
    """

    verdict_id: str
    corroborated_by: str
    decisions: tuple[Decision, ...]
    earlier: tuple[JournalEntry, ...] = ()


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
        Told of each entry that a person should know of: once, and again under the same id when the verdict is
        delivered again, because an earlier delivery may have been killed before it told.

    Returns
    -------
    Outcome

    Raises
    ------
    CloudUnavailable
        Something was not decided or a containment stands at APPLYING: deliver the verdict again.
    """
    signal = Signal.of(verdict)
    new = signals.record(signal, window_ms=policy.window_ms, now_ms=now_ms)

    def partners_now() -> tuple[Signal, ...]:
        return corroborating(signal, signals, policy.window_ms, since_ms=now_ms - policy.fresh_ms)

    partners = partners_now()
    room = Room(
        verdict=verdict,
        partner=partners[0] if partners else None,
        look_again=lambda: next(iter(partners_now()), None),
        policy=policy,
        journal=journal,
        budget=budget,
        now_ms=now_ms,
        notify=notify,
    )
    matching = _matching(policy, actions, verdict)
    if not new:
        for name in (stream_name(rule.action, target) for rule, _, target in matching):
            repeat(room, fold(name, journal.stream(name)))
    decisions = [settle(room, rule, action, target) for rule, action, target in matching]
    if not decisions:
        text = [*about(room), "No rule of the policy applies."]
        notify(notice(f"verdict/{verdict.id}", f"Signal: {verdict.title}", text, verdict.correlation_id))
    decisions += _decide_again(room, actions, signal, partners, again=not new)
    return Outcome(verdict.id, partners[0].verdict_id if partners else "", tuple(decisions), tuple(room.earlier))


def _matching(policy: Policy, actions: Mapping[str, Action], verdict: Verdict) -> list[tuple[Rule, Action, Entity]]:
    chosen: dict[str, tuple[Rule, Action, Entity]] = {}
    for rule in policy.rules:
        target = rule.pick(verdict) if rule.action not in chosen and rule.matches(verdict) else None
        if target is not None:
            action = actions.get(rule.action)
            if action is None or target.kind not in action.handles:
                raise ValueError(f"rule {rule.name}: no action {rule.action} that handles {target.kind}; check the policy")
            chosen[rule.action] = (rule, action, target)
    return list(chosen.values())


def _decide_again(
    room: Room, actions: Mapping[str, Action], signal: Signal, partners: Sequence[Signal], *, again: bool
) -> list[Decision]:
    """Decide those verdicts again that wanted a second signal, which the room's verdict brings.

    A stream on which that is not possible now holds up no other; the verdict comes again for its sake.
    """
    decisions: list[Decision] = []
    errors: list[Exception] = []
    wanting = {partner.verdict_id for partner in partners}
    for name in _streams_of(partners, room.policy):
        try:
            decisions.extend(_decide_stream_again(room, actions, signal, name, wanting, again=again))
        except Exception as error:  # noqa: BLE001 - the boundary: raised below, after every other stream had its turn
            errors.append(error)
    if bugs := [error for error in errors if not isinstance(error, CloudUnavailable)]:
        raise bugs[0]
    if errors:
        raise CloudUnavailable("; ".join(map(str, errors))) from errors[0]
    return decisions


def _decide_stream_again(
    room: Room, actions: Mapping[str, Action], signal: Signal, name: str, wanting: set[str], *, again: bool
) -> Iterator[Decision]:
    stream = fold(name, room.journal.stream(name))
    for entry in [entry for entry in stream.entries if entry.awaits_corroboration and entry.verdict_id in wanting]:
        verdict = Verdict.from_json(entry.verdict)
        of_verdict = replace(room, verdict=verdict, partner=signal, look_again=lambda: None)
        if again:
            repeat(of_verdict, stream, after=entry.sequence)
        left_half_way = stream.current is not None and stream.current.verdict_id == verdict.id and stream.current.is_under_way
        for rule, action, target in _matching(room.policy, actions, verdict):
            if stream_name(rule.action, target) != name:
                continue  # the plans of this stream are another action's: only that one can read them
            waits = verdict.id in stream.waiting and not is_covered(stream, action, verdict)
            if not (waits or left_half_way):
                continue
            decision = settle(of_verdict, rule, action, target)
            yield decision
            if decision.step in (Step.REFUSED, Step.FAILED):
                return  # what speaks against this one speaks against the others about the same target: do not repeat it
            stream = fold(name, room.journal.stream(name))


def _streams_of(signals: Sequence[Signal], policy: Policy) -> list[str]:
    """Streams in which verdicts of these signals may stand refused."""
    streams: dict[str, None] = {}
    for names in dict.fromkeys(signal.names for signal in signals):
        entities = [Entity.from_key(name) for name in names]
        for rule in policy.rules:
            target = next((entity for entity in entities if entity.kind is rule.target), None)
            if target is not None:
                streams[stream_name(rule.action, target)] = None
    return list(streams)
