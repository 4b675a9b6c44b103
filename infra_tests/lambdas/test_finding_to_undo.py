"""A GuardDuty finding through triage, the verdict queue, respond, the journal and back to the exact state before."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra_tests.lambdas.account import ACCOUNT, NOW_MS, ON_CALL, Account, redelivered, sqs_event
from lambdas import expire_containments, respond, triage_findings
from response.journal import Step
from training.data_root import data_root

TIME = "2026-09-21T14:13:20Z"  # NOW_MS


def finding(instance: str, *, dns: bool, event_id: str, finding_id: str) -> str:
    """Return the EventBridge envelope of a finding about an instance, drawn from DNS logs or from flow logs."""
    action = {
        "actionType": "NETWORK_CONNECTION",
        "networkConnectionAction": {
            "connectionDirection": "OUTBOUND",
            "protocol": "TCP",
            "remoteIpDetails": {"ipAddressV4": "198.51.100.7"},
        },
    }
    if dns:
        action = {"actionType": "DNS_REQUEST", "dnsRequestAction": {"domain": "example.invalid", "protocol": "UDP"}}
    detail = {
        "schemaVersion": "2.0",
        "accountId": ACCOUNT,
        "region": "eu-central-1",
        "id": finding_id,
        "type": "Trojan:EC2/DGADomainRequest.B" if dns else "UnauthorizedAccess:EC2/TorClient",
        "title": "An instance behaves like one that is taken over",
        "severity": 8,
        "createdAt": TIME,
        "updatedAt": TIME,
        "resource": {"resourceType": "Instance", "instanceDetails": {"instanceId": instance, "networkInterfaces": []}},
        "service": {"action": action, "count": 3, "resourceRole": "ACTOR"},
    }
    envelope = {"id": event_id, "source": "aws.guardduty", "account": ACCOUNT, "region": "eu-central-1", "time": TIME}
    return json.dumps(envelope | {"detail-type": "GuardDuty Finding", "detail": detail})


@pytest.fixture
def functions(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    for module in (triage_findings, respond, expire_containments):
        account.install(monkeypatch, module)
    return account


def two_findings(instance: str) -> dict[str, Any]:
    return sqs_event(
        finding(instance, dns=False, event_id="event-flow", finding_id="f1"),
        finding(instance, dns=True, event_id="event-dns", finding_id="f2"),
    )


def contain(account: Account, instance: str) -> dict[str, Any]:
    """Bring both findings to their end; return the event that respond was given."""
    assert triage_findings.handler(two_findings(instance), None) == {"batchItemFailures": []}
    delivered = redelivered(account.take("verdicts"))
    assert respond.handler(delivered, None) == {"batchItemFailures": []}
    return delivered


def test_two_independent_findings_quarantine_every_interface_and_undo_restores_them(functions: Account) -> None:
    account, vpc = functions, functions.vpc()
    instance = account.instance(vpc, [account.group(vpc, "web"), account.group(vpc, "metrics")], interfaces=3)
    before = account.groups_of(instance)
    contain(account, instance)

    quarantined = account.groups_of(instance)
    (group,) = {group for groups in quarantined.values() for group in groups}
    described = account.clients("ec2").describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
    assert len(quarantined) == 3
    assert described["IpPermissions"] == described["IpPermissionsEgress"] == []
    assert account.steps() == [Step.REFUSED, Step.APPLYING, Step.APPLIED, Step.VERIFIED]

    refused, *_, applied, _ = account.journal()
    assert (refused.correlation_id, applied.correlation_id) == ("event-flow", "event-dns")
    undo = json.dumps({"undo": applied.containment_id, "approved_by": ON_CALL})
    assert expire_containments.handler(sqs_event(undo), None) == {"batchItemFailures": []}
    assert account.groups_of(instance) == before
    assert account.steps()[-2:] == [Step.UNDOING, Step.UNDONE]
    assert account.journal()[-1].actor == ON_CALL
    assert account.take("dead-letters") == []


def test_delivered_again_nothing_happens(functions: Account) -> None:
    account, vpc = functions, functions.vpc()
    instance = account.instance(vpc, [account.group(vpc, "web")])
    delivered = contain(account, instance)
    steps = account.steps()
    assert respond.handler(delivered, None) == {"batchItemFailures": []}
    assert account.steps() == steps


def test_observe_changes_nothing(functions: Account) -> None:
    account, vpc = functions, functions.vpc()
    account.set_policy(mode="observe")
    instance = account.instance(vpc, [account.group(vpc, "web")])
    before = account.groups_of(instance)
    contain(account, instance)
    assert account.groups_of(instance) == before
    assert account.steps() == [Step.REFUSED, Step.OBSERVED]


def test_expiry_asks_once_and_keeps_containing(functions: Account) -> None:
    account, vpc = functions, functions.vpc()
    instance = account.instance(vpc, [account.group(vpc, "web")])
    contain(account, instance)
    contained = account.groups_of(instance)
    account.take("notices")
    account.now_ms = NOW_MS + 25 * 3_600_000
    for _ in range(2):
        assert expire_containments.handler(sqs_event('{"expire": true}'), None) == {"batchItemFailures": []}
    assert account.groups_of(instance) == contained
    assert account.steps().count(Step.EXPIRY_DUE) == 1
    (told,) = account.take("notices")
    assert "is due" in json.loads(told["Body"])["Message"].splitlines()[0]


def test_a_message_that_cannot_be_read_goes_to_the_dead_letters_untouched(functions: Account) -> None:
    account = functions
    assert triage_findings.handler(sqs_event("{broken", '{"id": "1", "detail": {}}'), None) == {"batchItemFailures": []}
    broken, empty = account.take("dead-letters")
    assert broken["Body"] == "{broken"
    assert "not JSON" in broken["MessageAttributes"]["reason"]["StringValue"]
    assert empty["Body"] == '{"id": "1", "detail": {}}'
    assert empty["MessageAttributes"]["field"]["StringValue"] != "-"


RECORDED = data_root()
recorded = pytest.mark.skipif(RECORDED is None, reason="recorded data is not there: set BREAKWATER_DATA")


def recorded_finding(name: str) -> dict[str, Any]:
    assert RECORDED is not None
    document: dict[str, Any] = json.loads((RECORDED / "guardduty" / name).read_text(encoding="utf-8"))
    return document


@recorded
def test_recorded_samples_are_never_verdicts(functions: Account) -> None:
    assert RECORDED is not None
    names = sorted(path.name for path in (RECORDED / "guardduty").glob("*.json"))
    bodies = [json.dumps(recorded_finding(name)) for name in names]
    assert triage_findings.handler(sqs_event(*bodies), None) == {"batchItemFailures": []}
    sent = [json.loads(message["Body"])["entity"]["id"] for message in functions.take("verdicts")]
    assert sent == ["i-05746eb48123455e0"]  # the only one that is not marked as a sample
    assert functions.take("dead-letters") == []


@recorded
def test_recorded_findings_contain_the_instance_they_name(functions: Account) -> None:
    """Two of the recorded findings, as they would be if they were none of GuardDuty's samples."""
    vpc = functions.vpc()
    instance = functions.instance(vpc, [functions.group(vpc, "web")], interfaces=2)
    before = functions.groups_of(instance)
    bodies = []
    for name in ("UnauthorizedAccess-EC2-TorRelay.json", "Trojan-EC2-DGADomainRequest-B.json"):
        document = recorded_finding(name)
        document["detail"]["Service"].pop("AdditionalInfo")
        document["detail"] |= {"UpdatedAt": TIME, "Title": document["detail"]["Title"].replace("[SAMPLE] ", "")}
        bodies.append(json.dumps(document).replace("i-99999999", instance))
    assert triage_findings.handler(sqs_event(*bodies), None) == {"batchItemFailures": []}
    assert respond.handler(redelivered(functions.take("verdicts")), None) == {"batchItemFailures": []}
    applied = next(entry for entry in functions.journal() if entry.step is Step.APPLIED)
    assert applied.correlation_id in {json.loads(body)["id"] for body in bodies}
    assert all(groups != before[eni] for eni, groups in functions.groups_of(instance).items())
    undo = json.dumps({"undo": applied.containment_id, "approved_by": ON_CALL})
    expire_containments.handler(sqs_event(undo), None)
    assert functions.groups_of(instance) == before
