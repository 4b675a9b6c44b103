"""SQS through its public API, as the poller needs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from offline.aws.control import Control, QueueDepth
from offline.aws.event_source import Message


class BotoQueues:
    """:class:`~offline.aws.poller.Queues` over boto3.

    Parameters
    ----------
    client : callable
        ``service -> boto3 client``.
    control : Control
        Depths and clock, which SQS's own API does not give exactly.
    """

    def __init__(self, client: Callable[[str], Any], control: Control) -> None:
        self._client, self._control = client, control
        self._urls: dict[str, str] = {}

    def receive(self, queue_name: str, count: int, **more: Any) -> list[Message]:
        answer = self._client("sqs").receive_message(
            QueueUrl=self._url(queue_name),
            MaxNumberOfMessages=count,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
            **more,
        )
        return list(answer.get("Messages", ()))

    def delete(self, queue_name: str, messages: Sequence[Message]) -> None:
        for message in messages:
            self._client("sqs").delete_message(QueueUrl=self._url(queue_name), ReceiptHandle=message["ReceiptHandle"])

    def release(self, queue_name: str, messages: Sequence[Message]) -> None:
        for message in messages:
            self._client("sqs").change_message_visibility(
                QueueUrl=self._url(queue_name), ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )

    def depths(self) -> dict[str, QueueDepth]:
        return self._control.queues()

    def advance_clock(self, seconds: float) -> None:
        self._control.advance_clock(seconds)

    def peek(self, queue_name: str) -> list[dict[str, Any]]:
        """Every visible message of a queue that no function reads; they stay there."""
        found: dict[str, dict[str, Any]] = {}
        while new := [
            message for message in self.receive(queue_name, 10, VisibilityTimeout=1) if message["MessageId"] not in found
        ]:
            found |= {message["MessageId"]: dict(message) for message in new}
        self.advance_clock(1.01)
        return list(found.values())

    def _url(self, queue_name: str) -> str:
        if queue_name not in self._urls:
            self._urls[queue_name] = self._client("sqs").get_queue_url(QueueName=queue_name)["QueueUrl"]
        return self._urls[queue_name]
