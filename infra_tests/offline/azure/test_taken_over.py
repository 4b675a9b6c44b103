"""What the embedded host does with a message that its function has taken out of its hands: it leaves it where it is."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from offline.azure.functions_host.delivery import Fate
from offline.azure.functions_host.host_settings import QueueSettings
from offline.azure.functions_host.invoker import Outcome
from offline.azure.functions_host.storage_queues import QueueListener
from offline.azure.storage import Storage


@dataclass
class HidesAndFails:
    """A function that hides its message with what it was given of it, as ``azure_functions/function.py`` does, and fails."""

    storage: Storage
    hidden_s: int
    refused: list[str] = field(default_factory=list)
    settings: Any = field(default_factory=lambda: SimpleNamespace(queues=QueueSettings(max_dequeue_count=3)))

    def invoke(self, function: Any, data: Any, *, metadata: Mapping[str, Any]) -> Outcome:
        queue = self.storage.queues.get_queue_client("orders")
        with contextlib.suppress(HttpResponseError):
            queue.update_message(metadata["Id"].string, metadata["PopReceipt"].string, visibility_timeout=self.hidden_s)
            return Outcome("on_message", "1", "hidden, and failed", None, 0.0)
        self.refused.append(str(json.loads(metadata["DequeueCount"].json)))
        return Outcome("on_message", "1", "failed", None, 0.0)


@pytest.fixture
def function(storage: Storage) -> HidesAndFails:
    storage.create(queues=["orders"])
    storage.queues.get_queue_client("orders").send_message(base64.b64encode(b"{}").decode())
    return HidesAndFails(storage, 600)


def listener_of(function: HidesAndFails) -> QueueListener:
    trigger: Any = SimpleNamespace(name="on_message", trigger={"queueName": "orders"})
    invoker: Any = function
    return QueueListener(trigger, invoker, function.storage.queues, lambda _: None)


def test_it_stays_hidden_for_as_long_as_the_function_said(function: HidesAndFails) -> None:
    listener = listener_of(function)
    assert [each.fate for each in listener.pump(wait=True)] == [Fate.AGAIN]
    assert listener.pump(wait=True) == []  # the host's own timeout would be none at all here
    assert function.refused == []
    assert function.storage.queues.get_queue_client("orders").get_queue_properties().approximate_message_count == 1


def test_where_waits_are_skipped_it_comes_again_at_once_and_each_try_counts(function: HidesAndFails) -> None:
    listener = listener_of(function)
    fates = [each.fate for _ in range(4) for each in listener.pump(wait=False)]
    assert fates == [Fate.AGAIN, Fate.AGAIN, Fate.POISON]
    assert function.refused == ["1", "2", "3"]
    (poison,) = function.storage.queues.get_queue_client("orders-poison").peek_messages()
    assert base64.b64decode(poison.content) == b"{}"
