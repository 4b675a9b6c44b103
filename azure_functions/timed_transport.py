"""HTTP for every client: one pool of connections, and a clock on what the services take."""

from __future__ import annotations

import threading
import time
from typing import Any

from azure.core.pipeline.transport import RequestsTransport


class Timed(RequestsTransport):  # type: ignore[misc]  # azure-core types it only where it is private
    """Adds up, for each thread, the time spent in requests and in the pauses between attempts."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._thread = threading.local()

    @property
    def waited_s(self) -> float:
        """Seconds this thread has waited so far."""
        return float(getattr(self._thread, "seconds", 0.0))

    def send(self, request: Any, **options: Any) -> Any:
        """Send the request, on the clock."""
        started = time.perf_counter()
        try:
            return super().send(request, **options)
        finally:
            self._add(time.perf_counter() - started)

    def sleep(self, duration: float) -> None:
        """Pause before the next attempt, on the clock."""
        super().sleep(duration)
        self._add(duration)

    def close(self) -> None:
        """Stay open: one client that is closed does not close it for the others."""

    def _add(self, seconds: float) -> None:
        self._thread.seconds = self.waited_s + seconds
