"""What the demo's timeline needs of an embedded cloud: its functions' logs, and to let it work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from offline.report.record import Cloud


class FollowedCloud(Protocol):
    """An embedded cloud, seen through what its functions log."""

    @property
    def cloud(self) -> Cloud:
        """Which one."""
        ...

    @property
    def functions(self) -> Sequence[str]:
        """Names of its functions."""
        ...

    def new_entries(self, function: str) -> list[dict[str, Any]]:
        """Log entries of a function since the last look, as the objects that it logged."""
        ...

    def drain(self, watch: Callable[[str, float], None]) -> None:
        """Let the functions work until nothing is left to do; ``watch`` gets each delivery's function and seconds."""
        ...
