"""The queue trigger: what the host does with the messages of a storage queue.

Rules: https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue-trigger, "Poison messages" and
"Peek lock", and the settings on the extension's overview page.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueMessage, QueueServiceClient

from offline.azure.functions_host.delivery import Delivery, Fate, document, text
from offline.azure.functions_host.functions import Function
from offline.azure.functions_host.host_settings import QueueSettings
from offline.azure.functions_host.invoker import Invoker, Outcome
from offline.azure.functions_host.library import messages

#: The host hides what it works on for so long, and renews that while it works.
_LEASE_S = 600
_TAKEN_OVER = frozenset({"PopReceiptMismatch", "MessageNotFound", "QueueNotFound", "QueueBeingDeleted"})


class QueueListener:
    """Feeds one function from its queue.

    Parameters
    ----------
    function : Function
    invoker : Invoker
    queues : QueueServiceClient
    watch : callable
        Told of every delivery.
    """

    def __init__(
        self, function: Function, invoker: Invoker, queues: QueueServiceClient, watch: Callable[[Delivery], None]
    ) -> None:
        self.function = function
        self.queue_name = str(function.trigger["queueName"])
        self._invoker, self._watch = invoker, watch
        self._settings: QueueSettings = invoker.settings.queues
        self._queue: QueueClient = queues.get_queue_client(self.queue_name)
        self._poison: QueueClient = queues.get_queue_client(f"{self.queue_name}-poison")
        self._pool = ThreadPoolExecutor(self._settings.batch_size, f"queue-{self.queue_name}")

    def pump(self, *, wait: bool) -> list[Delivery]:
        """Take one batch, work on all of it at once, and say what became of each message.

        Parameters
        ----------
        wait : bool
            Hide what failed for as long as its function says, else for the visibility timeout of ``host.json``. False shows it
            again at once, as if that had passed.
        """
        try:
            taken = list(self._queue.receive_messages(max_messages=self._settings.batch_size, visibility_timeout=_LEASE_S))
        except ResourceNotFoundError:
            return []  # nobody has sent anything yet: the host goes on asking
        return list(self._pool.map(lambda message: self._work_on(message, wait=wait), taken[: self._settings.batch_size]))

    def close(self) -> None:
        """Let the batch end."""
        self._pool.shutdown()

    def _work_on(self, message: QueueMessage, *, wait: bool) -> Delivery:
        body, problem = _decoded(str(message.content), self._settings)
        held = message if wait else self._renewed(message)
        if problem:
            outcome = Outcome(self.function.name, "", problem, None, 0.0)
            delivery = Delivery(self.queue_name, (body,), message.dequeue_count or 1, outcome, Fate.POISON)
        else:
            delivery = self._invoke(message, body)
        match delivery.fate:
            case Fate.DONE:
                with _unless_taken_over():
                    self._queue.delete_message(held)
            case Fate.POISON:
                _send(self._poison, str(message.content))
                with _unless_taken_over():
                    self._queue.delete_message(held)
            case _:
                hidden_s = round(self._settings.visibility_timeout.total_seconds()) if wait else 0
                with _unless_taken_over():
                    self._queue.update_message(held, visibility_timeout=hidden_s)
        self._watch(delivery)
        return delivery

    def _renewed(self, message: QueueMessage) -> QueueMessage:
        """Hold a message on, as the host does when a function takes long: what the function was given of it holds no more.

        So where waits are skipped, the function cannot hide the message for longer than that.
        """
        held: QueueMessage = self._queue.update_message(message.id, message.pop_receipt, visibility_timeout=_LEASE_S)
        return held

    def _invoke(self, message: QueueMessage, body: bytes) -> Delivery:
        attempt = message.dequeue_count or 1
        outcome = self._invoker.invoke(self.function, _data(body), metadata=_metadata(message, body))
        last = attempt >= self._settings.max_dequeue_count
        fate = Fate.DONE if outcome.ok else Fate.POISON if last else Fate.AGAIN
        return Delivery(self.queue_name, (body,), attempt, outcome, fate)


@contextlib.contextmanager
def _unless_taken_over() -> Iterator[None]:
    """What somebody else has taken over meanwhile, or deleted, is left to them: the host says nothing of it.

    Source: ``QueueProcessor.ReleaseMessageAsync`` and ``DeleteMessageAsync`` of the host's extension for storage queues.
    """
    try:
        yield
    except HttpResponseError as error:
        if getattr(error, "error_code", "") not in _TAKEN_OVER:
            raise


def _decoded(content: str, settings: QueueSettings) -> tuple[bytes, str]:
    """Body, and why it is none: a message that cannot be decoded is poison at once."""
    if not settings.base64:
        return content.encode(), ""
    try:
        return base64.b64decode(content, validate=True), ""
    except binascii.Error as problem:
        return content.encode(), f"the message is not base64, as host.json says it is: {problem}"


def _data(body: bytes) -> Any:
    try:
        return messages().TypedData(string=body.decode())
    except UnicodeDecodeError:
        return messages().TypedData(bytes=body)


def _metadata(message: QueueMessage, body: bytes) -> dict[str, Any]:
    times = {
        "InsertionTime": message.inserted_on,
        "ExpirationTime": message.expires_on,
        "NextVisibleTime": message.next_visible_on,
    }
    return {
        "QueueTrigger": text(body.decode(errors="replace")),
        "Id": text(str(message.id)),
        "PopReceipt": text(str(message.pop_receipt)),
        "DequeueCount": document(message.dequeue_count),
        **{name: document(at.isoformat()) for name, at in times.items() if at is not None},
    }


def _send(queue: QueueClient, content: str) -> None:
    """Send to a poison queue, which the host makes when it first needs it."""
    try:
        queue.send_message(content)
    except ResourceNotFoundError:
        with contextlib.suppress(ResourceExistsError):  # another message was poison at the same time
            queue.create_queue()
        queue.send_message(content)
