"""Azure's log blobs, ``{"records":[r1,r2,…]}``: where their records end, and the records without their flow tuples.

Nearly all bytes of a flow log are flow tuples, which stand in arrays of strings (``"flowTuples":["…","…"]``). These arrays are
cut out of the text first, with a few byte searches for each; what is left, the skeleton, is small: its structure is found and it
is decoded as JSON. Nothing is taken for granted on the way: an array that is not exactly strings between commas stays in the
skeleton and is decoded with it, and a text that is no JSON is read record by record (:mod:`shared_model.parsers.json_stream`).
"""

from __future__ import annotations

import io
import json
import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from shared_model.events import Rejected
from shared_model.parsers.json_stream import JsonRecord, read_json_records
from shared_model.parsers.line_chunks import read_up_to
from shared_model.parsers.objects import open_object

if TYPE_CHECKING:
    from collections.abc import Iterator

#: How many bytes are decoded at once.
CHUNK = 1 << 21
#: A record that has not ended after so many bytes never will: a minute of one busy interface takes a few MiB.
RECORD_LIMIT = 1 << 25
#: First character of what stands for an array that was cut out; its number follows. No array is cut out of a text in which a
#: string could have this character otherwise.
MARK = "\0"

_KEY = b'"flowTuples"'
_ARRAY = re.compile(rb'"flowTuples"\s*:\s*\["')
SEPARATOR = b'","'
_HEAD = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"[Rr]ecords"\s*:\s*\[')
_BETWEEN = re.compile(rb"[\s,]*")
_FIRST_KEY = re.compile(rb'[\s,]*(\{\s*"[^"\\]*"\s*:)')
_CONTAINER_END = re.compile(rb"\]\s*\}\s*\Z")


@dataclass(frozen=True, slots=True)
class RecordChunk:
    """Decoded records of a part of a blob, and the flow tuples that were cut out of them.

    Attributes
    ----------
    records : tuple
        JSON values, in order; a Rejected stands in the place of what is no JSON (its ``record`` is not the blob's).
    arrays : tuple of bytes
        What stood between the outermost quotes of each array that was cut out: tuples, with ``","`` between them. In the
        records, the array is a list of one text, :data:`MARK` and the index here.
    """

    records: tuple[Any, ...]
    arrays: tuple[bytes, ...] = ()


def read_records(stream: BinaryIO, *, source: str) -> Iterator[RecordChunk]:
    """Read a log blob, or a part of it that begins and ends between two records.

    Parameters
    ----------
    stream : BinaryIO
        Plain or gzip, open at the beginning.
    source : str
        For rejects and errors.

    Yields
    ------
    RecordChunk
        Memory stays flat, however large the blob is.

    Raises
    ------
    UnreadableTelemetry
        Nothing could be read at all. Damage further on becomes a Rejected behind what was read.
    """
    reader = open_object(stream, source=source)
    waiting, begun = b"", False
    while True:
        piece, damage = read_up_to(reader, max(CHUNK, len(waiting)))  # a long record is not searched once per chunk
        if damage and not begun and not piece:
            raise damage
        begun = True
        waiting += piece
        if not piece or damage:
            break
        skeleton = Skeleton(waiting)
        end = skeleton.complete()
        if end:
            yield skeleton.decoded(source)
        elif len(waiting) > RECORD_LIMIT:
            end = resynchronised(waiting)
            yield _one_by_one(waiting[:end], source)
        waiting = waiting[end:]
    if waiting:
        skeleton = Skeleton(waiting)
        if end := skeleton.complete():
            yield skeleton.decoded(source)
        if not is_blank(waiting[end:]):
            yield _one_by_one(waiting[end:], source)
    if damage:
        yield RecordChunk((Rejected(source, 0, "", f"{damage.reason}; what stands before it was read"),))


def complete_end(data: bytes, *, at_end: bool) -> int:
    """Position behind the last complete record of a text that begins before one (or before the container), 0 without any.

    At the end of a blob, what stands before the container's ``]}`` is complete even where damage hides where its records end:
    what writes these blobs leaves a whole document each time.
    """
    end = Skeleton(data).complete()
    closing = _CONTAINER_END.search(data, end) if at_end else None
    return end if closing is None or is_blank(data[end : closing.start()]) else closing.start()


def is_blank(data: bytes) -> bool:
    """Whether no record begins in a text, nor anything else that is neither the container nor stands between records."""
    return not data[_body(data) :].strip(b" \t\r\n,]}")


def resynchronised(data: bytes) -> int:
    """Where to cut a text in which no record ends: before the last one that begins like the first, else behind it all."""
    first = _FIRST_KEY.match(data, _body(data))
    begin = data.rfind(first[1]) if first else -1
    return begin if first and begin > first.start(1) else len(data)


class Skeleton:
    """A text of records without its flow tuples.

    Parameters
    ----------
    data : bytes
        Begins between two records, or before the container.
    """

    def __init__(self, data: bytes) -> None:
        pieces: list[bytes] = []
        self._arrays: list[bytes] = []
        self._data_ends: list[int] = []  # behind each array, in the data and in the skeleton
        self._ends: list[int] = []
        at = length = 0
        searched = _masked(data)
        awkward = searched is not data or b"\n" in data
        found = -1 if b"\\u0000" in data else searched.find(_KEY)
        while found >= 0:
            match = _ARRAY.match(searched, found)
            end = searched.find(b"]", match.end()) if match else -1
            if match and end < 0:
                break
            if match and data[end - 1 : end] == b'"' and end > match.end():
                inside = data[match.end() : end - 1]
                plain = not awkward or (b"\\" not in inside and b"\n" not in inside)
                if plain and inside.count(b'"') == 2 * inside.count(SEPARATOR):
                    pieces += (data[at : match.end() - 1], b'"\\u0000%d"' % len(self._arrays))
                    length += len(pieces[-2]) + len(pieces[-1])
                    self._arrays.append(inside)
                    self._data_ends.append(end)
                    self._ends.append(length)
                    at = end
            found = searched.find(_KEY, max(found + len(_KEY), at))
        pieces.append(data[at:])
        self._text = b"".join(pieces)
        self._complete = 0

    def complete(self) -> int:
        """Position in the data behind its last complete record, 0 where there is none."""
        body = _body(self._text)
        text = np.frombuffer(_masked(self._text), np.uint8)[body:]
        folded = text | 0x20  # brackets differ from braces by this bit
        brackets = np.flatnonzero((folded == ord("{")) | (folded == ord("}")))
        quotes = np.flatnonzero(text == ord('"'))
        brackets = brackets[np.searchsorted(quotes, brackets) & 1 == 0]
        kind = text[brackets]
        depth = np.cumsum(np.where(kind & 0x04, np.int8(-1), np.int8(1)), dtype=np.int64)  # "]" and "}" have this bit
        ends = np.flatnonzero((depth == 0) & (kind == ord("}")))
        self._complete = body + int(brackets[ends[-1]]) + 1 if len(ends) else 0
        before = bisect_right(self._ends, self._complete)
        return self._data_ends[before - 1] + self._complete - self._ends[before - 1] if before else self._complete

    def decoded(self, source: str) -> RecordChunk:
        """Records up to :meth:`complete`."""
        begin = _BETWEEN.match(self._text, _body(self._text))
        text = self._text[begin.end() if begin else 0 : self._complete]
        arrays = self._arrays[: bisect_right(self._ends, self._complete)]
        try:
            return RecordChunk(tuple(json.loads(f"[{text.decode()}]")), tuple(arrays))
        except (ValueError, RecursionError):
            return _one_by_one(self._whole(text, arrays), source)

    @staticmethod
    def _whole(text: bytes, arrays: list[bytes]) -> bytes:
        """Put the arrays back."""
        return re.sub(rb'"\\u0000(\d+)"', lambda match: b'"%s"' % arrays[int(match[1])], text) if arrays else text


def _one_by_one(data: bytes, source: str) -> RecordChunk:
    found = read_json_records(io.BytesIO(data[_body(data) :]), source=source)
    return RecordChunk(tuple(item.value if isinstance(item, JsonRecord) else item for item in found))


def _body(data: bytes) -> int:
    """Where the records begin: behind the container's head, if it stands there."""
    head = _HEAD.match(data)
    return head.end() if head else 0


def _masked(data: bytes) -> bytes:
    """The same length, without escaped quotes; the same object where there is no escape at all."""
    return data if b"\\" not in data else data.replace(b"\\\\", b"__").replace(b'\\"', b"__")
