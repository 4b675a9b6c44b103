"""What fields seen before mean: a table from a field's text to a few numbers, asked for a whole column at once.

Telemetry names the same few addresses and interfaces over and over. To look a text up takes a few operations per column,
to read it takes many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared_model.parsers.byte_fields import words_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_FACTOR = np.uint64(0x9E3779B97F4A7C15)


class FieldTable:
    """Remembers what was read of each text. Its size is fixed: of two texts that meet in a slot, the later one stays.

    Parameters
    ----------
    words : int
        Longest text, in words of eight bytes; its last byte holds the length, so that :attr:`longest` is one less.
    values : int
        How many numbers are kept of a text.
    slots : int
        A power of two.
    """

    def __init__(self, *, words: int, values: int, slots: int) -> None:
        self._words = words
        self._shift = np.uint64(65 - slots.bit_length())
        # A row holds the text and its numbers, so that both come with one access. No text has length 255: all are free.
        self._rows = np.full((slots, words + values), 2**64 - 1, np.uint64)
        lengths = range(self.longest + 1)
        self._masks = [
            np.array([(1 << 8 * min(max(length - 8 * word, 0), 8)) - 1 for length in lengths], np.uint64) for word in range(words)
        ]
        self._tags = np.array([length << 56 for length in lengths], np.uint64)

    @property
    def longest(self) -> int:
        """Most bytes of a text that can be asked for."""
        return 8 * self._words - 1

    def values(
        self,
        text: NDArray[np.uint8],
        starts: NDArray[np.intp],
        lengths: NDArray[np.intp],
        read: Callable[[NDArray[np.intp]], NDArray[np.uint64]],
    ) -> NDArray[np.uint64]:
        """What the fields mean.

        Parameters
        ----------
        text : uint8 (m,)
            The buffer, with at least ``8 * words`` bytes behind the last field's beginning.
        starts, lengths : intp (n,)
            Where each field stands in it; none longer than :attr:`longest`.
        read : callable
            Reads those fields that are not in the table: rows, intp (k,), to uint64 (k, values).

        Returns
        -------
        uint64 (n, values)
        """
        parts = [words_at(text, starts + 8 * word if word else starts) & masks[lengths] for word, masks in enumerate(self._masks)]
        parts[-1] |= self._tags[lengths]
        mixed = parts[0] * _FACTOR
        for part in parts[1:]:
            mixed ^= mixed >> np.uint64(32)
            mixed ^= part
            mixed *= _FACTOR
        slot = (mixed >> self._shift).astype(np.intp)
        found = self._rows.take(slot, axis=0)
        known = found[:, 0] == parts[0]
        for word, part in enumerate(parts[1:], start=1):
            known &= found[:, word] == part
        if not known.all():
            rows = np.flatnonzero(~known)
            for word, part in enumerate(parts):
                found[rows, word] = part[rows]
            found[rows, self._words :] = read(rows)
            self._rows[slot[rows]] = found[rows]
        return found[:, self._words :]
