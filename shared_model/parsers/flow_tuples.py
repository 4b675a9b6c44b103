"""Flow tuples of Azure as columns: strings of comma-separated fields, read in the JSON text itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared_model.events import Rejected
from shared_model.parsers.azure_records import SEPARATOR
from shared_model.parsers.byte_fields import parse_numbers
from shared_model.parsers.fields import RAW_LIMIT
from shared_model.parsers.flow_lines import PADDING, Lines, Separators

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shared_model.connections import FlowTuples
    from shared_model.parsers.address_fields import AddressFields
    from shared_model.parsers.flow_layout import Layout

_LONGEST_TIME = 10**14  # milliseconds: the year 5138
_SECONDS_BELOW = 10**11  # seconds up to the year 5138, milliseconds from 1973 on
_COMMA, _QUOTE = ord(","), ord('"')


class TupleText:
    """Tuples one after another, as they stand in JSON arrays: ``first","second","third``.

    Parameters
    ----------
    arrays : sequence of bytes
        Not empty; the text of each between its first and last quote.

    Attributes
    ----------
    regular : bool
        Between the tuples stands nothing but :data:`~shared_model.parsers.azure_records.SEPARATOR`. Otherwise the arrays hold
        other things too, and nothing else here has a meaning.
    sizes : int64 (k,)
        Tuples of each array.
    interface : int32 (n,)
        Of each tuple; set by :meth:`place`.
    """

    def __init__(self, arrays: Sequence[bytes]) -> None:
        self._text = SEPARATOR.join(arrays) + b'"'
        self._buffer = np.frombuffer(self._text + bytes(PADDING), np.uint8)
        # No character of a good tuple is below the comma; whatever is, is found here with it.
        at = np.flatnonzero(self._buffer[: len(self._text)] <= _COMMA)
        found = self._buffer.take(at)
        quotes = np.flatnonzero(found == _QUOTE)
        ends, opens = quotes[::2], quotes[1::2]  # of a tuple; of the next
        self.regular = len(ends) == len(opens) + 1
        if self.regular:
            gap = ends[:-1] + 1
            self.regular = bool(((opens - gap == 1) & (at[opens] - at[gap] == 1) & (found[gap] == _COMMA)).all())
            self.regular = self.regular and bool((at[gap] - at[gap - 1] == 1).all())
        if not self.regular:
            return
        begins = np.zeros(len(ends), np.intp)
        begins[1:] = at[opens] + 1
        self._separators = Separators(at, ends, begins)
        self.fields = self._separators.field_counts()
        self.fields[1:] -= 2  # the comma between two tuples and the quote that opens the second
        other = np.flatnonzero((found != _COMMA) & (found != _QUOTE))
        self.fields[np.searchsorted(ends, other)] = -1
        lengths = np.fromiter(map(len, arrays), np.int64, len(arrays)) + len(SEPARATOR)
        self.sizes = np.diff(np.searchsorted(begins, np.cumsum(lengths)), prepend=0)
        self.interface, self._number = np.empty(0, np.int32), np.empty(0, np.int64)

    def place(self, interface: NDArray[np.int32], number: NDArray[np.int64]) -> None:
        """Say of each array's tuples which interface they are of, and of each array which number its first tuple has."""
        begins = np.cumsum(self.sizes) - self.sizes
        self.interface = np.repeat(interface, self.sizes)
        self._number = np.arange(int(self.sizes.sum())) + np.repeat(number - begins, self.sizes)

    def lines(self, layout: Layout) -> TupleLines:
        """Return the tuples that have as many fields as a layout."""
        rows = np.flatnonzero(self.fields == len(layout.names))
        return TupleLines(self._text, self._buffer, layout, self._separators, rows, self._number[rows])

    def unfit(self, layouts: tuple[Layout, ...], source: str) -> list[Rejected]:
        """Reject the tuples that are of none of these layouts."""
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
    """Tuples of one layout; a tuple is a line here."""

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
