"""``doctor``: whether a deployment is alive, by what its alarms, queues and switch say."""

from __future__ import annotations

import io
import json
import time
import zipfile
from pathlib import Path

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from infra_tests.console.conftest import Console
from infra_tests.console.test_aws import signed_in_as
from infra_tests.lambdas.account import ACCOUNT, ON_CALL, Account
from lambdas.registry import FUNCTIONS
from response.anchors import anchor
from response.policy import policy_json

POLICY = Path(__file__).parents[2] / "policy" / "default.yaml"
SILENT, LATE = "breakwater-detect-api-calls-silent", "breakwater-respond-late"


@pytest.fixture
def deployed(account: Account, on_aws: Console, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Queues and alarms as the infrastructure names them; all is well."""
    sqs, cloudwatch = account.clients("sqs"), account.clients("cloudwatch")
    for spec in FUNCTIONS:
        suffix, kind = (".fifo", {"FifoQueue": "true"}) if spec.fifo else ("", {})
        for name in (f"breakwater-{spec.queue}{suffix}", f"breakwater-{spec.queue}-dead-letters{suffix}"):
            sqs.create_queue(QueueName=name, Attributes=kind)
    for alarm in (SILENT, LATE):
        cloudwatch.put_metric_alarm(
            AlarmName=alarm,
            AlarmDescription=f"{alarm} rings",
            MetricName="m",
            Namespace="n",
            Period=60,
            EvaluationPeriods=1,
            Threshold=0,
            ComparisonOperator="GreaterThanThreshold",
            Statistic="Sum",
        )
        ring(account, alarm, "OK")
    serve(account)
    account.clients("ssm").put_parameter(Name="/breakwater/policy", Type="String", Value=policy_json(POLICY), Overwrite=True)
    anchor(on_aws.journal(), now_ms=time.time_ns() // 1_000_000)
    signed_in_as(ON_CALL, monkeypatch)
    return account


def serve(account: Account) -> None:
    """The functions, each with its queue's trigger."""
    lambdas, package = account.clients("lambda"), io.BytesIO()
    with zipfile.ZipFile(package, "w") as opened:
        opened.writestr("nothing.py", "")
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    role = account.clients("iam").create_role(RoleName="breakwater-any", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    for spec in FUNCTIONS:
        name, queue = f"breakwater-{spec.name.replace('_', '-')}", f"breakwater-{spec.queue}{'.fifo' if spec.fifo else ''}"
        lambdas.create_function(
            FunctionName=name, Role=role, Runtime="python3.12", Handler="nothing.handler", Code={"ZipFile": package.getvalue()}
        )
        lambdas.create_event_source_mapping(
            FunctionName=name, EventSourceArn=f"arn:aws:sqs:eu-central-1:{ACCOUNT}:{queue}", Enabled=True
        )


def denied(monkeypatch: pytest.MonkeyPatch, *operations: str) -> None:
    """Take rights from whoever is signed in: moto's own IAM is not asked here."""
    call = BaseClient._make_api_call

    def asked(self: BaseClient, operation: str, arguments: object) -> object:
        if operation in operations:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}, operation)
        return call(self, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", asked)


def ring(account: Account, alarm: str, state: str) -> None:
    account.clients("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue=state, StateReason="as asked")


def test_where_all_is_well_it_says_so(deployed: Account, on_aws: Console) -> None:
    assert on_aws("doctor") == 0
    assert all(line.startswith("good ") for line in on_aws.printed[:-1])
    assert on_aws.printed[0] == "good  2 of 2 alarms are quiet"
    assert f"good  {len(FUNCTIONS)} of {len(FUNCTIONS)} functions take from their queues" in on_aws.printed
    assert any(line.startswith("good  policy of 20") and "only observes" in line for line in on_aws.printed)
    assert len(on_aws.printed) == 1 + len(FUNCTIONS) + 2 + 3
    assert on_aws.printed[-1].startswith("nothing is bad (AWS, eu-central-1")


def test_silence_of_telemetry_is_bad_and_what_is_not_known_yet_is_not(deployed: Account, on_aws: Console) -> None:
    ring(deployed, SILENT, "INSUFFICIENT_DATA")
    assert on_aws("doctor") == 0
    assert f"?     {SILENT} knows nothing yet" in on_aws.printed
    ring(deployed, SILENT, "ALARM")
    assert on_aws("doctor") == 1
    at = on_aws.printed.index(f"BAD   {SILENT}: {SILENT} rings")
    assert on_aws.printed[at + 1] == "      -> aws logs tail /aws/lambda/breakwater-detect-api-calls --since 1h"


def test_a_dead_letter_is_bad_and_its_queue_is_named(deployed: Account, on_aws: Console) -> None:
    sqs = deployed.clients("sqs")
    url = sqs.get_queue_url(QueueName="breakwater-verdicts-dead-letters.fifo")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="{}", MessageGroupId="g", MessageDeduplicationId="d")
    assert on_aws("doctor") == 1
    assert "BAD   respond: 1 dead letters in breakwater-verdicts-dead-letters.fifo, 0 waiting" in on_aws.printed


def test_a_switch_that_is_off_is_bad(deployed: Account, on_aws: Console) -> None:
    assert on_aws("disarm", "--reason", "first test") == 0
    assert on_aws("doctor") == 1
    assert any(line.startswith("BAD   disarmed by") and "first test" in line for line in on_aws.printed)


def test_where_there_are_no_alarms_and_queues_nobody_is_told_that_all_is_well(account: Account, on_aws: Console) -> None:
    account.clients("ssm").delete_parameter(Name="/breakwater/policy")
    assert on_aws("doctor") == 1
    assert on_aws.printed[0].startswith("BAD   there are no alarms")
    assert sum("is not there" in line for line in on_aws.printed) == len(FUNCTIONS)
    assert sum("it has no trigger" in line for line in on_aws.printed) == len(FUNCTIONS)
    assert any(line.startswith("BAD   there is no policy /breakwater/policy") for line in on_aws.printed)


def test_a_trigger_that_somebody_turned_off_is_bad_with_the_command(deployed: Account, on_aws: Console) -> None:
    lambdas = deployed.clients("lambda")
    (found,) = lambdas.list_event_source_mappings(FunctionName="breakwater-respond")["EventSourceMappings"]
    lambdas.update_event_source_mapping(UUID=found["UUID"], FunctionName="breakwater-respond", Enabled=False)
    assert on_aws("doctor") == 1
    at = on_aws.printed.index("BAD   respond takes nothing from its queue: its trigger is Disabled")
    assert on_aws.printed[at + 1].endswith(f"aws lambda update-event-source-mapping --uuid {found['UUID']} --enabled")


def test_a_policy_that_does_not_validate_is_bad_with_its_place(deployed: Account, on_aws: Console) -> None:
    deployed.clients("ssm").put_parameter(Name="/breakwater/policy", Value='{"version": 1, "rulez": []}', Overwrite=True)
    assert on_aws("doctor") == 1
    (line,) = (line for line in on_aws.printed if "policy of " in line)
    assert "rulez: there is no such key" in line
    assert any("cdk deploy --all: no verdict is decided until then" in line for line in on_aws.printed)


@pytest.mark.parametrize(
    ("operation", "what", "right"),
    [
        ("DescribeAlarms", "alarms", "cloudwatch:DescribeAlarms"),
        ("GetQueueAttributes", "queues", "sqs:GetQueueAttributes"),
        ("ListEventSourceMappings", "functions", "lambda:ListEventSourceMappings"),
        ("GetParameter", "policy", "ssm:GetParameter"),
    ],
)
def test_what_may_not_be_looked_at_is_not_known_and_the_rest_is_told(
    deployed: Account, on_aws: Console, monkeypatch: pytest.MonkeyPatch, operation: str, what: str, right: str
) -> None:
    denied(monkeypatch, operation)
    assert on_aws("doctor") == 0
    at = next(at for at, line in enumerate(on_aws.printed) if line.startswith(f"?     {what}: could not look: "))
    assert right in on_aws.printed[at + 1]
    assert any(line.startswith("good  armed") for line in on_aws.printed)
    assert "1 not known" in on_aws.printed[-1]


def test_a_journal_that_cannot_be_read_does_not_hide_what_else_was_seen(
    deployed: Account, on_aws: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied(monkeypatch, "Query", "GetItem")
    assert on_aws("doctor") == 1
    assert on_aws.printed[0] == "good  2 of 2 alarms are quiet"
    at = next(at for at, line in enumerate(on_aws.printed) if line.startswith("BAD   schedule and switch: could not look: "))
    assert "your role needs a right there" in on_aws.printed[at + 1]
    assert on_aws.printed[-1].startswith("1 of ")
