"""A finding becomes a verdict; the entities it names are scored again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from shared_model.events import Entity, EntityKind, Finding, Telemetry
from shared_model.memory import InProcessMemory
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


def test_a_sample_is_reported_and_gives_no_verdict():
    result = alone(finding("sample"))
    assert result.verdicts == ()
    assert "sample" in result.skipped


def test_a_finding_without_own_entity_is_about_the_remote_address_and_proves_no_flow():
    (verdict,) = alone(replace(finding("tor_client"), entities=(), local_addresses=())).verdicts
    assert verdict.entity == Entity(EntityKind.ADDRESS, "198.51.100.23", "123456789012")
    assert not verdict.completed_flow


def test_a_finding_that_names_nothing_is_reported():
    result = alone(replace(finding("tor_client"), entities=(), local_addresses=(), remote_addresses=()))
    assert result.verdicts == ()
    assert "names no entity" in result.skipped


@pytest.mark.parametrize(("now_ms", "expected"), [(NOW_MS, 1772442912318), (1_000, 1_000)])
def test_a_finding_dated_in_the_future_does_not_outlive_the_present(now_ms: int, expected: int):
    assert alone(finding("tor_client"), now_ms).verdicts[0].time_ms == expected
