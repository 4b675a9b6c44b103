"""What the tests of the functions that detect share: an account with them, records, and what came out.

The audit model there is a rule that can be worked out by hand.
"""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from infra_tests.lambdas.account import ACCOUNT, Account
from infra_tests.shared_model.test_audit_detection import FailureCounter
from lambdas import detect_api_calls, detect_flows, detect_system_logs, triage_findings
from lambdas.adapters.queues import VerdictQueue
from lambdas.detection_room import DetectionRoom

ROLE = "AROAEXAMPLEEXAMPLE12"


@pytest.fixture
def functions(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    for module in (detect_flows, detect_api_calls, detect_system_logs, triage_findings):
        room: DetectionRoom = account.install(monkeypatch, module).ROOM
        room._detectors["audit"] = FailureCounter()  # type: ignore[assignment]
    return account


def record(number: int, *, failed: bool, session: str = "alice") -> dict[str, Any]:
    """Return a CloudTrail record of a role's session."""
    role = f"arn:aws:iam::{ACCOUNT}:role/web"
    made = {
        "eventVersion": "1.09",
        "eventID": f"00000000-0000-4000-8000-{number:012d}",
        "eventTime": f"2026-09-21T14:13:{number:02d}Z",
        "eventSource": "secretsmanager.amazonaws.com",
        "eventName": "GetSecretValue",
        "awsRegion": "eu-central-1",
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-cli/2",
        "recipientAccountId": ACCOUNT,
        "readOnly": True,
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": f"{ROLE}:{session}",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/web/{session}",
            "accountId": ACCOUNT,
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "principalId": ROLE, "arn": role, "accountId": ACCOUNT, "userName": "web"},
                "attributes": {"creationDate": "2026-09-21T14:00:00Z", "mfaAuthenticated": "false"},
            },
        },
    }
    return made | ({"errorCode": "AccessDenied"} if failed else {})


def envelope(number: int, *, failed: bool, session: str = "alice") -> str:
    return json.dumps(
        {
            "id": f"event-{number}",
            "source": "aws.secretsmanager",
            "detail-type": "AWS API Call via CloudTrail",
            "account": ACCOUNT,
            "detail": record(number, failed=failed, session=session),
        }
    )


def put(account: Account, key: str, body: bytes, *, event_bridge: bool = False) -> str:
    """Put an object; return the notification of it."""
    account.clients("s3").put_object(Bucket="lake", Key=key, Body=body)
    place = {"bucket": {"name": "lake"}, "object": {"key": key, "sequencer": "0055AED6DCD90281E5"}}
    return json.dumps({"source": "aws.s3", "detail": place} if event_bridge else {"Records": [{"s3": place}]})


def verdicts(account: Account) -> list[dict[str, Any]]:
    return [json.loads(message["Body"]) for message in account.take("verdicts")]


def sent_ids(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the verdicts that are sent from now on; a FIFO queue keeps one of each."""
    sent: list[str] = []
    send = VerdictQueue.send

    def record_ids(self: VerdictQueue, batch: Any) -> None:
        sent.extend(verdict.id for verdict in batch)
        send(self, batch)

    monkeypatch.setattr(VerdictQueue, "send", record_ids)
    return sent


def lake(account: Account, prefix: str) -> list[dict[str, Any]]:
    s3 = account.clients("s3")
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket="lake", Prefix=prefix).get("Contents", ())]
    bodies = [gzip.decompress(s3.get_object(Bucket="lake", Key=key)["Body"].read()) for key in keys]
    return [json.loads(line) for body in bodies for line in body.splitlines()]
