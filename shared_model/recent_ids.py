"""Which events were delivered before: the ids that are remembered of an entity.

Where a second delivery follows at once, a number of ids is enough. Where it comes minutes later (CloudTrail's files repeat
what EventBridge brought), that number would be the number of calls in those minutes, which nothing bounds: then ids are
remembered by time, each with the minute of its event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shared_model.memory import Remembered

#: Ids remembered per entity to drop what is delivered twice.
RECENT = 64
#: Ids remembered by time: not fewer than this, and of how many minutes of the entity's events.
AT_LEAST, MINUTES = 256, 30
#: And not more than this, the room that an entity's item has (19 bytes each as JSON): nine calls a second, for all of
#: the thirty minutes, or 54 for five. Of a session that is faster still, the oldest may be scored once more.
AT_MOST = 16_384
_SHORT_ID = 12  # hex digits of a remembered id: 48 bits
_STAMPED_ID = _SHORT_ID + 4  # and of one with its minute
_MINUTE_MS = 60_000
_MINUTES_MASK = 0xFFFF  # the minute of the event, modulo 45 days


def unseen(entity: NDArray[np.intp], ids: NDArray[np.uint64], remembered: Sequence[Remembered | None]) -> NDArray[np.intp]:
    """Events that stand neither earlier in the batch nor among the remembered ids of their entity.

    Parameters
    ----------
    entity : intp (n,)
        Number of each event's entity.
    ids : uint64 (n,)
        Hash of each event's id.
    remembered : sequence of Remembered or None
        Of each entity, by its number; empty when nothing is remembered at all.

    Returns
    -------
    intp (k,)
        Their places, ascending.
    """
    if len(ids) == 1:
        return np.arange(0 if _is_remembered(int(entity[0]), int(ids[0]), remembered) else 1)
    known = np.zeros(len(ids), np.bool_)
    if _has_repeats(ids):
        order = np.lexsort((np.arange(len(ids)), ids, entity))
        repeats = (np.diff(entity[order]) == 0) & (np.diff(ids[order]) == 0)
        known[order[1:][repeats]] = True
    seen = [(number, state.recent) for number, state in enumerate(remembered) if state is not None and state.recent]
    if seen:
        digits = _digits([text for _, recent in seen for text in recent])
        short = digits.astype(np.uint64) @ (np.uint64(1) << np.arange(40, -8, -8, dtype=np.uint64))
        owner = np.repeat([number for number, _ in seen], [len(recent) for _, recent in seen])
        known |= _contains(owner, short, entity, ids >> np.uint64(64 - 4 * _SHORT_ID))
    return np.flatnonzero(~known)


def _is_remembered(entity: int, identity: int, remembered: Sequence[Remembered | None]) -> bool:
    """Of one event, as most deliveries of audit records bring it: a search in the text costs a tenth of making a table of it."""
    state = remembered[entity] if remembered else None
    return state is not None and f"\n{identity:016x}"[: 1 + _SHORT_ID] in "\n" + "\n".join(state.recent)


def _has_repeats(ids: NDArray[np.uint64]) -> bool:
    in_order = np.sort(ids)
    return bool((in_order[1:] == in_order[:-1]).any())


def _contains(
    entity: NDArray[np.intp], short: NDArray[np.uint64], asked_entity: NDArray[np.intp], asked: NDArray[np.uint64]
) -> NDArray[np.bool_]:
    """Which asked (entity, short id) stand in the table."""
    table = (entity.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) ^ short
    question = (asked_entity.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) ^ asked
    order = np.argsort(table, kind="stable")
    place = order[np.minimum(np.searchsorted(table[order], question), len(table) - 1)]
    found: NDArray[np.bool_] = (entity[place] == asked_entity) & (short[place] == asked)
    return found


def hex_ids(ids: NDArray[np.uint64]) -> list[str]:
    """Ids as 16 hex digits."""
    text = ids.astype(">u8").tobytes().hex()
    return [text[place : place + 16] for place in range(0, len(text), 16)]


def short_ids(ids: NDArray[np.uint64]) -> list[str]:
    """Their first 48 bits as hex digits: what is remembered of an id."""
    text = ids.astype(">u8").tobytes().hex()
    return [text[place : place + _SHORT_ID] for place in range(0, len(text), 16)]


def stamped_ids(ids: NDArray[np.uint64], times_ms: NDArray[np.int64]) -> list[str]:
    """Return :func:`short_ids`, each followed by the minute of its event in four hex digits."""
    minutes = ((times_ms // _MINUTE_MS) & _MINUTES_MASK).tolist()
    return [f"{text}{minute:04x}" for text, minute in zip(short_ids(ids), minutes, strict=True)]


def within_time(recent: tuple[str, ...], newest_ms: int) -> tuple[str, ...]:
    """Return those of the stamped ids, in the order in which they came, that are still to be remembered.

    The oldest go: while they are more than :data:`MINUTES` before the newest event, but :data:`AT_LEAST` stay.
    """
    newest = (newest_ms // _MINUTE_MS) & _MINUTES_MASK
    first, last = max(0, len(recent) - AT_MOST), max(0, len(recent) - AT_LEAST)
    while first < last and _is_old(recent[first], newest):
        first += 1
    return recent[first:]


def _is_old(text: str, newest: int) -> bool:
    if len(text) == _SHORT_ID:  # of a version that kept no time
        return True
    age = (newest - int(text[_SHORT_ID:], 16)) & _MINUTES_MASK
    return MINUTES < age <= _MINUTES_MASK // 2  # beyond that it is the minute of an event that is newer


def _digits(recent: Sequence[str]) -> NDArray[np.uint8]:
    """Return remembered ids without their minutes, as :func:`short_ids` writes them: uint8 (n, 6), big-endian."""
    text = "".join(recent)
    # All of them have a minute or none has, save where a version that kept no time left its own behind.
    width = next((width for width in (_STAMPED_ID, _SHORT_ID) if len(text) == width * len(recent)), 0)
    if not width:
        text, width = "".join([each[:_SHORT_ID] for each in recent]), _SHORT_ID
    return np.frombuffer(bytes.fromhex(text), np.uint8).reshape(-1, width // 2)[:, : _SHORT_ID // 2]
