"""Orders and groups of whole columns.

Plain numbers sort many times as fast as an index sorts by them. So where key and position fit into one word together, the
words are sorted and the positions read out of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def stable_order(keys: NDArray[np.uint64], below: int) -> NDArray[np.intp]:
    """Positions of the keys in ascending order, equal ones in the order in which they stand: intp (n,).

    Parameters
    ----------
    keys : uint64 (n,)
    below : int
        All keys are less than this.
    """
    bits = max(len(keys) - 1, 1).bit_length()
    if below > 1 << 64 - bits:
        return np.argsort(keys, kind="stable")
    return sorted_by_high_bits(keys << np.uint64(bits), bits)[1]


def sorted_by_high_bits(keys: NDArray[np.uint64], bits: int) -> tuple[NDArray[np.uint64], NDArray[np.intp]]:
    """Sort by all but the lowest ``bits`` bits, which must be able to count the keys.

    Returns
    -------
    high : uint64 (n,)
        The keys in ascending order, without their lowest bits.
    order : intp (n,)
        Where each stood; equal ones in the order in which they stood.
    """
    low = np.uint64((1 << bits) - 1)
    packed = (keys & ~low) | np.arange(len(keys), dtype=np.uint64)
    packed.sort()
    return packed >> np.uint64(bits), (packed & low).astype(np.intp)


def grouped(keys: NDArray[np.uint64], below: int) -> tuple[NDArray[np.intp], int]:
    """Number equal keys alike, in ascending order of the keys: (intp (n,), how many there are). All are below ``below``."""
    order = stable_order(keys, below)
    ascending = keys[order]
    number = np.zeros(len(keys), np.intp)
    number[1:] = np.cumsum(ascending[1:] != ascending[:-1])
    group = np.empty_like(number)
    group[order] = number
    return group, int(number[-1]) + 1 if len(keys) else 0
