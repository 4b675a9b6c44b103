"""Every kind of record that leaves the system fits in the published schema of OCSF 1.5.0."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from infra_tests.shared_model.ocsf_schema import problems
from infra_tests.shared_model.test_ocsf import EVENTS, GOLDEN, REMEDIATION, VERDICT
from response.journal import JournalEntry, Step
from response.remediation import is_remediation, of_entry
from shared_model.events import ApiCall, Entity, EntityKind, Finding, Rejected, SystemEvent
from shared_model.ocsf import of_api_call, of_finding, of_remediation, of_system_event, of_verdict
from shared_model.parsers.azure_audit import parse_audit_records
from shared_model.parsers.azure_system_logs import parse_azure_system_logs
from shared_model.parsers.cloudtrail import parse_cloudtrail
from shared_model.parsers.defender import parse_exported_alerts
from shared_model.parsers.guardduty import parse_guardduty
from shared_model.parsers.sentinel import parse_sentinel_incident
from shared_model.parsers.system_logs import read_system_logs

Event = ApiCall | SystemEvent | Finding


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_records_fit(name: str) -> None:
    assert problems(GOLDEN[name]()) == []


_OF_NO_CONTAINMENT = (Step.ARMED, Step.DISARMED, Step.ANCHORED, Step.ORDERED, Step.SETTLED)


@pytest.mark.parametrize("step", [step for step in Step if step not in _OF_NO_CONTAINMENT])
def test_every_step_of_a_containment_fits(step: Step) -> None:
    target = Entity(EntityKind.INSTANCE, "i-0123456789abcdef0", "123456789012")
    entry = JournalEntry(
        stream=f"quarantine_instance#{target.key}",
        sequence=1,
        containment_id="f" * 32,
        step=step,
        time_ms=1,
        correlation_id="c-1",
        verdict_id=VERDICT.id,
        actor="policy:quarantine",
        plan=None,
        detail={"reason": "two signals", "left": ["eni-1"]},
        case="case-20260921-1413-5feceb66",
    )
    assert is_remediation(entry)
    record = of_entry(entry)
    assert record["unmapped"]["case"] == entry.case
    assert problems(record) == []


@pytest.mark.parametrize("kind", EntityKind)
@pytest.mark.parametrize("account", ["123456789012", "00000000-0000-4000-8000-000000000001", ""])
def test_whatever_it_is_about_on_either_cloud(kind: EntityKind, account: str) -> None:
    entity = Entity(kind, "x", account)
    assert problems(of_verdict(replace(VERDICT, entity=entity, opened=(entity,)))) == []
    for succeeded in (None, True, False):
        assert problems(of_remediation(**(REMEDIATION | {"target": entity, "succeeded": succeeded}))) == []


def _documents(folder: str) -> Iterator[Any]:
    for path in sorted((EVENTS / folder).glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        yield from document.get("records", [document]) if folder == "azure" else [document]


def _recorded() -> Iterator[Event | Rejected]:
    for document in _documents("cloudtrail"):
        yield from parse_cloudtrail(document, source="test")
    for document in _documents("guardduty"):
        yield from parse_guardduty(document, source="test")
    for document in _documents("azure"):
        for parse in (parse_audit_records, parse_exported_alerts, parse_sentinel_incident):
            yield from parse(document, source="test")
        yield from parse_azure_system_logs(document, source="test", now_ms=0)
    messages = (EVENTS / "system_logs" / "messages.log").read_bytes()
    yield from read_system_logs(io.BytesIO(messages), source="test", now_ms=1_772_500_000_000, account="123456789012")


def test_every_recorded_event_fits() -> None:
    records = [_as_record(event) for event in _recorded() if not isinstance(event, Rejected)]
    assert {record["class_uid"] for record in records} == {0, 2004, 3002, 6003}
    assert {record["cloud"]["provider"] for record in records} == {"AWS", "Microsoft"}
    assert len(records) > 50
    assert [(record["metadata"]["uid"], found) for record in records if (found := problems(record))] == []


def _as_record(event: Event) -> dict[str, Any]:
    if isinstance(event, ApiCall):
        return of_api_call(event)
    return of_finding(event) if isinstance(event, Finding) else of_system_event(event)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("remediation", {"status_id": 7}, "status_id: 7 is not one of"),
        ("remediation", {"command_uid": None}, "command_uid"),
        ("remediation", {"actor": {"process": {"name": "x"}}}, "actor.process"),
        ("remediation", {"activity": "Isolate"}, "'activity' was unexpected"),
        ("verdict", {"finding_info": {"title": "x"}}, "'uid' is a required property"),
        ("verdict", {"time": "yesterday"}, "time"),
    ],
)
def test_what_does_not_fit_is_found(name: str, change: dict[str, Any], said: str) -> None:
    assert any(said in problem for problem in problems(GOLDEN[name]() | change))


def test_an_attribute_of_a_profile_that_is_not_named_does_not_fit() -> None:
    record = GOLDEN["remediation"]()
    record["metadata"]["profiles"] = ["cloud"]
    assert any("'actor' was unexpected" in problem for problem in problems(record))
