"""Fields of text lines as columns: numbers and words read out of a byte buffer, many lines at once.

The buffer is looked at in overlapping machine words, so that one instruction handles eight characters of a field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Longest number that is read: 16 digits stay well inside 64 bits.
MOST_DIGITS = 16
_ZEROS = np.uint64(0x3030303030303030)
_HIGH_BITS = np.uint64(0x8080808080808080)
_NINE_LIMIT = np.uint64(0x7676767676767676)


def words_at(text: NDArray[np.uint8], starts: NDArray[np.intp]) -> NDArray[np.uint64]:
    """The eight bytes that begin at each start, first byte lowest: uint64 (n,)."""
    overlapping = np.ndarray((len(text) - 7,), "<u8", text, 0, (1,))
    words: NDArray[np.uint64] = overlapping[starts]
    return words


def _first_bytes(words: NDArray[np.uint64], count: NDArray[np.intp]) -> NDArray[np.uint64]:
    """Keep the first ``count`` (0–8) bytes of each word, zero behind them."""
    masks = np.array([(1 << 8 * kept) - 1 for kept in range(9)], np.uint64)
    kept: NDArray[np.uint64] = words & masks[np.clip(count, 0, 8)]
    return kept


def is_word(text: NDArray[np.uint8], starts: NDArray[np.intp], lengths: NDArray[np.intp], word: bytes) -> NDArray[np.bool_]:
    """Which fields are exactly that word of at most eight bytes (bool (n,))."""
    wanted = np.uint64(int.from_bytes(word, "little"))
    same: NDArray[np.bool_] = (lengths == len(word)) & (_first_bytes(words_at(text, starts), lengths) == wanted)
    return same


def parse_numbers(
    text: NDArray[np.uint8], starts: NDArray[np.intp], lengths: NDArray[np.intp]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Read decimal numbers of 1 to 16 digits.

    Returns
    -------
    value : int64 (n,)
        0 where the field is no such number.
    ok : bool (n,)
    """
    ok = (lengths >= 1) & (lengths <= MOST_DIGITS)
    if not ok.all():
        value = np.zeros(len(starts), np.int64)
        rows = np.flatnonzero(ok)
        if len(rows):
            value[rows], ok[rows] = parse_numbers(text, starts[rows], lengths[rows])
        return value, ok
    short = lengths <= 8
    if short.all():
        value, ok = _parse_eight(words_at(text, starts), lengths)
    else:
        low, ok = _parse_eight(words_at(text, starts + np.maximum(lengths - 8, 0)), np.minimum(lengths, 8))
        long = np.flatnonzero(~short)
        high, high_ok = _parse_eight(words_at(text, starts[long]), lengths[long] - 8)
        low[long] += high * 100_000_000
        ok[long] &= high_ok
        value = low
    if not ok.all():
        value[~ok] = 0
    return value, ok


def _parse_eight(words: NDArray[np.uint64], digits: NDArray[np.intp]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Numbers of 1 to 8 digits, each at the beginning of its word."""
    # Shifting moves the digits to the word's end; the zero bytes that come in from below are leading zeros.
    values = (words ^ _ZEROS) << ((8 - digits) << 3).astype(np.uint64)
    ok = (((values + _NINE_LIMIT) | values) & _HIGH_BITS) == 0
    values = (values * np.uint64(2561)) >> np.uint64(8)  # pairs of digits: 10 * first + second
    values &= np.uint64(0x00FF00FF00FF00FF)
    values = (values * np.uint64(6553601)) >> np.uint64(16)  # fours
    values &= np.uint64(0x0000FFFF0000FFFF)
    values = (values * np.uint64(42949672960001)) >> np.uint64(32)
    return values.astype(np.int64), ok
