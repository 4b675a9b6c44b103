"""What is kept of an entity between batches: its newest rows, and ids by which a second delivery is told.

Everything is gathered for all entities at once; Python time per entity is only spent on slicing.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from shared_model.memory import Remembered
from shared_model.recent_ids import AT_MOST, RECENT, short_ids, stamped_ids, within_time
from shared_model.windows import kept_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from shared_model.windows import Events, Sequences


def remember(
    sequences: Sequences,
    events: Events,
    remembered: Sequence[Remembered | None] = (),
    *,
    length: int,
    id_texts: Callable[[NDArray[np.intp]], list[str]],
    now_ms: int | None = None,
    causes: Mapping[int, str] = MappingProxyType({}),
) -> dict[int, Remembered]:
    """What to keep of every entity that has new events.

    Parameters
    ----------
    sequences, events, remembered, length
        As given to, and by, :func:`shared_model.windows.merge`.
    id_texts : callable
        Event ids of those events of the batch.
    now_ms : int or None
        Keep the ids by which duplicates are told by time (:func:`shared_model.recent_ids.within_time`), because the second
        delivery comes minutes after the first; no event counts as newer than this. None: keep the newest :data:`RECENT`.
    causes : mapping of int to str
        Of the entities that alarmed, by number: the event that the verdict is known by.

    Returns
    -------
    dict of int to Remembered
        By the entity's number. The newest rows and ids only: its size is bounded.
    """
    keep = kept_rows(length)
    is_new = sequences.event >= 0
    new_rows = np.flatnonzero(is_new)
    new_before = np.zeros(len(sequences) + 1, np.intp)
    np.cumsum(is_new, out=new_before[1:])
    begins, ends = sequences.offsets[:-1], sequences.offsets[1:]
    new_begin, new_end = new_before[begins], new_before[ends]
    changed = np.flatnonzero(new_end > new_begin)

    # Of each entity the newest rows stay: gather them all, then slice bytes and lists.
    counts = np.minimum(ends - begins, keep)[changed]
    kept = _ranges(ends[changed] - counts, counts)
    data = np.ascontiguousarray(sequences.rows[kept]).tobytes()
    width = len(data) // max(1, len(kept))
    times = sequences.times_ms[kept].tolist()
    texts = _event_texts(sequences, kept, id_texts)
    limits = np.concatenate([[0], np.cumsum(counts)]).tolist()

    recent_counts = np.minimum(new_end - new_begin, RECENT if now_ms is None else AT_MOST)[changed]
    recent_rows = new_rows[_ranges(new_end[changed] - recent_counts, recent_counts)]
    recent_ids = events.ids[sequences.event[recent_rows]]
    recents = short_ids(recent_ids) if now_ms is None else stamped_ids(recent_ids, sequences.times_ms[recent_rows])
    recent_limits = np.concatenate([[0], np.cumsum(recent_counts)]).tolist()

    states: dict[int, Remembered] = {}
    for place, number in enumerate(changed.tolist()):
        begin, end = limits[place], limits[place + 1]
        before = remembered[number] if remembered else None
        recent = tuple(recents[recent_limits[place] : recent_limits[place + 1]])
        if before is not None:
            recent = before.recent + recent
        recent = recent[-RECENT:] if now_ms is None else within_time(recent, min(times[end - 1], now_ms))
        states[number] = Remembered(
            rows=data[begin * width : end * width],
            times_ms=tuple(times[begin:end]),
            event_ids=tuple(texts[begin:end]),
            recent=recent,
            version=0 if before is None else before.version,
            cause=causes.get(number, ""),
        )
    return states


def _ranges(begins: NDArray[np.intp], counts: NDArray[np.intp]) -> NDArray[np.intp]:
    """Every ``begin … begin + count - 1``, one after another."""
    if len(begins) == 1:
        return np.arange(begins[0], begins[0] + counts[0], dtype=np.intp)
    before = np.cumsum(counts) - counts
    rows: NDArray[np.intp] = np.arange(int(counts.sum()), dtype=np.intp) + np.repeat(begins - before, counts)
    return rows


def _event_texts(sequences: Sequences, rows: NDArray[np.intp], id_texts: Callable[[NDArray[np.intp]], list[str]]) -> list[str]:
    """Event ids of rows, new or remembered."""
    event = sequences.event[rows]
    is_new = event >= 0
    if is_new.all():
        return id_texts(event)
    texts = np.empty(len(rows), object)
    texts[is_new] = id_texts(event[is_new])
    texts[~is_new] = [sequences.remembered_ids[-1 - place] for place in event[~is_new].tolist()]
    result: list[str] = texts.tolist()
    return result
