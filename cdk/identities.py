"""One role for each function, with what that function works with and nothing else, under one boundary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from cdk.explanations import BOUNDARY, acknowledge, explain_wildcards
from cdk.names import Names, dead_letters, pascal, sends_verdicts
from cdk.permissions import deny_journal_changes, deny_own_roles
from lambdas.registry import FUNCTIONS, PAGE, FunctionSpec, Group
from response.policy import NeverTouch
from shared_model.lake import ANCHORS

_CONSUME = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes")
_MEMORY = ("dynamodb:BatchGetItem", "dynamodb:BatchWriteItem")
_BUDGET = ("dynamodb:GetItem", "dynamodb:PutItem")
_SIGNALS = ("dynamodb:PutItem", "dynamodb:Query")
#: Keys of the table of signals, by what they are of (``lambdas/adapters/signals.py``).
_LEDGERS, _SIGNALS_OF = "ledger#*", "signal#*"
_ASSUME = "sts:AssumeRole"
_KEY = ("kms:Decrypt", "kms:GenerateDataKey")
#: Queues of the functions that contain: verdicts come from detectors, answers from people.
CONTAINING = ("verdicts", "answers")
#: OCSF class of what was done: Remediation Activity.
_ACTIONS_CLASS = 7001
#: What the services that deliver telemetry need (cdk/delivery.py, cdk/stacks/global_events.py): within the boundary too.
_DELIVERY = (
    "events:PutEvents",
    "firehose:PutRecord",
    "firehose:PutRecordBatch",
    "s3:AbortMultipartUpload",
    "s3:GetBucketLocation",
    "s3:ListBucketMultipartUploads",
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What functions work with.

    Attributes
    ----------
    names : Names
    lake_arn : str
    raw_arns : mapping of str to str
        Where a queue's raw objects lie: ARN pattern by queue.
    telemetry_key_arn, response_key_arn : str
    other_key_arns : sequence of str
        Keys of existing buckets.
    webhook_arns : sequence of str
        SSM parameters that hold the addresses of webhooks.
    never : NeverTouch
        Of the operator's policy.
    settings : mapping of action name to settings
        Of the operator's policy: which IP sets, which function.
    security_hub_arn : str
        Product that findings go to, ``""`` where none are sent.
    operator_accounts : sequence of str
        Accounts, besides this one, whose people answer.
    link_key_arn : str
        Key that signs links to proposals, ``""`` where there is no page for them.
    chat_topic_arn : str
        Topic that a chat listens on, ``""`` where none does.
    """

    names: Names
    lake_arn: str
    raw_arns: Mapping[str, str]
    telemetry_key_arn: str
    response_key_arn: str
    other_key_arns: Sequence[str]
    webhook_arns: Sequence[str]
    never: NeverTouch
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    security_hub_arn: str = ""
    operator_accounts: Sequence[str] = ()
    link_key_arn: str = ""
    chat_topic_arn: str = ""


def boundary(scope: Construct, around: Surroundings) -> iam.ManagedPolicy:
    """The most that a function's role may ever do, whatever is attached to it later: what they do today, all together."""
    names = around.names
    specs = (*FUNCTIONS, PAGE) if around.link_key_arn else FUNCTIONS
    today = [statement for spec in specs for statement in _statements(spec, around)]
    return made_boundary(
        scope,
        names,
        None,
        {*allowed_by(today), *_DELIVERY} - {_ASSUME},
        [
            _allow([_ASSUME], *(names.role_arn(group) for group in Group)),
            *deny_own_roles(names, becomes=[*Group]),
            deny_journal_changes(names),
        ],
    )


def made_boundary(
    scope: Construct, names: Names, group: Group | None, actions: Iterable[str], more: Iterable[iam.PolicyStatement]
) -> iam.ManagedPolicy:
    """Make a boundary of these actions (on what, each role's own policies say) and of further statements."""
    policy = iam.ManagedPolicy(
        scope,
        f"{pascal(group or '')}Boundary",
        managed_policy_name=names.boundary(group),
        description=f"What Breakwater's {f'group {group}' if group else 'roles'} may do at most.",
        statements=[iam.PolicyStatement(actions=sorted(actions), resources=["*"]), *more],
    )
    acknowledge(policy, "AwsSolutions-IAM5[Resource::*]", BOUNDARY)
    return policy


def allowed_by(statements: Iterable[iam.PolicyStatement]) -> set[str]:
    """Actions that statements allow."""
    return {action for each in statements if each.effect == iam.Effect.ALLOW for action in each.actions}


def function_role(scope: Construct, spec: FunctionSpec, around: Surroundings) -> iam.Role:
    """Make the role of a function: what it works with. What changes anything of the customer's is a group's (cdk/groups.py)."""
    names = around.names
    return made_role(
        scope,
        names,
        spec.name,
        f"Breakwater's function {spec.name}.",
        iam.ServicePrincipal("lambda.amazonaws.com"),
        bounded(scope, names),
        {"function": [*_statements(spec, around)]},
    )


def made_role(
    scope: Construct,
    names: Names,
    name: str,
    description: str,
    trusted: iam.IPrincipal,
    most: iam.IManagedPolicy,
    policies: Mapping[str, Sequence[iam.PolicyStatement]],
) -> iam.Role:
    """Make a role, with a reason for each of its wildcards."""
    role = iam.Role(
        scope,
        f"{pascal(name)}Role",
        role_name=names.role(name),
        description=description,
        assumed_by=trusted,
        permissions_boundary=most,
        inline_policies={title: iam.PolicyDocument(statements=[*statements]) for title, statements in policies.items()},
    )
    explain_wildcards(role, [statement for statements in policies.values() for statement in statements])
    return role


def bounded(scope: Construct, names: Names, group: Group | None = None) -> iam.IManagedPolicy:
    """A boundary, by its name: one construct in each stack that asks."""
    stack = Stack.of(scope)
    name = f"{pascal(group or '')}BoundaryByName"
    existing = stack.node.try_find_child(name)
    if existing is None:
        return iam.ManagedPolicy.from_managed_policy_arn(stack, name, names.boundary_arn(group))
    return cast(iam.IManagedPolicy, existing)


def _statements(spec: FunctionSpec, around: Surroundings) -> Iterator[iam.PolicyStatement]:
    if spec is PAGE:
        yield from _page_statements(around)
        return
    names = around.names
    yield _allow(
        ["logs:CreateLogStream", "logs:PutLogEvents"], names.arn("logs", f"log-group:/aws/lambda/{names.resource(spec.name)}:*")
    )
    yield _allow(_CONSUME, names.queue_arn(spec.queue, fifo=spec.fifo))
    yield _allow(["sqs:SendMessage"], names.queue_arn(dead_letters(spec.queue), fifo=spec.fifo))
    if raw := around.raw_arns.get(spec.queue):
        yield _allow(["s3:GetObject"], raw)
        # Without it S3 says "denied" of an object that is gone, and nobody could tell the two apart.
        yield _allow(["s3:ListBucket"], raw.partition("/")[0])
    if sends_verdicts(spec):
        yield _allow(["s3:PutObject"], f"{around.lake_arn}/ocsf/*", f"{around.lake_arn}/rejected/*")
        # Who triages findings looks at what is remembered, and remembers nothing.
        yield _allow(_MEMORY[:1] if spec.queue == "findings" else _MEMORY, _table_arn(names, "memory"))
        yield _allow(["sqs:SendMessage"], names.queue_arn("verdicts", fifo=True))
        yield _allow(_KEY, around.telemetry_key_arn, *around.other_key_arns)
    else:
        journal = _table_arn(names, "journal")
        yield _allow(["s3:PutObject"], f"{around.lake_arn}/ocsf/class={_ACTIONS_CLASS}/*")
        if spec.queue == "containments":
            yield _allow(["s3:PutObject"], f"{around.lake_arn}/{ANCHORS}/*")
        yield _allow([_ASSUME], *(names.role_arn(group) for group in spec.groups))
        if spec.queue in CONTAINING:
            # The budget's ledgers; and where verdicts come in, what corroborates them.
            yield _only_keys(_allow(_BUDGET, _table_arn(names, "signals")), _LEDGERS)
            if spec.queue == "verdicts":
                yield _only_keys(_allow(_SIGNALS, _table_arn(names, "signals")), _SIGNALS_OF)
        if spec.queue in ("answers", "containments"):  # whether the name in an answer, or of who undoes, has the id that SQS saw
            for kind in ("role", "user"):
                yield _allow([f"iam:Get{kind.title()}"], f"arn:{names.partition}:iam::{names.account}:{kind}/*")
            if around.operator_accounts:  # whether who names another account is of this one
                yield _allow(["iam:ListRoles", "iam:ListUsers"], "*")
        yield _allow(["dynamodb:PutItem"], journal)
        # By an id, or by time, who answers and who ends looks; who responds knows the stream.
        yield _allow(["dynamodb:Query"], journal, *(() if spec.queue == "verdicts" else (f"{journal}/index/*",)))
        yield _allow(["ssm:GetParameter"], names.arn("ssm", f"parameter/{names.prefix}/policy"), *around.webhook_arns)
        if around.security_hub_arn:
            yield _allow(["securityhub:BatchImportFindings"], around.security_hub_arn)
        if around.link_key_arn and spec.queue in CONTAINING:  # they ask people
            yield _allow(["kms:GenerateMac"], around.link_key_arn)
        chat = (around.chat_topic_arn,) if around.chat_topic_arn else ()
        yield _allow(["sns:Publish"], names.arn("sns", names.resource("notifications")), *chat)
        yield _allow(_KEY, around.telemetry_key_arn, around.response_key_arn, *around.other_key_arns)
    yield from deny_own_roles(names, becomes=spec.groups)
    yield deny_journal_changes(names)


def _page_statements(around: Surroundings) -> Iterator[iam.PolicyStatement]:
    """What shows plans and sends answers: it reads the journal, checks links, and can neither contain nor make a link."""
    names = around.names
    journal = _table_arn(names, "journal")
    yield _allow(
        ["logs:CreateLogStream", "logs:PutLogEvents"], names.arn("logs", f"log-group:/aws/lambda/{names.resource(PAGE.name)}:*")
    )
    yield _allow(["dynamodb:Query"], journal, f"{journal}/index/*")
    yield _allow(["kms:VerifyMac"], around.link_key_arn)
    yield _allow(["sqs:SendMessage"], names.queue_arn("answers"))
    yield _allow(_KEY, around.response_key_arn)
    yield _allow(["kms:Decrypt"], around.telemetry_key_arn)  # of its own settings
    yield from deny_own_roles(names)
    yield deny_journal_changes(names)


def _allow(actions: Sequence[str], *resources: str) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=list(actions), resources=list(resources))


def _only_keys(statement: iam.PolicyStatement, keys: str) -> iam.PolicyStatement:
    """Narrow it to items of these keys of a table: who counts in a ledger writes no signal."""
    statement.add_condition("ForAllValues:StringLike", {"dynamodb:LeadingKeys": [keys]})
    return statement


def _table_arn(names: Names, table: str) -> str:
    return names.arn("dynamodb", f"table/{names.resource(table)}")
