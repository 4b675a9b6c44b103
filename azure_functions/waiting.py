"""How long this thread has waited for services: their share of a function's time, not its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class _Waited(threading.local):
    seconds = 0.0


WAITED = _Waited()


@contextmanager
def waiting() -> Iterator[None]:
    """Count the block's time as waiting: for calls that other threads make on this one's behalf."""
    started = time.perf_counter()
    try:
        yield
    finally:
        WAITED.seconds += time.perf_counter() - started
