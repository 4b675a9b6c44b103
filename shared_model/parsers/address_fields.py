"""A column of address texts → 128-bit words, IPv4 and IPv6, each text read once as long as it is remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared_model import addresses
from shared_model.parsers.field_table import FieldTable

if TYPE_CHECKING:
    from numpy.typing import NDArray


class AddressFields:
    """Reads columns of one stream. What it remembers is bounded: 2.6 MB for short texts, 1.2 MB for long ones."""

    def __init__(self) -> None:
        # Every IPv4 address is of at most 15 characters, every IPv6 one of at most 45.
        self._short = FieldTable(words=2, values=3, slots=1 << 16)
        self._long = FieldTable(words=6, values=3, slots=1 << 14)

    def words(
        self, raw: bytes, text: NDArray[np.uint8], starts: NDArray[np.intp], lengths: NDArray[np.intp]
    ) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """Read addresses.

        Parameters
        ----------
        raw : bytes
            The text.
        text : uint8 (m,)
            The same, with at least 48 bytes behind the last field.
        starts, lengths : intp (n,)
            Where each field stands in it.

        Returns
        -------
        words : uint64 (n, 2)
            (high, low); 0 where the field is no address.
        ok : bool (n,)
        """
        if len(lengths) and lengths.max() <= self._short.longest:
            found = self._known(self._short, raw, text, starts, lengths)
            return found[:, :2], found[:, 2] != 0
        result = np.zeros((len(starts), 3), np.uint64)
        is_short = lengths <= self._short.longest
        for table, chosen in ((self._short, is_short), (self._long, ~is_short & (lengths <= self._long.longest))):
            rows = np.flatnonzero(chosen)
            if len(rows):
                result[rows] = self._known(table, raw, text, starts[rows], lengths[rows])
        return result[:, :2], result[:, 2] != 0

    @staticmethod
    def _known(
        table: FieldTable, raw: bytes, text: NDArray[np.uint8], starts: NDArray[np.intp], lengths: NDArray[np.intp]
    ) -> NDArray[np.uint64]:
        """(n, 3): high, low and 1; zeros where the field is no address."""
        return table.values(text, starts, lengths, lambda rows: _read(raw, text, starts[rows], lengths[rows]))


def _read(raw: bytes, text: NDArray[np.uint8], starts: NDArray[np.intp], lengths: NDArray[np.intp]) -> NDArray[np.uint64]:
    values, ok = addresses.parse_ipv4(text, starts, lengths)
    found = np.zeros((len(starts), 3), np.uint64)
    found[:, :2] = addresses.from_ipv4(values)
    found[:, 2] = ok
    others = np.flatnonzero(~ok)
    found[others] = 0
    once: dict[bytes, tuple[int, int, int]] = {}
    for row, start, length in zip(others.tolist(), starts[others].tolist(), lengths[others].tolist(), strict=True):
        field = raw[start : start + length]
        if field not in once:
            once[field] = _one(field)
        found[row] = once[field]
    return found


def _one(field: bytes) -> tuple[int, int, int]:
    try:
        return (*addresses.to_words(field.decode("ascii")), 1)
    except ValueError:
        return 0, 0, 0
