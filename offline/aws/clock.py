"""The queues' clock: real time plus what a test has skipped, so that nothing waits for a visibility timeout."""

from __future__ import annotations

import threading
import time


class Clock:
    """Seconds since the epoch that can be moved forward, never back."""

    def __init__(self) -> None:
        self._skipped = 0.0
        self._lock = threading.Lock()

    def now(self) -> float:
        """Present time in seconds."""
        return time.time() + self._skipped

    def advance(self, seconds: float) -> None:
        """Move forward. Raises ValueError for a negative amount."""
        if seconds < 0:
            raise ValueError(f"cannot move the clock back by {-seconds} s")
        with self._lock:
            self._skipped += seconds
