"""Two GuardDuty findings about an IAM user, through triage and respond, to its key and its sign-in, and back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra_tests.lambdas.account import ACCOUNT, ON_CALL, Account, redelivered, sqs_event
from infra_tests.lambdas.actions.iam import access_key, user
from lambdas import expire_containments, respond, triage_findings
from response.journal import Step

TIME = "2026-09-21T14:13:20Z"  # NOW_MS


@pytest.fixture
def functions(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    for module in (triage_findings, respond, expire_containments):
        account.install(monkeypatch, module)
    return account


def finding(key: str, *, data_events: bool) -> str:
    """Return the EventBridge envelope of a finding about what alice's key did, drawn from API calls or from S3 data events."""
    detail = {
        "schemaVersion": "2.0",
        "accountId": ACCOUNT,
        "region": "eu-central-1",
        "id": f"finding-{data_events}",
        "type": "Exfiltration:S3/AnomalousBehavior" if data_events else "UnauthorizedAccess:IAMUser/MaliciousIPCaller.Custom",
        "title": "A user's key is used from where it never was",
        "severity": 9,
        "createdAt": TIME,
        "updatedAt": TIME,
        "resource": {
            "resourceType": "S3Bucket" if data_events else "AccessKey",
            "accessKeyDetails": {
                "accessKeyId": key,
                "principalId": "AIDAEXAMPLEEXAMPLE001",
                "userName": "alice",
                "userType": "IAMUser",
            },
        },
        "service": {"action": {"actionType": "AWS_API_CALL", "awsApiCallAction": {"api": "GetObject"}}, "count": 3},
    }
    envelope = {
        "id": f"event-{data_events}",
        "source": "aws.guardduty",
        "account": ACCOUNT,
        "region": "eu-central-1",
        "time": TIME,
    }
    return json.dumps(envelope | {"detail-type": "GuardDuty Finding", "detail": detail})


def state(account: Account) -> tuple[dict[str, str], list[str], list[str]]:
    iam = account.clients("iam")
    keys = {key["AccessKeyId"]: key["Status"] for key in iam.list_access_keys(UserName="alice")["AccessKeyMetadata"]}
    groups: list[dict[str, Any]] = iam.list_groups_for_user(UserName="alice")["Groups"]
    return keys, iam.list_user_policies(UserName="alice")["PolicyNames"], [group["GroupName"] for group in groups]


def test_the_key_that_was_used_and_the_sign_in_end_and_come_back(functions: Account) -> None:
    account = functions
    user(account, "alice", path="/ops/")
    account.clients("iam").create_login_profile(UserName="alice", Password="correct horse battery staple 1!")
    used, other = access_key(account, "alice"), access_key(account, "alice")
    before = state(account)
    both = sqs_event(*(finding(used.id, data_events=data_events) for data_events in (False, True)))
    assert triage_findings.handler(both, None) == {"batchItemFailures": []}
    delivered = redelivered(account.take("verdicts"))
    assert respond.handler(delivered, None) == {"batchItemFailures": []}

    keys, policies, _ = state(account)
    assert keys == {used.id: "Inactive", other.id: "Active"}
    assert [name.startswith("BreakwaterBlockSignIn-") for name in policies] == [True]
    applied = {entry.stream.partition("#")[0]: entry for entry in account.journal() if entry.step is Step.APPLIED}
    assert set(applied) == {"deactivate_access_keys", "block_sign_in"}
    # What takes a role's rights has nothing to say of a user: no rule of the default policy even asks it.
    assert {entry.stream.partition("#")[0] for entry in account.journal()} == set(applied)

    steps = account.steps()
    assert respond.handler(delivered, None) == {"batchItemFailures": []}
    assert account.steps() == steps

    for entry in applied.values():
        undo = json.dumps({"undo": entry.containment_id, "approved_by": ON_CALL})
        assert expire_containments.handler(sqs_event(undo), None) == {"batchItemFailures": []}
    assert state(account) == before
    assert account.take("dead-letters") == []
