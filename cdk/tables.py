"""Tables: what is remembered for a while, and the journal that nobody can change."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from cdk.names import Names
from response import anchors, orders

#: What would change or remove an entry of the journal. Denied to everybody, the account's administrators included:
#: who wants to must first change the table's own policy, which is on record in CloudTrail.
JOURNAL_FORBIDDEN = (
    "dynamodb:DeleteItem",
    "dynamodb:UpdateItem",
    "dynamodb:BatchWriteItem",
    "dynamodb:PartiQLDelete",
    "dynamodb:PartiQLUpdate",
    "dynamodb:DeleteTable",
    "dynamodb:UpdateTimeToLive",
)
#: What would take away the journal's protection or its past. Denied to our own roles alone: in the table's own policy it
#: would stop CloudFormation, which turns recovery on once the table is made, and an administrator who must restore.
JOURNAL_PROTECTION = (
    "dynamodb:DeleteBackup",
    "dynamodb:DeleteResourcePolicy",
    "dynamodb:PutResourcePolicy",
    "dynamodb:RestoreTable*",
    "dynamodb:UpdateContinuousBackups",
    "dynamodb:UpdateTable",
)


@dataclass(frozen=True, slots=True)
class Tables:
    """The three tables of docs/architecture.md."""

    memory: dynamodb.Table
    signals: dynamodb.Table
    journal: dynamodb.Table


def tables(scope: Construct, names: Names, telemetry_key: kms.IKey, response_key: kms.IKey) -> Tables:
    """Make the tables."""
    memory = _table(scope, "Memory", names, telemetry_key, sort_key=False, ttl="expires")
    signals = _table(scope, "Signals", names, response_key, ttl="expires")
    journal = _table(scope, "Journal", names, response_key)
    whole, keys = dynamodb.ProjectionType.ALL, dynamodb.ProjectionType.KEYS_ONLY
    for index, hash_key, range_key, range_type, projection in (
        ("expiring", "expiring", "expires_ms", dynamodb.AttributeType.NUMBER, whole),
        ("containments", "containment_id", "sk", dynamodb.AttributeType.STRING, whole),
        ("written", "written", "time_ms", dynamodb.AttributeType.NUMBER, keys),
    ):
        journal.add_global_secondary_index(
            index_name=index,
            partition_key=dynamodb.Attribute(name=hash_key, type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name=range_key, type=range_type),
            projection_type=projection,
        )
    journal.add_to_resource_policy(
        iam.PolicyStatement(
            sid="NobodyRewritesTheJournal",
            effect=iam.Effect.DENY,
            principals=[iam.AnyPrincipal()],
            actions=list(JOURNAL_FORBIDDEN),
            resources=["*"],  # in a table's own policy: this table
        )
    )
    journal.add_to_resource_policy(
        iam.PolicyStatement(
            sid="OnlyWhoUndoesAnchorsAndOrdersUndos",
            effect=iam.Effect.DENY,
            principals=[iam.AnyPrincipal()],
            actions=["dynamodb:PutItem", "dynamodb:PartiQLInsert"],
            resources=["*"],
            conditions={
                "ForAnyValue:StringLike": {"dynamodb:LeadingKeys": [f"{anchors.PREFIX}#*", f"{orders.PREFIX}#*"]},
                "ArnNotLike": {"aws:PrincipalArn": names.role_arn("expire_containments")},
            },
        )
    )
    return Tables(memory, signals, journal)


def _table(
    scope: Construct, name: str, names: Names, key: kms.IKey, *, sort_key: bool = True, ttl: str | None = None
) -> dynamodb.Table:
    return dynamodb.Table(
        scope,
        f"{name}Table",
        table_name=names.resource(name.lower()),
        partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
        sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING) if sort_key else None,
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
        encryption_key=key,
        time_to_live_attribute=ttl,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(point_in_time_recovery_enabled=True),
        deletion_protection=ttl is None,
        removal_policy=RemovalPolicy.DESTROY if ttl else RemovalPolicy.RETAIN,
    )
