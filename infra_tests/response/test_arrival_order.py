"""Two signals corroborate each other, whichever arrives first, however often, and whoever is killed on the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import permutations
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra_tests.response.world import ACCOUNT, HOUR_MS, NOW_MS, IsolateMachine, Killed, Site, verdict
from response.actions import CannotApply, CloudUnavailable, Mode, Plan
from response.containment import fold
from response.journal import Step
from response.policy import ActionPolicy, Rule
from response.responder import Outcome
from response.signals import Signal, kept
from shared_model.events import Entity, EntityKind, Telemetry
from shared_model.verdicts import Evidence, Verdict

MACHINE = Entity(EntityKind.INSTANCE, "i-1", ACCOUNT)
SESSION = Entity(EntityKind.SESSION, "AROAEXAMPLEEXAMPLE12:i-1", ACCOUNT)
STREAMS = [
    *(f"isolate#{ACCOUNT}/instance/i-{number}" for number in (1, 2, 3)),
    *(f"end_session#{ACCOUNT}/session/s-{number}" for number in (1, 2)),
    f"end_session#{SESSION.key}",
]


class EndSession(IsolateMachine):
    """A second action, on sessions."""

    name: ClassVar[str] = "end_session"
    handles: ClassVar[frozenset[EntityKind]] = frozenset({EntityKind.SESSION})


class Rules(Site):
    """Flow logs isolate machines, API calls end sessions: no rule is matched by both."""

    def __init__(self, mode: Mode = Mode.ENFORCE) -> None:
        super().__init__(mode=mode)
        self.world |= {name: {"token": "valid"} for name in ("s-1", "s-2", SESSION.id)}
        self.end_session = EndSession(self.world)
        self.actions = {"isolate": self.action, "end_session": self.end_session}
        self.policy = replace(
            self.policy,
            rules=(
                Rule("isolate-machine", "isolate", EntityKind.INSTANCE, telemetry=frozenset({Telemetry.FLOW_LOGS})),
                Rule("end-session", "end_session", EntityKind.SESSION, telemetry=frozenset({Telemetry.API_CALLS})),
            ),
            actions={name: ActionPolicy(mode, 3600) for name in self.actions},
            containments_per_hour=1000,
        )

    def steps_of(self, stream: str) -> list[Step]:
        return [entry.step for entry in self.journal.stream(stream)]

    def contained(self) -> set[str]:
        """Streams that reached the end which the mode allows."""
        end = {Mode.OBSERVE: Step.OBSERVED, Mode.APPROVE: Step.PROPOSED, Mode.ENFORCE: Step.VERIFIED}[
            self.policy.of("isolate").mode
        ]
        return {stream for stream in STREAMS if end in self.steps_of(stream)}


FLOWS = verdict("i-1", "flows", Telemetry.FLOW_LOGS)
CALLS = verdict("", "calls", Telemetry.API_CALLS, entity=SESSION, related=(MACHINE,))
BOTH = {f"isolate#{MACHINE.key}", f"end_session#{SESSION.key}"}


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("order", [(FLOWS, CALLS), (CALLS, FLOWS)], ids=["flows first", "calls first"])
def test_both_targets_are_contained_whichever_signal_comes_first(order: tuple[Verdict, ...], mode: Mode) -> None:
    site = Rules(mode)
    first, second = order
    assert [decision.step for decision in site.respond(first).decisions] == [Step.REFUSED]
    outcome = site.respond(second)
    end = {Mode.OBSERVE: Step.OBSERVED, Mode.APPROVE: Step.PROPOSED, Mode.ENFORCE: Step.APPLIED}[mode]
    assert [(decision.verdict_id, decision.step) for decision in outcome.decisions] == [(second.id, end), (first.id, end)]
    assert site.contained() == BOTH
    again = [site.respond(each).decisions for each in (first, second, first)]
    assert all(decision.entries == () for decisions in again for decision in decisions)


def test_what_is_decided_again_says_so_with_its_own_evidence_and_correlation_id() -> None:
    site = Rules()
    site.respond(replace(CALLS, evidence=(Evidence("e", NOW_MS, 0.5, "iam CreateAccessKey"),)))
    site.respond(FLOWS)
    refused, applying, *_ = site.journal.stream(f"end_session#{SESSION.key}")
    assert refused.detail["wants"] == "corroboration"
    assert (applying.verdict_id, applying.detail["corroborated_by"]) == ("calls", "flows")
    assert {entry.correlation_id for entry in (refused, applying)} == {"event-calls"}
    told = next(notice for notice in site.notices if notice.subject.startswith("Contained: session"))
    assert told.correlation_id == "event-calls"
    assert "iam CreateAccessKey" in told.text
    assert "Second signal: network from flow_logs" in told.text


def test_a_second_signal_outside_the_window_decides_nothing_again() -> None:
    site = Rules()
    site.respond(replace(CALLS, time_ms=NOW_MS - HOUR_MS - 1))
    assert [decision.step for decision in site.respond(FLOWS).decisions] == [Step.REFUSED]
    assert site.contained() == set()


def test_a_refusal_for_another_reason_is_the_last_word() -> None:
    site = Rules()
    site.policy = replace(site.policy, never_touch=replace(site.policy.never_touch, instances=(SESSION.id,)))
    site.respond(CALLS)
    site.respond(FLOWS)
    assert site.steps_of(f"end_session#{SESSION.key}") == [Step.REFUSED]
    assert site.contained() == {f"isolate#{MACHINE.key}"}


def test_many_that_wait_for_one_signal_are_contained_once_and_not_told_one_by_one() -> None:
    site = Rules()
    for number in range(20):
        site.respond(replace(CALLS, id=f"calls-{number}", time_ms=NOW_MS + number))
    told = len(site.notices)
    site.respond(FLOWS)
    assert site.steps_of(f"end_session#{SESSION.key}")[20:] == [Step.APPLYING, Step.APPLIED, Step.VERIFIED]
    assert len(site.notices) == told + 2


def test_when_the_budget_is_used_up_those_that_wait_are_refused_once() -> None:
    site = Rules()
    site.policy = replace(site.policy, containments_per_hour=1)
    for number in range(5):
        site.respond(replace(CALLS, id=f"calls-{number}"))
    site.respond(FLOWS)
    reasons = [str(entry.detail["reason"]) for entry in site.journal.stream(f"end_session#{SESSION.key}")]
    assert ["used up" in reason for reason in reasons] == [False] * 5 + [True]


def test_what_a_person_undid_is_not_begun_again_by_what_was_refused_before() -> None:
    site = Rules()
    for number in range(3):
        site.respond(replace(FLOWS, id=f"flows-{number}"))
    outcome = site.respond(CALLS)
    site.undo(next(decision.containment_id for decision in outcome.decisions if decision.verdict_id == "flows-0"))
    site.respond(replace(CALLS, id="calls-2"))
    site.respond(replace(FLOWS, id="flows-1"))
    assert site.world["i-1"] == {"eni-a": "open", "eni-b": "web"}


def test_a_change_that_cannot_be_made_is_tried_once() -> None:
    site = Rules()
    for number in range(3):
        site.respond(replace(FLOWS, id=f"flows-{number}"))

    def refuse(plan: Plan) -> None:
        raise CannotApply("quota used up: raise it")

    site.action.apply = refuse  # type: ignore[method-assign]
    site.respond(CALLS)
    assert site.steps_of(f"isolate#{MACHINE.key}")[3:] == [Step.APPLYING, Step.FAILED]


def test_one_that_cannot_be_decided_now_holds_up_no_other_and_is_decided_on_the_next_delivery() -> None:
    site = Rules()
    other = Entity(EntityKind.INSTANCE, "i-2", ACCOUNT)
    site.respond(FLOWS)
    site.respond(verdict("i-2", "flows-2", Telemetry.FLOW_LOGS))
    plan = site.action.plan

    def unavailable(target: Entity, verdict: Verdict) -> Plan:
        if target.id == "i-1":
            raise CloudUnavailable("throttled")
        return plan(target, verdict)

    site.action.plan = unavailable  # type: ignore[method-assign]
    calls = replace(CALLS, related=(MACHINE, other))
    with pytest.raises(CloudUnavailable, match="throttled"):
        site.respond(calls)
    assert site.contained() == {f"isolate#{other.key}", f"end_session#{SESSION.key}"}
    site.action.plan = plan  # type: ignore[method-assign]
    site.respond(calls)
    assert f"isolate#{MACHINE.key}" in site.contained()


@pytest.mark.parametrize("first", ["flows", "calls"])
def test_of_two_that_are_handled_at_the_same_time_one_sees_the_other(first: str) -> None:
    """The other verdict is handled, from its beginning to its end, between our look for a second signal and our refusal."""
    site = Rules()
    ours, other = (FLOWS, CALLS) if first == "flows" else (CALLS, FLOWS)
    append = site.journal.append

    def other_first(entry: object) -> None:
        site.journal.append = append  # type: ignore[method-assign]
        site.respond(other)
        append(entry)  # type: ignore[arg-type]

    site.journal.append = other_first  # type: ignore[method-assign]
    site.respond(ours)
    assert site.contained() == BOTH


def test_a_verdict_that_is_kept_stays_within_what_a_store_takes() -> None:
    names = tuple(Entity(EntityKind.HOST, f"host-{number}" * 20, ACCOUNT) for number in range(400))
    long = replace(CALLS, related=(MACHINE, *names), evidence=(Evidence("e", NOW_MS, 0.5, "x" * 50_000),))
    text = kept(long)
    assert len(text) <= 30_000
    assert Verdict.from_json(text).related[0] == MACHINE
    assert kept(CALLS) == CALLS.to_json()


ENTITIES = [
    *(Entity(EntityKind.INSTANCE, f"i-{number}", ACCOUNT) for number in (1, 2, 3)),
    *(Entity(EntityKind.SESSION, f"s-{number}", ACCOUNT) for number in (1, 2)),
]
ABOUT = st.tuples(
    st.sampled_from([Telemetry.FLOW_LOGS, Telemetry.API_CALLS, Telemetry.DNS_LOGS]),
    st.lists(st.sampled_from(ENTITIES), min_size=1, max_size=3, unique=True),
    st.sampled_from([0, HOUR_MS // 2, HOUR_MS, 2 * HOUR_MS]),
)


def verdicts_of(described: Iterable[tuple[Telemetry, list[Entity], int]]) -> list[Verdict]:
    return [
        verdict("", f"v{number}", telemetry, entity=names[0], related=tuple(names[1:]), time_ms=NOW_MS - before)
        for number, (telemetry, names, before) in enumerate(described)
    ]


def expected(site: Rules, verdicts: list[Verdict]) -> set[str]:
    """What corroboration means, written down without any order: every pair that corroborates, with what each leads to."""
    found = set()
    for one in verdicts:
        for other in verdicts:
            shares = set(Signal.of(one).names) & set(Signal.of(other).names)
            near = abs(one.time_ms - other.time_ms) <= site.policy.window_ms
            fresh = NOW_MS - one.time_ms <= site.policy.fresh_ms
            if one.telemetry is not other.telemetry and shares and near and fresh:
                for rule in site.policy.rules:
                    target = rule.pick(one)
                    if rule.matches(one) and target is not None:
                        found.add(f"{rule.action}#{target.key}")
    return found


KILLS = st.one_of(
    st.none(),
    st.tuples(st.sampled_from(["before", "after"]), st.sampled_from([Step.REFUSED, Step.APPLYING, Step.APPLIED, Step.VERIFIED])),
    st.tuples(st.just("write"), st.integers(0, 2)),
)


@settings(max_examples=200, deadline=None)
@given(data=st.data(), described=st.lists(ABOUT, min_size=1, max_size=6), mode=st.sampled_from(list(Mode)))
def test_any_order_any_redelivery_and_any_kill_end_in_the_same_containments(
    data: st.DataObject, described: list[tuple[Telemetry, list[Entity], int]], mode: Mode
) -> None:
    site, verdicts = Rules(mode), verdicts_of(described)
    queue = data.draw(st.permutations(verdicts)) + data.draw(st.lists(st.sampled_from(verdicts), max_size=4))
    kills, killed = data.draw(st.lists(KILLS, max_size=6)), 0
    while queue:
        each = queue.pop(0)
        arm(site, kills.pop() if kills else None)
        try:
            site.respond(each)
        except Killed:
            killed += 1
            queue.append(each)  # comes again, after all others
    assert site.contained() == expected(site, verdicts)
    for stream in STREAMS:
        folded = fold(stream, site.journal.stream(stream))
        assert len(folded.containments) <= 1, "one containment of a target, one unit of the budget"
        assert len([step for step in site.steps_of(stream) if step is Step.OBSERVED]) <= len(verdicts)
    # Whoever is killed after taking and before APPLYING, and finds the target contained by another, has taken for nothing.
    taken = len(site.budget.read(ACCOUNT)[0])
    needed = len(site.contained()) if mode is Mode.ENFORCE else 0
    assert needed <= taken <= needed + killed


def arm(site: Rules, kill: tuple[str, object] | None) -> None:
    site.journal.kill_before = site.journal.kill_after = site.action.kill_after = site.end_session.kill_after = None
    match kill:
        case ("before", Step() as step):
            site.journal.kill_before = step
        case ("after", Step() as step):
            site.journal.kill_after = step
        case ("write", int(number)):
            site.action.kill_after = site.end_session.kill_after = number


@settings(max_examples=60, deadline=None)
@given(described=st.lists(ABOUT, min_size=2, max_size=4))
def test_every_order_of_a_few_verdicts_contains_the_same(described: list[tuple[Telemetry, list[Entity], int]]) -> None:
    verdicts = verdicts_of(described)
    ends = set()
    for order in permutations(verdicts):
        site = Rules()
        outcomes: list[Outcome] = [site.respond(each) for each in order]
        assert len(outcomes) == len(verdicts)
        ends.add(frozenset(site.contained()))
    assert len(ends) == 1


@settings(max_examples=200, deadline=None)
@given(data=st.data(), described=st.lists(ABOUT, min_size=1, max_size=5))
def test_whoever_is_killed_everything_written_is_kept_and_told_in_the_end(
    data: st.DataObject, described: list[tuple[Telemetry, list[Entity], int]]
) -> None:
    """What each finished delivery hands out to be kept is, together, the whole journal; the same with what is told."""
    site, handed = Rules(), set[str]()
    queue = list(data.draw(st.permutations(verdicts_of(described))))
    kills = data.draw(st.lists(KILLS, max_size=6))
    while queue:
        each = queue.pop(0)
        arm(site, kills.pop() if kills else None)
        told = list(site.notices)
        try:
            outcome = site.respond(each)
        except Killed:
            site.notices[:] = told  # as if it had been killed before it told anything
            queue.append(each)
            continue
        entries = [entry for decision in outcome.decisions for entry in decision.entries]
        handed |= {entry.id for entry in (*entries, *outcome.earlier)}
    written = [entry for stream in STREAMS for entry in site.journal.stream(stream)]
    assert handed == {entry.id for entry in written}
    told_of = {notice.id for notice in site.notices}
    assert {entry.id for entry in written if entry.step in (Step.REFUSED, Step.APPLIED)} <= told_of
