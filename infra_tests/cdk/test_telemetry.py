"""How telemetry comes: trail, flow logs, log groups, events of this region and of us-east-1."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from cdk.delivery import FLOW_LOG_FIELDS
from cdk.stacks.global_events import forwards_to
from infra_tests.cdk.conftest import ACCOUNT, LAKE, LOG_GROUP, REGION, VPC
from infra_tests.cdk.templates import Templates, glue_table, principals, told
from shared_model.parsers.vpc_flow_logs import DEFAULT_LAYOUT


def test_api_calls_come_with_those_that_only_read_but_not_with_our_own_use_of_keys(templates: Templates) -> None:
    rule = templates.named("AWS::Events::Rule", "Name", "breakwater-api-calls")
    assert rule["State"] == "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
    assert rule["EventPattern"]["detail-type"] == ["AWS API Call via CloudTrail", "AWS Console Sign In via CloudTrail"]
    assert rule["EventPattern"]["source"] == [{"prefix": "aws."}]
    assert "Decrypt" in rule["EventPattern"]["detail"]["eventName"][0]["anything-but"]


@pytest.mark.parametrize(("stack", "rule"), [("BreakwaterDetection", "ApiCallsRule"), ("BreakwaterGlobalEvents", "ForwardRule")])
@pytest.mark.parametrize(("said", "passes"), [({"managementEvent": True}, True), ({}, True), ({"managementEvent": False}, False)])
def test_data_events_of_the_accounts_other_trails_are_not_taken_in(
    templates: Templates, stack: str, rule: str, said: dict[str, bool], passes: bool
) -> None:
    from moto.events.models import EventPattern

    pattern = templates.by_stack[stack]["Resources"][rule]["Properties"]["EventPattern"]
    detail = {"eventName": "PutUserPolicy", "eventSource": "iam.amazonaws.com", **said}
    event: Any = {"source": "aws.iam", "detail-type": "AWS API Call via CloudTrail", "detail": detail}
    assert EventPattern(None, pattern).matches_event(event) is passes


def test_events_of_global_services_are_handed_on_from_us_east_1(templates: Templates) -> None:
    rule = templates.by_stack["BreakwaterGlobalEvents"]["Resources"]["ForwardRule"]["Properties"]
    assert rule["State"] == "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
    assert {"iam.amazonaws.com", "sts.amazonaws.com", "signin.amazonaws.com"} <= set(
        rule["EventPattern"]["detail"]["eventSource"]
    )
    assert rule["Targets"][0]["Arn"] == f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"


def test_events_that_cannot_be_handed_on_are_kept_where_the_rule_is(templates: Templates) -> None:
    here = templates.by_stack["BreakwaterGlobalEvents"]["Resources"]
    (target,) = here["ForwardRule"]["Properties"]["Targets"]
    queue = here[target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0]]["Properties"]
    assert queue["MessageRetentionPeriod"] == 14 * 86400
    (allow,) = [s for s in templates.queue_statements(queue["QueueName"]) if s["Effect"] == "Allow"]
    assert principals(allow) == {"events.amazonaws.com"}
    rule = f"arn:aws:events:us-east-1:{ACCOUNT}:rule/breakwater-forward"
    assert allow["Condition"]["ArnEquals"] == {"aws:SourceArn": rule}


def test_nothing_is_forwarded_where_home_is_us_east_1(synthesise: Callable[..., Templates]) -> None:
    assert set(synthesise(region="us-east-1").by_stack) == {
        "BreakwaterData",
        "BreakwaterDetection",
        "BreakwaterObservability",
        "BreakwaterResponse",
    }


@pytest.mark.parametrize(
    ("home", "forwards"),
    [
        ("eu-central-1", True),
        ("us-east-1", False),
        ("us-gov-east-1", False),
        ("cn-north-1", False),
        ("eusc-de-east-1", False),
        ("xx-new-1", True),
    ],
)
def test_events_are_handed_on_within_their_partition_alone(home: str, forwards: bool) -> None:
    assert forwards_to(home) is forwards


def test_flow_logs_carry_the_fields_of_version_5_every_minute(templates: Templates) -> None:
    flow_log = templates.named("AWS::EC2::FlowLog", "ResourceId", VPC)
    assert flow_log["MaxAggregationInterval"] == 60
    assert flow_log["LogDestination"] == f"arn:aws:s3:::{LAKE}/flow-logs/"
    assert re.findall(r"\$\{([a-z0-9-]+)\}", flow_log["LogFormat"]) == list(FLOW_LOG_FIELDS)
    assert FLOW_LOG_FIELDS[: len(DEFAULT_LAYOUT)] == tuple(DEFAULT_LAYOUT)
    assert len(FLOW_LOG_FIELDS) == 29


def test_the_trail_covers_every_region_and_global_services(templates: Templates) -> None:
    trail = templates.named("AWS::CloudTrail::Trail", "TrailName", "breakwater-trail")
    assert trail["IsMultiRegionTrail"]
    assert trail["IncludeGlobalServiceEvents"]
    assert trail["EnableLogFileValidation"]
    assert trail["S3KeyPrefix"] == "cloudtrail"


def test_log_lines_are_unpacked_and_end_with_a_newline(templates: Templates) -> None:
    stream = templates.named("AWS::KinesisFirehose::DeliveryStream", "DeliveryStreamName", "breakwater-system-logs")
    destination = stream["ExtendedS3DestinationConfiguration"]
    processors = [p["Type"] for p in destination["ProcessingConfiguration"]["Processors"]]
    assert processors == ["Decompression", "AppendDelimiterToRecord"]
    assert destination["CompressionFormat"] == "GZIP"
    assert destination["Prefix"].startswith("system-logs/")
    assert not destination["ErrorOutputPrefix"].startswith("system-logs/")
    assert templates.named("AWS::Logs::SubscriptionFilter", "LogGroupName", LOG_GROUP)["FilterPattern"] == ""


def test_what_exists_is_named_instead_of_made(synthesise: Callable[..., Templates]) -> None:
    existing = synthesise(lake_bucket="our-lake", trail="audit-logs/AWSLogs/", guardduty="0" * 32)
    for kind in ("AWS::CloudTrail::Trail", "AWS::GuardDuty::Detector", "AWS::S3::Bucket", "AWS::S3::BucketPolicy"):
        assert not existing.resources(kind), kind
    rule = existing.named("AWS::Events::Rule", "Name", "breakwater-api-calls-objects")
    assert rule["EventPattern"]["detail"] == {"bucket": {"name": ["audit-logs"]}, "object": {"key": [{"prefix": "AWSLogs/"}]}}
    assert "InputTransformer" not in rule["Targets"][0]
    read = json.dumps(existing.role_statements()[f"breakwater-detect-api-calls-{REGION}"])
    assert "arn:aws:s3:::audit-logs/AWSLogs/*" in read
    flow_rule = existing.named("AWS::Events::Rule", "Name", "breakwater-flow-logs-objects")
    assert flow_rule["EventPattern"]["detail"]["bucket"] == {"name": ["our-lake"]}
    assert glue_table(existing, "cloudtrail")["Parameters"]["storage.location.template"].startswith(
        "s3://audit-logs/AWSLogs/${account}/"
    )
    assert "trail" not in told(existing, "detect-api-calls")


def test_without_a_trail_the_fast_path_keeps_the_calls(synthesise: Callable[..., Templates]) -> None:
    without = synthesise(trail="none", guardduty="none")
    assert told(without, "detect-api-calls")["trail"] == "none"
    assert not glue_table(without, "cloudtrail")
    assert glue_table(without, "ocsf")


def test_silence_is_an_alarm_where_telemetry_is_on(templates: Templates, synthesise: Callable[..., Templates]) -> None:
    def silent(found: Templates) -> set[str]:
        alarms = [a["Properties"] for a in found.resources("AWS::CloudWatch::Alarm").values()]
        return {a["AlarmName"] for a in alarms if a["TreatMissingData"] == "breaching"}

    everything = {"expire-containments", "detect-api-calls", "detect-flows", "detect-system-logs"}
    assert silent(templates) == {f"breakwater-{name}-silent" for name in everything}
    assert silent(synthesise(trail="none", guardduty="none")) == {"breakwater-expire-containments-silent"}
