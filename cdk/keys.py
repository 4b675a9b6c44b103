"""Customer-managed keys, and who may use them.

Two keys: what arrives and is scored lies under one; what was done about it (journal, approvals, policy) under the
other, which no detector may use.
"""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from cdk.names import Names

_USE = ["kms:Decrypt", "kms:GenerateDataKey*"]


def telemetry_key(scope: Construct, names: Names) -> kms.Key:
    """Key of the lake, the telemetry queues, the entity memory and the functions' logs.

    Its policy lets in the services that write there by themselves: an encrypted queue behind S3 or EventBridge, and an
    encrypted bucket behind log delivery or CloudTrail, stay silently empty otherwise.
    """
    key = _key(scope, "TelemetryKey", names.resource("telemetry"), "Breakwater: telemetry, queues and entity memory")
    mine = {"StringEquals": {"aws:SourceAccount": names.account}}
    _let(key, "S3Notifications", "s3.amazonaws.com", mine)
    _let(key, "EventBridge", "events.amazonaws.com", mine)
    _let(key, "LogDelivery", "delivery.logs.amazonaws.com", mine)
    trail = {"StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": names.arn("cloudtrail", "trail/*")}}
    _let(key, "CloudTrail", "cloudtrail.amazonaws.com", trail | mine)
    groups = {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": names.arn("logs", f"log-group:*{names.prefix}*")}}
    logs = iam.ServicePrincipal(f"logs.{names.region}.amazonaws.com")
    _allow(key, "FunctionLogs", logs, [*_USE, "kms:Encrypt*", "kms:ReEncrypt*", "kms:Describe*"], groups)
    firehose = {"StringEquals": {"aws:PrincipalArn": names.role_arn("firehose")}}
    _allow(key, "Firehose", iam.AccountPrincipal(names.account), _USE, firehose)
    return key


def response_key(scope: Construct, names: Names) -> kms.Key:
    """Key of the journal, the containments queue, the policy and the notifications."""
    key = _key(scope, "ResponseKey", names.resource("response"), "Breakwater: journal, approvals and notifications")
    mine = {"StringEquals": {"aws:SourceAccount": names.account}}
    _let(key, "EventBridge", "events.amazonaws.com", mine)
    _let(key, "Alarms", "cloudwatch.amazonaws.com", mine)
    _let(key, "Notifications", "sns.amazonaws.com", mine)
    return key


def _key(scope: Construct, construct_id: str, alias: str, description: str) -> kms.Key:
    return kms.Key(
        scope,
        construct_id,
        alias=alias,
        description=description,
        enable_key_rotation=True,
        pending_window=Duration.days(30),
        removal_policy=RemovalPolicy.RETAIN,
    )


def _let(key: kms.Key, sid: str, service: str, conditions: dict[str, dict[str, str]]) -> None:
    _allow(key, sid, iam.ServicePrincipal(service), _USE, conditions)


def _allow(key: kms.Key, sid: str, who: iam.IPrincipal, actions: list[str], conditions: dict[str, dict[str, str]]) -> None:
    statement = iam.PolicyStatement(sid=sid, principals=[who], actions=actions, resources=["*"], conditions=conditions)
    key.add_to_resource_policy(statement)
