"""VPC Flow Logs as text objects: any layout of fields, one-way records as columns.

Format: https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html (versions 2 to 5 and later). Lines of
space-separated fields; the first line of an S3 object names them, and without such a line the layout is version 2's
default. A header may stand anywhere again, as in objects that were joined together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from shared_model import addresses
from shared_model.errors import UnreadableTelemetry
from shared_model.events import FlowBatch, Interface, Rejected
from shared_model.pairing import FlowRecords, Pairer
from shared_model.parsers.byte_fields import is_word, parse_numbers, text_codes
from shared_model.parsers.objects import open_object

if TYPE_CHECKING:
    from io import BufferedReader

    from numpy.typing import NDArray

_VERSION_2 = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
_LATER = (
    "vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr region az-id sublocation-type sublocation-id "
    "pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path reject-reason"
)
#: Layout of an object without a header line.
DEFAULT_LAYOUT = tuple(_VERSION_2.split())
_KNOWN = frozenset(DEFAULT_LAYOUT) | frozenset(_LATER.split())
_HEADER_TOKEN = re.compile(rb"[a-z][a-z0-9-]*")
#: Stands in every header that is of use (srcaddr, pkt-dstaddr …) and is quickly searched for.
_HEADER_HINT = b"addr"
#: How many bytes are parsed at once: columns of so many lines stay in the processor's cache.
_CHUNK = 1 << 20
#: A line that has not ended by then is no flow record; what follows up to its end is skipped.
_LONGEST_LINE = 1 << 16
_RAW_SHOWN = 512
_LONGEST_TIME = 10**14  # milliseconds: the year 5138
_SECONDS_BELOW = 10**11  # seconds up to the year 5138, milliseconds from 1973 on


@dataclass(frozen=True, slots=True)
class FlowRead:
    """What one step of reading yields: flows, and what was no flow.

    Attributes
    ----------
    batch : FlowBatch
    rejected : tuple of Rejected
    records, nodata, skipdata : int
        Lines read as flow records; lines that say that an interface had no traffic; lines that say that records were lost.
    """

    batch: FlowBatch
    rejected: tuple[Rejected, ...] = ()
    records: int = 0
    nodata: int = 0
    skipdata: int = 0


def read_flows(stream: BinaryIO, *, source: str, block: int = 1 << 18) -> Iterator[FlowRead]:
    """Read a flow-log object as two-way flows.

    Parameters
    ----------
    stream : BinaryIO
        The object, plain or gzip, open at its beginning.
    source : str
        Name of the object for errors and evidence, e.g. ``vpc_flow_logs:s3://bucket/key``.
    block : int
        How many records are paired at a time: bounds the memory, however large the object is.

    Yields
    ------
    FlowRead
        One for every ``block`` records, and one for the rest.

    Raises
    ------
    UnreadableTelemetry
        Nothing could be read at all. Damage further on becomes a Rejected behind what was read.
    """
    pairer = Pairer(source)
    rejected: list[Rejected] = []
    records = nodata = skipdata = 0
    for chunk in read_flow_records(stream, source=source):
        pairer.add(chunk)
        rejected.extend(chunk.rejected)
        records += len(chunk)
        nodata += chunk.nodata
        skipdata += chunk.skipdata
        if pairer.waiting >= block or len(rejected) >= block:
            yield FlowRead(pairer.take(), tuple(rejected), records, nodata, skipdata)
            rejected, records, nodata, skipdata = [], 0, 0, 0
    batch = pairer.finish()
    if len(batch) or rejected or records or nodata or skipdata:
        yield FlowRead(batch, tuple(rejected), records, nodata, skipdata)


def read_flow_records(stream: BinaryIO, *, source: str) -> Iterator[FlowRecords]:
    """Read a flow-log object as one-way records, a chunk of lines at a time.

    Every line that is neither empty nor a header is counted once: as a record, as NODATA, as SKIPDATA or as Rejected.
    Parameters and errors are those of :func:`read_flows`.
    """
    parser = _Parser(source)
    try:
        for text in _line_chunks(open_object(stream, source=source), source):
            yield parser.parse(text)
    except UnreadableTelemetry as error:
        if parser.next_line == 1:
            raise
        damage = Rejected(source, parser.next_line, "", f"{error.reason}; the lines before this one were read")
        yield FlowRecords.empty().noted((damage,))


def _line_chunks(stream: BufferedReader, source: str) -> Iterator[bytes]:
    """Cut into pieces of whole lines; every line ends with a newline."""
    rest, begun, skipping = b"", False, False
    while True:
        piece, damage = _read_up_to(stream, _CHUNK)
        if not begun and piece[:4] == b"PAR1":
            raise UnreadableTelemetry(source, "Apache Parquet: set the flow log's destination file format to plain text")
        begun = True
        at_end = not piece
        if skipping:
            end = piece.find(b"\n")
            piece, skipping = (piece[end:], False) if end >= 0 else (b"", True)
        cut = piece.rfind(b"\n") + 1
        if cut:
            yield rest + piece[:cut]
            rest = piece[cut:]
        else:
            rest += piece
        if damage:
            raise damage  # the line before it has no end and cannot be trusted
        if at_end:
            break
        if len(rest) > _LONGEST_LINE:
            rest, skipping = rest[:_LONGEST_LINE], True
    if rest:
        yield rest + b"\n"


def _read_up_to(stream: BufferedReader, size: int) -> tuple[bytes, UnreadableTelemetry | None]:
    """About so many bytes, fewer at the end or before a damage, which is given beside them."""
    pieces: list[bytes] = []
    missing = size
    try:
        while missing > 0 and (piece := stream.read1(missing)):
            pieces.append(piece)
            missing -= len(piece)
    except UnreadableTelemetry as damage:
        return b"".join(pieces), damage
    return b"".join(pieces), None


class _Layout:
    """Which field stands where in a line."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.column = {name: index for index, name in reversed(list(enumerate(names)))}
        self.missing = self._missing()

    def _missing(self) -> tuple[str, str] | None:
        """The field without which no line of this layout is a flow, and why."""
        for names in (("srcaddr", "pkt-srcaddr"), ("dstaddr", "pkt-dstaddr"), ("start", "end")):
            if not any(name in self.column for name in names):
                return names[0], f"the header names neither {names[0]} nor {names[1]}: add it to the flow log's format"
        return None

    def first_of(self, *names: str) -> str:
        return next((name for name in names if name in self.column), "")


@dataclass(slots=True)
class _Lines:
    """Lines that have as many fields as their layout, as positions in a buffer."""

    raw: bytes
    text: NDArray[np.uint8]  # the same, with padding behind
    layout: _Layout
    begins: NDArray[np.intp]  # (n,) where each line begins
    ends: NDArray[np.intp]  # (n, fields) where each field ends
    number: NDArray[np.int64]  # (n,) 1-based line numbers
    wrong: dict[int, tuple[str, str]] = field(default_factory=dict)  # row -> field, reason

    def span(self, name: str) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Starts and lengths of a field."""
        column = self.layout.column[name]
        starts = self.begins if column == 0 else self.ends[:, column - 1] + 1
        return starts, self.ends[:, column] - starts

    def keep(self, rows: NDArray[np.intp]) -> _Lines:
        return _Lines(self.raw, self.text, self.layout, self.begins[rows], self.ends[rows], self.number[rows])

    def reject(self, rows: NDArray[np.bool_], name: str, reason: str) -> None:
        """Note why rows cannot be used; the first reason of a row counts."""
        for row in np.flatnonzero(rows).tolist():
            self.wrong.setdefault(row, (name, reason))

    def absent(self, name: str) -> NDArray[np.bool_]:
        """Rows whose field is ``-``."""
        starts, lengths = self.span(name)
        hyphen: NDArray[np.bool_] = (lengths == 1) & (self.text[starts] == ord("-"))
        return hyphen

    def numbers(self, name: str, most: int, absent: int | None) -> NDArray[np.int64]:
        """A column of numbers; ``absent`` stands for ``-`` and for a field that the layout lacks; None: it is needed."""
        if name not in self.layout.column:
            return np.full(len(self.begins), absent or 0, np.int64)
        values, ok = parse_numbers(self.text, *self.span(name))
        if not ok.all():
            hyphen = self.absent(name)
            if absent is not None:
                values[hyphen] = absent
            else:
                self.reject(hyphen, name, "the value is absent (-)")
            self.reject(~ok & ~hyphen, name, "not a whole number of at most 16 digits")
        if (values > most).any():
            self.reject(values > most, name, f"larger than {most}")
        return values

    def is_word(self, name: str, word: bytes) -> NDArray[np.bool_]:
        if name not in self.layout.column:
            return np.zeros(len(self.begins), np.bool_)
        return is_word(self.text, *self.span(name), word)

    def text_of(self, row: int, name: str) -> str:
        """Text of one field, ``""`` where it is absent."""
        if name not in self.layout.column:
            return ""
        column = self.layout.column[name]
        start = int(self.begins[row] if column == 0 else self.ends[row, column - 1] + 1)
        value = self.raw[start : int(self.ends[row, column])].decode("utf-8", "replace")
        return "" if value == "-" else value


@dataclass(frozen=True, slots=True)
class _Split:
    """Where the fields and lines of a text end.

    Attributes
    ----------
    text : uint8
        The text, with padding behind.
    separators : intp
        Positions of blanks and line ends.
    line_ends : intp (n,)
        Which of the separators end a line.
    begins : intp (n,)
        Position at which each line begins.
    """

    text: NDArray[np.uint8]
    separators: NDArray[np.intp]
    line_ends: NDArray[np.intp]
    begins: NDArray[np.intp]


def _split(text: bytes) -> _Split:
    buffer = np.frombuffer(text + bytes(addresses.PADDING), np.uint8)
    separators = np.flatnonzero(buffer[: len(text)] <= ord(" "))
    line_ends = np.flatnonzero(buffer[separators] == ord("\n"))
    begins = np.zeros(len(line_ends), np.intp)
    begins[1:] = separators[line_ends[:-1]] + 1
    return _Split(buffer, separators, line_ends, begins)


class _Parser:
    """What lasts from chunk to chunk: the layout, the interfaces seen, the IPv6 addresses read."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.next_line = 1  # 1-based number of the line that comes next
        self._interfaces: list[Interface] = []
        self._layout = _Layout(DEFAULT_LAYOUT)
        self._interface_index: dict[bytes, int] = {}
        self._other_addresses: dict[bytes, tuple[int, int] | None] = {}

    def parse(self, text: bytes) -> FlowRecords:
        """Parse whole lines."""
        if b"\r" in text:
            # Same number of lines; a carriage return elsewhere stays, and is no part of a good field.
            text = text.replace(b"\r\n", b"\n")
        lines = _split(text)
        # A header begins with a field's name, a record almost always with a digit: then there is nothing to search for.
        if self.next_line > 1 and not (lines.text[lines.begins] >= ord("a")).any():
            return FlowRecords.joined([self._parse_lines(text, lines)], tuple(self._interfaces))
        parts: list[FlowRecords] = []
        begin = 0
        for header_begin, header_end, names in self._headers(text):
            if header_begin > begin:
                parts.append(self._parse_lines(text[begin:header_begin], _split(text[begin:header_begin])))
            self.next_line += 1
            begin = header_end
            self._layout = _Layout(names)
        if begin < len(text):
            rest = text[begin:] if begin else text
            parts.append(self._parse_lines(rest, _split(rest) if begin else lines))
        return FlowRecords.joined(parts, tuple(self._interfaces))

    def _headers(self, text: bytes) -> list[tuple[int, int, list[str]]]:
        """(begin, end, field names) of each header line: only tokens that look like names, one of them known."""
        found = []
        # The object's first line is looked at whatever it says, so that a header without addresses is told from a line.
        hint = 0 if self.next_line == 1 else text.find(_HEADER_HINT)
        while hint >= 0:
            begin = text.rfind(b"\n", 0, hint) + 1
            end = text.find(b"\n", hint) + 1
            tokens = text[begin:end].split()
            if all(_HEADER_TOKEN.fullmatch(token) for token in tokens):
                names = [token.decode("ascii") for token in tokens]
                if not _KNOWN.isdisjoint(names):
                    found.append((begin, end, names))
            hint = text.find(_HEADER_HINT, end)
        return found

    def _parse_lines(self, text: bytes, split: _Split) -> FlowRecords:
        """Parse lines of one layout."""
        layout = self._layout
        buffer, separators, line_ends, begins = split.text, split.separators, split.line_ends, split.begins
        field_counts = np.diff(line_ends, prepend=-1)
        fields = len(layout.names)
        number = np.arange(self.next_line, self.next_line + len(line_ends), dtype=np.int64)
        self.next_line += len(line_ends)
        rejected: list[Rejected] = []
        fits = field_counts == fields
        if fields == 1:
            fits &= separators[line_ends] > begins
        if layout.missing or not fits.all():
            rows = np.flatnonzero(fits)
            unfit = separators[line_ends] > begins
            if not layout.missing:
                unfit &= ~fits
            for row in np.flatnonzero(unfit).tolist():
                name, reason = layout.missing or ("", f"{field_counts[row]} fields, where the layout has {fields}")
                raw = text[begins[row] : separators[line_ends[row]]]
                rejected.append(self._rejected(int(number[row]), name, reason, raw))
            if layout.missing:
                return FlowRecords.empty().noted(tuple(rejected))
            ends = separators[line_ends[rows, None] + np.arange(1 - fields, 1)]
            lines = _Lines(text, buffer, layout, begins[rows], ends, number[rows])
        else:
            lines = _Lines(text, buffer, layout, begins, separators.reshape(-1, fields), number)
        return self._records(lines, rejected)

    def _records(self, lines: _Lines, rejected: list[Rejected]) -> FlowRecords:
        layout = lines.layout
        nodata = skipdata = 0
        if "log-status" in layout.column:
            is_ok = lines.is_word("log-status", b"OK")
            if not is_ok.all():
                without = lines.is_word("log-status", b"NODATA")
                lost = lines.is_word("log-status", b"SKIPDATA")
                nodata, skipdata = int(without.sum()), int(lost.sum())
                lines = lines.keep(np.flatnonzero(~without & ~lost))
                lines.reject(~lines.is_word("log-status", b"OK"), "log-status", "neither OK, NODATA nor SKIPDATA")
        else:
            source, destination = layout.first_of("srcaddr", "pkt-srcaddr"), layout.first_of("dstaddr", "pkt-dstaddr")
            without = lines.absent(source) & lines.absent(destination)
            if without.any():
                nodata = int(without.sum())
                lines = lines.keep(np.flatnonzero(~without))
        records = self._columns(lines)
        if lines.wrong:
            for row, (name, reason) in sorted(lines.wrong.items()):
                raw = lines.raw[lines.begins[row] : lines.ends[row, -1]]
                rejected.append(self._rejected(int(lines.number[row]), name, reason, raw))
            good = np.ones(len(records), np.bool_)
            good[list(lines.wrong)] = False
            records = records.keep(np.flatnonzero(good))
        rejected.sort(key=lambda item: item.record)
        return records.noted(tuple(rejected), nodata, skipdata)

    def _columns(self, lines: _Lines) -> FlowRecords:
        layout = lines.layout
        source = self._addresses(lines, layout.first_of("srcaddr", "pkt-srcaddr"))
        destination = self._addresses(lines, layout.first_of("dstaddr", "pkt-dstaddr"))
        start = self._times(lines, layout.first_of("start", "end"))
        end = self._times(lines, layout.first_of("end", "start"))
        if (end < start).any():
            lines.reject(end < start, "end", "lies before start")
        direction = np.zeros(len(lines.begins), np.int8)
        if "flow-direction" in layout.column:
            direction[lines.is_word("flow-direction", b"ingress")] = 1
            direction[lines.is_word("flow-direction", b"egress")] = 2
        self._rewritten(lines, "pkt-srcaddr", "srcaddr", direction, 2)
        self._rewritten(lines, "pkt-dstaddr", "dstaddr", direction, 1)
        refused = lines.is_word("action", b"REJECT")
        if "action" in layout.column:
            accepted = lines.is_word("action", b"ACCEPT")
            if not (refused | accepted).all():
                lines.reject(~refused & ~accepted & ~lines.absent("action"), "action", "neither ACCEPT nor REJECT")
        return FlowRecords(
            start_ms=start,
            end_ms=end,
            source=source,
            destination=destination,
            source_port=lines.numbers("srcport", 65535, 0).astype(np.int32),
            destination_port=lines.numbers("dstport", 65535, 0).astype(np.int32),
            protocol=lines.numbers("protocol", 255, None).astype(np.int16),
            packets=lines.numbers("packets", 10**16, -1),
            bytes=lines.numbers("bytes", 10**16, -1),
            flags=lines.numbers("tcp-flags", 255, 0).astype(np.uint8),
            refused=refused,
            direction=direction,
            interface=self._interface_column(lines),
            record=lines.number,
        )

    def _times(self, lines: _Lines, name: str) -> NDArray[np.int64]:
        """Milliseconds since the epoch, from seconds or milliseconds."""
        values = lines.numbers(name, _LONGEST_TIME, None)
        return np.where(values < _SECONDS_BELOW, values * 1000, values)

    def _rewritten(self, lines: _Lines, packet: str, recorded: str, direction: NDArray[np.int8], meaning: int) -> None:
        """Where the recorded address is not the packet's own, it is the interface's: that tells the record's direction."""
        if packet not in lines.layout.column or recorded not in lines.layout.column:
            return
        unknown = np.flatnonzero(direction == 0)
        if not len(unknown):
            return
        packet_words = self._addresses(lines, packet, optional=True)
        recorded_words = self._addresses(lines, recorded)
        differs = (packet_words != recorded_words).any(axis=1) & (packet_words != 0).any(axis=1)
        direction[unknown[differs[unknown]]] = meaning

    def _addresses(self, lines: _Lines, name: str, *, optional: bool = False) -> NDArray[np.uint64]:
        """Addresses of a field as (n, 2) words; zero where it is absent or wrong."""
        starts, lengths = lines.span(name)
        values, ok = addresses.parse_ipv4(lines.text, starts, lengths)
        words = addresses.from_ipv4(values)
        if ok.all():
            return words
        rest = np.flatnonzero(~ok)
        read = self._other_addresses
        found: list[tuple[int, int]] = []
        for row, start, length in zip(rest.tolist(), starts[rest].tolist(), lengths[rest].tolist(), strict=True):
            text = lines.raw[start : start + length]
            address = read[text] if text in read else self._other_address(text)
            found.append(address or (0, 0))
            if address is None and not optional:
                reason = "the address is absent (-)" if text == b"-" else "not an IPv4 or IPv6 address"
                lines.wrong.setdefault(row, (name, reason))
        words[rest] = np.array(found, np.uint64)
        return words

    def _other_address(self, text: bytes) -> tuple[int, int] | None:
        """An address that is not plain IPv4: mostly the same few, so each is read once."""
        if len(self._other_addresses) >= 1 << 16:
            self._other_addresses.clear()
        try:
            address = addresses.to_words(text.decode("ascii"))
        except ValueError:
            address = None
        self._other_addresses[text] = address
        return address

    def _interface_column(self, lines: _Lines) -> NDArray[np.int32]:
        """Index of each line's interface, adding those not seen before."""
        if not len(lines.begins):
            return np.empty(0, np.int32)
        if "interface-id" not in lines.layout.column:
            return np.full(len(lines.begins), self._interface(lines, 0, b""), np.int32)
        starts, lengths = lines.span("interface-id")
        first, code = text_codes(lines.text, starts, lengths)
        spans = zip(first.tolist(), starts[first].tolist(), lengths[first].tolist(), strict=True)
        known = [self._interface(lines, row, lines.raw[start : start + length]) for row, start, length in spans]
        return np.array(known, np.int32)[code]

    def _interface(self, lines: _Lines, row: int, name: bytes) -> int:
        """Index of an interface. Its account and instance are those of the first line that names it."""
        index = self._interface_index.get(name)
        if index is None:
            index = self._interface_index[name] = len(self._interfaces)
            instance_id = lines.text_of(row, "instance-id") if name else ""
            account, vpc_id = lines.text_of(row, "account-id"), lines.text_of(row, "vpc-id")
            self._interfaces.append(Interface(lines.text_of(row, "interface-id"), account, instance_id, vpc_id))
        return index

    def _rejected(self, record: int, name: str, reason: str, raw: bytes) -> Rejected:
        return Rejected(self.source, record, name, reason, raw[: 4 * _RAW_SHOWN].decode("utf-8", "replace")[:_RAW_SHOWN])
