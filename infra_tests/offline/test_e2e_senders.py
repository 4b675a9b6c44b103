"""A verdict that a stolen detector sends in another one's name, on the deployed functions: SQS says who sent it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from infra_tests.offline.following import Followed
from offline.aws.embedded import ACCOUNT, REGION, EmbeddedAws
from offline.findings import port_probe
from offline.seed import World, groups_of
from shared_model.events import Entity, EntityKind, Telemetry
from shared_model.verdicts import Verdict

pytestmark = pytest.mark.e2e


def stolen(aws: EmbeddedAws, function: str) -> Any:
    """SQS with the credentials that a function runs with: its role, in a session that Lambda named after the function."""
    import boto3

    name = aws.function_name(function)
    arn = aws.client("lambda").get_function_configuration(FunctionName=name)["Role"]
    keys = aws.client("sts").assume_role(RoleArn=arn, RoleSessionName=name)["Credentials"]
    return boto3.session.Session().client(
        "sqs",
        region_name=REGION,
        endpoint_url=aws.endpoint.replace("localhost", "127.0.0.1"),
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )


def test_a_stolen_detector_is_no_second_signal_for_itself(aws: EmbeddedAws, world: World) -> None:
    follow, sqs = Followed(aws), stolen(aws, "detect_flows")
    instance = follow.fresh_instance(world)
    before = groups_of(aws, instance)
    aws.put_event(port_probe(world, instance))  # drawn from flow logs: the one signal that he may send himself, and here need not
    forged = Verdict(
        id=f"forged-{instance.id}",
        correlation_id="forged",
        detector="guardduty",
        detector_version="1",
        telemetry=Telemetry.DNS_LOGS,
        entity=Entity(EntityKind.INSTANCE, instance.id, ACCOUNT),
        related=(),
        time_ms=time.time_ns() // 1_000_000,
        probability=0.9,
        threshold=0.0,
        technique="T1568",
        title="asks for generated names",
    )
    queue = sqs.get_queue_url(QueueName="breakwater-verdicts.fifo")["QueueUrl"]
    sqs.send_message(
        QueueUrl=queue, MessageBody=forged.to_json(), MessageGroupId=forged.entity.key, MessageDeduplicationId=forged.id
    )
    aws.drain()
    assert groups_of(aws, instance) == before
    assert follow.steps(instance) == ["REFUSED"], "the finding, which triage sent, for want of a second signal"
    reason = follow.dead_letter("verdicts", forged.to_json())["MessageAttributes"]["reason"]["StringValue"]
    assert reason.endswith("sent it, and does not speak for guardduty of dns_logs")
    assert ":breakwater-detect-flows) " in reason, "the session is named after the function, as Lambda does"
    role = aws.client("iam").get_role(RoleName=f"breakwater-detect-flows-{REGION}")["Role"]
    assert f"detect_flows ({role['RoleId']}:" in reason
