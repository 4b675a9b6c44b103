"""Delivery of telemetry to the lake: the trail, flow logs of VPCs, lines of log groups, and GuardDuty."""

from __future__ import annotations

from aws_cdk import aws_cloudtrail as cloudtrail
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_guardduty as guardduty
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from cdk.explanations import explain_wildcards
from cdk.identities import bounded
from cdk.lake import CLOUDTRAIL, FLOW_LOGS, SYSTEM_LOGS
from cdk.names import Names

_FIELDS_BY_VERSION = {
    2: "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status",
    3: "vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr",
    4: "region az-id sublocation-type sublocation-id",
    5: "pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path",
}
#: Every field of flow log versions 2 to 5, oldest first.
FLOW_LOG_FIELDS = tuple(field for fields in _FIELDS_BY_VERSION.values() for field in fields.split())
#: The shorter of the two that EC2 offers: flows of minutes are too coarse for a sequence of flows.
AGGREGATION_SECONDS = 60


def trail(scope: Construct, names: Names, lake: str, key: kms.IKey) -> cloudtrail.CfnTrail:
    """Deliver the management events of all regions to the lake: the complete path of API calls."""
    return cloudtrail.CfnTrail(
        scope,
        "Trail",
        trail_name=names.resource("trail"),
        s3_bucket_name=lake,
        s3_key_prefix=CLOUDTRAIL.rstrip("/"),
        kms_key_id=key.key_arn,
        is_logging=True,
        is_multi_region_trail=True,
        include_global_service_events=True,
        enable_log_file_validation=True,
    )


def guardduty_detector(scope: Construct) -> guardduty.CfnDetector:
    """Turn GuardDuty on; updates of a finding come every quarter of an hour instead of every six hours."""
    return guardduty.CfnDetector(scope, "GuardDuty", enable=True, finding_publishing_frequency="FIFTEEN_MINUTES")


def flow_log(scope: Construct, names: Names, number: int, vpc: str, lake: str) -> ec2.CfnFlowLog:
    """Deliver the flow logs of a VPC to the lake."""
    return ec2.CfnFlowLog(
        scope,
        f"FlowLog{number}",
        resource_id=vpc,
        resource_type="VPC",
        traffic_type="ALL",
        log_destination_type="s3",
        log_destination=f"arn:{names.partition}:s3:::{lake}/{FLOW_LOGS}",
        log_format=" ".join(f"${{{field}}}" for field in FLOW_LOG_FIELDS),
        max_aggregation_interval=AGGREGATION_SECONDS,
        destination_options={"FileFormat": "plain-text", "HiveCompatiblePartitions": True, "PerHourPartition": False},
    )


def log_delivery(
    scope: Construct, names: Names, groups: tuple[str, ...], lake: str, key: kms.IKey, bucket_keys: tuple[str, ...] = ()
) -> None:
    """Deliver lines of log groups to the lake, as gzip objects with one CloudWatch Logs payload a line.

    CloudWatch Logs compresses each payload: Firehose unpacks them and ends each with a newline, then compresses the
    object as a whole. ``bucket_keys`` are the ARNs of an existing lake's own keys.
    """
    stream = _stream(scope, names, lake, key, bucket_keys)
    statement = _allow(["firehose:PutRecord", "firehose:PutRecordBatch"], [stream.attr_arn])
    assumed_by = iam.ServicePrincipal("logs.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": names.account}})
    role = iam.Role(
        scope,
        "LogSubscriptionRole",
        role_name=names.role("log-subscription"),
        description="CloudWatch Logs hands lines of log groups to Breakwater's Firehose.",
        assumed_by=assumed_by,
        permissions_boundary=bounded(scope, names),
        inline_policies={"deliver": iam.PolicyDocument(statements=[statement])},
    )
    for number, group in enumerate(groups, 1):
        logs.CfnSubscriptionFilter(
            scope,
            f"Subscription{number}",
            filter_name=names.resource("system-logs"),
            log_group_name=group,
            filter_pattern="",
            destination_arn=stream.attr_arn,
            role_arn=role.role_arn,
        )


def _stream(scope: Construct, names: Names, lake: str, key: kms.IKey, bucket_keys: tuple[str, ...]) -> firehose.CfnDeliveryStream:
    name = names.resource("system-logs")
    assumed_by = iam.ServicePrincipal("firehose.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": names.account}})
    bucket_arn = f"arn:{names.partition}:s3:::{lake}"
    statements = [
        _allow(["s3:PutObject", "s3:AbortMultipartUpload"], [f"{bucket_arn}/{SYSTEM_LOGS}*", f"{bucket_arn}/undelivered/*"]),
        _allow(["s3:GetBucketLocation", "s3:ListBucketMultipartUploads"], [bucket_arn]),
        _allow(["kms:Decrypt", "kms:GenerateDataKey"], [key.key_arn, *bucket_keys]),
    ]
    role = iam.Role(
        scope,
        "FirehoseRole",
        role_name=names.role("firehose"),
        description="Firehose writes lines of log groups to Breakwater's lake.",
        assumed_by=assumed_by,
        permissions_boundary=bounded(scope, names),
        inline_policies={"deliver": iam.PolicyDocument(statements=statements)},
    )
    explain_wildcards(role, statements)
    make = firehose.CfnDeliveryStream
    return make(
        scope,
        "SystemLogs",
        delivery_stream_name=name,
        delivery_stream_type="DirectPut",
        delivery_stream_encryption_configuration_input=make.DeliveryStreamEncryptionConfigurationInputProperty(
            key_type="CUSTOMER_MANAGED_CMK", key_arn=key.key_arn
        ),
        extended_s3_destination_configuration=make.ExtendedS3DestinationConfigurationProperty(
            bucket_arn=bucket_arn,
            role_arn=role.role_arn,
            prefix=f"{SYSTEM_LOGS}dt=!{{timestamp:yyyy-MM-dd}}/",
            error_output_prefix="undelivered/!{firehose:error-output-type}/dt=!{timestamp:yyyy-MM-dd}/",
            buffering_hints=make.BufferingHintsProperty(interval_in_seconds=60, size_in_m_bs=5),
            compression_format="GZIP",
            processing_configuration=make.ProcessingConfigurationProperty(
                enabled=True,
                processors=[
                    make.ProcessorProperty(
                        type="Decompression",
                        parameters=[make.ProcessorParameterProperty(parameter_name="CompressionFormat", parameter_value="GZIP")],
                    ),
                    make.ProcessorProperty(type="AppendDelimiterToRecord"),
                ],
            ),
        ),
    )


def _allow(actions: list[str], resources: list[str]) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=actions, resources=resources)
