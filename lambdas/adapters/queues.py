"""SQS: the queue of verdicts, the queue that feeds a function, and its dead letters."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from lambdas.clients import Clients
from lambdas.cloud_errors import CloudRefusal, in_core_words
from shared_model.errors import CloudUnavailable
from shared_model.verdicts import Verdict

#: What SQS takes in one call, and in a group id.
_BATCH = 10
_GROUP = re.compile(r"[\w!\"#$%&'()*+,\-./:;<=>?@\[\\\]^`{|}~]{1,128}", re.ASCII)
#: An attribute value may not be empty, and is for a person to read.
_ABSENT, _LONGEST = "-", 1000


class VerdictQueue:
    """FIFO queue of verdicts: one group per entity, one message per verdict id."""

    def __init__(self, clients: Clients, url: str) -> None:
        self._clients = clients
        self._url = url

    def send(self, verdicts: Sequence[Verdict]) -> None:
        """Send all of them. Raises CloudUnavailable when one could not be sent; sending again is safe."""
        for start in range(0, len(verdicts), _BATCH):
            entries = [_entry(index, verdict) for index, verdict in enumerate(verdicts[start : start + _BATCH])]
            with in_core_words("verdict queue"):
                answer = self._clients("sqs").send_message_batch(QueueUrl=self._url, Entries=entries)
            if failed := answer.get("Failed"):
                raise CloudUnavailable(f"verdict queue: {len(failed)} verdicts were not taken: {failed[0].get('Message', '')}")


class AnswerQueue:
    """Queue of answers to proposals, as the page sends to it."""

    def __init__(self, clients: Clients, url: str) -> None:
        self._clients = clients
        self._url = url

    def send(self, body: str) -> None:
        """Send one answer. Raises CloudUnavailable."""
        try:
            with in_core_words("answer queue"):
                self._clients("sqs").send_message(QueueUrl=self._url, MessageBody=body)
        except CloudRefusal as refusal:
            raise CloudUnavailable(str(refusal)) from refusal


class SourceQueue:
    """The queue that feeds a function: it hides each message for as long as the function may work on it."""

    def __init__(self, clients: Clients, url: str) -> None:
        self._clients = clients
        self._url = url

    def show_again(self, after_s: Mapping[str, int]) -> None:
        """Let messages, by their receipts, come again after so many seconds. Raises CloudUnavailable where one stays hidden."""
        every = [
            {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
            for number, (receipt, seconds) in enumerate(after_s.items())
        ]
        late = list[str]()
        for start in range(0, len(every), _BATCH):
            with in_core_words("source queue"):
                answer = self._clients("sqs").change_message_visibility_batch(
                    QueueUrl=self._url, Entries=every[start : start + _BATCH]
                )
            late += [each.get("Message", "") for each in answer.get("Failed", ())]
        if late:
            raise CloudUnavailable(f"source queue: {len(late)} messages stay hidden as long as their queue hides them: {late[0]}")


class DeadLetters:
    """Where a message goes that can never succeed: its body untouched, the reason beside it."""

    def __init__(self, clients: Clients, url: str) -> None:
        self._clients = clients
        self._url = url

    def send(self, body: str, *, message_id: str, reason: str, source: str, record: int, field: str) -> None:
        """Send one message. Raises CloudUnavailable when it was not taken."""
        values = {"reason": reason, "source": source, "record": str(record), "field": field, "message_id": message_id}
        message: dict[str, Any] = {
            "QueueUrl": self._url,
            "MessageBody": body,
            "MessageAttributes": {name: _attribute(value) for name, value in values.items()},
        }
        if self._url.endswith(".fifo"):
            message |= {"MessageGroupId": "dead-letters", "MessageDeduplicationId": _hash(message_id + body)}
        with in_core_words("dead letters"):
            self._clients("sqs").send_message(**message)


def group_id(entity_key: str) -> str:
    """Return the FIFO group of an entity: its key, or a hash where SQS does not take the key as it is."""
    return entity_key if _GROUP.fullmatch(entity_key) else _hash(entity_key)


def _entry(index: int, verdict: Verdict) -> dict[str, str]:
    return {
        "Id": str(index),
        "MessageBody": verdict.to_json(),
        "MessageGroupId": group_id(verdict.entity.key),
        "MessageDeduplicationId": verdict.id,
    }


def _attribute(value: str) -> dict[str, str]:
    # SQS takes no control characters but tab and line ends.
    printable = "".join(c if c.isprintable() else " " for c in value[:_LONGEST])
    return {"DataType": "String", "StringValue": printable.strip() or _ABSENT}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
