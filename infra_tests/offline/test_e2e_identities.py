"""What the functions really called, held against the policies that were synthesised for them.

moto's own enforcement knows no resources and no conditions; here every recorded call is compared with the deployed
role: allowed by one of its statements and by its boundary, denied by none. Conditions can only narrow an Allow, so an
Allow under a condition counts; a Deny under a condition is left to the template tests.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import pytest

from infra_tests.offline.following import Followed
from lambdas.adapters.journal import DynamoJournal
from lambdas.registry import FUNCTIONS, Group
from offline.aws.calls import Call
from offline.aws.embedded import REGION, EmbeddedAws
from offline.findings import stolen_session
from offline.journal import OperatorClients
from offline.operator_policy import under
from offline.seed import World, make_role
from offline.telemetry import moved_flow_log, moved_records, put_cloudtrail, put_flow_log, put_log_lines
from training.scenarios import Layout, Scenario, families, generate, network_scenario

pytestmark = pytest.mark.e2e
Statement = Mapping[str, Any]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _managed(iam: Any, arn: str) -> list[Statement]:
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    return _list(iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]["Statement"])


def _statements(iam: Any, role: str) -> list[Statement]:
    inline = iam.list_role_policies(RoleName=role)["PolicyNames"]
    found: list[Statement] = []
    for name in inline:
        found += _list(iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]["Statement"])
    for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        found += _managed(iam, policy["PolicyArn"])
    return found


def _applies(statement: Statement, call: Call) -> bool:
    actions = _list(statement.get("Action", []))
    if not any(fnmatchcase(call.permission.lower(), action.lower()) for action in actions):
        return "NotAction" in statement and not any(
            fnmatchcase(call.permission.lower(), action.lower()) for action in _list(statement["NotAction"])
        )
    if call.resource == "*" or "NotResource" in statement:  # the request does not say what it is about
        return True
    return any(fnmatchcase(call.resource, resource) for resource in _list(statement["Resource"]))


def _allowed(statements: Iterable[Statement], call: Call) -> bool:
    applying = [statement for statement in statements if _applies(statement, call)]
    denied = any(each["Effect"] == "Deny" and "Condition" not in each and call.resource != "*" for each in applying)
    return not denied and any(each["Effect"] == "Allow" for each in applying)


def _role(aws: EmbeddedAws, name: str) -> tuple[list[Statement], list[Statement]]:
    iam = aws.client("iam")
    boundary = iam.get_role(RoleName=name)["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"]
    return _statements(iam, name), _managed(iam, boundary)


def _role_of(aws: EmbeddedAws, function: str) -> str:
    configuration = aws.client("lambda").get_function_configuration(FunctionName=aws.function_name(function))
    return str(configuration["Role"]).rsplit("/", 1)[-1]


def _assert_within_its_policies(aws: EmbeddedAws, role: str, calls: set[Call]) -> None:
    granted, boundary = _role(aws, role)
    assert calls
    outside = sorted(f"{call.permission} on {call.resource}" for call in calls if not _allowed(granted, call))
    assert not outside, "called, but not granted by its role"
    beyond = sorted(f"{call.permission} on {call.resource}" for call in calls if not _allowed(boundary, call))
    assert not beyond, "granted, but cut off by its boundary"


def _told(name: str) -> Scenario:
    wanted = tuple(family for family in families() if family.name == name)
    if name.startswith("network/"):
        return network_scenario(wanted[0], 11, layout=Layout.V5)
    return next(generate(5, only=wanted))


@pytest.fixture(scope="module")
def exercised(aws: EmbeddedAws, world: World) -> EmbeddedAws:
    """Every function has handled something; a machine was contained and freed again, a session revoked."""
    follow = Followed(aws)
    instance = follow.fresh_instance(world)
    role = make_role(aws.client("iam"), f"fresh-{uuid.uuid4().hex[:8]}", 3600)
    follow.attack(world, instance)
    follow.send("findings", "poison")
    aws.put_event(stolen_session(role, "deploy-7"))
    flows, calls, lines = (_told(name) for name in ("network/worm-scan-outward", "audit/trail-stopped", "system/guessed-and-in"))
    assert flows.flow_log is not None
    assert lines.log is not None
    put_flow_log(aws, moved_flow_log(flows.flow_log.lines, flows.labels, instance) + b"a malformed line\n")
    put_cloudtrail(aws, moved_records(calls.records, calls.labels, role, "deploy-7"))
    put_log_lines(aws, instance.id, [event["message"] for event in lines.log["logEvents"]])
    aws.drain()
    asked_about = follow.fresh_instance(world)
    with under(aws, "approve"):
        follow.attack(world, asked_about)
        aws.drain()
        follow.approve(follow.proposal(asked_about))
        aws.drain()
    follow.undo(follow.containment_id(instance))
    aws.tick()
    aws.drain()
    return aws


@pytest.mark.parametrize("function", [spec.name for spec in FUNCTIONS])
def test_every_call_of_a_function_is_in_the_policies_of_its_role(exercised: EmbeddedAws, function: str) -> None:
    own = {call for call in exercised.calls(function) if not call.role}
    _assert_within_its_policies(exercised, _role_of(exercised, function), own)


#: What a function's own role allows and no call of its own shows here, each with its reason.
EXPLAINED: tuple[tuple[str, str], ...] = (
    ("kms:* on *", "DynamoDB, SQS, S3, SNS and SSM use the key in the function's name; the embedded AWS encrypts nothing"),
    ("logs:* on *", "Lambda itself writes what a function prints"),
    ("sqs:ReceiveMessage on *", "Lambda itself takes messages, as the function's role"),
    ("sqs:DeleteMessage on *", "as above"),
    ("sqs:ChangeMessageVisibility on *", "Lambda itself too; what fails comes again soon by it, and nothing fails in this story"),
    ("sqs:GetQueueAttributes on *", "as above"),
    (
        "sqs:SendMessage on *-dead-letters*",
        "each function may bury; here one gets what it must (infra_tests/lambdas does it for all)",
    ),
    ("s3:ListBucket on *", "without it S3 says that an object which is gone is denied: no call of its own"),
    ("s3:PutObject on */rejected/*", "each detector may set broken records apart; here one gets some"),
    ("sqs:SendMessage on *:breakwater-verdicts.fifo", "not every detector finds something in this story"),
    ("sts:AssumeRole on *", "not every function contains something of each group in this story"),
    ("iam:GetUser on *", "who answers in this story is a session of a role"),
)


@pytest.mark.parametrize("function", [spec.name for spec in FUNCTIONS])
def test_every_grant_of_a_functions_own_role_is_used_or_explained(exercised: EmbeddedAws, function: str) -> None:
    assert "\n".join(unexplained(exercised, function)) == "", "nothing uses it: take it away, or say above why it is there"


def unexplained(aws: EmbeddedAws, function: str) -> list[str]:
    """What a function's own role allows, no call of its own has used by now, and nothing above explains."""
    calls = [call for call in aws.calls(function) if not call.role]
    unused = [
        f"{permission} on {resource}"
        for statement in _statements(aws.client("iam"), _role_of(aws, function))
        if statement["Effect"] == "Allow"
        for permission in _list(statement["Action"])
        for resource in _list(statement["Resource"])
        if not any(call.permission == permission and fnmatchcase(call.resource, resource) for call in calls)
    ]
    return [grant for grant in unused if not any(fnmatchcase(grant, pattern) for pattern, _ in EXPLAINED)]


#: What the group of data does is held against its policies in infra_tests/cdk, with every other action.
@pytest.mark.parametrize("group", [Group.NETWORK, Group.IDENTITY, Group.UNDO])
def test_every_call_for_a_group_is_in_the_policies_of_its_role(exercised: EmbeddedAws, group: Group) -> None:
    role = f"breakwater-{group}-{REGION}"
    _assert_within_its_policies(exercised, role, {call for call in exercised.calls() if call.role == role})


def test_the_comparison_sees_what_is_not_granted(exercised: EmbeddedAws) -> None:
    granted, _ = _role(exercised, _role_of(exercised, "triage_findings"))
    queue = "arn:aws:sqs:us-east-1:123456789012:breakwater-verdicts.fifo"
    assert _allowed(granted, Call("f", "k", "sqs", "SendMessage", queue))
    assert not _allowed(granted, Call("f", "k", "sqs", "SendMessage", "arn:aws:sqs:us-east-1:123456789012:someone-elses"))
    assert not _allowed(granted, Call("f", "k", "ec2", "ModifyNetworkInterfaceAttribute", "*"))


def test_only_groups_change_anything_outside_breakwater_and_each_change_names_its_containment(exercised: EmbeddedAws) -> None:
    changes = {
        (
            call.function.removeprefix("breakwater-"),
            call.role.removeprefix("breakwater-").removesuffix(f"-{REGION}"),
            call.session,
        )
        for call in exercised.calls()
        if call.service in ("ec2", "iam", "autoscaling") and not call.action.startswith(("Describe", "Get", "List"))
    }
    who = {(function, role) for function, role, _ in changes}
    assert {("respond", "network"), ("answer-proposals", "network"), ("expire-containments", "undo")} <= who
    contain = {"respond", "answer-proposals"}
    assert all(function in contain and role in ("network", "identity", "data") for function, role in who if role != "undo")
    assert {function for function, role in who if role == "undo"} == {"expire-containments"}
    journal = DynamoJournal(OperatorClients(exercised), exercised.outputs()["JournalTableName"])
    for function, _, session in changes:
        name, _, containment = session.rpartition("-")
        assert name == function.replace("-", "_")
        assert journal.find(containment), session
