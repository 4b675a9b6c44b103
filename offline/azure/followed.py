"""The embedded Azure as the demo's timeline follows it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from azure_functions.registry import FUNCTIONS
from offline.azure.embedded import EmbeddedAzure
from offline.azure.functions_host.delivery import Delivery
from offline.report.record import Cloud


class FollowedAzure:
    """The Function app's log stream, and the host's deliveries."""

    cloud = Cloud.AZURE
    functions = tuple(spec.name for spec in FUNCTIONS)

    def __init__(self, azure: EmbeddedAzure) -> None:
        self._azure = azure
        self._seen: dict[str, int] = {}
        self._waiting: list[tuple[str, float]] = []
        self._watch: Callable[[str, float], None] | None = None
        azure.host.watch(self._delivered)

    def new_entries(self, function: str) -> list[dict[str, Any]]:
        """As :class:`offline.followed.FollowedCloud`."""
        logged = self._azure.host.logs(function)
        new = logged[self._seen.get(function, 0) :]
        self._seen[function] = len(logged)
        return [entry for each in new if (entry := _entry(each.record.message)) is not None]

    def drain(self, watch: Callable[[str, float], None]) -> None:
        """As :class:`offline.followed.FollowedCloud`; what was called by HTTP or timer since the last time comes first."""
        waiting, self._waiting = self._waiting, []
        for function, seconds in waiting:
            watch(function, seconds)
        self._watch = watch
        try:
            self._azure.host.drain()
        finally:
            self._watch = None

    def _delivered(self, delivery: Delivery) -> None:
        if self._watch is None:
            self._waiting.append((delivery.outcome.function, delivery.outcome.took_s))
        else:
            self._watch(delivery.outcome.function, delivery.outcome.took_s)


def _entry(message: str) -> dict[str, Any] | None:
    """The app's own lines are JSON objects, with a traceback behind where there is one; SDKs and library write text."""
    try:
        entry = json.loads(message.partition("\n")[0])
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and "message" in entry else None
