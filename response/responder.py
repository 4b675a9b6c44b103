"""One verdict to containments: which rules match, which second signal there is, and whom else that signal decides.

Corroboration holds both ways, so the order of arrival must not matter: the verdict that brings the second signal first
settles its own rules, then those of every verdict that was refused for want of it (another rule, another target). Whoever
refuses for want of a second signal looks once more after the refusal stands in the journal; of two verdicts that are
handled at the same time, at least one sees the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from response.actions import Action, CloudUnavailable, Mode
from response.budget import Ledgers
from response.cases import case_of
from response.containment import fold, stream_name
from response.journal import Journal, JournalEntry, Step
from response.notices import Notify, notice
from response.outside import outside_signals
from response.policy import Policy, Rule
from response.room import Room
from response.settling import Decision, is_covered, settle
from response.signals import Signal, SignalStore, corroborating
from response.telling import about, repeat
from shared_model.events import Entity
from shared_model.verdicts import Verdict

_T = TypeVar("_T")


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
    budget: Ledgers,
    now_ms: int,
    notify: Notify,
    delivery: str = "",
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
    delivery : str
        Id of the message that brought the verdict: its earlier deliveries are over. Two messages may be handled at once.

    Returns
    -------
    Outcome

    Raises
    ------
    CloudUnavailable
        Something was not decided or a containment stands at APPLYING: deliver the verdict again.
    """
    signal = Signal.of(verdict)
    signal = replace(signal, case=case_of(signal, signals, policy.window_ms))
    new = signals.record(signal, window_ms=policy.window_ms, now_ms=now_ms)

    outside = outside_signals(verdict, policy)

    def partners_now() -> tuple[Signal, ...]:
        return (*outside, *corroborating(signal, signals, policy.window_ms))

    partners = partners_now()
    room = Room(
        verdict=verdict,
        partners=partners,
        look_again=partners_now,
        policy=policy,
        journal=journal,
        budget=budget,
        now_ms=now_ms,
        notify=notify,
        case=signal.case,
        delivery=delivery,
        first=new,
    )
    candidates = _matching(policy, actions, verdict)
    if not new:
        for name in dict.fromkeys(each.stream for choice in candidates for each in choice):
            repeat(room, fold(name, journal.stream(name)))
    matching = _chosen(room, candidates)
    if not matching:
        text = [*about(room), "No rule of the policy applies."]
        told = notice(f"verdict/{verdict.id}", f"Signal: {verdict.title}", text, verdict.correlation_id)
        notify(replace(told, case=signal.case))

    def own() -> list[Decision]:
        return _each_in_turn(lambda each: [settle(room, each.rule, each.action, each.target)], matching)

    def of_others() -> list[Decision]:
        return _decide_again(room, actions, signal, again=not new)

    decisions = _each_in_turn(lambda decide: decide(), (own, of_others))
    return Outcome(verdict.id, partners[0].verdict_id if partners else "", tuple(decisions), tuple(room.earlier))


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A rule that matches a verdict, with its action and target."""

    rule: Rule
    action: Action
    target: Entity

    @property
    def stream(self) -> str:
        return stream_name(self.rule.action, self.target)


def _matching(policy: Policy, actions: Mapping[str, Action], verdict: Verdict, *, within: str = "") -> list[list[_Candidate]]:
    """Return, for each action, the rules that match the verdict, up to the first that asks nothing further."""
    found: dict[str, list[_Candidate]] = {}
    for rule in policy.rules:
        before = found.get(rule.action, [])
        if (before and not before[-1].rule.looks) or not rule.matches(verdict):
            continue
        action, target = actions.get(rule.action), rule.pick(verdict)
        if action is None or target is None or target.kind not in action.handles:
            raise ValueError(f"rule {rule.name}: no action {rule.action} that handles {rule.target}; check the policy")
        found.setdefault(rule.action, []).append(_Candidate(rule, action, target))
    # The plans of one stream are one action's: only that one can read them.
    return [each for each in found.values() if not within or any(candidate.stream == within for candidate in each)]


def _chosen(room: Room, candidates: list[list[_Candidate]]) -> list[_Candidate]:
    """Return, for each action, the candidate that decides: the first of which also resource and clock say so."""
    chosen = [next((each for each in choice if _decides(room, each)), None) for choice in candidates]
    return [each for each in chosen if each is not None]


def _decides(room: Room, candidate: _Candidate) -> bool:
    rule, verdict = candidate.rule, room.verdict
    if not rule.looks:
        return True
    stream = fold(candidate.stream, room.journal.stream(candidate.stream))
    # Decided, or begun: neither the clock nor a tag that was changed since turns that into another rule's matter.
    current, settled = stream.current, stream.decided.get(verdict.id)
    if current is not None and (current.verdict_id, current.actor) == (verdict.id, rule.actor):
        return True
    if settled is not None and settled.actor == rule.actor and verdict.id not in stream.waiting:
        return True
    return rule.fits(candidate.action.plan(candidate.target, verdict), room.now_ms)


def _decide_again(room: Room, actions: Mapping[str, Action], signal: Signal, *, again: bool) -> list[Decision]:
    """Decide those verdicts again that wanted a second signal, which the room's verdict brings.

    A stream on which that is not possible now holds up no other; the verdict comes again for its sake.
    """
    wanting = {partner.verdict_id for partner in room.partners}
    return _each_in_turn(
        lambda name: _decide_stream_again(room, actions, signal, name, wanting, again=again),
        _streams_of(room.partners, room.policy),
    )


def _each_in_turn(decide: Callable[[_T], Iterable[Decision]], these: Iterable[_T]) -> list[Decision]:
    """Return what is decided of each; where one cannot be decided now, the others have their turn before its error is raised."""
    decisions: list[Decision] = []
    errors: list[Exception] = []
    for each in these:
        try:
            decisions.extend(decide(each))
        except Exception as error:  # noqa: BLE001 - the boundary: raised below
            errors.append(error)
    if bugs := [error for error in errors if not isinstance(error, CloudUnavailable)]:
        raise bugs[0]
    if errors:
        raise CloudUnavailable("; ".join(map(str, errors))) from errors[0]
    return decisions


def _decide_stream_again(
    room: Room, actions: Mapping[str, Action], signal: Signal, name: str, wanting: set[str], *, again: bool
) -> Iterator[Decision]:
    stream, spoken = fold(name, room.journal.stream(name)), set[Mode]()
    for entry in [entry for entry in stream.entries if entry.awaits_corroboration and entry.verdict_id in wanting]:
        verdict = Verdict.from_json(entry.verdict)
        of_verdict = replace(room, verdict=verdict, partners=(signal,), look_again=tuple, case=entry.case or room.case)
        if again:
            repeat(of_verdict, stream, after=entry.sequence)
        left_half_way = stream.current is not None and stream.current.verdict_id == verdict.id and stream.current.is_under_way
        for each in _chosen(of_verdict, _matching(room.policy, actions, verdict, within=name)):
            if each.stream != name or not each.rule.takes(signal.telemetry):
                continue
            fresh = room.policy.is_fresh(verdict.time_ms, room.now_ms)
            mode = room.policy.terms(each.rule).mode
            waits = fresh and verdict.id in stream.waiting and not is_covered(stream, each.action, of_verdict, mode)
            # What an earlier delivery began is finished also when it is no longer fresh enough to begin it.
            if mode in spoken or not (waits or left_half_way):
                continue
            decision = settle(of_verdict, each.rule, each.action, each.target)
            yield decision
            if decision.step is Step.FAILED:
                return
            # What speaks against this one speaks against the others about the same target that would go as far: do not repeat it.
            spoken |= {mode} if decision.step is Step.REFUSED else set()
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
