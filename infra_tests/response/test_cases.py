"""Cases: what belongs to one incident has one id, whoever comes first, and however often it comes."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra_tests.response.world import HOUR_MS, NOW_MS, Site, verdict
from response.cases import LONGEST_MS, case_of, is_case
from response.signals import InProcessSignals, Signal
from shared_model.events import Entity, EntityKind, Telemetry

ROLE = Entity(EntityKind.PRINCIPAL, "arn:aws:iam::123456789012:role/web", "123456789012")


def kept(signals: InProcessSignals, signal: Signal) -> str:
    case = case_of(signal, signals, HOUR_MS)
    signals.record(replace(signal, case=case), window_ms=HOUR_MS, now_ms=NOW_MS)
    return case


def signal(identifier: str, names: tuple[str, ...], minutes: int = 0) -> Signal:
    return Signal(identifier, "network", Telemetry.FLOW_LOGS, NOW_MS + minutes * 60_000, names)


def test_all_that_comes_of_corroborating_verdicts_is_one_case() -> None:
    site = Site()
    site.contain("i-1")
    entries = site.journal.stream("isolate#123456789012/instance/i-1")
    (case,) = {entry.case for entry in entries}
    assert is_case(case)
    assert {told.case for told in site.notices} == {case}
    site.undo(entries[-1].containment_id)
    assert {entry.case for entry in site.journal.stream(entries[0].stream)} == {case}
    assert {told.case for told in site.notices} == {case}


def test_what_has_nothing_in_common_is_another_case() -> None:
    site = Site()
    site.contain("i-1")
    site.contain("i-2")
    assert len({told.case for told in site.notices}) == 2


def test_a_related_entity_joins_two_machines_to_one_case() -> None:
    site = Site()
    site.respond(verdict("i-1", "a", Telemetry.FLOW_LOGS, related=(ROLE,)))
    site.respond(verdict("i-2", "b", Telemetry.DNS_LOGS, related=(ROLE,)))
    assert len({told.case for told in site.notices}) == 1


def test_an_address_joins_only_after_a_completed_flow() -> None:
    """Whoever can spoof a source address could else pull a stranger's machine into a case, and into its undo."""
    address = Entity(EntityKind.ADDRESS, "203.0.113.9", "123456789012")
    for completed, cases in ((False, 2), (True, 1)):
        site = Site()
        for machine in ("i-1", "i-2"):
            related = verdict(machine, machine, Telemetry.FLOW_LOGS, related=(address,), completed_flow=completed)
            site.respond(related)
        assert len({told.case for told in site.notices}) == cases


def test_the_case_says_when_it_began() -> None:
    assert kept(InProcessSignals(), signal("v", ("a",))).startswith("case-20260921-1413-")


@given(st.lists(st.tuples(st.integers(0, 3000), st.sets(st.sampled_from("abcd"), min_size=1)), min_size=1, max_size=30))
@settings(deadline=None)
def test_a_verdict_that_comes_again_has_the_case_that_it_had(arrivals: list[tuple[int, set[str]]]) -> None:
    signals = InProcessSignals()
    sent = [signal(str(number), tuple(sorted(names)), minutes) for number, (minutes, names) in enumerate(arrivals)]
    first = [kept(signals, each) for each in sent]
    assert [kept(signals, each) for each in sent] == first


def test_an_entity_that_is_never_quiet_is_not_one_incident() -> None:
    signals = InProcessSignals()
    cases = [kept(signals, signal(str(number), ("a",), number * 50)) for number in range(60)]
    begins = [cases.index(case) * 50 * 60_000 for case in dict.fromkeys(cases)]
    assert len(begins) == 3  # in fifty hours
    assert all(LONGEST_MS < after - before < LONGEST_MS + HOUR_MS for before, after in pairwise(begins))


@pytest.mark.parametrize("minutes", [-59, 59])
def test_late_telemetry_joins_the_case_that_is_there(minutes: int) -> None:
    signals = InProcessSignals()
    assert kept(signals, signal("1", ("a",))) == kept(signals, signal("2", ("a",), minutes))


def test_what_was_kept_before_there_were_cases_gives_none() -> None:
    signals = InProcessSignals()
    signals.record(signal("old", ("a",)), window_ms=HOUR_MS, now_ms=NOW_MS)
    assert is_case(case_of(signal("old", ("a",)), signals, HOUR_MS))
    assert is_case(kept(signals, signal("new", ("a",))))
