"""Which events were delivered before: the ids that are remembered of an entity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shared_model.memory import Remembered

#: Ids remembered per entity to drop what is delivered twice.
RECENT = 64
_SHORT_ID = 12  # hex digits of a remembered id: 48 bits


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
    known = np.zeros(len(ids), np.bool_)
    if _has_repeats(ids):
        order = np.lexsort((np.arange(len(ids)), ids, entity))
        repeats = (np.diff(entity[order]) == 0) & (np.diff(ids[order]) == 0)
        known[order[1:][repeats]] = True
    seen = [(number, state.recent) for number, state in enumerate(remembered) if state is not None and state.recent]
    if seen:
        # Every id in six bytes, big-endian, as short_ids writes them.
        digits = np.frombuffer(bytes.fromhex("".join(text for _, recent in seen for text in recent)), np.uint8)
        short = digits.reshape(-1, 6).astype(np.uint64) @ (np.uint64(1) << np.arange(40, -8, -8, dtype=np.uint64))
        owner = np.repeat([number for number, _ in seen], [len(recent) for _, recent in seen])
        order = np.lexsort((short, owner))
        known |= _contains(owner[order], short[order], entity, ids >> np.uint64(64 - 4 * _SHORT_ID))
    return np.flatnonzero(~known)


def _has_repeats(ids: NDArray[np.uint64]) -> bool:
    in_order = np.sort(ids)
    return bool((in_order[1:] == in_order[:-1]).any())


def _contains(
    entity: NDArray[np.intp], short: NDArray[np.uint64], asked_entity: NDArray[np.intp], asked: NDArray[np.uint64]
) -> NDArray[np.bool_]:
    """Which asked (entity, short id) stand in the table, which is sorted by both."""
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
