"""``doctor``: whether a deployment is alive, by what its alarms, queues and switch say."""

from __future__ import annotations

import time

import pytest

from infra_tests.console.conftest import Console
from infra_tests.console.test_aws import signed_in_as
from infra_tests.lambdas.account import ON_CALL, Account
from lambdas.registry import FUNCTIONS
from response.anchors import anchor

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
    anchor(on_aws.journal(), now_ms=time.time_ns() // 1_000_000)
    signed_in_as(ON_CALL, monkeypatch)
    return account


def ring(account: Account, alarm: str, state: str) -> None:
    account.clients("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue=state, StateReason="as asked")


def test_where_all_is_well_it_says_so(deployed: Account, on_aws: Console) -> None:
    assert on_aws("doctor") == 0
    assert all(line.startswith("good ") for line in on_aws.printed[:-1])
    assert on_aws.printed[0] == "good  2 of 2 alarms are quiet"
    assert len(on_aws.printed) == 1 + len(FUNCTIONS) + 3
    assert on_aws.printed[-1].startswith("nothing is bad (AWS, eu-central-1")


def test_silence_of_telemetry_is_bad_and_what_is_not_known_yet_is_not(deployed: Account, on_aws: Console) -> None:
    ring(deployed, SILENT, "INSUFFICIENT_DATA")
    assert on_aws("doctor") == 0
    assert f"?     {SILENT} knows nothing yet: look again within an hour" in on_aws.printed
    ring(deployed, SILENT, "ALARM")
    assert on_aws("doctor") == 1
    assert f"BAD   {SILENT}: {SILENT} rings" in on_aws.printed


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
    assert on_aws("doctor") == 1
    assert on_aws.printed[0].startswith("BAD   there are no alarms")
    assert sum("is not there" in line for line in on_aws.printed) == len(FUNCTIONS)
