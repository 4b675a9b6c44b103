"""A batch of single messages that comes again in pieces, beyond the queue's deduplication, after its containment was undone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra_tests.lambdas.account import ON_CALL, Account, redelivered, sqs_event
from infra_tests.lambdas.detecting import envelope
from infra_tests.shared_model.test_audit_detection import FailureCounter
from lambdas import detect_api_calls, expire_containments, respond
from lambdas.adapters.memory import DynamoMemory
from response.journal import Step

MINUTE_MS = 60_000


@pytest.fixture
def functions(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    for module in (detect_api_calls, respond, expire_containments):
        account.install(monkeypatch, module)
    detect_api_calls.ROOM._detectors["audit"] = FailureCounter()  # type: ignore[assignment]
    rule = {"name": "only", "action": "restrict_role", "target": "principal", "when": {"principals": ["role"]}, "alone": True}
    account.set_policy(rules=[rule])
    account.clients("iam").create_role(RoleName="web", AssumeRolePolicyDocument="{}")
    return account


def boundary(account: Account) -> Any:
    return account.clients("iam").get_role(RoleName="web")["Role"].get("PermissionsBoundary")


def respond_to(account: Account, calls: list[str]) -> set[str]:
    """Detect and respond; return the ids of the verdicts."""
    assert detect_api_calls.handler(sqs_event(*calls), None) == {"batchItemFailures": []}
    messages = account.take("verdicts")
    assert respond.handler(redelivered(messages), None) == {"batchItemFailures": []}
    return {json.loads(message["Body"])["id"] for message in messages}


def test_what_was_undone_stays_undone_and_what_is_new_is_contained(functions: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account, calls = functions, [envelope(number, failed=True) for number in range(12)]

    def fails(self: DynamoMemory, states: object, *, now_ms: int) -> None:
        raise OSError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(DynamoMemory, "store", fails)
        assert len(detect_api_calls.handler(sqs_event(*calls), None)["batchItemFailures"]) == 12
    whole = account.take("verdicts")
    assert respond.handler(redelivered(whole), None) == {"batchItemFailures": []}
    assert boundary(account)["PermissionsBoundaryArn"] == "arn:aws:iam::aws:policy/AWSDenyAll"

    account.now_ms += 6 * MINUTE_MS
    (applied,) = [entry for entry in account.journal() if entry.step is Step.APPLIED]
    undo = json.dumps({"undo": applied.containment_id, "approved_by": ON_CALL})
    assert expire_containments.handler(sqs_event(undo), None) == {"batchItemFailures": []}
    assert boundary(account) is None

    account.now_ms += MINUTE_MS
    ids = respond_to(account, calls[:6]) | respond_to(account, calls[6:])
    assert len(ids) == 2, "the second piece has an id of its own"
    assert boundary(account) is None
    last = account.journal()[-1]
    assert (last.step, last.detail["belongs_to"], last.case) == (Step.REFUSED, applied.containment_id, applied.case)

    respond_to(account, [envelope(number, failed=True) for number in range(30, 34)])  # later than NOW_MS
    assert account.journal()[-1].step is Step.VERIFIED
    assert boundary(account)["PermissionsBoundaryArn"] == "arn:aws:iam::aws:policy/AWSDenyAll"
