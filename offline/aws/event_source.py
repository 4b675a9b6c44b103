"""What Lambda's SQS event source does with one batch: the event it builds, and how it reads the function's answer.

Pure; the loop around it is :mod:`offline.aws.poller`. Source of the rules:
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html and
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: A batch's payload is at most 6 MB; what each message's envelope takes is counted too.
MAX_PAYLOAD_BYTES = 6 * 1024 * 1024
_ENVELOPE_BYTES = 1024

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Mapped:
    """An event source mapping as it was deployed.

    Attributes
    ----------
    id : str
    queue_arn, function_arn : str
    batch_size : int
    window_s : int
        How long to gather after the first message.
    reports_failures : bool
        ``ReportBatchItemFailures`` is among the response types.
    max_concurrency : int
        Invocations at the same time; Lambda's least is 2.
    """

    id: str
    queue_arn: str
    function_arn: str
    batch_size: int
    window_s: int
    reports_failures: bool
    max_concurrency: int

    @classmethod
    def from_api(cls, answer: Mapping[str, Any]) -> Mapped:
        """Read one element of ``ListEventSourceMappings``."""
        return cls(
            id=answer["UUID"],
            queue_arn=answer["EventSourceArn"],
            function_arn=answer["FunctionArn"],
            batch_size=answer.get("BatchSize", 10),
            window_s=answer.get("MaximumBatchingWindowInSeconds") or 0,
            reports_failures="ReportBatchItemFailures" in (answer.get("FunctionResponseTypes") or ()),
            max_concurrency=(answer.get("ScalingConfig") or {}).get("MaximumConcurrency", 2),
        )

    @property
    def fifo(self) -> bool:
        """Whether the queue keeps the order within a message group."""
        return self.queue_arn.endswith(".fifo")

    @property
    def queue_name(self) -> str:
        """Last part of the queue's ARN."""
        return self.queue_arn.rsplit(":", 1)[-1]

    @property
    def function_name(self) -> str:
        """Last part of the function's ARN."""
        return self.function_arn.rsplit(":", 1)[-1]


def size_of(message: Message) -> int:
    """Bytes that a message takes of the batch's payload."""
    return len(message["Body"].encode()) + _ENVELOPE_BYTES


def event_of(mapped: Mapped, messages: Sequence[Message], region: str) -> dict[str, Any]:
    """Build the event that the function gets (``Records``), from messages as ReceiveMessage returns them."""
    return {"Records": [_record(mapped, message, region) for message in messages]}


def handled(mapped: Mapped, message_ids: Sequence[str], *, error: bool, answer: bytes) -> frozenset[str]:
    """Ids of the messages that are done and get deleted; the others stay hidden for their visibility timeout.

    Parameters
    ----------
    mapped : Mapped
    message_ids : sequence of str
        The batch.
    error : bool
        The function raised, timed out or its process ended: nothing is done.
    answer : bytes
        What it returned. Read only when the mapping has ``ReportBatchItemFailures``: nothing, ``{}``, ``null`` and an
        empty or null list mean that all is done; an answer that is no JSON, an entry without an
        ``itemIdentifier`` or with an empty, null or unknown one means that nothing is.
    """
    everything, nothing = frozenset(message_ids), frozenset[str]()
    if error:
        return nothing
    if not mapped.reports_failures or not answer.strip():
        return everything
    try:
        document = json.loads(answer)
    except ValueError:
        return nothing
    if document is None:
        return everything
    if not isinstance(document, dict):
        return nothing
    failures = document.get("batchItemFailures")
    if failures is None:
        return everything
    if not isinstance(failures, list):
        return nothing
    failed = {_identifier(entry) for entry in failures}
    return everything - failed if failed <= everything else nothing


def _identifier(entry: Any) -> str:
    identifier = entry.get("itemIdentifier") if isinstance(entry, dict) else None
    return identifier if isinstance(identifier, str) else ""


def _record(mapped: Mapped, message: Message, region: str) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message.get("Attributes", {})),
        "messageAttributes": {name: _attribute(value) for name, value in message.get("MessageAttributes", {}).items()},
        "md5OfBody": message.get("MD5OfBody", ""),
        "eventSource": "aws:sqs",
        "eventSourceARN": mapped.queue_arn,
        "awsRegion": region,
    }


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    attribute: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    if "StringValue" in value:
        attribute["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        attribute["binaryValue"] = value["BinaryValue"].decode("ascii", errors="replace")
    return attribute
