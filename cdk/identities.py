"""One role for each function, with what that function needs and nothing else, under one boundary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from cdk.names import Names, dead_letters, kebab, pascal, sends_verdicts
from cdk.permissions import action_classes, action_statements, boundary_arn, deny_journal_changes, deny_own_roles
from lambdas.registry import FunctionSpec

#: Raw telemetry that a detector reads, by its queue.
RAW_PREFIXES = {"flow-logs": "flow-logs/", "api-calls": "cloudtrail/", "system-logs": "system-logs/"}
_CONSUME = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes")
_MEMORY = ("dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:GetItem", "dynamodb:PutItem")
_SIGNALS = ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem")
_JOURNAL = ("dynamodb:PutItem", "dynamodb:Query")
_KEY = ("kms:Decrypt", "kms:GenerateDataKey")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What functions work with: names where they are fixed, ARNs where they are not.

    Attributes
    ----------
    names : Names
    lake_arn : str
    raw_arns : mapping of str to str
        Where a queue's raw objects lie: ARN pattern by queue.
    telemetry_key, response_key : IKey
    other_key_arns : sequence of str
        Keys of existing buckets.
    topic_arn : str
    boundary : IManagedPolicy
    """

    names: Names
    lake_arn: str
    raw_arns: dict[str, str]
    telemetry_key: kms.IKey
    response_key: kms.IKey
    other_key_arns: Sequence[str]
    topic_arn: str
    boundary: iam.IManagedPolicy


def boundary(scope: Construct, names: Names) -> iam.ManagedPolicy:
    """The most that any of our roles may ever do, whatever is attached to it later."""
    services = ("autoscaling", "dynamodb", "ec2", "firehose", "iam", "kms", "logs", "s3", "sns", "sqs", "ssm")
    return iam.ManagedPolicy(
        scope,
        "Boundary",
        managed_policy_name=names.role("boundary"),
        description="What Breakwater's roles may do at most.",
        statements=[
            iam.PolicyStatement(actions=[f"{service}:*" for service in services], resources=["*"]),
            deny_own_roles(names),
            deny_journal_changes(names),
        ],
    )


def function_role(scope: Construct, spec: FunctionSpec, around: Surroundings) -> iam.Role:
    """Make the role of a function."""
    names = around.names
    policies = {"function": iam.PolicyDocument(statements=[*_statements(spec, around)])}
    for action in action_classes() if spec.queue in ("verdicts", "containments") else ():
        # The responder contains, the expiry undoes: neither can do the other's half.
        declared = action.permissions if spec.queue == "verdicts" else action.undo_permissions
        if declared:
            policies[f"action-{kebab(action.name)}"] = iam.PolicyDocument(statements=[*action_statements(declared, names)])
    return iam.Role(
        scope,
        f"{pascal(spec.name)}Role",
        role_name=names.role(spec.name),
        description=f"Breakwater's function {spec.name}.",
        assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        permissions_boundary=around.boundary,
        inline_policies=policies,
    )


def _statements(spec: FunctionSpec, around: Surroundings) -> Iterable[iam.PolicyStatement]:
    names = around.names
    log_group = names.arn("logs", f"log-group:/aws/lambda/{names.resource(spec.name)}:*")
    yield _allow(["logs:CreateLogStream", "logs:PutLogEvents"], [log_group])
    yield _allow(_CONSUME, [names.queue_arn(spec.queue, fifo=spec.fifo)])
    yield _allow(["sqs:SendMessage"], [names.queue_arn(dead_letters(spec.queue), fifo=spec.fifo)])
    yield _allow(["s3:PutObject"], [f"{around.lake_arn}/ocsf/*", f"{around.lake_arn}/rejected/*"])
    if spec.queue in around.raw_arns:
        yield _allow(["s3:GetObject"], [around.raw_arns[spec.queue]])
        if around.other_key_arns:
            yield _allow(["kms:Decrypt"], around.other_key_arns)
    if sends_verdicts(spec):
        yield _allow(_MEMORY, [_table_arn(names, "memory")])
        yield _allow(["sqs:SendMessage"], [names.queue_arn("verdicts", fifo=True)])
        yield _allow(_KEY, [around.telemetry_key.key_arn])
    else:
        journal = _table_arn(names, "journal")
        yield _allow(_SIGNALS, [_table_arn(names, "signals")])
        yield _allow(_JOURNAL, [journal, f"{journal}/index/*"])
        yield _allow(["ssm:GetParameter"], [names.arn("ssm", f"parameter/{names.prefix}/policy")])
        yield _allow(["sns:Publish"], [around.topic_arn])
        yield _allow(_KEY, [around.telemetry_key.key_arn, around.response_key.key_arn])
        yield deny_own_roles(names)
    yield deny_journal_changes(names)


def _allow(actions: Sequence[str], resources: Sequence[str]) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=list(actions), resources=list(resources))


def _table_arn(names: Names, table: str) -> str:
    return names.arn("dynamodb", f"table/{names.resource(table)}")


__all__ = ["RAW_PREFIXES", "Surroundings", "boundary", "boundary_arn", "function_role"]
