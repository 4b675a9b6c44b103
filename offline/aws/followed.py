"""The embedded AWS as the demo's timeline follows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lambdas.registry import FUNCTIONS
from offline.aws.embedded import EmbeddedAws
from offline.aws.poller import Delivery
from offline.report.record import Cloud


class FollowedAws:
    """The functions' log groups, and the poller's deliveries."""

    cloud = Cloud.AWS
    functions = tuple(spec.name for spec in FUNCTIONS)

    def __init__(self, aws: EmbeddedAws) -> None:
        self._aws = aws
        self._seen: dict[str, int] = {}

    def new_entries(self, function: str) -> list[dict[str, Any]]:
        """As :class:`offline.followed.FollowedCloud`."""
        entries = self._aws.logs(function)
        new = entries[self._seen.get(function, 0) :]
        self._seen[function] = len(entries)
        return new

    def drain(self, watch: Callable[[str, float], None]) -> None:
        """As :class:`offline.followed.FollowedCloud`."""

        def tell(delivery: Delivery) -> None:
            deployed = delivery.mapping.function_name
            watch(next(name for name in self.functions if deployed.endswith(name.replace("_", "-"))), delivery.duration_s)

        self._aws.drain(watch=tell)
