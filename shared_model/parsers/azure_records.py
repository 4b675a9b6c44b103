"""Azure's log blobs, ``{"records":[r1,r2,…]}``: where their records end, and the records without their flow tuples.

Nearly all bytes of a flow log are flow tuples, which stand in arrays of strings (``"flowTuples":["…","…"]``). These arrays are
cut out of the text first, with a few byte searches for each; what is left, the skeleton, is small: its structure is found and it
is decoded as JSON. Nothing is taken for granted on the way: an array that is written otherwise stays in the skeleton and is
decoded with it, and a text that is no JSON is read record by record (:mod:`shared_model.parsers.json_stream`).
"""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from shared_model.events import Rejected
from shared_model.parsers.fields import FieldError, rejected
from shared_model.parsers.json_stream import JsonRecord, read_json_records
from shared_model.parsers.line_chunks import read_up_to
from shared_model.parsers.objects import open_object

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

#: How many bytes are decoded at once: about 200,000 tuples.
CHUNK = 1 << 24
#: A record that has not ended after so many bytes never will: a minute of one busy interface takes a few MiB.
RECORD_LIMIT = 1 << 25
#: First character of what stands for an array that was cut out; its number follows. No array is cut out of a text with escapes,
#: so that no other string can have this character.
MARK = "\0"

#: What stands between two tuples of an array that was cut out, and between an array's first and last quote nothing else.
SEPARATOR = b'","'
#: Before an array's first tuple, as these logs are written.
_OPENS = b'"flowTuples":["'
#: What an array's text does not end with, up to the bracket: there the quote would open a string that begins with the bracket.
_DOUBTFUL = (SEPARATOR, b' "', b'\t"', b'\r"', b'\n"')
_MARKS: list[bytes] = []
_DECODER = json.JSONDecoder()
_HEAD = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"[Rr]ecords"\s*:\s*\[')
_BETWEEN = re.compile(rb"[\s,]*")
#: How a record begins: with one of its own fields, of which none is the first of an object within it.
_RECORD = re.compile(
    rb'\{\s*"(?:time|systemId|macAddress|category|operationName|resourceId|properties|flowLog[A-Za-z]+|targetResourceID|flowRecords)"\s*:'
)


@dataclass(frozen=True, slots=True)
class RecordChunk:
    """Decoded records of a part of a blob, and the flow tuples that were cut out of them.

    Attributes
    ----------
    records : tuple
        JSON values, in order; a Rejected stands in the place of what is no JSON (its ``record`` is not the blob's).
    arrays : tuple of bytes
        What stood between the outermost quotes of each array that was cut out: tuples with :data:`SEPARATOR` between them,
        or the array holds other things too. In the records, the array is a list of one text, :data:`MARK` and the index here.
    text : bytes
        What it was decoded from.
    """

    records: tuple[Any, ...]
    arrays: tuple[bytes, ...] = ()
    text: bytes = field(default=b"", repr=False)

    def uncut(self, source: str) -> RecordChunk:
        """Decode it again with nothing cut out."""
        return Skeleton(self.text, cut=False).decoded(source, whole=True)


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
        wanted = max(CHUNK, len(waiting))  # a long record is not searched once per chunk
        piece, damage = read_up_to(reader, wanted)
        if damage and not begun and not piece:
            raise damage
        begun = True
        waiting += piece
        if damage or len(piece) < wanted:
            break
        skeleton = Skeleton(waiting)
        end = skeleton.complete()
        if end:
            yield skeleton.decoded(source)
        elif len(waiting) > RECORD_LIMIT:
            end = resynchronised(waiting)
            yield _one_by_one(waiting[:end], source)
        waiting = waiting[end:]
    if not is_blank(waiting):
        yield Skeleton(waiting).decoded(source, whole=True)
    if damage:
        yield RecordChunk((Rejected(source, 0, "", f"{damage.reason}; what stands before it was read"),))


def complete_end(data: bytes, *, at_end: bool) -> int:
    """Position behind the last complete record of a text that begins before one (or before the container), 0 without any.

    Where a blob ends with the container's ``]}``, all before it is complete, damaged or not: what writes these blobs leaves a
    whole document each time.
    """
    closing = _closing(data) if at_end else -1
    if closing >= 0:
        return 0 if is_blank(data[:closing]) else len(data[:closing].rstrip(b" \t\r\n,"))
    return Skeleton(data).complete()


def _closing(data: bytes) -> int:
    """Where the container's end stands at the end of a text, -1 where it does not."""
    brace = len(data.rstrip()) - 1
    bracket = len(data[: max(brace, 0)].rstrip()) - 1
    return bracket if data[brace : brace + 1] == b"}" and data[bracket : bracket + 1] == b"]" else -1


def resynchronised(data: bytes) -> int:
    """Where to cut a text in which no record ends: before the last one that begins, else behind it all."""
    starts = [match.start() for match in _RECORD.finditer(data)]
    return starts[-1] if len(starts) > 1 else len(data)


def is_blank(data: bytes) -> bool:
    """Whether no record begins in a text, nor anything else that is neither the container nor stands between records."""
    return not data[_body(data) :].strip(b" \t\r\n,]}")


class Skeleton:
    """A text of records without its flow tuples.

    Parameters
    ----------
    data : bytes
        Begins between two records, or before the container.
    cut : bool
        False: the tuples stay where they are.
    """

    def __init__(self, data: bytes, *, cut: bool = True) -> None:
        self._data = data
        self._complete = 0
        self._arrays: list[bytes] = []
        self._text = data
        if not cut or b"\\" in data:  # without escapes a string ends at the next quote, and none can hold a mark
            return
        before, *pieces = data.split(_OPENS)
        taken = [piece.partition(b"]") for piece in pieces]
        if taken and not taken[-1][1]:  # it goes on behind this text
            taken.pop()
        if not all(array.endswith(b'"') and not array.endswith(_DOUBTFUL) for array, _, _ in taken):
            return
        parts = [before] * (2 * len(taken) + 1)
        parts[1::2] = marks = _marks(len(taken))
        parts[2::2] = [after for _, _, after in taken]
        if len(taken) < len(pieces):
            parts.append(_OPENS + pieces[-1])
        self._arrays, self._text = [array[:-1] for array, _, _ in taken], b"".join(parts)
        #: Behind each array: where in the text, and by how much farther in the data.
        self._ends = np.cumsum(_lengths(parts))[1 : 2 * len(taken) : 2]
        self._farther = np.cumsum(_lengths(self._arrays) + len(_OPENS) + len(b'"]') - _lengths(marks))

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
        return self._end_in_data()

    def decoded(self, source: str, *, whole: bool = False) -> RecordChunk:
        """Records up to :meth:`complete`; or the whole text, at whose end the container may close."""
        if whole:
            self._complete = len(self._text)
        body = _body(self._text)
        between = _BETWEEN.match(self._text, body)
        begin = between.end() if between else body
        ends = [self._complete]
        if whole and (closing := _closing(self._text)) >= begin:
            ends.insert(0 if body else 1, closing)  # a record may end alike
        data, arrays = self._data[: self._end_in_data()], tuple(self._arrays[: self._arrays_before()])
        for end in ends:
            try:
                return RecordChunk(tuple(json.loads(f"[{self._text[begin:end].decode()}]")), arrays, data)
            except (ValueError, RecursionError):
                continue
        return _one_by_one(data, source)

    def _arrays_before(self) -> int:
        return int(np.searchsorted(self._ends, self._complete, "right")) if self._arrays else 0

    def _end_in_data(self) -> int:
        count = self._arrays_before()
        return self._complete + (int(self._farther[count - 1]) if count else 0)


def _one_by_one(data: bytes, source: str) -> RecordChunk:
    """Decode from record to record, wherever one begins: what is no JSON costs itself, and none of those around it."""
    data = data[_body(data) :]
    starts = [match.start() for match in _RECORD.finditer(data)]
    found: list[Any] = list(_any_json(data[: starts[0] if starts else len(data)], source))
    for start, following in pairwise([*starts, len(data)]):
        text = data[start:following].decode("utf-8", "replace")
        try:
            value, length = _DECODER.raw_decode(text)
        except (ValueError, RecursionError) as error:
            reason = "is nested too deeply" if isinstance(error, RecursionError) else f"is not JSON: {error}"
            found.append(rejected(source, 0, FieldError("", reason), text))
            continue
        found.append(value)
        found += _any_json(text[length:].encode(), source)
    return RecordChunk(tuple(found))


def _any_json(data: bytes, source: str) -> Iterator[Any]:
    if not is_blank(data):
        for item in read_json_records(io.BytesIO(data), source=source):
            yield item.value if isinstance(item, JsonRecord) else item


def _lengths(texts: list[bytes]) -> NDArray[np.int64]:
    return np.fromiter(map(len, texts), np.int64, len(texts))


def _marks(count: int) -> list[bytes]:
    """What stands in the skeleton for each array."""
    _MARKS.extend(b'"flowTuples":["\\u0000%d"]' % number for number in range(len(_MARKS), count))
    return _MARKS[:count]


def _body(data: bytes) -> int:
    """Where the records begin: behind the container's head, if it stands there."""
    head = _HEAD.match(data)
    return head.end() if head else 0


def _masked(data: bytes) -> bytes:
    """The same length, without escaped quotes; the same object where there is no escape at all."""
    return data if b"\\" not in data else data.replace(b"\\\\", b"__").replace(b'\\"', b"__")
