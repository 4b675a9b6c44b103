"""HTTP for every client: one pool of connections, and a clock on what the services take."""

from __future__ import annotations

from typing import Any

from azure.core.pipeline.transport import RequestsTransport

from azure_functions.waiting import waiting


class Timed(RequestsTransport):  # type: ignore[misc]  # azure-core types it only where it is private
    """Counts requests, and the pauses between their attempts, as waiting."""

    def send(self, request: Any, **options: Any) -> Any:
        """Send the request, on the clock."""
        with waiting():
            return super().send(request, **options)

    def sleep(self, duration: float) -> None:
        """Pause before the next attempt, on the clock."""
        with waiting():
            super().sleep(duration)

    def close(self) -> None:
        """Stay open: one client that is closed does not close it for the others."""
