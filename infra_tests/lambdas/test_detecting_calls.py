"""CloudTrail records, from the bus and from objects, through ``detect_api_calls``."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

import pytest

from infra_tests.lambdas.account import ACCOUNT, NOW_MS, Account, sqs_event
from infra_tests.lambdas.detecting import ROLE, envelope, lake, put, record, sent_ids, verdicts
from infra_tests.shared_model.test_audit_detection import FailureCounter
from lambdas import detect_api_calls, detect_flows, detect_system_logs
from lambdas.adapters.memory import DynamoMemory
from lambdas.detection_room import DetectionRoom


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


def test_an_envelope_that_is_no_record_is_a_dead_letter_and_the_others_go_on(functions: Account) -> None:
    broken = json.dumps({"id": "1", "detail-type": "AWS API Call via CloudTrail", "detail": {"eventName": "X"}})
    assert detect_api_calls.handler(sqs_event(broken, envelope(1, failed=False)), None) == {"batchItemFailures": []}
    (message,) = functions.take("dead-letters")
    assert message["MessageAttributes"]["field"]["StringValue"] == "eventSource"
    assert functions.clients("dynamodb").scan(TableName="memory")["Count"] == 2  # the session's row, and its role's


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
