"""Missing values of a sequence, filled from its known ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def interpolated(values: NDArray[np.float32], times_ms: NDArray[np.int64], first: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Fill missing values (NaN) within each sequence.

    Linear in time between the known neighbours of the same entity; before the first and behind the last known one, that
    one's value; 0 in a sequence without any.
    """
    filled = values.copy()
    sequence = np.cumsum(first) - 1
    known = ~np.isnan(values)
    rows_known = np.flatnonzero(known)
    missing = np.flatnonzero(~known)
    if not len(rows_known):
        filled[missing] = 0
        return filled
    before = np.searchsorted(rows_known, missing) - 1
    after = before + 1
    left = rows_known[np.maximum(before, 0)]
    right = rows_known[np.minimum(after, len(rows_known) - 1)]
    has_left = (before >= 0) & (sequence[left] == sequence[missing])
    has_right = (after < len(rows_known)) & (sequence[right] == sequence[missing])
    distance = (times_ms[right] - times_ms[left]).astype(np.float64)
    share = np.divide(times_ms[missing] - times_ms[left], distance, out=np.zeros(len(missing)), where=distance > 0)
    between = values[left] + (values[right] - values[left]) * share
    filled[missing] = np.select([has_left & has_right, has_left, has_right], [between, values[left], values[right]], default=0)
    return filled
