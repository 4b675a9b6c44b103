"""For which containment a change is being made: adapters can put that beside every call that they make for it.

It is kept in the thread's context, as what belongs to one message is: an action is told its plan and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ACTING: ContextVar[str] = ContextVar("acting", default="")


@contextmanager
def acting_for(containment_id: str) -> Iterator[None]:
    """Say for the length of the block that a containment is being applied or undone."""
    token = _ACTING.set(containment_id)
    try:
        yield
    finally:
        _ACTING.reset(token)


def acting() -> str:
    """Return the id of the containment that is being applied or undone, ``""`` while something is only looked at."""
    return _ACTING.get()
