"""Storage queues: the queue of verdicts, and the dead letters of a function. Bodies are base64, as the Functions host expects."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from azure_functions.clients import Clients
from azure_functions.cloud_errors import CloudRefusal, in_core_words
from azure_functions.registry import LINK_ANSWERS, LINK_UNDOS, VERDICTS, Group
from response.signals import fitted
from shared_model.errors import CloudUnavailable
from shared_model.verdicts import Verdict

if TYPE_CHECKING:
    from azure_functions.adapters.lake import Lake

#: A message may have 64 KiB, which are 48 KiB before base64.
LARGEST = 48 * 1024
#: The reason is for a person to read.
_LONGEST = 1000


class VerdictQueue:
    """Queue ``verdicts``. It keeps no order and no one message apart: the journal's numbered appends do both."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def send(self, verdicts: Sequence[Verdict]) -> None:
        """Send all of them. Raises CloudUnavailable when one could not be sent; sending again is safe."""
        for verdict in verdicts:
            _send(self._clients, VERDICTS, fitted(verdict, LARGEST), Group.DETECT)


class PageQueues:
    """Queues ``link-answers`` and ``link-undos``, as the page sends to them."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def answer(self, body: str) -> None:
        """Send one answer. Raises CloudUnavailable."""
        self._send(LINK_ANSWERS, body)

    def undo(self, body: str) -> None:
        """Send one request for an undo. Raises CloudUnavailable."""
        self._send(LINK_UNDOS, body)

    def _send(self, queue: str, body: str) -> None:
        try:
            _send(self._clients, queue, body, Group.PAGE)
        except CloudRefusal as refusal:
            raise CloudUnavailable(str(refusal)) from refusal


class SourceQueue:
    """The queue that feeds a function.

    Parameters
    ----------
    clients : Clients
    queue : str
    group : Group
        As which the host takes its messages: it may change them too.
    """

    def __init__(self, clients: Clients, queue: str, group: Group) -> None:
        self._clients = clients
        self._queue = queue
        self._group = group

    def show_again(self, message_id: str, receipt: str, after_s: int) -> None:
        """Say when a message that was not handled is to be delivered again.

        It takes the message out of the host's hands, which then leaves it as it is: what it put back itself would come after
        its one timeout (docs/decisions/157). Raises CloudUnavailable, CloudRefusal.
        """
        with in_core_words(f"queue {self._queue}"):
            queue = self._clients("queues", self._group).get_queue_client(self._queue)
            queue.update_message(message_id, receipt, visibility_timeout=after_s)


class DeadLetters:
    """Where a message goes that can never succeed: its body untouched, and beside it what is wrong with it.

    Parameters
    ----------
    clients : Clients
    queue : str
        ``<name>-dead-letters``.
    lake : Lake
        Takes a body that is too large for a queue; the message then names the blob.
    group : Group
    """

    def __init__(self, clients: Clients, queue: str, lake: Lake, group: Group) -> None:
        self._clients = clients
        self._queue = queue
        self._lake = lake
        self._group = group

    def send(self, body: bytes, *, message_id: str, reason: str, source: str, record: int, field: str) -> None:
        """Send one message. Raises CloudUnavailable when it was not taken."""
        letter: dict[str, Any] = {
            "reason": reason[:_LONGEST],
            "source": source[:_LONGEST],
            "record": record,
            "field": field[:_LONGEST],
            "message_id": message_id[:_LONGEST],
        }
        text = json.dumps({**letter, **_body(body)})
        if len(text) > LARGEST:
            digest = hashlib.sha256(body).hexdigest()
            blob = self._lake.put_dead_letter(body, name=f"{self._queue}/{digest}")
            text = json.dumps({**letter, "body_blob": blob})
        _send(self._clients, self._queue, text, self._group)


def _body(body: bytes) -> dict[str, str]:
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode()}


def _send(clients: Clients, queue: str, text: str, group: Group) -> None:
    from azure.storage.queue import TextBase64EncodePolicy

    with in_core_words(f"queue {queue}"):
        client = clients("queues", group).get_queue_client(queue, message_encode_policy=TextBase64EncodePolicy())
        client.send_message(text, time_to_live=-1)  # for ever; the platform's own choice would be seven days
