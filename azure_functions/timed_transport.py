"""HTTP for every client: one pool of connections, and a clock on what the services take."""

from __future__ import annotations

from typing import Any

from azure.core.exceptions import ServiceResponseError, ServiceResponseTimeoutError
from azure.core.pipeline.transport import RequestsTransport

from azure_functions.waiting import waiting


class Timed(RequestsTransport):  # type: ignore[misc]  # azure-core types it only where it is private
    """Counts requests, and the pauses between their attempts, as waiting."""

    def send(self, request: Any, **options: Any) -> Any:
        """Send the request, on the clock.

        A POST whose connection broke before the answer is sent once more: a server may close a connection that lay idle at
        the very moment it is used again. The SDKs do so for every other method. Nothing is done twice by it that the
        redelivery of a message would not do: every write of the app can be repeated.
        """
        with waiting():
            try:
                return super().send(request, **options)
            except ServiceResponseTimeoutError:
                raise
            except ServiceResponseError:
                if request.method != "POST":
                    raise
                return super().send(request, **options)

    def sleep(self, duration: float) -> None:
        """Pause before the next attempt, on the clock."""
        with waiting():
            super().sleep(duration)

    def close(self) -> None:
        """Stay open: one client that is closed does not close it for the others."""
