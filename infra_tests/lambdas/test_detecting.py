"""Objects and envelopes through the detecting functions. The audit model here is a rule that can be worked out by hand."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import Any

import pytest

from infra_tests.lambdas.account import ACCOUNT, NOW_MS, Account, sqs_event
from infra_tests.shared_model.test_audit_detection import FailureCounter
from lambdas import detect_api_calls, detect_flows, detect_system_logs, triage_findings
from lambdas.adapters.memory import DynamoMemory
from lambdas.adapters.queues import VerdictQueue
from lambdas.detection_room import DetectionRoom
from shared_model.events import Telemetry
from training.scenarios import Split, generate

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


def test_calls_on_the_fast_path_remember_each_other_and_make_one_verdict(functions: Account) -> None:
    bodies = [envelope(number, failed=True) for number in range(4)]
    assert detect_api_calls.handler(sqs_event(*bodies), None) == {"batchItemFailures": []}
    (verdict,) = verdicts(functions)
    assert verdict["entity"] == {"account": ACCOUNT, "kind": "session", "id": f"{ROLE}:alice"}
    assert verdict["correlation_id"] == "event-3"
    assert lake(functions, "ocsf/class=6003") == [], "the complete path keeps calls, once"


def test_verdicts_that_come_again_in_another_batch_are_written_over_in_the_lake(
    functions: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DynamoMemory, "store", lambda *_, **__: None)  # as if killed: nothing is known when they come again
    bodies = [
        [envelope(10 * at + n, failed=True, session=who) for n in range(4)] for at, who in enumerate(("alice", "bob", "carol"))
    ]
    for batch in (bodies, bodies[::-1], bodies[:1]):
        assert detect_api_calls.handler(sqs_event(*[body for each in batch for body in each]), None) == {"batchItemFailures": []}
        assert len(lake(functions, "ocsf/class=2004")) == len(bodies)


def test_the_verdicts_on_one_object_are_one_file_in_the_lake(functions: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    if not functions.install(monkeypatch, detect_flows).ROOM.available("network"):
        pytest.skip("model_artifacts/network is not built: make train")
    start = NOW_MS // 1000 - 600
    guessing = [
        f"2 {ACCOUNT} eni-0a 198.51.100.{host} 10.0.0.5 {40000 + n} 22 6 20 4000 {start + 3 * n} {start + 3 * n + 1} ACCEPT OK"
        for host in range(3)
        for n in range(60)
    ]
    body = gzip.compress("\n".join(guessing).encode())
    notification = put(functions, f"flow-logs/AWSLogs/{ACCOUNT}/x.log.gz", body)
    assert detect_flows.handler(sqs_event(notification), None) == {"batchItemFailures": []}
    listed = functions.clients("s3").list_objects_v2(Bucket="lake", Prefix="ocsf/class=2004")["Contents"]
    assert len(listed) == 1
    assert len(lake(functions, "ocsf/class=2004")) > 1


def test_without_a_trail_calls_of_the_fast_path_are_kept_in_the_lake(functions: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    functions.settings = replace(functions.settings, trail="none")
    room: DetectionRoom = functions.install(monkeypatch, detect_api_calls).ROOM
    room._detectors["audit"] = FailureCounter()  # type: ignore[assignment]
    event = sqs_event(*[envelope(number, failed=False) for number in range(4)])
    for _ in range(2):  # delivered again it is written over, not beside
        assert detect_api_calls.handler(event, None) == {"batchItemFailures": []}
        assert len(lake(functions, "ocsf/class=6003")) == 4


def test_calls_of_one_batch_are_read_and_written_together(functions: Account) -> None:
    requests: list[str] = []
    functions.clients("dynamodb").meta.events.register("before-call", lambda model, **_: requests.append(model.name))
    detect_api_calls.handler(sqs_event(*[envelope(number, failed=False) for number in range(20)]), None)
    assert requests == ["BatchGetItem", "BatchGetItem", "BatchWriteItem", "BatchWriteItem"]  # a new session: its role's row too
    requests.clear()
    detect_api_calls.handler(sqs_event(*[envelope(number, failed=False) for number in range(20, 40)]), None)
    assert requests == ["BatchGetItem", "BatchWriteItem"]


def test_when_the_common_part_fails_every_message_comes_again(functions: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: DynamoMemory, keys: object) -> None:
        raise OSError("the network is down")

    event = sqs_event(*[envelope(number, failed=True) for number in range(4)], "{poison")
    with monkeypatch.context() as patch:
        patch.setattr(DynamoMemory, "load", fails)
        failures = detect_api_calls.handler(event, None)["batchItemFailures"]
    assert [failure["itemIdentifier"] for failure in failures] == [f"message-{number}" for number in range(4)]
    assert len(functions.take("dead-letters")) == 1
    event["Records"].pop()
    assert detect_api_calls.handler(event, None) == {"batchItemFailures": []}
    assert len(verdicts(functions)) == 1


def test_the_complete_path_adds_nothing_to_what_the_fast_path_brought(functions: Account) -> None:
    detect_api_calls.handler(sqs_event(*[envelope(number, failed=True) for number in range(4)]), None)
    verdicts(functions)
    body = gzip.compress(json.dumps({"Records": [record(number, failed=True) for number in range(4)]}).encode())
    notification = put(functions, f"cloudtrail/AWSLogs/{ACCOUNT}/CloudTrail/log.json.gz", body)
    assert detect_api_calls.handler(sqs_event(notification), None) == {"batchItemFailures": []}
    assert verdicts(functions) == []
    kept = lake(functions, "ocsf/class=6003")
    assert [line["api"]["operation"] for line in kept] == ["GetSecretValue"] * 4


@pytest.mark.parametrize("event_bridge", [False, True])
def test_a_broken_record_of_an_object_is_kept_beside_the_good_ones(functions: Account, event_bridge: bool) -> None:
    records = [record(0, failed=False), {"eventName": "NoSource"}, record(1, failed=False)]
    body = json.dumps({"Records": records}).encode()
    notification = put(functions, "cloudtrail/log.json", body, event_bridge=event_bridge)
    assert detect_api_calls.handler(sqs_event(notification), None) == {"batchItemFailures": []}
    (rejected,) = lake(functions, "rejected/source=cloudtrail/")
    assert (rejected["record"], rejected["field"]) == (2, "eventSource")
    assert len(lake(functions, "ocsf/class=6003")) == 2
    assert functions.take("dead-letters") == []


@pytest.mark.parametrize(
    ("beside", "is_read"),
    [
        ("CloudTrail/eu-central-1/2026/01/01/log.json", True),
        ("CloudTrail-NetworkActivity/eu-central-1/log.json", True),
        ("CloudTrail-Digest/eu-central-1/log.json", False),
        ("CloudTrail-Insight/eu-central-1/log.json", False),
        ("Config/eu-central-1/2026/1/1/ConfigSnapshot/log.json", False),
        ("vpcflowlogs/eu-central-1/2026/01/01/log.json", False),
    ],
)
@pytest.mark.parametrize("root", ["AWSLogs/", "audit/AWSLogs/o-ab12cd34ef/"])
def test_of_a_bucket_that_services_share_the_trails_records_are_read(
    functions: Account, root: str, beside: str, is_read: bool
) -> None:
    body = json.dumps({"Records": [record(0, failed=False)]}).encode()
    notification = put(functions, f"{root}{ACCOUNT}/{beside}", body, event_bridge=True)
    assert detect_api_calls.handler(sqs_event(notification), None) == {"batchItemFailures": []}
    assert len(lake(functions, "ocsf/class=6003")) == is_read
    assert functions.take("dead-letters") == []


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_a_record_of_a_year_that_no_calendar_has_costs_itself_only(functions: Account, time: str) -> None:
    records = [record(number, failed=True) for number in range(4)]
    body = json.dumps({"Records": [*records, record(5, failed=True) | {"eventTime": time}, {"eventName": "NoSource"}]}).encode()
    notification = put(functions, "cloudtrail/log.json", body)
    assert detect_api_calls.handler(sqs_event(notification), None) == {"batchItemFailures": []}
    assert len(lake(functions, "ocsf/class=6003")) == 4
    kept = [(each["record"], each["field"]) for each in lake(functions, "rejected/source=cloudtrail/")]
    assert kept == [(5, "eventTime"), (6, "eventSource")]
    lines = [f"{time} web-1 sshd[1]: session opened", *(f"Sep 21 14:13:00 web-1 cron[{n}]: started" for n in range(2500))]
    notification = put(functions, "system-logs/plain.log", "\n".join(lines).encode())
    assert detect_system_logs.handler(sqs_event(notification), None) == {"batchItemFailures": []}
    scored = [line["events"] for line in functions.lines() if line["message"] == "scored" and line["entity"].endswith("/web-1")]
    assert sum(scored) == 2500
    assert [each["record"] for each in lake(functions, "rejected/source=system_logs/")] == [1]


@pytest.mark.parametrize("module", [detect_flows, detect_api_calls, detect_system_logs])
def test_an_object_that_is_gone_is_a_dead_letter_with_its_name(functions: Account, module: Any) -> None:
    notification = json.dumps({"Records": [{"s3": {"bucket": {"name": "lake"}, "object": {"key": "gone.gz"}}}]})
    functions.clients("dynamodb")  # nothing else is touched
    assert module.handler(sqs_event(notification), None) == {"batchItemFailures": []}
    (message,) = functions.take("dead-letters")
    assert message["Body"] == notification
    assert message["MessageAttributes"]["source"]["StringValue"].endswith("s3://lake/gone.gz")
    assert "is gone" in message["MessageAttributes"]["reason"]["StringValue"]


def test_an_envelope_that_is_no_record_is_a_dead_letter_and_the_others_go_on(functions: Account) -> None:
    broken = json.dumps({"id": "1", "detail-type": "AWS API Call via CloudTrail", "detail": {"eventName": "X"}})
    assert detect_api_calls.handler(sqs_event(broken, envelope(1, failed=False)), None) == {"batchItemFailures": []}
    (message,) = functions.take("dead-letters")
    assert message["MessageAttributes"]["field"]["StringValue"] == "eventSource"
    assert functions.clients("dynamodb").scan(TableName="memory")["Count"] == 2  # the session's row, and its role's


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


def test_killed_between_verdicts_and_memory_the_same_verdict_comes_again(
    functions: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = json.dumps({"Records": [record(number, failed=True) for number in range(4)]}).encode()
    event = sqs_event(put(functions, "cloudtrail/log.json", body))

    def fails(self: DynamoMemory, states: object, *, now_ms: int) -> None:
        raise OSError("killed")

    sent = sent_ids(monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(DynamoMemory, "store", fails)
        assert detect_api_calls.handler(event, None) == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    assert detect_api_calls.handler(event, None) == {"batchItemFailures": []}
    assert len(sent) == 2
    assert len(set(sent)) == 1
    assert len(verdicts(functions)) == 1


@pytest.mark.parametrize("stored_behind", [False, True])
def test_killed_and_delivered_again_with_others_behind_it_is_the_same_verdict(
    functions: Account, monkeypatch: pytest.MonkeyPatch, stored_behind: bool
) -> None:
    def fails(self: DynamoMemory, states: object, *, now_ms: int) -> None:
        raise OSError("killed")

    sent = sent_ids(monkeypatch)
    bodies, behind = [envelope(number, failed=True) for number in range(4)], [envelope(n, failed=True) for n in range(4, 40)]
    with monkeypatch.context() as patch:
        patch.setattr(DynamoMemory, "store", fails)
        assert len(detect_api_calls.handler(sqs_event(*bodies), None)["batchItemFailures"]) == 4
    (first,) = sent
    if stored_behind:
        detect_api_calls.handler(sqs_event(*behind), None)
        sent.clear()
    else:
        bodies += behind
    assert detect_api_calls.handler(sqs_event(*reversed(bodies)), None) == {"batchItemFailures": []}
    assert sent[-1] == first


def test_flow_records_are_scored_and_rejects_kept(functions: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    if not functions.install(monkeypatch, detect_flows).ROOM.available("network"):
        pytest.skip("model_artifacts/network is not built: make train")
    start = NOW_MS // 1000 - 60
    good = [
        f"2 {ACCOUNT} eni-0a 198.51.100.7 10.0.0.5 40000 {port} 6 1 40 {start} {start + 1} REJECT OK" for port in range(1, 200)
    ]
    nodata = f"2 {ACCOUNT} eni-0a - - - - - - - {start} {start + 1} - NODATA"
    body = "\n".join([*good, nodata, "2 this is no flow record"]).encode()
    notification = put(functions, f"flow-logs/AWSLogs/{ACCOUNT}/x.log.gz", gzip.compress(body))
    assert detect_flows.handler(sqs_event(notification), None) == {"batchItemFailures": []}
    (rejected,) = lake(functions, "rejected/source=vpc_flow_logs/")
    assert rejected["record"] == 201
    scored = [line for line in functions.lines() if line["message"] == "scored"]
    assert [(line["entity"], line["events"]) for line in scored] == [(f"{ACCOUNT}/address/198.51.100.7", 199)]
    keys = sorted(item["pk"]["S"] for item in functions.clients("dynamodb").scan(TableName="memory")["Items"])
    assert keys[0] == f"network#{ACCOUNT}/address/198.51.100.7"
    assert [key.startswith("network#delivered/") for key in keys[1:]] == [True], "one mark that this object was scored"


@pytest.mark.parametrize(
    ("key", "owner"),
    [
        (f"flow-logs/AWSLogs/{ACCOUNT}/vpcflowlogs/eu-central-1/2026/09/21/x.log.gz", ACCOUNT),
        ("flow-logs/AWSLogs/aws-account-id=210987654321/aws-service=vpcflowlogs/x.log.gz", "210987654321"),
        ("flow-logs/x.log.gz", ACCOUNT),  # the function's own
    ],
)
def test_flows_of_a_layout_without_account_are_of_the_keys_or_the_functions_own(
    functions: Account, monkeypatch: pytest.MonkeyPatch, key: str, owner: str
) -> None:
    if not functions.install(monkeypatch, detect_flows).ROOM.available("network"):
        pytest.skip("model_artifacts/network is not built: make train")
    start = NOW_MS // 1000 - 300
    header = (
        "vpc-id instance-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action flow-direction"
    )
    lines = [
        f"vpc-1 i-0123456789abcdef0 eni-1 10.0.0.5 10.0.0.{n} 4{n:04d} 22 6 1 44 {start + n} {start + n} REJECT egress"
        for n in range(200)
    ]
    notification = put(functions, key, gzip.compress("\n".join([header, *lines]).encode()))
    assert detect_flows.handler(sqs_event(notification), None) == {"batchItemFailures": []}
    (verdict,) = verdicts(functions)
    named = [verdict["entity"], *verdict["related"]]
    assert {each["account"] for each in named} == {owner}
    assert {"kind": "instance", "id": "i-0123456789abcdef0", "account": owner} in named, "so a finding about it is about the same"


def test_lines_of_a_plain_file_are_of_the_functions_own_account(functions: Account) -> None:
    lines = [
        f"Sep 21 14:13:{n:02d} web-1 sshd[{n}]: Failed password for root from 198.51.100.7 port 4{n:03d} ssh2" for n in range(6)
    ]
    notification = put(functions, "system-logs/auth.log", "\n".join(lines).encode())
    assert detect_system_logs.handler(sqs_event(notification), None) == {"batchItemFailures": []}
    (verdict,) = verdicts(functions)
    assert verdict["entity"] == {"account": ACCOUNT, "kind": "host", "id": "web-1"}


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


def test_a_flow_log_object_that_is_announced_twice_changes_nothing(functions: Account) -> None:
    scenario = next(generate(3, telemetry=Telemetry.FLOW_LOGS, split=Split.TRAIN))
    assert scenario.flow_log is not None
    notification = put(functions, "flow-logs/log.gz", gzip.compress(scenario.flow_log.encode()))
    detect_flows.handler(sqs_event(notification), None)
    remembered = functions.clients("dynamodb").scan(TableName="memory")["Items"]
    verdicts(functions)
    assert detect_flows.handler(sqs_event(notification), None) == {"batchItemFailures": []}
    assert verdicts(functions) == []
    assert functions.clients("dynamodb").scan(TableName="memory")["Items"] == remembered
