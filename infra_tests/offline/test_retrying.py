"""What a function gives back comes again soon and each time later; where the queue cannot be told, when its own time is over."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from cdk.queues import MAX_RECEIVES
from lambdas.function import RETRY_AFTER_S, Function, Message
from lambdas.settings import Settings
from offline.aws.boto_queues import BotoQueues
from offline.aws.embedded import EmbeddedAws
from offline.aws.event_source import Mapped
from offline.aws.poller import Poller
from shared_model.errors import CloudUnavailable

HIDDEN_S = 360


@dataclass
class Timed(BotoQueues):
    """Queues that count the virtual time that a poller lets pass."""

    aws: EmbeddedAws
    passed_s: float = 0.0

    def __post_init__(self) -> None:
        super().__init__(self.aws.client, self.aws.control)

    def advance_clock(self, seconds: float) -> None:
        self.passed_s += seconds
        super().advance_clock(seconds)


class _Clients:
    waited_s = 0.0

    def __init__(self, aws: EmbeddedAws) -> None:
        self._aws = aws

    def __call__(self, service: str, region: str = "", *, once: bool = False) -> Any:
        return self._aws.client(service)


@dataclass
class Fed:
    """A queue, and a function behind it that fails as a test says."""

    aws: EmbeddedAws
    fifo: bool
    fails: Callable[[Message], Exception | None]
    #: Of each try: the body, and the virtual second.
    tries: list[tuple[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        sqs, suffix, name = self.aws.client("sqs"), ".fifo" if self.fifo else "", f"again-{uuid.uuid4().hex}"
        kind = {"FifoQueue": "true"} if self.fifo else {}
        self.dead = sqs.create_queue(QueueName=f"{name}-dead{suffix}", Attributes=kind)["QueueUrl"]
        redrive = json.dumps({"deadLetterTargetArn": self._arn(self.dead), "maxReceiveCount": MAX_RECEIVES})
        attributes = {"RedrivePolicy": redrive, "VisibilityTimeout": str(HIDDEN_S), **kind}
        self.url = sqs.create_queue(QueueName=f"{name}{suffix}", Attributes=attributes)["QueueUrl"]
        settings = Settings(queue_url=self.url, dead_letter_queue_url=self.dead)
        self.function = Function("respond", needs=(), clients=_Clients(self.aws), settings=settings)
        self.queues = Timed(self.aws)

    def send(self, body: str, group: str = "a") -> None:
        more = {"MessageGroupId": group, "MessageDeduplicationId": uuid.uuid4().hex} if self.fifo else {}
        self.aws.client("sqs").send_message(QueueUrl=self.url, MessageBody=body, **more)

    def drain(self) -> None:
        mapped = Mapped("m", self._arn(self.url), "arn:aws:lambda:us-east-1:123456789012:function:f", 10, 0, True, 2)
        Poller(self.queues, self._invoke, lambda: [mapped], region="us-east-1").drain()

    def buried(self) -> list[str]:
        return [message["Body"] for message in self.queues.peek(self.dead.rpartition("/")[2])]

    def _invoke(self, _: str, event: dict[str, Any]) -> tuple[bool, bytes]:
        return False, json.dumps(self.function.run(event, self._handle)).encode()

    def _handle(self, message: Message) -> None:
        self.tries.append((message.body, round(self.queues.passed_s)))
        if (problem := self.fails(message)) is not None:
            raise problem

    def _arn(self, url: str) -> str:
        asked = self.aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str(asked["Attributes"]["QueueArn"])


def fails_until(deliveries: int, *bodies: str) -> Callable[[Message], Exception | None]:
    def fails(message: Message) -> Exception | None:
        down = message.deliveries <= deliveries and (not bodies or message.body in bodies)
        return CloudUnavailable("the service is down") if down else None

    return fails


def sums(*delays: int) -> Iterator[int]:
    total = 0
    yield total
    for delay in delays:
        total += delay
        yield total


def test_what_a_cloud_could_not_take_is_tried_again_in_seconds_and_each_time_later(bare_aws: EmbeddedAws) -> None:
    fed = Fed(bare_aws, fifo=True, fails=fails_until(4))
    fed.send("verdict")
    fed.drain()
    assert [second for _, second in fed.tries] == pytest.approx([*sums(10, 20, 40, 80)], abs=3)
    assert fed.buried() == []


def test_of_a_batch_only_what_failed_comes_again_and_soon(bare_aws: EmbeddedAws) -> None:
    fed = Fed(bare_aws, fifo=False, fails=fails_until(1, "twice"))
    for body in ("once", "twice", "also once"):
        fed.send(body)
    fed.drain()
    assert sorted(body for body, _ in fed.tries) == ["also once", "once", "twice", "twice"]
    assert fed.queues.passed_s == pytest.approx(10, abs=2)


def test_what_waits_behind_a_failure_in_its_group_holds_it_up_no_longer(bare_aws: EmbeddedAws) -> None:
    """SQS hands out nothing of a group while any of it is hidden: those that were never tried must come as soon."""
    fed = Fed(bare_aws, fifo=True, fails=fails_until(2, "a1"))
    for body in ("a1", "a2", "b1", "a3"):
        fed.send(body, group=body[0])
    fed.drain()
    assert [body for body, _ in fed.tries if body[0] == "a"] == ["a1", "a1", "a1", "a2", "a3"]
    assert [body for body, _ in fed.tries if body[0] == "b"] == ["b1"]
    assert fed.queues.passed_s == pytest.approx(30, abs=3)


def test_what_never_succeeds_is_tried_for_about_half_an_hour_before_it_is_a_dead_letter(bare_aws: EmbeddedAws) -> None:
    fed = Fed(bare_aws, fifo=True, fails=fails_until(MAX_RECEIVES))
    fed.send("verdict")
    fed.drain()
    later = [*RETRY_AFTER_S, *[HIDDEN_S] * (MAX_RECEIVES - 1 - len(RETRY_AFTER_S))]
    assert [second for _, second in fed.tries] == pytest.approx([*sums(*later)], abs=12)
    assert fed.buried() == ["verdict"]


def test_where_the_queue_cannot_be_told_it_comes_when_its_own_time_is_over(
    bare_aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    fed = Fed(bare_aws, fifo=True, fails=fails_until(1))

    def down(after_s: object) -> None:
        raise CloudUnavailable("SQS is down too")

    monkeypatch.setattr(fed.function.queue, "show_again", down)
    fed.send("verdict")
    fed.drain()
    assert [second for _, second in fed.tries] == pytest.approx([0, HIDDEN_S], abs=2)


def test_a_batch_that_is_larger_than_a_call_is_told_whole(bare_aws: EmbeddedAws) -> None:
    fed = Fed(bare_aws, fifo=False, fails=fails_until(0))
    for number in range(13):
        fed.send(f"{number}")
    name = fed.url.rpartition("/")[2]
    received = [*fed.queues.receive(name, 10), *fed.queues.receive(name, 10)]
    fed.function.queue.show_again(dict.fromkeys((each["ReceiptHandle"] for each in received), 0))
    fed.drain()
    assert sorted(body for body, _ in fed.tries) == sorted(map(str, range(13)))
    assert fed.queues.passed_s == 0


def test_one_message_that_cannot_be_told_is_said_and_the_others_are_told(bare_aws: EmbeddedAws) -> None:
    fed = Fed(bare_aws, fifo=False, fails=fails_until(0))
    fed.send("verdict")
    (received,) = fed.queues.receive(fed.url.rpartition("/")[2], 10)
    with pytest.raises(CloudUnavailable, match="1 messages stay hidden"):
        fed.function.queue.show_again({received["ReceiptHandle"]: 0, "no receipt of anything": 0})
    fed.drain()
    assert fed.tries == [("verdict", 0)]
