"""What the host did with what a trigger brought."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from offline.azure.functions_host.invoker import Outcome
from offline.azure.functions_host.library import messages


class Fate(StrEnum):
    """Where a message, event or batch is after an invocation."""

    DONE = "done"
    AGAIN = "again"
    POISON = "poison"
    #: Event hubs only: the tries are used up, and the checkpoint goes on all the same.
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One invocation by a trigger.

    Attributes
    ----------
    source : str
        Queue, event hub, blob or schedule.
    bodies : tuple of bytes
        What was delivered: one message, a batch of events; a blob's content is left out.
    attempt : int
        1 for the first.
    outcome : Outcome
    fate : Fate
    """

    source: str
    bodies: tuple[bytes, ...]
    attempt: int
    outcome: Outcome
    fate: Fate


class NotDraining(Exception):
    """Something fails again and again and, by the function's own policy, is tried for ever. Carries the last error."""


def text(value: str) -> Any:
    """A TypedData that holds text."""
    return messages().TypedData(string=value)


def document(value: Any) -> Any:
    """A TypedData that holds JSON."""
    return messages().TypedData(json=json.dumps(value))
