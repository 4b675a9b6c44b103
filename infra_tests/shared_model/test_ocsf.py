"""What leaves the system as OCSF 1.5.0.

Golden files lie in ``infra_tests/events/ocsf``; after a change that is meant, write them anew with
``python -m infra_tests.shared_model.test_ocsf`` and read the difference.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra_tests.shared_model.test_audit_encoder import CALL, EVENT
from shared_model.events import ApiCall, Entity, EntityKind, Finding, SystemEvent, Telemetry
from shared_model.ocsf import lines, of_api_call, of_finding, of_remediation, of_system_event, of_verdict
from shared_model.parsers.azure_audit import parse_audit_records
from shared_model.parsers.azure_system_logs import parse_azure_system_logs
from shared_model.parsers.defender import parse_exported_alerts
from shared_model.parsers.guardduty import parse_guardduty
from shared_model.verdicts import Evidence, Verdict

EVENTS = Path(__file__).parents[1] / "events"
ACCOUNT = CALL.account
SESSION = Entity(EntityKind.SESSION, "AROAEXAMPLE:ci-1", ACCOUNT)


def guardduty(name: str) -> Finding:
    (finding,) = parse_guardduty(json.loads((EVENTS / "guardduty" / f"{name}.json").read_text()), source="test")
    assert isinstance(finding, Finding)
    return finding


def azure_records(name: str) -> list[Any]:
    records: list[Any] = json.loads((EVENTS / "azure" / f"{name}.json").read_text())["records"]
    return records


def azure_call(name: str, place: int) -> ApiCall:
    (call,) = parse_audit_records(azure_records(name)[place], source="test")
    assert isinstance(call, ApiCall)
    return call


def azure_finding() -> Finding:
    (finding,) = parse_exported_alerts(azure_records("exported_alerts")[1], source="test")
    assert isinstance(finding, Finding)
    return finding


def windows_logon() -> SystemEvent:
    (event,) = parse_azure_system_logs(azure_records("system_logs")[4], source="test", now_ms=0)
    assert isinstance(event, SystemEvent)
    return event


VERDICT = Verdict(
    id="0" * 32,
    correlation_id="c-1",
    detector="audit",
    detector_version="1.0.0",
    telemetry=Telemetry.API_CALLS,
    entity=SESSION,
    related=(CALL.principal,),
    time_ms=CALL.time_ms,
    probability=0.97,
    threshold=0.9,
    technique="T1078.004",
    title="credential access by session AROAEXAMPLE:ci-1",
    evidence=(Evidence("e-1", CALL.time_ms, 0.41234, "GetSecretValue on secretsmanager, success"),),
    session_issued_ms=CALL.time_ms - 60_000,
)
REMEDIATION: dict[str, Any] = {
    "containment_id": "f" * 32,
    "action": "quarantine_instance",
    "target": Entity(EntityKind.INSTANCE, "i-0123456789abcdef0", ACCOUNT),
    "step": "APPLIED",
    "time_ms": CALL.time_ms,
    "verdict_id": "0" * 32,
    "correlation_id": "c-1",
    "actor": "policy:quarantine",
    "undone": False,
    "succeeded": True,
    "detail": {"reason": "two signals"},
}
GOLDEN: dict[str, Callable[[], dict[str, Any]]] = {
    "api_call": lambda: of_api_call(replace(CALL, session=SESSION, session_issued_ms=CALL.time_ms - 1, mfa=False)),
    "api_call_failed": lambda: of_api_call(
        replace(CALL, succeeded=False, error_code="AccessDenied", source_address="AWS Internal")
    ),
    "console_sign_in": lambda: of_api_call(replace(CALL, service="signin", operation="ConsoleLogin", mfa=True, targets=())),
    "failed_password": lambda: of_system_event(replace(EVENT, message="Failed password for root from 198.51.100.7 port 22 ssh2")),
    "cron_job": lambda: of_system_event(
        replace(
            EVENT,
            process="CRON",
            verb="invoke",
            object="job",
            outcome="success",
            source_address="",
            severity=6,
            message="(root) CMD (id)",
        )
    ),
    "finding": lambda: of_finding(guardduty("tor_client")),
    "verdict": lambda: of_verdict(VERDICT),
    "azure_call": lambda: of_api_call(azure_call("activity_log", 3)),
    "azure_call_refused": lambda: of_api_call(azure_call("activity_log", 4)),
    "azure_platform": lambda: of_api_call(azure_call("activity_log", 13)),
    "azure_sign_in": lambda: of_api_call(azure_call("entra", 1)),
    "azure_finding": lambda: of_finding(azure_finding()),
    "windows_logon": lambda: of_system_event(windows_logon()),
    "remediation": lambda: of_remediation(**REMEDIATION),
    "remediation_undone": lambda: of_remediation(**(REMEDIATION | {"undone": True, "step": "UNDONE"})),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name: str):
    assert GOLDEN[name]() == json.loads((EVENTS / "ocsf" / f"{name}.json").read_text())


@pytest.mark.parametrize("name", GOLDEN)
def test_what_every_object_must_have(name: str):
    """Required attributes of the base event and of the classes (schema.ocsf.io/1.5.0)."""
    event = GOLDEN[name]()
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
    assert event["category_uid"] == event["class_uid"] // 1000
    assert event["metadata"]["version"] == "1.5.0"
    assert event["metadata"]["product"]["vendor_name"]
    assert isinstance(event["time"], int)
    assert event["severity_id"] in range(7)
    assert event["cloud"]["provider"]
    needed = {
        0: set(),
        2004: {"finding_info"},
        3002: {"user", "service"},
        6003: {"actor", "api", "src_endpoint"},
        7001: {"command_uid"},
    }[event["class_uid"]]
    assert needed <= set(event)


def empty_places(value: Any, path: str = "") -> list[str]:
    if isinstance(value, dict):
        return [place for key, item in value.items() for place in empty_places(item, f"{path}.{key}")]
    if isinstance(value, list):
        return [place for item in value for place in empty_places(item, f"{path}[]")]
    return [path] if value is None or value == "" else []


@pytest.mark.parametrize("name", GOLDEN)
def test_what_is_not_known_is_left_out(name: str):
    assert empty_places(GOLDEN[name]()) == []


@pytest.mark.parametrize(
    ("operation", "activity"),
    [
        ("CreateUser", 1),
        ("GetUser", 2),
        ("ListUsers", 2),
        ("UpdateUser", 3),
        ("PutUserPolicy", 3),
        ("DeleteUser", 4),
        ("Frobnicate", 99),
    ],
)
def test_activities_follow_the_verb(operation: str, activity: int):
    assert of_api_call(replace(CALL, service="iam", operation=operation))["activity_id"] == activity


@pytest.mark.parametrize(("severity", "level"), [(0, 2), (3.9, 2), (4, 3), (7, 4), (8.9, 4), (9, 5), (10, 5)])
def test_severity_bands(severity: float, level: int):
    assert of_finding(replace(guardduty("tor_client"), severity=severity))["severity_id"] == level


def test_a_sample_is_no_alert():
    assert of_finding(guardduty("sample"))["is_alert"] is False


@pytest.mark.parametrize(
    ("kind", "undone", "activity"),
    [
        (EntityKind.INSTANCE, False, 1),
        (EntityKind.SESSION, False, 2),
        (EntityKind.PRINCIPAL, False, 2),
        (EntityKind.SESSION, True, 3),
    ],
)
def test_remediation_activities(kind: EntityKind, undone: bool, activity: int):
    event = of_remediation(**(REMEDIATION | {"target": Entity(kind, "x", ACCOUNT), "undone": undone}))
    assert event["activity_id"] == activity


def test_lines_are_one_object_each_and_always_the_same():
    objects = [make() for make in GOLDEN.values()]
    text = lines(objects)
    assert [json.loads(line) for line in text.splitlines()] == objects
    assert lines([dict(reversed(item.items())) for item in objects]) == text


if __name__ == "__main__":
    for golden, make in GOLDEN.items():
        (EVENTS / "ocsf" / f"{golden}.json").write_text(json.dumps(make(), indent=2, sort_keys=True) + "\n")
