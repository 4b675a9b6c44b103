"""JSON records out of a stream, one by one, so that memory stays flat however large the object is.

Takes what the services deliver: one object, ``{"Records": [...]}``, an array, JSON lines, and objects that
stand side by side without a separator (as Firehose writes them). A record that is not JSON is rejected and
the next one is looked for.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from shared_model.errors import UnreadableTelemetry
from shared_model.events import Rejected
from shared_model.parsers.fields import FieldError, rejected

_CHUNK = 256 * 1024
#: A record that has not ended after so many characters never will (CloudTrail's limit is 256 KiB, CloudWatch Logs' 1 MiB).
RECORD_LIMIT = 8 * 1024 * 1024

_SEARCHES = 16
_PASSED = 16 * 1024
_DECODER = json.JSONDecoder()
_CONTAINER = re.compile(r'\{\s*"Records"\s*:\s*\[')
_CONTAINER_SPAN = 64  # characters in which the container's beginning is found
# Between records anything of a list's or container's punctuation may stand: what matters is where objects begin.
_BETWEEN = re.compile(r"[\s,\[\]}\ufeff]*")
# In a container each element is a record, whatever it is: only what cannot begin one is passed over.
_BETWEEN_ELEMENTS = re.compile(r"[\s,\ufeff]*")
_SCALAR = re.compile(r'(?:null|true|false|-?\d[\d.eE+-]*|"(?:[^"\\\n]|\\.)*")(?=\s*[,\]])')
_ELEMENT_SPAN = 64 * 1024  # characters in which the end of an element that is no object is looked for
_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}]', re.DOTALL)
_JUNK_END = re.compile(r"[\n{]")
# Where the next record may begin after one whose end cannot be found (a quote is missing).
_NEXT = re.compile(r'\n\s*(?=\{)|\}\s*,?\s*(?=\{\s*")')


@dataclass(frozen=True, slots=True)
class JsonRecord:
    """One decoded object and its 1-based number in the stream (rejected records are counted too)."""

    number: int
    value: dict[str, Any]


def read_json_records(stream: BinaryIO, *, source: str) -> Iterator[JsonRecord | Rejected]:
    """Decode the objects of a stream of UTF-8 text.

    Parameters
    ----------
    stream : BinaryIO
        Already decompressed (``open_object``).
    source : str
        For rejects.

    Yields
    ------
    JsonRecord or Rejected
        In order. A stream that breaks off in the middle (a truncated gzip member) yields what came before, then one Rejected.
    """
    text = _Text(stream)
    number, in_container = 0, False
    while True:
        text.skip(_BETWEEN_ELEMENTS if in_container else _BETWEEN)
        if text.ended:
            break
        first = text.buffer[text.at]
        if in_container and first in "]}":
            in_container = False
            continue
        if first == "{":
            text.fill(_CONTAINER_SPAN)
            if start := _CONTAINER.match(text.buffer, text.at):
                text.at, in_container = start.end(), True
                continue
            outcome = _object(text)
        else:
            outcome = FieldError("", "is not a JSON object"), _no_object(text)
        number += 1
        if isinstance(outcome, dict):
            yield JsonRecord(number, outcome)
        else:
            yield rejected(source, number, *outcome)
    if text.broken:
        yield rejected(source, number + 1, FieldError("", text.broken), "")


def _object(text: _Text) -> dict[str, Any] | tuple[FieldError, str]:
    """Decode the object at the cursor and step behind it; where it is no JSON, say why and return its text."""
    text.forget()
    while True:
        try:
            value, end = _DECODER.raw_decode(text.buffer, text.at)
        except (ValueError, RecursionError) as error:
            end = _balanced_end(text.buffer, text.at) if text.searches_left else -1
            if end < 0 and text.searches_left and len(text.buffer) - text.at < RECORD_LIMIT and text.more():
                continue
            if end < 0:
                text.searches_left -= 1 if text.searches_left else 0
                following = _NEXT.search(text.buffer, text.at + 1)
                end = following.end() if following else len(text.buffer)
            reason = "is nested too deeply" if isinstance(error, RecursionError) else f"is not JSON: {error}"
            return FieldError("", reason), text.step_to(end)
        text.at = end
        return value  # type: ignore[no-any-return]  # the text begins with a brace: it is an object


def _no_object(text: _Text) -> str:
    """Step over one value that is no object, and return it; where its end cannot be told, over what comes before the next."""
    text.fill(_ELEMENT_SPAN)
    if scalar := _SCALAR.match(text.buffer, text.at):
        return text.step_to(scalar.end())
    if text.buffer[text.at] != "[":
        return text.take(_JUNK_END)
    try:
        _, end = _DECODER.raw_decode(text.buffer, text.at)
    except (ValueError, RecursionError):
        end = text.at + 1  # what is in it is looked at
    return text.step_to(end)


def _balanced_end(buffer: str, start: int) -> int:
    """Position behind the brace that closes the one at ``start``, -1 where the buffer does not hold it."""
    depth = 0
    for token in _STRUCTURE.finditer(buffer, start):
        if token[0] == "{":
            depth += 1
        elif token[0] == "}":
            depth -= 1
            if depth == 0:
                return token.end()
    return -1


class _Text:
    """The stream's text with a cursor; what lies before the cursor is forgotten when more is read."""

    def __init__(self, stream: BinaryIO) -> None:
        # read1 where there is one: it hands over what it has before it runs into damage.
        self._read = getattr(stream, "read1", stream.read)
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._exhausted = False
        self.buffer = ""
        self.at = 0
        #: Why the stream broke off, "" while it has not.
        self.broken = ""
        #: How many more records without an end are searched for it to the limit; then the next line must do. Bounds
        #: the work on an object that is not JSON at all.
        self.searches_left = _SEARCHES

    @property
    def ended(self) -> bool:
        """Whether nothing is left behind the cursor."""
        return self.at >= len(self.buffer) and not self.more()

    def more(self) -> bool:
        """Read on. As much again as is waiting, so that a long record is not decoded once per chunk. False at the end."""
        if self._exhausted:
            return False
        waiting = self.buffer[self.at :]
        try:
            data = self._read(max(_CHUNK, len(waiting)))
        except UnreadableTelemetry as error:
            data, self.broken = b"", f"the object cannot be read to its end: {error.reason}"
        self._exhausted = not data
        self.buffer, self.at = waiting + self._decode(data, self._exhausted), 0
        return len(self.buffer) > len(waiting) or not self._exhausted

    def forget(self) -> None:
        """Drop what was passed, once it is much: json counts the lines before every error, from the beginning."""
        if self.at > _PASSED:
            self.buffer, self.at = self.buffer[self.at :], 0

    def fill(self, size: int) -> None:
        """Have that much text behind the cursor, where the stream holds it."""
        while len(self.buffer) - self.at < size and self.more():
            pass

    def skip(self, pattern: re.Pattern[str]) -> None:
        """Step over everything that the pattern takes."""
        while True:
            match = pattern.match(self.buffer, self.at)
            self.at = match.end() if match else self.at
            if self.at < len(self.buffer) or not self.more():
                return

    def take(self, end: re.Pattern[str]) -> str:
        """Step to where the pattern matches, or to the end, and return what was stepped over (its beginning)."""
        taken = ""
        while True:
            match = end.search(self.buffer, self.at)
            taken = (taken + self.step_to(match.start() if match else len(self.buffer)))[:RECORD_LIMIT]
            if match or not self.more():
                return taken

    def step_to(self, end: int) -> str:
        """Move the cursor and return the text in between."""
        passed, self.at = self.buffer[self.at : end], end
        return passed
