"""What a CloudTrail call may have opened: names of what can be closed, from requests and answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra_tests.response.world import verdict
from response.signals import Signal, kept
from shared_model.events import ApiCall, Entity, EntityKind, Telemetry
from shared_model.parsers.cloudtrail import parse_cloudtrail
from shared_model.verdicts import Verdict

ACCOUNT = "123456789012"
_FLAGS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def call(source: str, name: str, request: Any, answer: Any = None, **more: Any) -> ApiCall:
    record = {
        "eventVersion": "1.09",
        "eventID": "e",
        "eventTime": "2026-11-01T00:00:00Z",
        "eventSource": f"{source}.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-central-1",
        "recipientAccountId": ACCOUNT,
        "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/mallory", "accountId": ACCOUNT},
        "requestParameters": request,
        "responseElements": answer,
        **more,
    }
    (parsed,) = parse_cloudtrail(record, source="cloudtrail:test")
    assert isinstance(parsed, ApiCall)
    return parsed


def named(parsed: ApiCall) -> list[tuple[str, str]]:
    assert {entity.account for entity in parsed.opened} <= {ACCOUNT}
    return [(str(entity.kind), entity.id) for entity in parsed.opened]


_AUTHORIZED = {"_return": True, "securityGroupRuleSet": {"items": [{"securityGroupRuleId": f"sgr-0{n}"} for n in range(3)]}}


@pytest.mark.parametrize("name", ["AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress"])
def test_rules_are_named_by_the_answer(name: str) -> None:
    rules = [("security_group_rule", f"sgr-0{n}") for n in range(3)]
    request = {"groupId": "sg-01", "ipPermissions": {"items": [{"ipProtocol": "tcp", "fromPort": 22, "toPort": 22}]}}
    assert named(call("ec2", name, request, _AUTHORIZED)) == [("security_group", "sg-01"), *rules]
    assert named(call("ec2", name, request)) == [("security_group", "sg-01")]


@pytest.mark.parametrize("many", [False, True])
def test_changed_rules_are_named_by_the_request(many: bool) -> None:
    rule = {"SecurityGroupRuleId": "sgr-01", "tag": 1, "SecurityGroupRule": {"CidrIpv4": "0.0.0.0/0"}}
    request = {"ModifySecurityGroupRulesRequest": {"GroupId": "sg-01", "SecurityGroupRule": [rule] if many else rule}}
    parsed = call("ec2", "ModifySecurityGroupRules", request)
    assert named(parsed) == [("security_group", "sg-01"), ("security_group_rule", "sgr-01")]


@pytest.mark.parametrize(
    ("source", "name", "request_", "opened"),
    [
        ("s3", "PutBucketPolicy", {"bucketName": "shop"}, [("bucket", "shop")]),
        ("s3", "PutBucketAcl", {"bucketName": "shop"}, [("bucket", "shop")]),
        ("s3", "DeleteBucketPublicAccessBlock", {"bucketName": "shop"}, [("bucket", "shop")]),
        (
            "s3",
            "PutBucketPublicAccessBlock",
            {"bucketName": "shop", "PublicAccessBlockConfiguration": dict.fromkeys(_FLAGS, False)},
            [("bucket", "shop")],
        ),
        (
            "s3",
            "PutBucketPublicAccessBlock",
            {"bucketName": "shop", "PublicAccessBlockConfiguration": dict.fromkeys(_FLAGS, True)},
            [],
        ),
        (
            "ec2",
            "ModifySnapshotAttribute",
            {"snapshotId": "snap-01", "createVolumePermission": {"add": {"items": [{"group": "all"}]}}},
            [("snapshot", "snap-01")],
        ),
        (
            "ec2",
            "ModifySnapshotAttribute",
            {"snapshotId": "snap-01", "createVolumePermission": {"remove": {"items": [{"group": "all"}]}}},
            [],
        ),
        (
            "ec2",
            "ModifyImageAttribute",
            {"imageId": "ami-01", "launchPermission": {"add": {"items": [{"userId": "210987654321"}]}}},
            [("image", "ami-01")],
        ),
        (
            "rds",
            "ModifyDBSnapshotAttribute",
            {"dBSnapshotIdentifier": "Daily", "attributeName": "restore", "valuesToAdd": ["all"]},
            [("snapshot", f"arn:aws:rds:eu-central-1:{ACCOUNT}:snapshot:daily")],
        ),
        (
            "rds",
            "ModifyDBClusterSnapshotAttribute",
            {"dBClusterSnapshotIdentifier": "daily", "attributeName": "restore", "valuesToAdd": ["210987654321"]},
            [("snapshot", f"arn:aws:rds:eu-central-1:{ACCOUNT}:cluster-snapshot:daily")],
        ),
        ("rds", "ModifyDBSnapshotAttribute", {"dBSnapshotIdentifier": "daily", "valuesToRemove": ["all"]}, []),
        ("ec2", "RevokeSecurityGroupIngress", {"groupId": "sg-01"}, []),
        ("s3", "PutBucketPolicy", {"bucketName": "x" * 2000}, []),
        ("s3", "PutBucketPolicy", None, []),
        ("ec2", "AuthorizeSecurityGroupIngress", {"groupId": ["sg-01"]}, []),
    ],
)
def test_what_was_opened_is_named(source: str, name: str, request_: Any, opened: list[tuple[str, str]]) -> None:
    assert named(call(source, name, request_)) == opened


def test_a_call_that_failed_has_opened_nothing() -> None:
    assert call("s3", "PutBucketPolicy", {"bucketName": "shop"}, errorCode="AccessDenied").opened == ()


def test_a_verdict_keeps_what_was_opened_and_older_ones_have_none() -> None:
    opened = (Entity(EntityKind.SECURITY_GROUP, "sg-01", ACCOUNT), Entity(EntityKind.SECURITY_GROUP_RULE, "sgr-01", ACCOUNT))
    about = verdict("i-1", "v", Telemetry.API_CALLS, opened=opened)
    assert Verdict.from_json(about.to_json()) == about
    older = json.loads(about.to_json())
    del older["opened"]
    assert Verdict.from_json(json.dumps(older)).opened == ()
    assert all(entity.key not in Signal.of(about).names for entity in opened), "what was opened lends no signal"


def test_what_the_journal_keeps_of_a_verdict_is_bounded() -> None:
    opened = tuple(Entity(EntityKind.SNAPSHOT, f"{n:04}" + "x" * 1000, ACCOUNT) for n in range(64))
    assert len(kept(verdict("i-1", "v", Telemetry.API_CALLS, opened=opened))) <= 30_000
