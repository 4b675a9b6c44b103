"""Flow tuples of Azure as columns: comma-separated fields in a text of which each line is one tuple."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared_model.events import Rejected
from shared_model.parsers.address_fields import AddressFields
from shared_model.parsers.byte_fields import parse_numbers
from shared_model.parsers.fields import RAW_LIMIT
from shared_model.parsers.flow_lines import PADDING, Lines, Separators

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from shared_model.connections import FlowTuples
    from shared_model.parsers.flow_layout import Layout

_LONGEST_TIME = 10**14  # milliseconds: the year 5138
_SECONDS_BELOW = 10**11  # seconds up to the year 5138, milliseconds from 1973 on
_COMMA, _NEWLINE = ord(","), ord("\n")


class TupleText:
    """A text of tuples, each on a line.

    Parameters
    ----------
    text : bytes
        Not empty; ends with a newline.
    interface : int32 (n,)
        Of each line.
    number : int64 (n,)
        Of each line in its source.
    """

    def __init__(self, text: bytes, interface: NDArray[np.int32], number: NDArray[np.int64]) -> None:
        self._text = text
        self._buffer = np.frombuffer(text + bytes(PADDING), np.uint8)
        # No character of a good tuple is below the comma; whatever is, is found here with it.
        at = np.flatnonzero(self._buffer[: len(text)] <= _COMMA)
        found = self._buffer.take(at)
        line_end = np.flatnonzero(found == _NEWLINE)
        begins = np.zeros(len(line_end), np.intp)
        begins[1:] = at[line_end[:-1]] + 1
        self._separators = Separators(at, line_end, begins)
        self.fields = self._separators.field_counts()
        other = np.flatnonzero((found != _COMMA) & (found != _NEWLINE))
        self.fields[np.searchsorted(line_end, other)] = -1
        self.interface, self._number = interface, number

    def lines(self, layout: Layout) -> TupleLines:
        """Return the lines that have as many fields as a layout."""
        rows = np.flatnonzero(self.fields == len(layout.names))
        return TupleLines(self._text, self._buffer, layout, self._separators, rows, self._number[rows])

    def unfit(self, layouts: tuple[Layout, ...], source: str) -> list[Rejected]:
        """Reject the lines that are of none of these layouts."""
        wanted = [len(layout.names) for layout in layouts]
        unfit = self.fields != wanted[0]
        for count in wanted[1:]:
            unfit &= self.fields != count
        if not unfit.any():
            return []
        ends = self._separators.at[self._separators.line_end]
        rejected = []
        for row in np.flatnonzero(unfit).tolist():
            fields = int(self.fields[row])
            reason = f"{fields} fields, where a tuple has {' or '.join(map(str, wanted))}"
            if fields < 0:
                reason = "has a character that no tuple has"
            raw = self._text[self._separators.begins[row] : ends[row]]
            rejected.append(_rejected(source, int(self._number[row]), "", reason, raw))
        return rejected


class TupleLines(Lines):
    """Lines of one layout, with what is read of a tuple's fields."""

    def times(self, name: str) -> NDArray[np.int64]:
        """Milliseconds since the epoch, from seconds or milliseconds."""
        values = self.numbers(name, _LONGEST_TIME, None)
        return np.where(values < _SECONDS_BELOW, values * 1000, values)

    def addresses(self, name: str, read: AddressFields) -> NDArray[np.uint64]:
        """Addresses as (n, 2) words."""
        words, ok = read.words(self.raw, self.text, *self.span(name))
        if not ok.all():
            self.reject(~ok, name, "not an IPv4 or IPv6 address")
        return words

    def letters(self, name: str, allowed: bytes) -> NDArray[np.uint8]:
        """Fields of one character each, as its number."""
        starts, lengths = self.span(name)
        letter: NDArray[np.uint8] = self.text[starts]
        table = np.zeros(256, np.bool_)
        table[list(allowed)] = True
        ok = table[letter] & (lengths == 1)
        if not ok.all():
            self.reject(~ok, name, f"none of {', '.join(map(chr, allowed))}")
        return letter

    def counts(self, name: str, needed: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Counts; where none is needed, the field may be empty."""
        starts, lengths = self.span(name)
        values, ok = parse_numbers(self.text, starts, lengths)
        if not ok.all():
            self.reject(~ok & (needed | (lengths > 0)), name, "not a whole number of at most 16 digits")
        return values

    def good(self, columns: FlowTuples, source: str) -> tuple[FlowTuples, list[Rejected]]:
        """Return the tuples with which nothing was wrong, and the rejected others."""
        if not self.wrong:
            return columns, []
        rejected = [
            _rejected(source, int(self.number[row]), name, reason, self.line(row)) for row, (name, reason) in self.wrong.items()
        ]
        fine = np.ones(len(self), np.bool_)
        fine[list(self.wrong)] = False
        return columns.keep(np.flatnonzero(fine)), rejected

    def is_encryption(self, name: str) -> NDArray[np.bool_]:
        """Fields that say X (encrypted), NX (not), or NX and why (``NX_HW_NOT_SUPPORTED``)."""
        starts, lengths = self.span(name)
        first, second, third = (self.text[starts + place] for place in range(3))
        not_encrypted = (first == ord("N")) & (second == ord("X")) & ((lengths == 2) | ((lengths > 3) & (third == ord("_"))))
        fits: NDArray[np.bool_] = not_encrypted | ((lengths == 1) & (first == ord("X")))
        return fits


def protocol_of_letters(letters: NDArray[np.uint8], numbers: Mapping[str, int]) -> NDArray[np.int16]:
    """Protocol numbers of letters such as T and U; 0 for others."""
    table = np.zeros(256, np.int16)
    for letter, number in numbers.items():
        table[ord(letter)] = number
    return table[letters]


def _rejected(source: str, record: int, name: str, reason: str, raw: bytes) -> Rejected:
    return Rejected(source, record, name, reason, raw[: 4 * RAW_LIMIT].decode("utf-8", "replace")[:RAW_LIMIT])
