"""Who may do what: what the embedded AWS cannot enforce is proven on the templates."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cdk.names import sends_verdicts
from cdk.tables import JOURNAL_FORBIDDEN
from infra_tests.cdk.conftest import ACCOUNT, REGION
from infra_tests.cdk.templates import Templates, allowed, many, principals
from lambdas.actions.catalogue import ACTIONS
from lambdas.registry import FUNCTIONS

GOLDEN = Path(__file__).parent / "golden" / "roles.json"
LAKE = f"arn:aws:s3:::breakwater-lake-{ACCOUNT}-{REGION}"
DETECTORS = [spec.name.replace("_", "-") for spec in FUNCTIONS if sends_verdicts(spec)]


def rule(name: str) -> str:
    return f"arn:aws:events:{REGION}:{ACCOUNT}:rule/breakwater-{name}"


def role(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/breakwater-{name}-{REGION}"


SENDERS: dict[str, dict[str, list[str]]] = {
    "breakwater-flow-logs": {"s3.amazonaws.com": [LAKE]},
    "breakwater-api-calls": {"s3.amazonaws.com": [LAKE], "events.amazonaws.com": [rule("api-calls")]},
    "breakwater-system-logs": {"s3.amazonaws.com": [LAKE]},
    "breakwater-findings": {"events.amazonaws.com": [rule("findings")]},
    "breakwater-verdicts.fifo": {},
    "breakwater-containments": {"events.amazonaws.com": [rule("expire")]},
}


@pytest.mark.parametrize("queue", SENDERS)
def test_a_queue_names_its_senders(templates: Templates, queue: str) -> None:
    allow = [s for s in templates.queue_statements(queue) if s["Effect"] == "Allow"]
    assert {service: many(s["Condition"]["ArnEquals"]["aws:SourceArn"]) for s in allow for service in principals(s)} == SENDERS[
        queue
    ]
    assert all(s["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT} for s in allow)
    assert all(s["Action"] == "sqs:SendMessage" for s in allow)


@pytest.mark.parametrize(
    "queue", [queue for queue in SENDERS if queue not in ("breakwater-containments", "breakwater-verdicts.fifo")]
)
def test_nobody_else_sends_telemetry(templates: Templates, queue: str) -> None:
    (deny,) = [s for s in templates.queue_statements(queue) if s.get("Sid") == "NobodyElseSends"]
    sources = [arn for arns in SENDERS[queue].values() for arn in arns]
    assert deny["Effect"] == "Deny"
    assert deny["Principal"] == {"AWS": "*"}
    assert {op: many(next(iter(keys.values()))) for op, keys in deny["Condition"].items()} == {"ArnNotEquals": sources}


def test_only_detectors_send_verdicts(templates: Templates) -> None:
    (deny,) = [s for s in templates.queue_statements("breakwater-verdicts.fifo") if s.get("Sid") == "NobodyElseSends"]
    assert deny["Condition"] == {"ArnNotLike": {"aws:PrincipalArn": [role(name) for name in DETECTORS]}}
    verdicts = f"arn:aws:sqs:{REGION}:{ACCOUNT}:breakwater-verdicts.fifo"
    senders = {
        name
        for name, policies in templates.role_statements().items()
        for statements in policies.values()
        for s in statements
        if s["Effect"] == "Allow" and "sqs:SendMessage" in many(s["Action"]) and verdicts in many(s["Resource"])
    }
    assert senders == {f"breakwater-{name}-{REGION}" for name in DETECTORS}


def test_operators_alone_approve_an_undo_once_they_are_named(synthesise: Any) -> None:
    person = f"arn:aws:iam::{ACCOUNT}:role/incident-response"
    named = synthesise(operators=(person,))
    (deny,) = [s for s in named.queue_statements("breakwater-containments") if s.get("Sid") == "NobodyElseSends"]
    assert deny["Condition"] == {
        "ArnNotEquals": {"aws:SourceArn": [rule("expire")]},
        "ArnNotLike": {"aws:PrincipalArn": [person]},
    }


@pytest.mark.parametrize(
    ("alias", "services"),
    [
        (
            "alias/breakwater-telemetry",
            {
                "s3.amazonaws.com",
                "events.amazonaws.com",
                "delivery.logs.amazonaws.com",
                "cloudtrail.amazonaws.com",
                f"logs.{REGION}.amazonaws.com",
            },
        ),
        ("alias/breakwater-response", {"events.amazonaws.com", "cloudwatch.amazonaws.com", "sns.amazonaws.com"}),
    ],
)
def test_a_key_lets_in_the_services_that_write_and_nobody_else(templates: Templates, alias: str, services: set[str]) -> None:
    target = templates.named("AWS::KMS::Alias", "AliasName", alias)["TargetKeyId"]["Fn::GetAtt"][0]
    key = templates.resources("AWS::KMS::Key")[target]["Properties"]
    assert key["EnableKeyRotation"] is True
    statements = [s for s in key["KeyPolicy"]["Statement"] if principals(s)]
    assert {service for s in statements for service in principals(s)} == services
    # Source conditions on these would stop delivery without a word: queues and topic name their sources instead.
    senders = {"s3.amazonaws.com", "events.amazonaws.com", "cloudwatch.amazonaws.com"}
    for s in statements:
        if principals(s) <= senders:
            assert "Condition" not in s
            assert set(s["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey*"}
        else:
            assert ACCOUNT in json.dumps(s["Condition"])


def test_the_trail_may_use_the_key_of_a_bucket_that_has_a_bucket_key(templates: Templates) -> None:
    """Without Decrypt no trail can be made; and a bucket key's encryption context does not name the trail."""
    (statement,) = [
        s
        for key in templates.resources("AWS::KMS::Key").values()
        for s in key["Properties"]["KeyPolicy"]["Statement"]
        if "cloudtrail.amazonaws.com" in principals(s)
    ]
    assert set(statement["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey*", "kms:DescribeKey"}
    trail = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/breakwater-trail"
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": trail}}


def test_firehose_may_use_the_key_of_an_existing_lake(synthesise: Any) -> None:
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
    existing = synthesise(lake_bucket="our-lake", bucket_keys=(key,), log_groups=("/var/log/secure",))
    statements = existing.role_statements()[f"breakwater-firehose-{REGION}"]["deliver"]
    (use,) = [s for s in statements if "kms:GenerateDataKey" in many(s["Action"])]
    assert key in use["Resource"]


def test_alarms_and_nobody_else_outside_iam_publish_notifications(templates: Templates) -> None:
    (policy,) = templates.resources("AWS::SNS::TopicPolicy").values()
    (allow,) = [s for s in policy["Properties"]["PolicyDocument"]["Statement"] if s["Effect"] == "Allow"]
    assert (principals(allow), allow["Action"]) == ({"cloudwatch.amazonaws.com"}, "sns:Publish")
    assert allow["Condition"]["ArnLike"]["aws:SourceArn"] == f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:breakwater-*"


def test_nobody_rewrites_the_journal(templates: Templates) -> None:
    journal = templates.named("AWS::DynamoDB::Table", "TableName", "breakwater-journal")
    deny, anchors = journal["ResourcePolicy"]["PolicyDocument"]["Statement"]
    assert (deny["Effect"], deny["Principal"], set(deny["Action"])) == ("Deny", {"AWS": "*"}, set(JOURNAL_FORBIDDEN))
    assert (anchors["Effect"], anchors["Principal"]) == ("Deny", {"AWS": "*"})
    assert set(anchors["Action"]) == {"dynamodb:PutItem", "dynamodb:PartiQLInsert"}
    assert anchors["Condition"] == {
        "ForAnyValue:StringLike": {"dynamodb:LeadingKeys": ["anchors#*"]},
        "ArnNotLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/breakwater-expire-containments-{REGION}"},
    }
    assert {"dynamodb:DeleteItem", "dynamodb:UpdateItem", "dynamodb:BatchWriteItem"} <= set(JOURNAL_FORBIDDEN)


def test_our_roles_cannot_take_away_the_journals_past_or_its_protection(templates: Templates) -> None:
    table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/breakwater-journal"
    boundary = templates.named("AWS::IAM::ManagedPolicy", "ManagedPolicyName", f"breakwater-boundary-{REGION}")
    (deny,) = [s for s in boundary["PolicyDocument"]["Statement"] if s.get("Sid") == "NeverRewriteTheJournal"]
    assert {table, f"{table}/backup/*"} <= set(deny["Resource"])
    protection = {"UpdateContinuousBackups", "DeleteBackup", "RestoreTable*", "PutResourcePolicy", "DeleteResourcePolicy"}
    assert {f"dynamodb:{name}" for name in protection} <= set(deny["Action"])
    # CloudFormation turns recovery on after the table, with its policy, is there.
    assert "dynamodb:UpdateContinuousBackups" not in JOURNAL_FORBIDDEN


def test_the_boundary_is_no_longer_than_iam_takes(templates: Templates) -> None:
    boundary = templates.named("AWS::IAM::ManagedPolicy", "ManagedPolicyName", f"breakwater-boundary-{REGION}")
    assert len(json.dumps(boundary["PolicyDocument"], separators=(",", ":"))) <= 6144


def test_no_role_is_allowed_to_change_or_delete_an_entry(templates: Templates) -> None:
    for name, policies in templates.role_statements().items():
        for statement in [s for statements in policies.values() for s in statements if s["Effect"] == "Allow"]:
            if "breakwater-journal" in json.dumps(statement["Resource"]):
                assert set(many(statement["Action"])) <= {"dynamodb:PutItem", "dynamodb:Query"}, name


def test_every_function_denies_itself_the_journal_and_its_own_roles(templates: Templates) -> None:
    roles = set(templates.role_statements())
    for spec in FUNCTIONS:
        policy = templates.role_statements()[f"breakwater-{spec.name.replace('_', '-')}-{REGION}"]["function"]
        denied = {s["Sid"]: s for s in policy if s["Effect"] == "Deny"}
        assert set(denied) == {"NeverItsOwnRoles", "NeverRewriteTheJournal"}
        own = {arn.rpartition("/")[2] for arn in denied["NeverItsOwnRoles"]["Resource"] if ":role/" in arn}
        assert own == roles
        assert {"iam:Put*", "iam:Attach*", "iam:Detach*", "sts:AssumeRole"} <= set(denied["NeverItsOwnRoles"]["Action"])


def test_every_role_stays_within_the_boundary(templates: Templates) -> None:
    boundary = templates.named("AWS::IAM::ManagedPolicy", "ManagedPolicyName", f"breakwater-boundary-{REGION}")
    statements = boundary["PolicyDocument"]["Statement"]
    most = allowed(statements)
    assert {s["Sid"] for s in statements if s["Effect"] == "Deny"} == {"NeverItsOwnRoles", "NeverRewriteTheJournal"}
    assert not any("*" in action for action in most)
    bound = f"arn:aws:iam::{ACCOUNT}:policy/breakwater-boundary-{REGION}"
    for resource in templates.resources("AWS::IAM::Role").values():
        properties = resource["Properties"]
        assert properties["PermissionsBoundary"] == bound
        assert allowed([s for p in properties["Policies"] for s in p["PolicyDocument"]["Statement"]]) <= most


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_changes_nothing_outside_breakwater(templates: Templates, name: str) -> None:
    policies = templates.role_statements()[f"breakwater-{name}-{REGION}"]
    services = {action.partition(":")[0] for action in allowed(policies["function"])}
    assert set(policies) == {"function"}
    assert services <= {"logs", "sqs", "s3", "dynamodb", "kms"}


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_an_action_gets_what_it_declares_and_its_undo_is_another_identity(templates: Templates, action: Any) -> None:
    roles, name = templates.role_statements(), action.name.replace("_", "-")
    for function in ("respond", "answer-proposals"):
        assert allowed(roles[f"breakwater-{function}-{REGION}"][f"contain-{name}"]) == set(action.permissions)
    assert allowed(roles[f"breakwater-expire-containments-{REGION}"][f"undo-{name}"]) == set(action.undo_permissions)


def test_only_the_response_may_read_a_webhooks_address(synthesise: Callable[..., Templates]) -> None:
    parameter = "/breakwater/slack-webhook"
    roles = synthesise(slack_webhook=parameter).role_statements()
    readers = {
        name
        for name, policies in roles.items()
        for statements in policies.values()
        for statement in statements
        if any(str(resource).endswith(f"parameter{parameter}") for resource in many(statement["Resource"]))
    }
    assert readers == {f"breakwater-{name}-{REGION}" for name in ("respond", "answer-proposals", "expire-containments")}


@pytest.mark.parametrize("function", ["respond", "answer-proposals"])
def test_who_contains_cannot_touch_what_the_policy_forbids(templates: Templates, function: str) -> None:
    policies = templates.role_statements()[f"breakwater-{function}-{REGION}"]
    by_tag = [s for s in policies["never-touch"] if s["Sid"].startswith("NeverTouchTag")]
    assert {"aws:ResourceTag/breakwater:never-touch", "aws:ResourceTag/break-glass"} == {
        k for s in by_tag for k in s["Condition"]["Null"]
    }
    declared = {permission for action in ACTIONS for permission in action.permissions}
    changes = {p for p in declared if not p.partition(":")[2].startswith(("Describe", "Get", "List"))}
    assert all(s["Effect"] == "Deny" and set(many(s["Action"])) == changes for s in by_tag)
    (principals,) = [s for s in policies["never-touch"] if s.get("Sid") == "NeverTouchPrincipals"]
    assert {"arn:*:iam::*:role/*break-glass*", "arn:*:iam::*:user/*break-glass*"} <= set(principals["Resource"])


def test_interfaces_can_only_be_put_into_quarantine_groups(templates: Templates) -> None:
    statements = templates.role_statements()[f"breakwater-respond-{REGION}"]["contain-quarantine-instance"]
    groups = f"arn:aws:ec2:{REGION}:{ACCOUNT}:security-group/*"
    for s in statements:
        if s["Effect"] == "Allow" and groups in many(s["Resource"]):
            assert s["Condition"], s


def test_the_responder_can_set_no_boundary_but_the_one_that_denies_everything(templates: Templates) -> None:
    roles = templates.role_statements()
    deny_all = {"StringEquals": {"iam:PermissionsBoundary": "arn:aws:iam::aws:policy/AWSDenyAll"}}
    for name, change in (
        (f"breakwater-respond-{REGION}", "iam:PutRolePermissionsBoundary"),
        (f"breakwater-expire-containments-{REGION}", "iam:DeleteRolePermissionsBoundary"),
    ):
        statements = [s for policy in roles[name].values() for s in policy if s["Effect"] == "Allow"]
        (only,) = [s for s in statements if change in many(s["Action"])]
        assert only["Condition"] == deny_all


@pytest.mark.parametrize("name", ["respond", "answer-proposals", "expire-containments"])
def test_the_inline_policies_of_a_role_are_no_longer_than_iam_takes(templates: Templates, name: str) -> None:
    policies = templates.role_statements()[f"breakwater-{name}-{REGION}"].values()
    documents = [{"Version": "2012-10-17", "Statement": statements} for statements in policies]
    assert sum(len(json.dumps(document, separators=(",", ":"))) for document in documents) <= 10_240


def test_only_who_responds_sends_to_security_hub_and_only_as_our_own_product(templates: Templates) -> None:
    sends = {
        name: statement["Resource"]
        for name, policies in templates.role_statements().items()
        for statements in policies.values()
        for statement in statements
        if "securityhub:BatchImportFindings" in many(statement["Action"])
    }
    product = f"arn:aws:securityhub:{REGION}:{ACCOUNT}:product/{ACCOUNT}/default"
    assert set(sends.values()) == {product}
    assert f"breakwater-respond-{REGION}" in sends
    assert not [name for name in sends if "detect" in name or "triage" in name]


def test_what_each_role_may_do_is_as_reviewed(templates: Templates) -> None:
    """Golden file: a change of anybody's rights must be seen. Write it anew with UPDATE_GOLDEN=1."""
    now = json.dumps(templates.role_statements(), indent=1, sort_keys=True) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(now)
    assert json.loads(GOLDEN.read_text()) == json.loads(now)
