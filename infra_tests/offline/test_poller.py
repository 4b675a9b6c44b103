"""Whatever functions answer, nothing is lost, nothing is handled twice, and a FIFO group keeps its order."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offline.aws.boto_queues import BotoQueues
from offline.aws.control import QueueDepth
from offline.aws.embedded import EmbeddedAws
from offline.aws.event_source import MAX_PAYLOAD_BYTES, Mapped, Message
from offline.aws.poller import Poller

RECEIVES = 3


@dataclass
class Function:
    """Fails each message as often as the plan says; in a FIFO batch it stops a group at its first failure, as advised."""

    fails: dict[str, int]
    fifo: bool
    handled: list[str] = field(default_factory=list)
    batches: list[list[str]] = field(default_factory=list)
    attempts: Counter[str] = field(default_factory=Counter)

    def __call__(self, arn: str, event: dict[str, Any]) -> tuple[bool, bytes]:
        failures, stopped = [], set()
        self.batches.append([record["body"] for record in event["Records"]])
        for record in event["Records"]:
            name, group = record["body"], record["attributes"].get("MessageGroupId")
            if self.fifo and group in stopped:
                failures.append(record)
                continue
            self.attempts[name] += 1
            if self.attempts[name] <= self.fails[name]:
                failures.append(record)
                stopped.add(group)
            else:
                self.handled.append(name)
        return False, json.dumps({"batchItemFailures": [{"itemIdentifier": each["messageId"]} for each in failures]}).encode()


def _queue(aws: EmbeddedAws, fifo: bool) -> tuple[str, str, str]:
    sqs, suffix, name = aws.client("sqs"), ".fifo" if fifo else "", f"property-{uuid.uuid4().hex}"
    kind = {"FifoQueue": "true"} if fifo else {}
    dead = sqs.create_queue(QueueName=f"{name}-dead{suffix}", Attributes=kind)["QueueUrl"]
    dead_arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": RECEIVES})
    url = sqs.create_queue(QueueName=f"{name}{suffix}", Attributes={"RedrivePolicy": redrive, **kind})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return url, arn, dead


def _bodies(aws: EmbeddedAws, url: str) -> list[str]:
    bodies: list[str] = []
    while found := aws.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in found:
            bodies.append(message["Body"])
            aws.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return bodies


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    plan=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, RECEIVES + 1)), min_size=1, max_size=12),
    batch_size=st.integers(1, 10),
    fifo=st.booleans(),
)
def test_every_message_is_handled_once_or_a_dead_letter(
    bare_aws: EmbeddedAws, plan: list[tuple[str, int]], batch_size: int, fifo: bool
) -> None:
    url, arn, dead = _queue(bare_aws, fifo)
    names = {f"{group}{number:02}": fails for number, (group, fails) in enumerate(plan)}
    for name in names:
        more = {"MessageGroupId": name[0], "MessageDeduplicationId": name} if fifo else {}
        bare_aws.client("sqs").send_message(QueueUrl=url, MessageBody=name, **more)
    function = Function(names, fifo)
    mapped = Mapped("m", arn, "arn:aws:lambda:us-east-1:123456789012:function:f", batch_size, 0, True, 2)

    Poller(BotoQueues(bare_aws.client, bare_aws.control), function, lambda: [mapped], region="us-east-1").drain()

    buried = _bodies(bare_aws, dead)
    assert sorted(function.handled + buried) == sorted(names), "each exactly once, in one place or the other"
    deliveries = Counter(name for batch in function.batches for name in batch)
    assert all(deliveries[name] == RECEIVES for name in buried), "given up only after the last receive"
    assert all(deliveries[name] <= RECEIVES for name in names)
    assert max(map(len, function.batches)) <= batch_size
    if fifo:
        for group in "ab":
            order = [name for name in function.handled if name.startswith(group)]
            assert order == sorted(order)
    else:
        assert {name for name, fails in names.items() if fails >= RECEIVES} == set(buried)


_QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"


class _Recorded:
    """A queue in memory, to see what is received and given back."""

    def __init__(self, sizes: list[int]) -> None:
        self.waiting: list[Message] = [
            {"MessageId": str(number), "ReceiptHandle": "", "Body": "x" * size} for number, size in enumerate(sizes)
        ]
        self.released = 0

    def receive(self, queue_name: str, count: int) -> list[Message]:
        taken, self.waiting = self.waiting[:count], self.waiting[count:]
        return taken

    def delete(self, queue_name: str, messages: Any) -> None:
        pass

    def release(self, queue_name: str, messages: Any) -> None:
        self.released += len(messages)
        self.waiting = [*messages, *self.waiting]

    def depths(self) -> dict[str, QueueDepth]:
        return {_QUEUE: QueueDepth(len(self.waiting), 0, None)}

    def advance_clock(self, seconds: float) -> None:
        raise AssertionError("nothing is hidden")


@pytest.mark.parametrize("count", [3, 25])
def test_a_batch_stays_below_the_payload_limit_and_gives_back_the_rest(count: int) -> None:
    queue, batches = _Recorded([MAX_PAYLOAD_BYTES // 3] * count), []

    def invoke(arn: str, event: dict[str, Any]) -> tuple[bool, bytes]:
        batches.append(len(event["Records"]))
        return False, b""

    mapped = Mapped("m", _QUEUE, "arn:aws:lambda:us-east-1:123456789012:function:f", 100, 0, True, 2)
    Poller(queue, invoke, lambda: [mapped], region="us-east-1").drain()
    assert sum(batches) == count
    assert max(batches) == 2, "three thirds and their envelopes are more than the limit"
    assert queue.released
