"""How long this thread has waited for services, their share of a function's time; and who waits with an answer for others."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

#: How long an answer lies unread at most.
_UNREAD_S = 0.01


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


class _Patience(threading.local):
    computed: threading.Event | None = None


_PATIENCE = _Patience()


@contextmanager
def patient(computed: threading.Event) -> Iterator[None]:
    """Send the block's requests at once, and leave their answers unread until another thread has computed what it computes.

    Threads share one interpreter: to read an answer takes from the other's time as long as it takes (docs/decisions/138).
    """
    _PATIENCE.computed = computed
    try:
        yield
    finally:
        _PATIENCE.computed = None


def before_an_answer() -> None:
    """Wait where this thread is patient, but not for long: then nothing more is waited for."""
    computed = _PATIENCE.computed
    if computed is not None and not computed.wait(_UNREAD_S):
        computed.set()
