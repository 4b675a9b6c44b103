"""Signs of life on AWS: the alarms, which watch for silence too, and what waits in queues and among dead letters."""

from __future__ import annotations

from collections.abc import Iterator

from console.deployment import Health, Sign
from lambdas.clients import Clients
from lambdas.cloud_errors import in_core_words
from lambdas.registry import FUNCTIONS

_SILENT = "-silent"
_LETTERS = "each says its reason (attribute `reason`): mend that, then redrive them; what can never be handled, delete"


def of_alarms(clients: Clients, name: str) -> Iterator[Sign]:
    """Yield what the alarms say: each that rings or knows nothing yet, the others together."""
    with in_core_words("DescribeAlarms"):
        pages = clients("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{name}-")
        alarms = [alarm for page in pages for alarm in page["MetricAlarms"]]
    if not alarms:
        yield Sign(Health.BAD, "there are no alarms: nobody would hear of telemetry that stops", "deploy the stack Observability")
        return
    quiet = 0
    for alarm in alarms:
        said, state = f"{alarm['AlarmName']}: {alarm.get('AlarmDescription', '')}", alarm["StateValue"]
        if state == "ALARM":
            yield Sign(Health.BAD, said)
        elif state != "OK" and alarm["AlarmName"].endswith(_SILENT):
            yield Sign(Health.UNKNOWN, f"{alarm['AlarmName']} knows nothing yet: look again within an hour")
        else:
            quiet += 1
    yield Sign(Health.GOOD, f"{quiet} of {len(alarms)} alarms are quiet")


def of_queues(clients: Clients, name: str) -> Iterator[Sign]:
    """Yield a line for each queue: how much waits, and how much was given up."""
    for spec in FUNCTIONS:
        suffix = ".fifo" if spec.fifo else ""
        waiting = _length(clients, f"{name}-{spec.queue}{suffix}")
        dead = _length(clients, f"{name}-{spec.queue}-dead-letters{suffix}")
        if waiting is None or dead is None:
            yield Sign(
                Health.BAD, f"the queue of {spec.name} is not there", "is this the deployment's account, region and --name?"
            )
        elif dead:
            letters = f"{name}-{spec.queue}-dead-letters{suffix}"
            yield Sign(Health.BAD, f"{spec.name}: {dead} dead letters in {letters}, {waiting} waiting", _LETTERS)
        else:
            yield Sign(Health.GOOD, f"{spec.name}: no dead letters, {waiting} waiting")


def _length(clients: Clients, queue: str) -> int | None:
    """About how many messages can be taken from a queue, None where there is none of that name."""
    sqs = clients("sqs")
    with in_core_words(f"queue {queue}"):
        try:
            url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        except sqs.exceptions.QueueDoesNotExist:
            return None
        said = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(said["Attributes"]["ApproximateNumberOfMessages"])
