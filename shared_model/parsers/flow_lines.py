"""Lines of one layout as columns: each field is read for all lines at once, and what is wrong is noted by line."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from shared_model.parsers.byte_fields import is_word, parse_numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared_model.parsers.flow_layout import Layout

#: Behind the text, so that a table's longest key can be read at its last byte.
PADDING = 64


class Separators(NamedTuple):
    """Where the fields and the lines of a text end.

    Attributes
    ----------
    at : intp (m,)
        Position of every space, newline or control character.
    line_end : intp (n,)
        Which of them is the newline of each line.
    begins : intp (n,)
        Where each line begins.
    """

    at: NDArray[np.intp]
    line_end: NDArray[np.intp]
    begins: NDArray[np.intp]

    @classmethod
    def of(cls, text: NDArray[np.uint8]) -> Separators:
        """Find them in a text whose last byte is a newline."""
        at = np.flatnonzero(text <= ord(" "))
        line_end = np.flatnonzero(text.take(at) == ord("\n"))
        begins = np.empty(len(line_end), np.intp)
        begins[0] = 0
        begins[1:] = at[line_end[:-1]] + 1
        return cls(at, line_end, begins)

    def field_counts(self) -> NDArray[np.intp]:
        """Fields of each line (intp (n,)); an empty line has one, which is empty."""
        return np.diff(self.line_end, prepend=-1)


class Lines:
    """Lines that have as many fields as their layout, as positions in a buffer.

    Parameters
    ----------
    raw : bytes
        The text.
    text : uint8 (m,)
        The same, with :data:`PADDING` bytes behind it.
    layout : Layout
    separators : Separators
    rows : intp (n,)
        Which lines.
    number : int64 (n,)
        Their 1-based numbers in the source.

    Attributes
    ----------
    rows : intp (n,)
        As given.
    wrong : dict of int to (str, str)
        Line (0 … n-1) → field and reason, of those that cannot be used.
    """

    def __init__(
        self,
        raw: bytes,
        text: NDArray[np.uint8],
        layout: Layout,
        separators: Separators,
        rows: NDArray[np.intp],
        number: NDArray[np.int64],
    ) -> None:
        self.raw, self.text, self.layout, self.number = raw, text, layout, number
        self.wrong: dict[int, tuple[str, str]] = {}
        self._separators, self.rows = separators, rows
        self._begins = separators.begins[rows]
        self._last = separators.line_end[rows]
        self._ends_of: dict[int, NDArray[np.intp]] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def span(self, name: str) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Starts and lengths of a field."""
        column = self.layout.column[name]
        starts = self._begins if column == 0 else self._ends(column - 1) + 1
        return starts, self._ends(column) - starts

    def _ends(self, column: int) -> NDArray[np.intp]:
        """Where a field ends: looked up when it is wanted, since most fields of a long layout never are."""
        if column not in self._ends_of:
            before_last = len(self.layout.names) - 1 - column
            self._ends_of[column] = self._separators.at.take(self._last - before_last)
        return self._ends_of[column]

    def keep(self, rows: NDArray[np.intp]) -> Self:
        """Some of the lines; what was wrong with them is forgotten."""
        return type(self)(self.raw, self.text, self.layout, self._separators, self.rows[rows], self.number[rows])

    def reject(self, rows: NDArray[np.bool_], name: str, reason: str) -> None:
        """Note why lines cannot be used; the first reason of a line counts."""
        for row in np.flatnonzero(rows).tolist():
            self.wrong.setdefault(row, (name, reason))

    def absent(self, name: str) -> NDArray[np.bool_]:
        """Lines whose field is ``-``."""
        starts, lengths = self.span(name)
        hyphen: NDArray[np.bool_] = (lengths == 1) & (self.text[starts] == ord("-"))
        return hyphen

    def numbers(self, name: str, most: int, absent: int | None) -> NDArray[np.int64]:
        """A column of numbers; ``absent`` stands for ``-`` and for a field that the layout lacks; None: it is needed."""
        if name not in self.layout.column:
            return np.full(len(self), absent or 0, np.int64)
        values, ok = parse_numbers(self.text, *self.span(name))
        if not ok.all():
            hyphen = self.absent(name)
            if absent is not None:
                values[hyphen] = absent
            else:
                self.reject(hyphen, name, "the value is absent (-)")
            self.reject(~ok & ~hyphen, name, "not a whole number of at most 16 digits")
        if len(values) and values.max() > most:
            self.reject(values > most, name, f"larger than {most}")
        return values

    def is_word(self, name: str, word: bytes) -> NDArray[np.bool_]:
        """Lines whose field is that word of at most eight bytes; none where the layout lacks the field."""
        if name not in self.layout.column:
            return np.zeros(len(self), np.bool_)
        return is_word(self.text, *self.span(name), word)

    def text_of(self, row: int, name: str) -> str:
        """Text of one field, ``""`` where it is absent."""
        if name not in self.layout.column:
            return ""
        starts, lengths = self.span(name)
        value = self.raw[starts[row] : starts[row] + lengths[row]].decode("utf-8", "replace")
        return "" if value == "-" else value

    def line(self, row: int) -> bytes:
        """A whole line, without its newline."""
        return self.raw[self._begins[row] : self._separators.at[self._last[row]]]
