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
    _let_senders(key, "s3.amazonaws.com", "events.amazonaws.com")
    mine = {"StringEquals": {"aws:SourceAccount": names.account}}
    delivery = [*_USE, "kms:Encrypt", "kms:ReEncrypt*", "kms:DescribeKey"]
    _allow(key, "LogDelivery", iam.ServicePrincipal("delivery.logs.amazonaws.com"), delivery, mine)
    cloudtrail = iam.ServicePrincipal("cloudtrail.amazonaws.com")
    ours = {"ArnEquals": {"aws:SourceArn": names.arn("cloudtrail", f"trail/{names.resource('trail')}")}}
    # Decrypt, because the bucket has a bucket key: no trail can be made without it. And no condition on the trail in the
    # encryption context, which under a bucket key is the bucket's.
    _allow(key, "CloudTrail", cloudtrail, [*_USE, "kms:DescribeKey"], ours)
    groups = {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": names.arn("logs", f"log-group:*{names.prefix}*")}}
    logs = iam.ServicePrincipal(f"logs.{names.region}.amazonaws.com")
    _allow(key, "FunctionLogs", logs, [*_USE, "kms:Encrypt*", "kms:ReEncrypt*", "kms:Describe*"], groups)
    firehose = {"StringEquals": {"aws:PrincipalArn": names.role_arn("firehose")}}
    _allow(key, "Firehose", iam.AccountPrincipal(names.account), _USE, firehose)
    return key


def response_key(scope: Construct, names: Names) -> kms.Key:
    """Key of the journal, the containments queue, the policy and the notifications."""
    key = _key(scope, "ResponseKey", names.resource("response"), "Breakwater: journal, approvals and notifications")
    _let_senders(key, "events.amazonaws.com", "cloudwatch.amazonaws.com")
    mine = {"StringEquals": {"aws:SourceAccount": names.account}}
    _allow(key, "Notifications", iam.ServicePrincipal("sns.amazonaws.com"), _USE, mine)
    return key


def link_key(scope: Construct, names: Names) -> kms.Key:
    """HMAC key of the links to proposals: it signs nothing else, and never leaves KMS. KMS rotates no such key by itself."""
    return kms.Key(
        scope,
        "LinkKey",
        alias=names.resource("links"),
        description="Breakwater: signs the links to proposals",
        key_spec=kms.KeySpec.HMAC_256,
        key_usage=kms.KeyUsage.GENERATE_VERIFY_MAC,
        pending_window=Duration.days(7),
        removal_policy=RemovalPolicy.DESTROY,
    )


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


def _let_senders(key: kms.Key, *services: str) -> None:
    """Let in services that send to an encrypted queue or topic.

    Without conditions: source conditions in a key policy are not supported for EventBridge, and not documented for S3
    and alarms; with them nothing would arrive, silently. The policies of queues and topic name the sources instead.
    """
    for service in services:
        _allow(key, f"Send{service.partition('.')[0].capitalize()}", iam.ServicePrincipal(service), _USE, None)


def _allow(key: kms.Key, sid: str, who: iam.IPrincipal, actions: list[str], conditions: dict[str, dict[str, str]] | None) -> None:
    statement = iam.PolicyStatement(sid=sid, principals=[who], actions=actions, resources=["*"], conditions=conditions)
    key.add_to_resource_policy(statement)
