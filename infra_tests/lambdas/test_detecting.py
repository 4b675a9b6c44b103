"""Log objects and findings through the functions that detect, and objects that are gone."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from infra_tests.lambdas.account import ACCOUNT, NOW_MS, Account, sqs_event
from infra_tests.lambdas.detecting import ROLE, envelope, put, verdicts
from lambdas import detect_api_calls, detect_flows, detect_system_logs, triage_findings
from lambdas.detection_room import DetectionRoom


@pytest.mark.parametrize("module", [detect_flows, detect_api_calls, detect_system_logs])
def test_an_object_that_is_gone_is_a_dead_letter_with_its_name(functions: Account, module: Any) -> None:
    notification = json.dumps({"Records": [{"s3": {"bucket": {"name": "lake"}, "object": {"key": "gone.gz"}}}]})
    functions.clients("dynamodb")  # nothing else is touched
    assert module.handler(sqs_event(notification), None) == {"batchItemFailures": []}
    (message,) = functions.take("dead-letters")
    assert message["Body"] == notification
    assert message["MessageAttributes"]["source"]["StringValue"].endswith("s3://lake/gone.gz")
    assert "is gone" in message["MessageAttributes"]["reason"]["StringValue"]


def test_guessed_passwords_in_a_log_object_are_a_verdict_on_the_host(functions: Account) -> None:
    lines = [
        f"Sep 21 14:13:{n:02d} web-1 sshd[{n}]: Failed password for root from 198.51.100.7 port 4{n:03d} ssh2" for n in range(6)
    ]
    document = {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": "/var/log/auth",
        "logStream": "i-0123456789abcdef0",
        "logEvents": [
            {"id": f"{n:056d}", "timestamp": NOW_MS - 1000 * (10 - n), "message": text} for n, text in enumerate(lines)
        ],
    }
    notification = put(functions, "system-logs/2026/09/21/part.gz", gzip.compress(json.dumps(document).encode()))
    assert detect_system_logs.handler(sqs_event(notification), None) == {"batchItemFailures": []}
    (verdict,) = verdicts(functions)
    assert verdict["entity"]["id"] == "i-0123456789abcdef0"
    assert verdict["telemetry"] == "system_logs"
    assert verdict["correlation_id"].startswith("s3://lake/system-logs/2026/09/21/part.gz#")


def test_a_finding_looks_again_at_what_is_remembered(functions: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    room: DetectionRoom = triage_findings.ROOM
    monkeypatch.setattr(room, "available", lambda *names: {"audit": room._detectors["audit"]})
    detect_api_calls.handler(sqs_event(*[envelope(number, failed=True) for number in range(4)]), None)
    verdicts(functions)
    detail = {
        "accountId": ACCOUNT,
        "region": "eu-central-1",
        "id": "finding-1",
        "type": "CredentialAccess:IAMUser/AnomalousBehavior",
        "title": "Unusual calls",
        "severity": 5,
        "updatedAt": "2026-09-21T14:13:20Z",
        "resource": {
            "resourceType": "AccessKey",
            "accessKeyDetails": {"principalId": f"{ROLE}:alice", "userName": "web", "userType": "AssumedRole"},
        },
        "service": {"action": {"actionType": "AWS_API_CALL", "awsApiCallAction": {"api": "GetSecretValue"}}, "count": 1},
    }
    message = json.dumps({"id": "event-f", "source": "aws.guardduty", "detail-type": "GuardDuty Finding", "detail": detail})
    assert triage_findings.handler(sqs_event(message), None) == {"batchItemFailures": []}
    found = verdicts(functions)
    assert sorted(each["detector"] for each in found) == ["audit", "guardduty"]
    assert {each["correlation_id"] for each in found} == {"event-f"}
