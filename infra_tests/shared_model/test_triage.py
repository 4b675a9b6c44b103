"""A finding becomes a verdict; the entities it names are scored again."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from infra_tests.shared_model.test_audit_detection import FailureCounter, call
from response.outside import outside_signals
from response.policy import Policy
from response.signals import Signal
from shared_model.audit_detection import detect_api_calls
from shared_model.encoders import network
from shared_model.events import Entity, EntityKind, Finding, Telemetry
from shared_model.memory import InProcessMemory, Remembered
from shared_model.parsers.guardduty import parse_guardduty
from shared_model.triage import Triage, triage

EVENTS = Path(__file__).parents[1] / "events" / "guardduty"
NOW_MS = 1772443000000


def finding(name: str) -> Finding:
    (result,) = parse_guardduty(json.loads((EVENTS / f"{name}.json").read_text()), source="test")
    assert isinstance(result, Finding)
    return result


def alone(of: Finding, now_ms: int = NOW_MS) -> Triage:
    return triage(of, {}, InProcessMemory(), now_ms=now_ms, correlation_id="c-1")


def test_a_finding_is_a_verdict_of_its_own():
    (verdict,) = alone(finding("tor_client")).verdicts
    assert (verdict.detector, verdict.probability, verdict.threshold) == ("guardduty", 0.8, 0.0)
    assert verdict.entity == Entity(EntityKind.INSTANCE, "i-0123456789abcdef0", "123456789012")
    assert Entity(EntityKind.INTERFACE, "eni-0b", "123456789012") in verdict.related
    assert Entity(EntityKind.ADDRESS, "10.0.1.5", "123456789012") in verdict.related
    assert (verdict.telemetry, verdict.technique, verdict.correlation_id) == (Telemetry.FLOW_LOGS, "T1090.003", "c-1")
    assert "198.51.100.23" in verdict.evidence[0].summary


def test_the_remote_side_is_never_another_name_of_the_victim():
    (verdict,) = alone(finding("port_probe")).verdicts
    assert not {entity.id for entity in verdict.related} & set(finding("port_probe").remote_addresses)


def test_the_same_finding_gives_the_same_verdict_id_however_often_it_is_updated():
    first = finding("tor_client")
    later = replace(first, count=99, time_ms=first.time_ms + 60_000, severity=5.0)
    assert alone(first).verdicts[0].id == alone(later).verdicts[0].id
    assert alone(first).verdicts[0].id != alone(replace(first, finding_id="another")).verdicts[0].id


def test_a_finding_alone_needs_no_numpy():
    """The import of numpy is a third of a function's start: a finding is handed on without it."""
    program = "import sys, shared_model.triage, shared_model.parsers.guardduty; sys.exit('numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])


def test_a_sample_is_reported_and_gives_no_verdict():
    result = alone(finding("sample"))
    assert result.verdicts == ()
    assert "sample" in result.skipped


@pytest.mark.parametrize("telemetry", Telemetry)
def test_a_finding_about_a_resource_shows_its_remote_addresses_where_nobody_can_have_made_them_up(telemetry: Telemetry):
    (verdict,) = alone(replace(finding("tor_client"), telemetry=telemetry)).verdicts
    watching = Policy(watch_list=("198.51.100.0/24",))
    may_be_made_up = telemetry in (Telemetry.FLOW_LOGS, Telemetry.DNS_LOGS)
    assert verdict.entity.kind is EntityKind.INSTANCE
    assert verdict.seen == (() if may_be_made_up else ("198.51.100.23",))
    assert [signal.telemetry for signal in outside_signals(verdict, watching)] == [Telemetry.WATCH_LIST] * (not may_be_made_up)


def test_a_finding_without_own_entity_is_about_the_remote_address_and_proves_no_flow():
    (verdict,) = alone(replace(finding("tor_client"), entities=(), local_addresses=())).verdicts
    assert verdict.entity == Entity(EntityKind.ADDRESS, "198.51.100.23", "123456789012")
    assert not verdict.completed_flow


def test_a_finding_that_names_a_caller_by_both_kinds_of_address_is_about_both():
    both = ("198.51.100.23", "2001:db8::23")
    (verdict,) = alone(replace(finding("tor_client"), entities=(), local_addresses=(), remote_addresses=both)).verdicts
    assert [entity.id for entity in (verdict.entity, *verdict.related)] == list(both)
    assert Signal.of(verdict).names == (verdict.entity.key,), "nothing shows a completed flow: the other lends no signal"


def test_a_finding_that_names_nothing_is_reported():
    result = alone(replace(finding("tor_client"), entities=(), local_addresses=(), remote_addresses=()))
    assert result.verdicts == ()
    assert "names no entity" in result.skipped


@pytest.mark.parametrize(("now_ms", "expected"), [(NOW_MS, 1772442912318), (1_000, 1_000)])
def test_a_finding_dated_in_the_future_does_not_outlive_the_present(now_ms: int, expected: int):
    assert alone(finding("tor_client"), now_ms).verdicts[0].time_ms == expected


PRINCIPAL = Entity(EntityKind.PRINCIPAL, "arn:aws:iam::123456789012:user/alice", "123456789012")


def remembered_failures(entity: Entity, count: int) -> InProcessMemory:
    memory = InProcessMemory()
    calls = [call(number, failed=True, principal=entity) for number in range(count)]
    memory.store(detect_api_calls(calls, FailureCounter(), memory, now_ms=NOW_MS, correlation_id="before").states, now_ms=NOW_MS)
    return memory


@pytest.mark.parametrize(("failures", "agrees"), [(2, False), (4, True)])
def test_the_named_entitys_remembered_calls_are_scored_again(failures: int, agrees: bool):
    result = triage(
        finding("api_pascal_case"),
        {"audit": FailureCounter()},
        remembered_failures(PRINCIPAL, failures),
        now_ms=NOW_MS,
        correlation_id="c-1",
    )
    assert [verdict.detector for verdict in result.verdicts] == ["guardduty", "audit"][: 1 + agrees]
    assert [score.probability for score in result.scores] == [failures / 4]
    if agrees:
        own = result.verdicts[1]
        assert (own.entity, own.telemetry, own.correlation_id) == (PRINCIPAL, Telemetry.API_CALLS, "c-1")
        assert own.evidence[0].summary == "earlier: get secret on secret, failure"


@pytest.mark.parametrize("count", [4, 40])
def test_scoring_again_gives_the_verdict_id_that_detection_gave(count: int):
    memory = InProcessMemory()
    calls = [call(number, failed=True, principal=PRINCIPAL) for number in range(count)]
    detected = detect_api_calls(calls, FailureCounter(), memory, now_ms=NOW_MS, correlation_id="c-0")
    memory.store(detected.states, now_ms=NOW_MS)
    result = triage(finding("api_pascal_case"), {"audit": FailureCounter()}, memory, now_ms=NOW_MS, correlation_id="c-1")
    assert result.verdicts[1].id == detected.verdicts[0].id


def test_an_entity_without_memory_leaves_the_finding_alone():
    result = triage(
        finding("api_pascal_case"), {"audit": FailureCounter()}, InProcessMemory(), now_ms=NOW_MS, correlation_id="c-1"
    )
    assert len(result.verdicts) == 1
    assert result.scores == ()


def test_memory_of_another_format_leaves_the_finding_alone():
    memory = InProcessMemory()
    memory.store({f"audit#{PRINCIPAL.key}": Remembered(b"xyz", (1,), ("e",))}, now_ms=NOW_MS)
    result = triage(finding("api_pascal_case"), {"audit": FailureCounter()}, memory, now_ms=NOW_MS, correlation_id="c-1")
    assert len(result.verdicts) == 1


def test_the_flows_of_an_instances_own_address_are_another_name_of_the_instance():
    """A flow verdict about 10.0.2.5, which the finding says is i-…, is about the instance too."""

    class Flows(FailureCounter):
        def score(self, windows: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
            return windows[:, -1, network.FEATURES.index("two_way")], np.ones(len(windows), np.intp)

        def explain(self, window: NDArray[np.float32]) -> NDArray[Any]:
            return window[:, network.FEATURES.index("present")]

    rows = np.zeros(3, network.FACTS)
    rows["marks"] = 1  # two-way
    rows["destination_port"] = 9001
    rows["protocol"] = 6
    memory = InProcessMemory()
    for address in ("10.0.2.5", "198.51.100.23"):
        key = f"network#{Entity(EntityKind.ADDRESS, address, '123456789012').key}"
        memory.store({key: Remembered(rows.tobytes(), (1, 2, 3), ("a", "b", "c"))}, now_ms=NOW_MS)
    result = triage(finding("tor_client"), {"network": Flows(name="network")}, memory, now_ms=NOW_MS, correlation_id="c-1")
    own, remote = result.verdicts[1:]
    assert (own.entity.id, own.telemetry, own.completed_flow) == ("10.0.2.5", Telemetry.FLOW_LOGS, True)
    assert own.related == finding("tor_client").entities
    assert own.evidence[0].summary == "earlier flow to port 9001 tcp, 0 packets, answered"
    assert (remote.entity.id, remote.related) == ("198.51.100.23", ())
