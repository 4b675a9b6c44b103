"""Batches of an event hub, as the functions take them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, List  # noqa: UP035 - see Events

import azure.functions as func

from azure_functions.function import Message
from azure_functions.registry import CONSUMER_GROUP, HUB_CONNECTION

#: A batch is tried again for as long as it takes: meanwhile the checkpoint stays before it. See docs/architecture.md.
_PAUSE = "00:00:10"
#: What a function's ``events`` are. The worker refuses ``list[…]`` in the annotation of a trigger.
Events = List[func.EventHubEvent]  # noqa: UP006


def batches_of(blueprint: func.Blueprint, hub: str) -> Callable[[Callable[..., Any]], Any]:
    """Decorate a function that takes ``events`` and ``context``: batches of this hub, never given up."""

    def decorate(function: Callable[..., Any]) -> Any:
        triggered = blueprint.event_hub_message_trigger(
            arg_name="events",
            event_hub_name=hub,
            connection=HUB_CONNECTION,
            consumer_group=CONSUMER_GROUP,
            cardinality=func.Cardinality.MANY,
            data_type=func.DataType.BINARY,
        )(function)
        return blueprint.retry(strategy="fixed_delay", max_retry_count="-1", delay_interval=_PAUSE)(triggered)

    return decorate


def messages_of(hub: str, events: Sequence[func.EventHubEvent]) -> list[Message]:
    """Return the events of a batch. Two with the same body (an export repeats for hours) are the same message."""
    messages = [Message.of(hub, event.get_body()) for event in events]
    return list({message.id: message for message in messages}.values())


def tries_before(context: func.Context) -> int:
    """Return how often this batch failed before."""
    return int(getattr(context.retry_context, "retry_count", 0) or 0)
