"""Two writers of one stream: one wins the number, the other reads again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from response.journal import SequenceTaken
from shared_model.errors import CloudUnavailable

_T = TypeVar("_T")
#: Writers that meet on one stream settle within a few rounds; more means that something else is wrong.
ROUNDS = 8


def with_turns(stream: str, attempt: Callable[[], _T]) -> _T:
    """Return what comes of an attempt, which reads the stream each time, and begins anew where it raises SequenceTaken.

    Raises
    ------
    CloudUnavailable
        It lost its place to other writers time and again.
    """
    for _ in range(ROUNDS):
        try:
            return attempt()
        except SequenceTaken:
            continue
    raise CloudUnavailable(f"{stream}: lost its place to other writers {ROUNDS} times")
