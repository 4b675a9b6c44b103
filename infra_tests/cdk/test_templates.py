"""The templates as a whole, the functions, and the queues before them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from cdk import explanations
from infra_tests.cdk.conftest import ACCOUNT, LOG_GROUP, REGION, VPC
from infra_tests.cdk.templates import Templates
from lambdas.function import RETRY_AFTER_S
from lambdas.registry import FUNCTIONS, PAGE, FunctionSpec
from lambdas.settings import PREFIX, Settings

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


@pytest.mark.parametrize(("name", "queue"), [("findings", "findings"), ("api-calls", "api-calls"), ("expire", "containments")])
def test_a_rule_targets_its_queue_and_keeps_what_it_cannot_deliver(templates: Templates, name: str, queue: str) -> None:
    (target,) = templates.named("AWS::Events::Rule", "Name", f"breakwater-{name}")["Targets"]
    assert target["Arn"].endswith(f":breakwater-{queue}")
    assert target["DeadLetterConfig"]["Arn"].endswith(f":breakwater-{queue}-dead-letters")


def test_containments_are_looked_at_every_five_minutes(templates: Templates) -> None:
    rule = templates.named("AWS::Events::Rule", "Name", "breakwater-expire")
    assert (rule["ScheduleExpression"], json.loads(rule["Targets"][0]["Input"])) == ("rate(5 minutes)", {"expire": True})


def test_another_partition_has_arns_of_its_own_and_no_us_east_1(synthesise: Callable[..., Templates]) -> None:
    gov = synthesise(region="us-gov-west-1", flow_log_vpcs=(VPC,), log_groups=(LOG_GROUP,), security_hub="send")
    assert "BreakwaterGlobalEvents" not in gov.by_stack
    text = json.dumps(gov.by_stack)
    assert "arn:aws-us-gov:" in text
    assert "arn:aws:" not in text


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


def test_a_policy_that_grew_may_shrink_again(templates: Templates) -> None:
    """SSM makes no advanced parameter a standard one: a tier by length would refuse the shorter policy."""
    assert templates.named("AWS::SSM::Parameter", "Name", "/breakwater/policy")["Tier"] == "Intelligent-Tiering"


def test_the_policy_reaches_the_functions_as_they_read_it(templates: Templates) -> None:
    from response.policy import parse_policy

    parameter = templates.named("AWS::SSM::Parameter", "Name", "/breakwater/policy")
    assert parse_policy(parameter["Value"]).rules
