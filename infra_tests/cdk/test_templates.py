"""What is deployed: wiring, encryption, retention, delivery, alarms."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from cdk import explanations
from cdk.delivery import FLOW_LOG_FIELDS
from cdk.stacks.global_events import forwards_to
from infra_tests.cdk.conftest import ACCOUNT, LOG_GROUP, REGION, VPC
from infra_tests.cdk.templates import Templates, principals
from lambdas.function import RETRY_AFTER_S
from lambdas.registry import FUNCTIONS, PAGE, FunctionSpec
from lambdas.settings import PREFIX, Settings
from shared_model.parsers.vpc_flow_logs import DEFAULT_LAYOUT

LAKE = f"breakwater-lake-{ACCOUNT}-{REGION}"
each_function = pytest.mark.parametrize("spec", FUNCTIONS, ids=lambda spec: spec.name)


def queue_name(spec: FunctionSpec, suffix: str = "") -> str:
    return f"breakwater-{spec.queue}{suffix}" + (".fifo" if spec.fifo else "")


def function_name(spec: FunctionSpec) -> str:
    return f"breakwater-{spec.name.replace('_', '-')}"


def test_cfn_lint_finds_nothing(templates: Templates) -> None:
    files = sorted(str(file) for file in templates.folder.glob("*.template.json"))
    # W3005: the CDK's function construct states its dependency on the role twice.
    command = [str(Path(sys.executable).parent / "cfn-lint"), "--ignore-checks", "W3005", "--", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert files


def test_nothing_is_deployed_but_our_own_functions(templates: Templates) -> None:
    assert set(templates.functions()) == {function_name(spec) for spec in (*FUNCTIONS, PAGE)}
    assert not [r["Type"] for r in templates.all_resources() if r["Type"].startswith("Custom::")]


@each_function
def test_a_function_runs_on_arm64_with_what_the_registry_says(templates: Templates, spec: FunctionSpec) -> None:
    function = templates.functions()[function_name(spec)]
    assert (function["Runtime"], function["Architectures"]) == ("python3.12", ["arm64"])
    assert (function["Handler"], function["MemorySize"], function["Timeout"]) == (spec.handler, spec.memory_mb, spec.timeout_s)
    assert function["KmsKeyArn"]


@each_function
def test_a_function_is_told_only_settings_that_there_are(templates: Templates, spec: FunctionSpec) -> None:
    told = set(templates.functions()[function_name(spec)]["Environment"]["Variables"])
    assert told <= {PREFIX + field.name.upper() for field in fields(Settings)}
    assert {f"{PREFIX}QUEUE_URL", f"{PREFIX}DEAD_LETTER_QUEUE_URL"} <= set(told)


def test_every_exception_from_the_rules_of_cdk_nag_has_a_reason_that_is_written_down(templates: Templates) -> None:
    (report,) = json.loads((templates.folder / "validation-report.json").read_text(encoding="utf-8"))["pluginReports"]
    assert (report["pluginName"], report["violations"]) == ("AwsSolutions", [])
    written = {value for value in vars(explanations).values() if isinstance(value, str)} | {
        why for _, why in explanations.REASONS
    }
    assert report["suppressedViolations"], "else this looks at nothing"
    assert {each["reason"] for each in report["suppressedViolations"]} <= written


def test_the_responder_is_told_by_which_roles_which_verdicts_may_be_sent(templates: Templates) -> None:
    told = templates.functions()["breakwater-respond"]["Environment"]["Variables"][f"{PREFIX}VERDICT_SENDERS"]
    exported = {
        output["Export"]["Name"]: output["Value"]
        for template in templates.by_stack.values()
        for output in template.get("Outputs", {}).values()
        if "Export" in output
    }
    names = {logical: role["Properties"]["RoleName"] for logical, role in templates.resources("AWS::IAM::Role").items()}
    text = ""
    for part in told["Fn::Join"][1]:
        if isinstance(part, str):
            text += part
        else:
            logical, attribute = exported[part["Fn::ImportValue"]]["Fn::GetAtt"]
            text += f"{attribute} of {names[logical]}"
    wanted = ("detect_flows", "detect_api_calls", "detect_system_logs", "triage_findings")
    assert text == ",".join(f"{name}=RoleId of breakwater-{name.replace('_', '-')}-{REGION}" for name in wanted)
    others = [
        name for name, each in templates.functions().items() if f"{PREFIX}VERDICT_SENDERS" in each["Environment"]["Variables"]
    ]
    assert others == ["breakwater-respond"]


@each_function
def test_a_queue_hides_a_message_as_long_as_its_function_may_work(templates: Templates, spec: FunctionSpec) -> None:
    queue = templates.queues()[queue_name(spec)]
    assert queue["VisibilityTimeout"] >= 6 * templates.functions()[function_name(spec)]["Timeout"]
    assert queue.get("FifoQueue", False) is spec.fifo


@each_function
def test_dead_letters_are_kept_for_two_weeks_in_a_queue_of_their_own(templates: Templates, spec: FunctionSpec) -> None:
    queue, dead = templates.queues()[queue_name(spec)], templates.queues()[queue_name(spec, "-dead-letters")]
    logical = queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
    assert templates.resources("AWS::SQS::Queue")[logical]["Properties"] == dead
    assert queue["RedrivePolicy"]["maxReceiveCount"] >= 5
    # What a function gives back is tried for about as long as a person needs to hear of it.
    later = [*RETRY_AFTER_S, *[queue["VisibilityTimeout"]] * (queue["RedrivePolicy"]["maxReceiveCount"] - 1 - len(RETRY_AFTER_S))]
    assert 25 * 60 <= sum(later) <= 60 * 60
    assert dead["MessageRetentionPeriod"] == 14 * 86400
    assert dead["RedriveAllowPolicy"]["sourceQueueArns"] == [f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue_name(spec)}"]


@each_function
def test_a_queue_feeds_its_function_with_partial_failures(templates: Templates, spec: FunctionSpec) -> None:
    mapping = templates.named(
        "AWS::Lambda::EventSourceMapping", "EventSourceArn", f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue_name(spec)}"
    )
    logical = mapping["FunctionName"]["Ref"]
    assert templates.resources("AWS::Lambda::Function")[logical]["Properties"]["FunctionName"] == function_name(spec)
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BatchSize"] == spec.batch_size
    assert mapping.get("MaximumBatchingWindowInSeconds", 0) == spec.batch_window_s
    assert mapping.get("ScalingConfig") == ({"MaximumConcurrency": 2} if spec.name == "respond" else None)


def test_everything_that_keeps_data_is_encrypted_under_our_keys(templates: Templates) -> None:
    queues = templates.queues()
    assert queues.pop("breakwater-forward-dead-letters")["SqsManagedSseEnabled"]  # in a region where no key of ours is
    assert all(queue["KmsMasterKeyId"] for queue in queues.values())
    for table in templates.resources("AWS::DynamoDB::Table").values():
        assert table["Properties"]["SSESpecification"]["SSEType"] == "KMS"
        assert table["Properties"]["SSESpecification"]["KMSMasterKeyId"]
    for kind, key in (
        ("AWS::SNS::Topic", "KmsMasterKeyId"),
        ("AWS::Logs::LogGroup", "KmsKeyId"),
        ("AWS::CloudTrail::Trail", "KMSKeyId"),
    ):
        found = templates.resources(kind)
        assert found
        assert all(resource["Properties"][key] for resource in found.values())
    lake = templates.named("AWS::S3::Bucket", "BucketName", LAKE)
    (rule,) = lake["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"


def test_nothing_is_public_and_nothing_travels_in_the_clear(templates: Templates) -> None:
    for bucket in templates.resources("AWS::S3::Bucket").values():
        assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    for kind in ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"):
        for policy in templates.resources(kind).values():
            text = json.dumps(policy["Properties"]["PolicyDocument"])
            assert '"Bool": {"aws:SecureTransport": "false"}' in text
    queues, policies = templates.resources("AWS::SQS::Queue"), templates.resources("AWS::SQS::QueuePolicy")
    assert len(queues) == len(policies) == 2 * len(FUNCTIONS) + 1  # what could not be handed on from us-east-1


def test_tables_can_be_put_back_to_any_second(templates: Templates) -> None:
    tables = templates.resources("AWS::DynamoDB::Table")
    assert len(tables) == 3
    assert all(t["Properties"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] for t in tables.values())


@pytest.mark.parametrize(("table", "ttl"), [("memory", "expires"), ("signals", "expires"), ("journal", None)])
def test_only_the_journal_never_forgets(templates: Templates, table: str, ttl: str | None) -> None:
    properties = templates.named("AWS::DynamoDB::Table", "TableName", f"breakwater-{table}")
    assert properties.get("TimeToLiveSpecification", {}).get("AttributeName") == ttl
    assert properties.get("DeletionProtectionEnabled", False) is (ttl is None)


def test_the_journal_outlives_its_stack_and_is_found_by_its_indexes(templates: Templates) -> None:
    (journal,) = [
        r for r in templates.resources("AWS::DynamoDB::Table").values() if r["Properties"]["TableName"] == "breakwater-journal"
    ]
    assert journal["DeletionPolicy"] == "Retain"
    indexes = {
        i["IndexName"]: [k["AttributeName"] for k in i["KeySchema"]] for i in journal["Properties"]["GlobalSecondaryIndexes"]
    }
    assert indexes == {
        "expiring": ["expiring", "expires_ms"],
        "containments": ["containment_id", "sk"],
        "written": ["written", "time_ms"],
    }


def test_new_objects_are_told_by_prefix_and_trail_digests_are_not(templates: Templates) -> None:
    lake = templates.named("AWS::S3::Bucket", "BucketName", LAKE)
    told = {
        configuration["Queue"].rpartition(":")[2]: configuration["Filter"]["S3Key"]["Rules"][0]["Value"]
        for configuration in lake["NotificationConfiguration"]["QueueConfigurations"]
    }
    assert told == {
        "breakwater-flow-logs": "flow-logs/",
        "breakwater-api-calls": f"cloudtrail/AWSLogs/{ACCOUNT}/CloudTrail/",
        "breakwater-system-logs": "system-logs/",
    }


def test_the_bucket_waits_for_the_policies_of_the_queues_that_it_tells(templates: Templates) -> None:
    (lake,) = [r for r in templates.resources("AWS::S3::Bucket").values() if r["Properties"].get("BucketName") == LAKE]
    policies = templates.resources("AWS::SQS::QueuePolicy")
    assert len([name for name in lake["DependsOn"] if name in policies]) == 3


def test_log_delivery_and_the_trail_may_write_their_own_prefixes(templates: Templates) -> None:
    statements = [
        s
        for policy in templates.resources("AWS::S3::BucketPolicy").values()
        for s in policy["Properties"]["PolicyDocument"]["Statement"]
        if s["Action"] == "s3:PutObject" and principals(s) != {"logging.s3.amazonaws.com"}
    ]
    written = {next(iter(principals(s))): json.dumps(s["Resource"]) for s in statements}
    assert set(written) == {"delivery.logs.amazonaws.com", "cloudtrail.amazonaws.com"}
    assert "/flow-logs/AWSLogs/*" in written["delivery.logs.amazonaws.com"]
    assert "/cloudtrail/AWSLogs/*" in written["cloudtrail.amazonaws.com"]
    assert all("aws:SourceArn" in json.dumps(s["Condition"]) for s in statements)


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


@pytest.mark.parametrize(("name", "queue"), [("findings", "findings"), ("api-calls", "api-calls"), ("expire", "containments")])
def test_a_rule_targets_its_queue_and_keeps_what_it_cannot_deliver(templates: Templates, name: str, queue: str) -> None:
    (target,) = templates.named("AWS::Events::Rule", "Name", f"breakwater-{name}")["Targets"]
    assert target["Arn"].endswith(f":breakwater-{queue}")
    assert target["DeadLetterConfig"]["Arn"].endswith(f":breakwater-{queue}-dead-letters")


def test_containments_are_looked_at_every_five_minutes(templates: Templates) -> None:
    rule = templates.named("AWS::Events::Rule", "Name", "breakwater-expire")
    assert (rule["ScheduleExpression"], json.loads(rule["Targets"][0]["Input"])) == ("rate(5 minutes)", {"expire": True})


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


def test_another_partition_has_arns_of_its_own_and_no_us_east_1(synthesise: Callable[..., Templates]) -> None:
    gov = synthesise(region="us-gov-west-1", flow_log_vpcs=(VPC,), log_groups=(LOG_GROUP,), security_hub="send")
    assert "BreakwaterGlobalEvents" not in gov.by_stack
    text = json.dumps(gov.by_stack)
    assert "arn:aws-us-gov:" in text
    assert "arn:aws:" not in text


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
    assert table(existing, "cloudtrail")["Parameters"]["storage.location.template"].startswith(
        "s3://audit-logs/AWSLogs/${account}/"
    )
    assert "trail" not in told(existing, "detect-api-calls")


def table(found: Templates, name: str) -> dict[str, Any]:
    tables = [t["Properties"]["TableInput"] for t in found.resources("AWS::Glue::Table").values()]
    return next((each for each in tables if each["Name"] == name), {})


def told(found: Templates, function: str) -> dict[str, Any]:
    """What a function is told, by the names of its settings."""
    variables = found.functions()[f"breakwater-{function}"]["Environment"]["Variables"]
    return {name.removeprefix("BREAKWATER_").lower(): value for name, value in variables.items()}


def test_without_a_trail_the_fast_path_keeps_the_calls(synthesise: Callable[..., Templates]) -> None:
    without = synthesise(trail="none", guardduty="none")
    assert told(without, "detect-api-calls")["trail"] == "none"
    assert not table(without, "cloudtrail")
    assert table(without, "ocsf")


def test_the_page_on_deploying_counts_alarms_and_queues_as_they_are(templates: Templates) -> None:
    page = (Path(__file__).parents[2] / "docs" / "deploy-aws.md").read_text()
    named = [each["Properties"]["AlarmName"] for each in templates.resources("AWS::CloudWatch::Alarm").values()]
    alarms, queues = sum("proposal-page" not in name for name in named), len(FUNCTIONS)
    assert f"| {alarms - 3} to {alarms} alarms, by what telemetry is on" in page
    assert f"polling of {queues} empty queues" in page


@each_function
def test_a_person_hears_of_what_is_lost_late_failing_or_held_back(templates: Templates, spec: FunctionSpec) -> None:
    for what in ("dead-letters", "late", "errors", "throttles"):
        alarm = templates.named("AWS::CloudWatch::Alarm", "AlarmName", f"{function_name(spec)}-{what}")
        assert len(alarm["AlarmActions"]) == 1
        assert alarm["TreatMissingData"] == "notBreaching"


def test_silence_is_an_alarm_where_telemetry_is_on(templates: Templates, synthesise: Callable[..., Templates]) -> None:
    def silent(found: Templates) -> set[str]:
        alarms = [a["Properties"] for a in found.resources("AWS::CloudWatch::Alarm").values()]
        return {a["AlarmName"] for a in alarms if a["TreatMissingData"] == "breaching"}

    everything = {"expire-containments", "detect-api-calls", "detect-flows", "detect-system-logs"}
    assert silent(templates) == {f"breakwater-{name}-silent" for name in everything}
    assert silent(synthesise(trail="none", guardduty="none")) == {"breakwater-expire-containments-silent"}


def test_every_flow_log_field_has_a_column(templates: Templates) -> None:
    flows = table(templates, "flow_logs")
    assert [c["Name"] for c in flows["StorageDescriptor"]["Columns"]] == [f.replace("-", "_") for f in FLOW_LOG_FIELDS]
    template = flows["Parameters"]["storage.location.template"]
    assert set(re.findall(r"\$\{(\w+)\}", template)) == {p["Name"] for p in flows["PartitionKeys"]}


def test_who_called_is_a_struct_in_the_trails_table(templates: Templates) -> None:
    columns = {c["Name"]: c["Type"] for c in table(templates, "cloudtrail")["StorageDescriptor"]["Columns"]}
    assert columns.pop("useridentity").startswith("struct<type:string,principalid:string,arn:string,")
    assert set(columns.values()) == {"string"}


def test_a_policy_that_grew_may_shrink_again(templates: Templates) -> None:
    """SSM makes no advanced parameter a standard one: a tier by length would refuse the shorter policy."""
    assert templates.named("AWS::SSM::Parameter", "Name", "/breakwater/policy")["Tier"] == "Intelligent-Tiering"


def test_the_policy_reaches_the_functions_as_they_read_it(templates: Templates) -> None:
    from response.policy import parse_policy

    parameter = templates.named("AWS::SSM::Parameter", "Name", "/breakwater/policy")
    assert parse_policy(parameter["Value"]).rules
