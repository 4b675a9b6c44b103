"""Who may do what: what the embedded AWS cannot enforce is proven on the templates."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from cdk.names import kebab, sends_verdicts
from cdk.tables import JOURNAL_FORBIDDEN
from infra_tests.cdk.conftest import ACCOUNT, REGION
from infra_tests.cdk.templates import Templates, allowed, many, principals
from lambdas.actions.catalogue import ACTIONS, UNDO_GROUP
from lambdas.actions.never_touch import denials
from lambdas.registry import FUNCTIONS, PAGE, Group
from response import orders
from response.policy import NeverTouch
from response.resources import ACCESS_KEY, ARM_ID, FORMS, OBJECT_ID, SIGN_IN_NAME, SUBNET, WEB_ADDRESS, form_of

GOLDEN = Path(__file__).parent / "golden" / "roles.json"
LAKE = f"arn:aws:s3:::breakwater-lake-{ACCOUNT}-{REGION}"
CONTAINING = [group for group in Group if group is not UNDO_GROUP]
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


def test_who_takes_answers_or_undoes_is_told_whose_people_may_ask_and_can_look_who_is_not_of_another_account(
    synthesise: Any,
) -> None:
    other, variable = "210987654321", "BREAKWATER_OPERATOR_ACCOUNTS"
    lists = {"iam:ListRoles", "iam:ListUsers"}

    def told_and_allowed(*operators: str) -> tuple[dict[str, str], set[str]]:
        made = synthesise(operators=operators)
        told = {
            name: each["Environment"]["Variables"][variable]
            for name, each in made.functions().items()
            if variable in each["Environment"]["Variables"]
        }
        return told, {name for name, policies in made.role_statements().items() if lists & allowed(policies.get("function", []))}

    own, theirs = (f"arn:aws:iam::{account}:role/on-call" for account in (ACCOUNT, other))
    assert told_and_allowed(own) == ({}, set())
    asked = ("breakwater-answer-proposals", "breakwater-expire-containments")
    assert told_and_allowed(own, theirs) == (dict.fromkeys(asked, other), {f"{name}-{REGION}" for name in asked})


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
    deny, ours = journal["ResourcePolicy"]["PolicyDocument"]["Statement"]
    assert (deny["Effect"], deny["Principal"], set(deny["Action"])) == ("Deny", {"AWS": "*"}, set(JOURNAL_FORBIDDEN))
    assert (ours["Effect"], ours["Principal"]) == ("Deny", {"AWS": "*"})
    assert set(ours["Action"]) == {"dynamodb:PutItem", "dynamodb:PartiQLInsert"}
    assert ours["Condition"] == {
        "ForAnyValue:StringLike": {"dynamodb:LeadingKeys": ["anchors#*", "undos#*"]},
        "ArnNotLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/breakwater-expire-containments-{REGION}"},
    }
    assert {"dynamodb:DeleteItem", "dynamodb:UpdateItem", "dynamodb:BatchWriteItem"} <= set(JOURNAL_FORBIDDEN)


def test_only_who_undoes_writes_down_that_an_undo_was_decided_on(templates: Templates) -> None:
    """Whoever else could would have rights given back: the schedule carries out what stands there."""
    journal = templates.named("AWS::DynamoDB::Table", "TableName", "breakwater-journal")
    (deny,) = [s for s in journal["ResourcePolicy"]["PolicyDocument"]["Statement"] if "Condition" in s]
    patterns = deny["Condition"]["ForAnyValue:StringLike"]["dynamodb:LeadingKeys"]
    assert any(fnmatch(orders.stream_of(0), pattern) for pattern in patterns)
    assert not any(fnmatch("restrict_role#123456789012/principal/a", pattern) for pattern in patterns)
    (who,) = many(deny["Condition"]["ArnNotLike"]["aws:PrincipalArn"])
    (spec,) = [spec for spec in FUNCTIONS if Group.UNDO in spec.groups]
    assert who.endswith(f":role/breakwater-{spec.name.replace('_', '-')}-{REGION}")


def test_our_roles_cannot_take_away_the_journals_past_or_its_protection(templates: Templates) -> None:
    table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/breakwater-journal"
    boundary = templates.named("AWS::IAM::ManagedPolicy", "ManagedPolicyName", f"breakwater-boundary-{REGION}")
    (deny,) = [s for s in boundary["PolicyDocument"]["Statement"] if s.get("Sid") == "NeverRewriteTheJournal"]
    assert {table, f"{table}/backup/*"} <= set(deny["Resource"])
    protection = {"UpdateContinuousBackups", "DeleteBackup", "RestoreTable*", "PutResourcePolicy", "DeleteResourcePolicy"}
    assert {f"dynamodb:{name}" for name in protection} <= set(deny["Action"])
    # CloudFormation turns recovery on after the table, with its policy, is there.
    assert "dynamodb:UpdateContinuousBackups" not in JOURNAL_FORBIDDEN


def test_no_boundary_is_longer_than_iam_takes(templates: Templates) -> None:
    for boundary in templates.resources("AWS::IAM::ManagedPolicy").values():
        assert len(json.dumps(boundary["Properties"]["PolicyDocument"], separators=(",", ":"))) <= 6144


def test_no_role_is_allowed_to_change_or_delete_an_entry(templates: Templates) -> None:
    for name, policies in templates.role_statements().items():
        for statement in [s for statements in policies.values() for s in statements if s["Effect"] == "Allow"]:
            if "breakwater-journal" in json.dumps(statement["Resource"]):
                assert set(many(statement["Action"])) <= {"dynamodb:PutItem", "dynamodb:Query"}, name


def test_every_function_denies_itself_the_journal_and_its_own_roles(templates: Templates) -> None:
    for spec in (*FUNCTIONS, PAGE):
        policy = templates.role_statements()[f"breakwater-{spec.name.replace('_', '-')}-{REGION}"]["function"]
        denied = {s["Sid"]: s for s in policy if s["Effect"] == "Deny"}
        assert set(denied) == {"NeverItsOwnRoles", "NeverAnotherOfItsRoles", "NeverRewriteTheJournal"}
        assert_denies_breakwater(templates, denied, assumes=spec.groups)


@pytest.mark.parametrize("group", Group)
def test_every_group_denies_itself_all_roles_of_breakwater(templates: Templates, group: Group) -> None:
    policy = templates.role_statements()[f"breakwater-{group}-{REGION}"]["never-itself"]
    assert_denies_breakwater(templates, {s["Sid"]: s for s in policy}, assumes=())


def assert_denies_breakwater(templates: Templates, denied: dict[str, Any], assumes: Sequence[Group]) -> None:
    roles = {f"role/{name}" for name in templates.role_statements()}
    boundaries = {
        f"policy/{p['Properties']['ManagedPolicyName']}" for p in templates.resources("AWS::IAM::ManagedPolicy").values()
    } | {"policy/breakwater-never-touch-*"}
    assert {arn.partition(f":{ACCOUNT}:")[2] for arn in denied["NeverItsOwnRoles"]["Resource"]} == roles | boundaries
    assert {"iam:Put*", "iam:Attach*", "iam:Detach*", "iam:Create*", "iam:PassRole*"} <= set(denied["NeverItsOwnRoles"]["Action"])
    others = {f"role/{name}" for name in templates.role_statements()} - {f"role/breakwater-{group}-{REGION}" for group in assumes}
    assert {arn.partition(f":{ACCOUNT}:")[2] for arn in denied["NeverAnotherOfItsRoles"]["Resource"]} == others
    assert denied["NeverAnotherOfItsRoles"]["Action"] == "sts:AssumeRole"


def test_a_function_assumes_the_roles_of_its_groups_and_no_others(templates: Templates) -> None:
    for name, policies in templates.role_statements().items():
        may = {
            arn
            for statements in policies.values()
            for s in statements
            if s["Effect"] == "Allow" and "sts:AssumeRole" in many(s["Action"])
            for arn in many(s["Resource"])
        }
        wanted = {role(group) for spec in FUNCTIONS if name == f"breakwater-{kebab(spec.name)}-{REGION}" for group in spec.groups}
        assert may == wanted, name


@pytest.mark.parametrize("group", Group)
def test_the_role_of_a_group_trusts_the_functions_that_work_for_it_and_nobody_else(templates: Templates, group: Group) -> None:
    roles = templates.resources("AWS::IAM::Role")
    (statement,) = next(
        r["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        for r in roles.values()
        if r["Properties"]["RoleName"] == f"breakwater-{group}-{REGION}"
    )
    trusted = [roles[each["Fn::GetAtt"][0]]["Properties"]["RoleName"] for each in many(statement["Principal"]["AWS"])]
    assert sorted(trusted) == sorted(f"breakwater-{kebab(spec.name)}-{REGION}" for spec in FUNCTIONS if group in spec.groups)
    assert (statement["Effect"], statement["Action"], list(statement["Principal"])) == ("Allow", "sts:AssumeRole", ["AWS"])


def test_no_functions_own_role_changes_anything_of_the_customers(templates: Templates) -> None:
    declared = {name for action in ACTIONS for name in (*action.permissions, *action.undo_permissions)}
    callers = {"iam:GetRole", "iam:GetUser"}  # whether the name in an answer, or of who undoes, is the sender's
    for spec in FUNCTIONS:
        policies = templates.role_statements()[f"breakwater-{kebab(spec.name)}-{REGION}"]
        assert set(policies) == {"function"}
        assert allowed(policies["function"]) & declared <= (callers if spec.queue in ("answers", "containments") else set())


def test_every_role_stays_within_its_boundary(templates: Templates) -> None:
    groups = {f"breakwater-{group}-{REGION}": f"breakwater-{group}-boundary-{REGION}" for group in Group}
    for resource in templates.resources("AWS::IAM::Role").values():
        properties = resource["Properties"]
        name = groups.get(properties["RoleName"], f"breakwater-boundary-{REGION}")
        assert properties["PermissionsBoundary"] == f"arn:aws:iam::{ACCOUNT}:policy/{name}"
        statements = templates.named("AWS::IAM::ManagedPolicy", "ManagedPolicyName", name)["PolicyDocument"]["Statement"]
        denied = {"NeverItsOwnRoles", "NeverAnotherOfItsRoles", *(() if name in groups.values() else ("NeverRewriteTheJournal",))}
        assert {s["Sid"] for s in statements if s["Effect"] == "Deny"} == denied
        most = allowed(statements)
        assert not any("*" in action for action in most)
        assert allowed([s for p in properties["Policies"] for s in p["PolicyDocument"]["Statement"]]) <= most


def test_the_boundary_of_functions_lets_them_become_groups_and_change_nothing_else(templates: Templates) -> None:
    boundary = templates.named("AWS::IAM::ManagedPolicy", "ManagedPolicyName", f"breakwater-boundary-{REGION}")
    statements = boundary["PolicyDocument"]["Statement"]
    (becomes,) = [s for s in statements if s["Effect"] == "Allow" and "sts:AssumeRole" in many(s["Action"])]
    assert set(becomes["Resource"]) == {role(group) for group in Group}
    services = {name.partition(":")[0] for name in allowed(statements)}
    assert services.isdisjoint({"ec2", "autoscaling", "rds"})
    assert {name for name in allowed(statements) if name.startswith("iam:")} == {"iam:GetRole", "iam:GetUser"}


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_changes_nothing_outside_breakwater(templates: Templates, name: str) -> None:
    policies = templates.role_statements()[f"breakwater-{name}-{REGION}"]
    services = {action.partition(":")[0] for action in allowed(policies["function"])}
    assert set(policies) == {"function"}
    assert services <= {"logs", "sqs", "s3", "dynamodb", "kms"}


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


def test_only_the_response_tells_a_chat_and_only_where_one_is_named(synthesise: Callable[..., Templates]) -> None:
    topic = "arn:aws:sns:eu-west-1:123456789012:chat"
    roles = synthesise(chat_topic=topic).role_statements()
    tellers = {
        name
        for name, policies in roles.items()
        for statements in policies.values()
        for statement in statements
        if topic in many(statement["Resource"]) and many(statement["Action"]) == ["sns:Publish"]
    }
    assert tellers == {f"breakwater-{name}-{REGION}" for name in ("respond", "answer-proposals", "expire-containments")}


@pytest.mark.parametrize("group", CONTAINING)
def test_who_contains_cannot_touch_what_the_policy_forbids(templates: Templates, group: Group) -> None:
    policies = templates.role_statements()[f"breakwater-{group}-{REGION}"]
    by_tag = [s for s in policies["never-touch"] if s["Sid"].startswith("NeverTouchTag")]
    assert {"aws:ResourceTag/breakwater:never-touch", "aws:ResourceTag/break-glass"} == {
        k for s in by_tag for k in s["Condition"]["Null"]
    }
    declared = {permission for action in ACTIONS if action.group is group for permission in action.permissions}
    changes = {p for p in declared if not p.partition(":")[2].startswith(("Describe", "Get", "List"))}
    assert all(s["Effect"] == "Deny" and set(many(s["Action"])) == changes for s in by_tag)
    by_name = [s for s in policies["never-touch"] if s.get("Sid") == "NeverTouchPrincipals"]
    if not any(name.startswith("iam:") for name in changes):
        assert not by_name
        return
    (principals,) = by_name
    assert {"arn:*:iam::*:role/*break-glass*", "arn:*:iam::*:user/*break-glass*"} <= set(principals["Resource"])


CHANGES = [
    *("ec2:ModifyInstanceAttribute", "iam:PutRolePolicy", "lambda:InvokeFunction", "rds:ModifyDBSnapshotAttribute"),
    *("s3:PutBucketPublicAccessBlock", "wafv2:UpdateIPSet", "wafv2:GetIPSet", "autoscaling:EnterStandby"),
]
LISTED = {
    "i-0ab*": "arn:*:ec2:*:*:instance/i-0ab*",
    "sg-0": "arn:*:ec2:*:*:security-group/sg-0",
    "sgr-0*": "arn:*:ec2:*:*:security-group-rule/sgr-0*",
    "eni-0*": "arn:*:ec2:*:*:network-interface/eni-0*",
    "acl-0*": "arn:*:ec2:*:*:network-acl/acl-0*",
    "snap-0*": "arn:*:ec2:*:*:snapshot/snap-0*",
    "ami-0*": "arn:*:ec2:*:*:image/ami-0*",
}
#: What IAM cannot deny by: no call of ours has it as its resource.
NOT_DENIED = ("AKIA*", "subnet-0*")


@pytest.mark.parametrize("pattern", [*(example for _, example in FORMS.values()), *LISTED, *NOT_DENIED])
def test_whatever_is_listed_is_denied_once_more_where_iam_can_say_it(pattern: str) -> None:
    form = form_of(pattern)
    made = [each.statement() for each in denials(NeverTouch(resources=(pattern,)), CHANGES)]
    if form in (ACCESS_KEY, SUBNET, ARM_ID, OBJECT_ID, SIGN_IN_NAME, WEB_ADDRESS, ""):
        assert made == []
        return
    (denied,) = made
    service = denied["Action"][0].partition(":")[0]
    assert (denied["Effect"], denied["Sid"]) == ("Deny", f"NeverTouch{service.title()}")
    of_ec2 = f"arn:*:ec2:*:*:{form.lower().replace(' ', '-')}/{pattern}"
    assert denied["Resource"] == [of_ec2 if service == "ec2" else pattern] == [LISTED.get(pattern, *denied["Resource"])]


def test_machines_and_groups_of_their_own_lists_are_denied_too() -> None:
    never = NeverTouch(instances=("i-0ab*",), security_groups=("sg-0",))
    (denied,) = [each.statement() for each in denials(never, CHANGES)]
    assert denied["Resource"] == [LISTED["i-0ab*"], LISTED["sg-0"]]


def test_interfaces_can_only_be_put_into_quarantine_groups(templates: Templates) -> None:
    statements = templates.role_statements()[f"breakwater-{Group.NETWORK}-{REGION}"]["contain-quarantine-instance"]
    groups = f"arn:aws:ec2:{REGION}:{ACCOUNT}:security-group/*"
    for s in statements:
        if s["Effect"] == "Allow" and groups in many(s["Resource"]):
            assert s["Condition"], s


def test_who_contains_can_set_no_boundary_but_the_one_that_denies_everything(templates: Templates) -> None:
    roles = templates.role_statements()
    deny_all = {"StringEquals": {"iam:PermissionsBoundary": "arn:aws:iam::aws:policy/AWSDenyAll"}}
    for name, change in (
        (f"breakwater-{Group.IDENTITY}-{REGION}", "iam:PutRolePermissionsBoundary"),
        (f"breakwater-{UNDO_GROUP}-{REGION}", "iam:DeleteRolePermissionsBoundary"),
    ):
        statements = [s for policy in roles[name].values() for s in policy if s["Effect"] == "Allow"]
        (only,) = [s for s in statements if change in many(s["Action"])]
        assert only["Condition"] == deny_all


def test_the_inline_policies_of_a_role_leave_room_below_what_iam_takes(templates: Templates) -> None:
    """10,240 characters for all of a role together: an action more, or a longer never-touch list, must still fit."""
    for name, policies in templates.role_statements().items():
        documents = [{"Version": "2012-10-17", "Statement": statements} for statements in policies.values()]
        assert sum(len(json.dumps(document, separators=(",", ":"))) for document in documents) <= 8_000, name


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


def test_who_counts_in_a_ledger_writes_no_signal(templates: Templates) -> None:
    """Answers come from people: the function that takes them could else corroborate whatever it likes."""
    keys: dict[str, set[str]] = {}
    for name, policies in templates.role_statements().items():
        for statement in (each for statements in policies.values() for each in statements):
            if many(statement["Resource"]) == [f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/breakwater-signals"]:
                only = statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
                keys.setdefault(name, set()).update(many(only))
    named = lambda function: f"breakwater-{function}-{REGION}"  # noqa: E731
    assert keys == {named("respond"): {"ledger#*", "signal#*"}, named("answer-proposals"): {"ledger#*"}}
