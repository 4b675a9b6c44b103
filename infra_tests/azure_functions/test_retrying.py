"""What a function of a queue gives back comes again soon and each time later, as on AWS; what the host then does with it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.functions.queue import QueueMessage as Delivery
from azure.storage.queue import QueueClient

from azure_functions.function import RETRY_AFTER_S, Function, Message
from infra_tests.azure_functions.app import App
from lambdas.function import RETRY_AFTER_S as ON_AWS
from shared_model.errors import CloudUnavailable

#: Six times the timeout of the function, in ``cdk/queues.py``: what comes after these on AWS.
_HIDDEN_ON_AWS_S = 360


def delivered(message: Any, *, deliveries: int) -> Message:
    """A message as the host hands it over."""
    body = base64.b64decode(message.content)
    return Message.queued(
        "verdicts", Delivery(id=message.id, body=body, pop_receipt=message.pop_receipt, dequeue_count=deliveries)
    )


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """For how many seconds messages were hidden."""
    seconds: list[Any] = []
    update: Callable[..., Any] = QueueClient.update_message

    def updates(self: Any, *arguments: Any, **options: Any) -> Any:
        seconds.append(options["visibility_timeout"])
        return update(self, *arguments, **options)

    monkeypatch.setattr(QueueClient, "update_message", updates)
    return seconds


def function_of(app: App, name: str = "respond") -> Function:
    return Function(name, needs=(), clients=app.clients, settings=app.settings, clock=lambda: app.now_ms)


def fails(_: Message) -> None:
    raise CloudUnavailable("Resource Manager does not answer")


def test_an_outage_is_waited_out_for_half_an_hour_as_on_aws(app: App, told: list[Any]) -> None:
    queue = app.storage.queues.get_queue_client("verdicts")
    queue.send_message("e30=")
    (message,) = queue.receive_messages(visibility_timeout=600)
    for deliveries in range(1, len(RETRY_AFTER_S) + 1):
        outcome = function_of(app).run((delivered(message, deliveries=deliveries),), fails)
        assert isinstance(outcome.failure, CloudUnavailable)
    assert told == list(RETRY_AFTER_S)
    assert told[: len(ON_AWS)] == list(ON_AWS)
    assert set(told[len(ON_AWS) :]) == {_HIDDEN_ON_AWS_S}
    assert 27 * 60 < sum(told) < 33 * 60


def test_it_is_out_of_the_hosts_hands_then_and_stays_where_it_was_put(app: App) -> None:
    queue = app.storage.queues.get_queue_client("verdicts")
    queue.send_message("e30=")
    (message,) = queue.receive_messages(visibility_timeout=600)
    function_of(app).run((delivered(message, deliveries=1),), fails)
    with pytest.raises(HttpResponseError) as refused:  # as the host does, when a function has failed
        queue.update_message(message, visibility_timeout=0)
    assert refused.value.error_code in ("PopReceiptMismatch", "MessageNotFound")
    assert list(queue.receive_messages()) == []
    assert queue.get_queue_properties().approximate_message_count == 1


@pytest.mark.parametrize("deliveries", [0, len(RETRY_AFTER_S) + 1])
def test_of_the_last_delivery_the_host_makes_poison(app: App, told: list[Any], deliveries: int) -> None:
    queue = app.storage.queues.get_queue_client("verdicts")
    queue.send_message("e30=")
    (message,) = queue.receive_messages(visibility_timeout=600)
    function_of(app).run((delivered(message, deliveries=deliveries),), fails)
    assert told == []
    queue.delete_message(message)  # it still holds it


def test_what_is_handled_or_buried_is_left_to_the_host(app: App, told: list[Any]) -> None:
    queue = app.storage.queues.get_queue_client("verdicts")
    queue.send_message("e30=")
    (message,) = queue.receive_messages(visibility_timeout=600)
    assert function_of(app).run((delivered(message, deliveries=1),), lambda _: None).failure is None
    assert told == []


def test_a_message_that_changed_hands_comes_when_the_host_says_and_the_failure_is_the_one_that_was(app: App) -> None:
    queue = app.storage.queues.get_queue_client("verdicts")
    queue.send_message("e30=")
    (message,) = queue.receive_messages(visibility_timeout=600)
    queue.update_message(message.id, message.pop_receipt, visibility_timeout=600)
    outcome = function_of(app).run((delivered(message, deliveries=1),), fails)
    assert str(outcome.failure) == "Resource Manager does not answer"
    (line,) = app.lines("comes again when the host says")
    assert "queue verdicts" in line["reason"]


def test_a_request_for_an_undo_is_put_back_as_whoever_takes_it(app: App, told: list[Any]) -> None:
    """Nobody else may: the fixture of the app objects to what the deployed roles do not allow."""
    queue = app.storage.queues.get_queue_client("containments")
    queue.send_message("e30=")
    (message,) = queue.receive_messages(visibility_timeout=600)
    function_of(app, "undo_containment").run((delivered(message, deliveries=2),), fails)
    assert told == [RETRY_AFTER_S[1]]
