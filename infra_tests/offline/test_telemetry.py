"""Telemetry and findings are moved onto a seeded machine without losing their form; names of deliveries and notifications."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from offline.aws.calls import Call, CallLog, Fault, access_key_of, permitted_as, resource_of
from offline.aws.clock import Clock
from offline.aws.repairs.cloudformation import notification_request
from offline.aws.repairs.deliveries import object_prefix
from offline.aws.repairs.seams import SeamMissing, substitute
from offline.findings import domain_request, turned
from offline.seed import Instance, Role, World
from offline.telemetry import moved_flow_log, moved_records
from shared_model.events import EntityKind, Finding
from shared_model.parsers.guardduty import parse_guardduty
from training.data_root import data_root

MACHINE = Instance("web-1", "i-0123456789abcdef0", ("eni-0a", "eni-0b"), "10.20.1.5")
WORLD = World("vpc-0a", (), {}, {"web-1": MACHINE}, {}, "")
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def test_a_finding_made_here_is_read_as_one_about_the_machine() -> None:
    (finding,) = parse_guardduty(domain_request(WORLD, MACHINE, NOW), source="test")
    assert isinstance(finding, Finding)
    assert finding.entities[0].id == MACHINE.id
    assert not finding.sample


def test_recorded_findings_turn_towards_the_machine_and_stay_readable() -> None:
    root = data_root()
    if root is None:
        pytest.skip("recorded GuardDuty findings are not here: set BREAKWATER_DATA")
    turned_ones = 0
    for path in sorted((root / "guardduty").glob("*EC2*.json")):
        event = turned(json.loads(path.read_text()), MACHINE, NOW)
        (finding,) = parse_guardduty(event, source=path.name)
        assert isinstance(finding, Finding)
        assert (finding.entities[0].kind, finding.entities[0].id) == (EntityKind.INSTANCE, MACHINE.id)
        assert {each.id for each in finding.entities if each.kind is EntityKind.INTERFACE} <= set(MACHINE.interfaces)
        assert finding.time_ms == int(NOW.timestamp() * 1000)
        assert not finding.sample
        turned_ones += 1
    assert turned_ones >= 5


def test_flow_log_lines_move_to_the_machine_and_end_now() -> None:
    lines = [
        "account-id interface-id instance-id srcaddr start end",
        "999999999999 eni-x i-x 192.0.2.1 100 160",
        "999999999999 eni-y i-y 192.0.2.2 110 170",
        "999999999999 eni-x i-x 192.0.2.1 900 960",
    ]
    text = moved_flow_log(lines, ["benign", "scan", "benign", "benign"], MACHINE, NOW).decode()
    end = int(NOW.timestamp())
    assert text.splitlines()[1:] == [f"123456789012 eni-0a {MACHINE.id} 192.0.2.1 {end - 60} {end}"], (
        "the rest lies in the future"
    )


def test_records_of_the_attacker_become_the_sessions() -> None:
    def record(principal: str, second: int) -> dict[str, object]:
        return {"eventTime": f"2020-01-01T00:00:{second:02}Z", "userIdentity": {"principalId": principal}, "eventID": "old"}

    role = Role("web", "arn:aws:iam::123456789012:role/web", "AROAWEB")
    moved = moved_records([record("evil", 0), record("good", 10)], ["persistence", "benign"], role, "s", NOW)
    assert [each["userIdentity"]["principalId"] for each in moved] == ["AROAWEB:s", "good"]
    assert [each["eventTime"] for each in moved] == ["2026-03-02T08:59:50Z", "2026-03-02T09:00:00Z"]
    assert len({each["eventID"] for each in moved} | {"old"}) == 3


@pytest.mark.parametrize(
    ("prefix", "evaluated"),
    [
        ("system-logs/dt=!{timestamp:yyyy-MM-dd}/", "system-logs/dt=2026-03-02/"),
        ("a/!{timestamp:yyyy}/!{timestamp:HH}/", "a/2026/09/"),
        ("plain/", "plain/"),
    ],
)
def test_a_delivery_prefix_is_evaluated(prefix: str, evaluated: str) -> None:
    assert object_prefix(prefix, NOW) == evaluated


def test_a_templates_notifications_become_the_apis() -> None:
    rules = {"S3Key": {"Rules": [{"Name": "Prefix", "Value": "flow-logs/"}]}}
    queue = {"Queue": "arn:q", "Event": "s3:ObjectCreated:*", "Filter": rules}
    request = notification_request({"QueueConfigurations": [queue], "EventBridgeConfiguration": {"EventBridgeEnabled": True}})
    assert request == {
        "QueueConfiguration": [
            {
                "Queue": "arn:q",
                "Event": ["s3:ObjectCreated:*"],
                "Filter": {"S3Key": {"FilterRule": [{"Name": "prefix", "Value": "flow-logs/"}]}},
            }
        ],
        "EventBridgeConfiguration": {},
    }


@pytest.mark.parametrize(
    ("service", "operation", "body", "actions"),
    [
        ("sqs", "SendMessageBatch", b"", ("SendMessage",)),
        ("s3", "HeadObject", b"", ("GetObject",)),
        ("ec2", "DescribeInstances", b"", ("DescribeInstances",)),
        (
            "dynamodb",
            "TransactWriteItems",
            b'{"TransactItems": [{"Put": {}}, {"ConditionCheck": {}}, {"Put": {}}]}',
            ("PutItem", "ConditionCheckItem"),
        ),
    ],
)
def test_an_operation_asks_for_these_actions(service: str, operation: str, body: bytes, actions: tuple[str, ...]) -> None:
    assert permitted_as(service, operation, body) == actions


@pytest.mark.parametrize(
    ("service", "body", "form", "resource"),
    [
        ("dynamodb", b'{"TableName": "t", "IndexName": "i"}', {}, "arn:aws:dynamodb:eu-west-1:1:table/t/index/i"),
        ("dynamodb", b'{"RequestItems": {"t": {}}}', {}, "arn:aws:dynamodb:eu-west-1:1:table/t"),
        ("sqs", b'{"QueueUrl": "https://x/1/q"}', {}, "arn:aws:sqs:eu-west-1:1:q"),
        ("ssm", b'{"Name": "/breakwater/policy"}', {}, "arn:aws:ssm:eu-west-1:1:parameter/breakwater/policy"),
        ("iam", b"", {"RoleName": ["r"]}, "arn:aws:iam::1:role/r"),
        ("ec2", b"Action=DescribeInstances", {}, "*"),
        ("dynamodb", b"{}", {}, "*"),
        ("dynamodb", b"not json", {}, "*"),
    ],
)
def test_the_resource_of_a_request(service: str, body: bytes, form: dict[str, object], resource: str) -> None:
    assert resource_of(service, "eu-west-1", "1", body, form) == resource


def test_a_fault_strikes_once_and_only_its_own_call() -> None:
    log = CallLog()
    log.arm(Fault("f", "PutItem", contains="APPLYING"))
    assert log.strike("g", "PutItem", b"APPLYING") is None
    assert log.strike("f", "PutItem", b"SIGNAL") is None
    assert log.strike("f", "PutItem", b"... APPLYING ...") is not None
    assert log.strike("f", "PutItem", b"APPLYING") is None
    assert not log.armed


def test_calls_are_read_from_where_one_stopped() -> None:
    log = CallLog()
    log.record(Call("f", "k", "s3", "GetObject", "*"))
    position, first = log.since(0)
    log.record(Call("f", "k", "s3", "PutObject", "*"))
    assert [call.action for call in first] == ["GetObject"]
    assert [call.action for call in log.since(position)[1]] == ["PutObject"]


def test_the_access_key_of_a_signature() -> None:
    signature = "AWS4-HMAC-SHA256 Credential=ASIAEXAMPLE/20260302/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    assert access_key_of(signature) == "ASIAEXAMPLE"
    assert access_key_of("") == ""


def test_the_clock_goes_forward_only() -> None:
    clock = Clock()
    before = clock.now()
    clock.advance(3600)
    assert clock.now() >= before + 3600
    with pytest.raises(ValueError, match="back"):
        clock.advance(-1)


def test_a_repair_of_something_that_is_gone_says_so() -> None:
    with pytest.raises(SeamMissing, match="has no Clock"):
        substitute(Clock, "no_such_method", None)
