"""Windows per entity: every new event is scored among the events of its entity that came before it.

The rows are opaque here: whatever the encoder keeps of one event, a fixed number of bytes each. New events and the
remembered ones of their entity become one sequence in the order of time; windows end at the entity's newest event and
every ``stride`` events before it, back to the first new one. So each new event stands in at least one window whose last
event is at most ``stride - 1`` events later. A window that begins before its entity's first event is padded on the left.

Everything is computed for all entities at once; what is kept of them is :func:`shared_model.remembering.remember`'s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shared_model.ordering import stable_order
from shared_model.recent_ids import unseen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shared_model.memory import Remembered

#: Rows remembered beyond a window, so that what an encoder derives from the two events before a row stays the same
#: whether the events come in one batch or in many.
CONTEXT = 2
#: Index of padding in a window.
PADDING = -1


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """A batch of encoded events, in any order.

    Attributes
    ----------
    entity : intp (n,)
        Which entity each is about: 0 … k-1.
    times_ms : int64 (n,)
    ids : uint64 (n,)
        Hash of the event's id: two events of one entity with the same hash are one event, delivered twice.
    rows : (n,)
        What the encoder keeps of each: an array of one fixed-size type, or (n, width).
    entities : int
        k.
    """

    entity: NDArray[np.intp]
    times_ms: NDArray[np.int64]
    ids: NDArray[np.uint64]
    rows: NDArray[Any]
    entities: int

    def __len__(self) -> int:
        return len(self.entity)


@dataclass(frozen=True, slots=True, eq=False)
class Sequences:
    """The events of all entities, one entity after another, each in the order of time (m rows).

    Attributes
    ----------
    rows : (m,)
    times_ms : int64 (m,)
    event : intp (m,)
        Index of a new event in its batch; of a remembered one, ``-1 - i``, where i is its place in ``remembered_ids``.
    offsets : intp (k + 1,)
        Where each entity's rows begin.
    remembered_ids : tuple of str
        Event ids of the remembered rows.
    duplicates, late : int
        New events that were dropped because they are known; new events older than all that is kept of their entity.
    """

    rows: NDArray[Any]
    times_ms: NDArray[np.int64]
    event: NDArray[np.intp]
    offsets: NDArray[np.intp]
    remembered_ids: tuple[str, ...]
    duplicates: int
    late: int

    def __len__(self) -> int:
        return len(self.event)

    @property
    def first(self) -> NDArray[np.bool_]:
        """Which rows are the first of their entity (bool (m,))."""
        first = np.zeros(len(self), np.bool_)
        begins = self.offsets[:-1]
        first[begins[begins < self.offsets[1:]]] = True
        return first


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Windows of T rows over :class:`Sequences`.

    Attributes
    ----------
    index : intp (B, T)
        Row of each event, oldest first; :data:`PADDING` on the left where there is none.
    entity : intp (B,)
        Ascending; an entity's windows in the order of time.
    """

    index: NDArray[np.intp]
    entity: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.entity)

    @property
    def last(self) -> NDArray[np.intp]:
        """Row of each window's newest event (intp (B,))."""
        last: NDArray[np.intp] = self.index[:, -1]
        return last


def kept_rows(length: int) -> int:
    """How many rows of an entity are remembered for windows of that length."""
    return length - 1 + CONTEXT


def merge(events: Events, remembered: Sequence[Remembered | None] = (), *, length: int) -> Sequences:
    """Join new events with what is remembered of their entities.

    Parameters
    ----------
    events : Events
    remembered : sequence of Remembered or None
        Of each entity, by its number; empty when nothing is remembered at all. Rows of another size than the events'
        (written by an older encoder) are forgotten; the ids beside them still tell duplicates.
    length : int
        T, the length of the windows.
    """
    fresh = unseen(events.entity, events.ids, remembered)
    duplicates = len(events) - len(fresh)
    entity, times, rows = events.entity, events.times_ms, events.rows
    if duplicates:
        entity, times, rows = entity[fresh], times[fresh], rows[fresh]
    width = rows.dtype.itemsize * math.prod(rows.shape[1:])
    usable = [
        (number, state)
        for number, state in enumerate(remembered)
        if state is not None and state.times_ms and len(state.rows) == width * len(state.times_ms)
    ]
    late = 0
    ids: tuple[str, ...] = ()
    event = fresh
    if usable:
        late = _late(entity, times, usable, length)
        ids = tuple(text for _, state in usable for text in state.event_ids)
        old_rows = np.frombuffer(b"".join(state.rows for _, state in usable), rows.dtype).reshape((-1, *rows.shape[1:]))
        old_times = np.array([time for _, state in usable for time in state.times_ms], np.int64)
        rows = np.concatenate([old_rows, rows])
        times = np.concatenate([old_times, times])
        event = np.concatenate([-1 - np.arange(len(old_times)), event])
    if events.entities == 1:
        # Most deliveries of audit records are about one entity, and most of these are in order.
        if (times[1:] < times[:-1]).any():
            order = np.argsort(times, kind="stable")
            rows, times, event = rows.take(order, axis=0), times[order], event[order]
        return Sequences(rows, times, event, np.array([0, len(times)], np.intp), ids, duplicates, late)
    if usable:
        counts = [len(state.times_ms) for _, state in usable]
        entity = np.concatenate([np.repeat([number for number, _ in usable], counts), entity])
    order = _by_entity_and_time(entity, times)
    offsets = np.zeros(events.entities + 1, np.intp)
    np.cumsum(np.bincount(entity, minlength=events.entities), out=offsets[1:])
    return Sequences(rows.take(order, axis=0), times[order], event[order], offsets, ids, duplicates, late)


def _late(entity: NDArray[np.intp], times: NDArray[np.int64], known: Sequence[tuple[int, Remembered]], length: int) -> int:
    """How many events are older than all that is kept of their entity, of those entities of which all that fits is kept."""
    oldest = {number: min(state.times_ms) for number, state in known if len(state.times_ms) >= kept_rows(length)}
    if not oldest or not len(times) or times.min() >= max(oldest.values()):
        return 0
    bounds = np.full(int(entity.max()) + 1, np.iinfo(np.int64).min)
    for number, time in oldest.items():
        if number < len(bounds):
            bounds[number] = time
    return int((times < bounds[entity]).sum())


def cut(sequences: Sequences, *, length: int, stride: int) -> Windows:
    """Windows over the new events of every entity. Raises ValueError unless 1 <= stride <= length."""
    if not 1 <= stride <= length:
        raise ValueError(f"stride {stride} must be at least 1 and at most the window's length {length}")
    new = np.flatnonzero(sequences.event >= 0)
    if len(sequences.offsets) == 2:  # one entity
        ends = np.arange(len(sequences) - 1, int(new[0]) - 1, -stride)[::-1] if len(new) else new
        index = ends[:, None] + np.arange(1 - length, 1)
        index[index < 0] = PADDING
        return Windows(index, np.zeros(len(ends), np.intp))
    entity_of_row = np.repeat(np.arange(len(sequences.offsets) - 1), np.diff(sequences.offsets))
    entity, place = np.unique(entity_of_row[new], return_index=True)
    first_new = new[place]
    newest = sequences.offsets[entity + 1] - 1
    counts = (newest - first_new) // stride + 1
    window_entity = np.repeat(entity, counts)
    before_newest = np.repeat(np.cumsum(counts), counts) - 1 - np.arange(counts.sum())
    last = np.repeat(newest, counts) - stride * before_newest
    index = last[:, None] + np.arange(1 - length, 1)
    index[index < sequences.offsets[window_entity][:, None]] = PADDING
    return Windows(index, window_entity)


def first_new(sequences: Sequences, events: Events, entities: NDArray[np.intp]) -> NDArray[np.intp]:
    """Which event of the batch is the first new one of each of these entities, which all have one: a verdict is known by it.

    Delivered again in any order, with others behind them or after these were remembered, an entity's events begin with the
    same one. Which window scores highest, and where windows end, changes with every event that comes behind. Of events of one
    time (many logs count in seconds) it is the one with the least id.
    """
    new = np.flatnonzero(sequences.event >= 0)
    begins, ends = np.searchsorted(new, sequences.offsets[entities]), np.searchsorted(new, sequences.offsets[entities + 1])
    first = np.empty(len(entities), np.intp)
    for place, (begin, end) in enumerate(zip(begins.tolist(), ends.tolist(), strict=True)):
        rows = new[begin:end]
        times = sequences.times_ms[rows]
        at_once = sequences.event[rows[: np.searchsorted(times, times[0], "right")]]
        first[place] = at_once[np.argmin(events.ids[at_once])]
    return first


def latest_alarm(sequences: Sequences, windows: Windows, alarms: NDArray[np.bool_], entities: int) -> NDArray[np.int64]:
    """When the last window that alarms ends, in ms, of each entity; meaningless where none does."""
    latest = np.zeros(entities, np.int64)
    np.maximum.at(latest, windows.entity[alarms], sequences.times_ms[windows.last[alarms]])
    return latest


def gather(features: NDArray[np.float32], index: NDArray[np.intp]) -> NDArray[np.float32]:
    """Rows of windows: float32 (B, T, F) out of float32 (m, F), zeros where there is padding."""
    windows: NDArray[np.float32] = features[index]
    windows[index == PADDING] = 0
    return windows


def _by_entity_and_time(entity: NDArray[np.intp], times: NDArray[np.int64]) -> NDArray[np.intp]:
    """Stable order by entity, then time."""
    if not len(times):
        return np.empty(0, np.intp)
    earliest = int(times.min())
    span = int(times.max()) - earliest + 1
    if (int(entity.max()) + 1) * span < 2**63:
        key = entity * span
        key += times - earliest
        return stable_order(key.view(np.uint64), (int(entity.max()) + 1) * span)
    return np.lexsort((times, entity))
