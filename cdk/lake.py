"""The data lake: one bucket, who may write where, and which queue hears of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.explanations import ACCESS_LOGS, acknowledge
from cdk.names import Names

FLOW_LOGS, CLOUDTRAIL, SYSTEM_LOGS = "flow-logs/", "cloudtrail/", "system-logs/"


def trail_prefix(names: Names) -> str:
    """Where the trail's records lie. Its digests lie beside them, and are no telemetry."""
    return f"{CLOUDTRAIL}AWSLogs/{names.account}/CloudTrail/"


def raw_prefixes(names: Names) -> dict[str, str]:
    """Prefix of the raw telemetry that each queue hears of."""
    return {"flow-logs": FLOW_LOGS, "api-calls": trail_prefix(names), "system-logs": f"{SYSTEM_LOGS}"}


def lake_bucket(scope: Construct, names: Names, key: kms.IKey, raw_days: int, listeners: Mapping[str, sqs.Queue]) -> s3.Bucket:
    """Make the bucket.

    Parameters
    ----------
    scope : Construct
    names : Names
    key : IKey
    raw_days : int
        Raw telemetry is deleted after so many days; what was made of it stays.
    listeners : mapping of str to Queue
        Queues that are told of new objects, by logical name.
    """
    access_logs = _access_logs(scope)
    bucket = s3.Bucket(
        scope,
        "Lake",
        bucket_name=names.lake_bucket,
        encryption=s3.BucketEncryption.KMS,
        encryption_key=key,
        bucket_key_enabled=True,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        enforce_ssl=True,
        versioned=True,
        server_access_logs_bucket=access_logs,
        server_access_logs_prefix="lake/",
        lifecycle_rules=[
            *(
                s3.LifecycleRule(prefix=prefix, expiration=Duration.days(raw_days))
                for prefix in (FLOW_LOGS, CLOUDTRAIL, SYSTEM_LOGS)
            ),
            s3.LifecycleRule(
                abort_incomplete_multipart_upload_after=Duration.days(1),
                noncurrent_version_expiration=Duration.days(30),
            ),
        ],
        removal_policy=RemovalPolicy.RETAIN,
    )
    _let_services_write(bucket, names)
    # On the resource itself: the construct's own way needs a function that sets them, and that function is not ours to check.
    low = cast(s3.CfnBucket, bucket.node.default_child)
    prefixes = raw_prefixes(names)
    low.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
        queue_configurations=[
            s3.CfnBucket.QueueConfigurationProperty(
                event="s3:ObjectCreated:*", queue=names.queue_arn(name), filter=_starts_with(prefixes[name])
            )
            for name in listeners
        ]
    )
    for queue in listeners.values():  # S3 asks the queue whether it may send, before it takes the setting
        low.node.add_dependency(queue.node.find_child("Policy"))
    return bucket


def _let_services_write(bucket: s3.Bucket, names: Names) -> None:
    account = {"StringEquals": {"aws:SourceAccount": names.account}}
    flows = {**account, "ArnLike": {"aws:SourceArn": names.arn("logs", "*")}}
    trail = {"ArnEquals": {"aws:SourceArn": names.arn("cloudtrail", f"trail/{names.resource('trail')}")}}
    for sid, service, prefix, conditions in (
        ("FlowLogs", "delivery.logs.amazonaws.com", f"{FLOW_LOGS}AWSLogs", flows),
        ("CloudTrail", "cloudtrail.amazonaws.com", f"{CLOUDTRAIL}AWSLogs", trail),
    ):
        for verb, action, resource in (
            ("Look", "s3:GetBucketAcl", bucket.bucket_arn),
            ("Write", "s3:PutObject", bucket.arn_for_objects(f"{prefix}/*")),
        ):
            statement = iam.PolicyStatement(
                sid=f"{sid}{verb}",
                principals=[iam.ServicePrincipal(service)],
                actions=[action],
                resources=[resource],
                conditions=conditions,
            )
            bucket.add_to_resource_policy(statement)


def _access_logs(scope: Construct) -> s3.Bucket:
    bucket = s3.Bucket(
        scope,
        "AccessLogs",
        encryption=s3.BucketEncryption.S3_MANAGED,  # S3 cannot deliver access logs under a customer's key
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        enforce_ssl=True,
        lifecycle_rules=[s3.LifecycleRule(expiration=Duration.days(365))],
        removal_policy=RemovalPolicy.RETAIN,
    )
    acknowledge(bucket, "AwsSolutions-S1", ACCESS_LOGS)
    return bucket


def _starts_with(prefix: str) -> s3.CfnBucket.NotificationFilterProperty:
    rule = s3.CfnBucket.FilterRuleProperty(name="prefix", value=prefix)
    return s3.CfnBucket.NotificationFilterProperty(s3_key=s3.CfnBucket.S3KeyFilterProperty(rules=[rule]))
