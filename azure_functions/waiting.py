"""How long this thread has waited for services, their share of a function's time; what it does meanwhile, and who else waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
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


class _Meanwhile(threading.local):
    work: Callable[[], None] | None = None


_MEANWHILE = _Meanwhile()


@contextmanager
def meanwhile(work: Callable[[], None]) -> Iterator[None]:
    """Do the work once: when a request of the block is on its way and its answer is waited for, at the latest behind the block.

    It is done also where the block raises; what the work itself raises is raised behind it (docs/decisions/146).
    """
    problems: list[Exception] = []

    def once() -> None:
        _MEANWHILE.work = outer
        try:
            work()
        except Exception as problem:  # noqa: BLE001 - within a request it would be taken for the connection's
            problems.append(problem)

    outer, _MEANWHILE.work = _MEANWHILE.work, once
    try:
        yield
    finally:
        if _MEANWHILE.work is once:
            once()
    if problems:
        raise problems[0]


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


def before_an_answer(arrived: Callable[[], bool] = lambda: False) -> None:
    """Do what this thread has to do meanwhile. Wait where it is patient, but not for long: then nothing more is waited for.

    What was done meanwhile counts as waiting, unless the answer has ``arrived`` by then: perhaps nothing was waited for.
    """
    if _MEANWHILE.work is not None:
        started = time.perf_counter()
        _MEANWHILE.work()
        if arrived():
            WAITED.seconds -= time.perf_counter() - started
    computed = _PATIENCE.computed
    if computed is not None and not computed.wait(_UNREAD_S):
        computed.set()
