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
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from shared_model.windows import Events, Sequences

    _IdTexts = Callable[[NDArray[np.intp]], list[str]]
    #: An entity's number, its newest rows, their times and event ids, and what is remembered of the ids of its new events.
    _Part = tuple[int, bytes, list[int], list[str], list[str]]


def remember(
    sequences: Sequences,
    events: Events,
    remembered: Sequence[Remembered | None] = (),
    *,
    length: int,
    id_texts: _IdTexts,
    now_ms: int | None = None,
    causes: Mapping[int, str] = MappingProxyType({}),
    habits: Mapping[int, bytes] = MappingProxyType({}),
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
    habits : mapping of int to bytes
        Of principals, by number: the sketch of what they have done.

    Returns
    -------
    dict of int to Remembered
        By the entity's number. The newest rows and ids only: its size is bounded.
    """
    gather = _of_one if events.entities == 1 else _of_each
    states: dict[int, Remembered] = {}
    for number, rows, times, texts, came in gather(sequences, events, kept_rows(length), id_texts, now_ms is not None):
        before = remembered[number] if remembered else None
        recent = tuple(came) if before is None else (*before.recent, *came)
        states[number] = Remembered(
            rows=rows,
            times_ms=tuple(times),
            event_ids=tuple(texts),
            recent=recent[-RECENT:] if now_ms is None else within_time(recent, min(times[-1], now_ms)),
            version=0 if before is None else before.version,
            cause=causes.get(number, ""),
            habits=habits.get(number, b""),
        )
    return states


def _of_each(sequences: Sequences, events: Events, keep: int, id_texts: _IdTexts, stamped: bool) -> Iterator[_Part]:
    """Gather the newest rows and the new ids of all entities that have some, then slice bytes and lists."""
    is_new = sequences.event >= 0
    new_rows = np.flatnonzero(is_new)
    new_before = np.zeros(len(sequences) + 1, np.intp)
    np.cumsum(is_new, out=new_before[1:])
    begins, ends = sequences.offsets[:-1], sequences.offsets[1:]
    new_begin, new_end = new_before[begins], new_before[ends]
    changed = np.flatnonzero(new_end > new_begin)

    counts = np.minimum(ends - begins, keep)[changed]
    kept = _ranges(ends[changed] - counts, counts)
    data = np.ascontiguousarray(sequences.rows[kept]).tobytes()
    width = len(data) // max(1, len(kept))
    times = sequences.times_ms[kept].tolist()
    texts = _event_texts(sequences, sequences.event[kept], id_texts)
    limits = np.concatenate([[0], np.cumsum(counts)]).tolist()

    recent_counts = np.minimum(new_end - new_begin, AT_MOST if stamped else RECENT)[changed]
    recent_rows = new_rows[_ranges(new_end[changed] - recent_counts, recent_counts)]
    recents = _recents(sequences, events, recent_rows, stamped)
    recent_limits = np.concatenate([[0], np.cumsum(recent_counts)]).tolist()
    for place, number in enumerate(changed.tolist()):
        begin, end = limits[place], limits[place + 1]
        came = recents[recent_limits[place] : recent_limits[place + 1]]
        yield number, data[begin * width : end * width], times[begin:end], texts[begin:end], came


def _of_one(sequences: Sequences, events: Events, keep: int, id_texts: _IdTexts, stamped: bool) -> Iterator[_Part]:
    """The same of a batch about one entity, as most deliveries of audit records are: nothing is to be gathered."""
    new = np.flatnonzero(sequences.event >= 0)[-(AT_MOST if stamped else RECENT) :]
    if len(new):
        texts = _event_texts(sequences, sequences.event[-keep:], id_texts)
        recents = _recents(sequences, events, new, stamped)
        yield 0, sequences.rows[-keep:].tobytes(), sequences.times_ms[-keep:].tolist(), texts, recents


def _recents(sequences: Sequences, events: Events, rows: NDArray[np.intp], stamped: bool) -> list[str]:
    """What is remembered of the ids of the new events in these rows."""
    ids = events.ids[sequences.event[rows]]
    return stamped_ids(ids, sequences.times_ms[rows]) if stamped else short_ids(ids)


def _ranges(begins: NDArray[np.intp], counts: NDArray[np.intp]) -> NDArray[np.intp]:
    """Every ``begin … begin + count - 1``, one after another."""
    before = np.cumsum(counts) - counts
    rows: NDArray[np.intp] = np.arange(int(counts.sum()), dtype=np.intp) + np.repeat(begins - before, counts)
    return rows


def _event_texts(sequences: Sequences, event: NDArray[np.intp], id_texts: _IdTexts) -> list[str]:
    """Ids of events, new or remembered."""
    fresh = iter(id_texts(event[event >= 0]))
    return [next(fresh) if place >= 0 else sequences.remembered_ids[-1 - place] for place in event.tolist()]
