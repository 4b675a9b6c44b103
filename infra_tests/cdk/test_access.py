"""Who may do what: what the embedded AWS cannot enforce is proven on the templates."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from cdk.names import kebab, sends_verdicts
from infra_tests.cdk.conftest import ACCOUNT, REGION
from infra_tests.cdk.templates import Statement, Templates, allowed, many, principals
from lambdas.actions.catalogue import ACTIONS, UNDO_GROUP
from lambdas.registry import FUNCTIONS, PAGE, Group

GOLDEN = Path(__file__).parent / "golden" / "roles.json"
LAKE = f"arn:aws:s3:::breakwater-lake-{ACCOUNT}-{REGION}"
CONTAINING = [group for group in Group if group is not UNDO_GROUP]
DETECTORS = [spec.name.replace("_", "-") for spec in FUNCTIONS if sends_verdicts(spec)]


def rule(name: str) -> str:
    return f"arn:aws:events:{REGION}:{ACCOUNT}:rule/breakwater-{name}"


def role(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/breakwater-{name}-{REGION}"


def roles_with(roles: Mapping[str, Mapping[str, Sequence[Statement]]], fits: Callable[[Statement], bool]) -> set[str]:
    """Roles of which one statement fits."""
    return {name for name, policies in roles.items() for said in policies.values() if any(map(fits, said))}


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
    readers = roles_with(
        roles, lambda said: any(str(resource).endswith(f"parameter{parameter}") for resource in many(said["Resource"]))
    )
    assert readers == {f"breakwater-{name}-{REGION}" for name in ("respond", "answer-proposals", "expire-containments")}


def test_only_the_response_tells_a_chat_and_only_where_one_is_named(synthesise: Callable[..., Templates]) -> None:
    topic = "arn:aws:sns:eu-west-1:123456789012:chat"
    roles = synthesise(chat_topic=topic).role_statements()
    tellers = roles_with(roles, lambda said: topic in many(said["Resource"]) and many(said["Action"]) == ["sns:Publish"])
    assert tellers == {f"breakwater-{name}-{REGION}" for name in ("respond", "answer-proposals", "expire-containments")}


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
