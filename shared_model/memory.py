"""Entity memory: the last encoded events of each entity, kept between invocations.

The protocol stands here beside its users; this file also holds the in-process implementation.
DynamoDB and Azure Tables implement it in ``lambdas/adapters`` and ``azure_functions/adapters``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is kept of one entity under one detector.

    Attributes
    ----------
    rows : bytes
        The last encoded events, oldest first, in the detector's own row format.
    times_ms : tuple of int
        Time of each row.
    event_ids : tuple of str
        Id of each row's event.
    recent : tuple of str
        Short hashes of the ids seen lately (more than there are rows), to drop duplicates.
    version : int
        Counts writes. The last writer wins: what a lost race costs is a little context, never an event's score.
    cause : str
        Where the last batch alarmed: the id of the event that its verdict is known by (:func:`shared_model.windows.first_new`).
        Scored again without a new event, the same alarm is the same verdict.
    habits : bytes
        Of a principal: the sketch of what it has done (:mod:`shared_model.habits`), which outlives the rows and its sessions.
    """

    rows: bytes
    times_ms: tuple[int, ...]
    event_ids: tuple[str, ...]
    recent: tuple[str, ...] = ()
    version: int = 0
    cause: str = ""
    habits: bytes = b""


class EntityMemory(Protocol):
    """Keeps :class:`Remembered` by entity key (``detector#entity key``)."""

    def load(self, keys: Iterable[str]) -> dict[str, Remembered]:
        """Return what is kept under those keys; a key without memory is absent. Raises on a failed read."""
        ...

    def store(self, states: Mapping[str, Remembered], *, now_ms: int) -> None:
        """Keep these states, the last of them only when all others are kept. Raises when one could not be written."""
        ...


class InProcessMemory:
    """Entity memory in a dict, bounded: the entity written longest ago is forgotten first."""

    def __init__(self, capacity: int = 100_000) -> None:
        self._capacity = capacity
        self._states: OrderedDict[str, Remembered] = OrderedDict()

    def load(self, keys: Iterable[str]) -> dict[str, Remembered]:
        return {key: self._states[key] for key in keys if key in self._states}

    def store(self, states: Mapping[str, Remembered], *, now_ms: int) -> None:
        for key, state in states.items():
            self._states[key] = state
            self._states.move_to_end(key)
        while len(self._states) > self._capacity:
            self._states.popitem(last=False)
