"""VPC Flow Logs as text objects: any layout of fields, one-way records as columns.

Format: https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html (versions 2 to 5 and later). Lines of
space-separated fields; the first line of an S3 object names them, and without such a line the layout is version 2's
default. A header may stand anywhere again, as in objects that were joined together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from shared_model.errors import UnreadableTelemetry
from shared_model.events import Interface, Rejected
from shared_model.flow_records import FlowRead, FlowRecords
from shared_model.pairing import Pairer
from shared_model.parsers.address_fields import AddressFields
from shared_model.parsers.field_table import FieldTable
from shared_model.parsers.flow_layout import DEFAULT_LAYOUT, HEADER_HINT, Layout, header_names
from shared_model.parsers.flow_lines import PADDING, Lines, Separators
from shared_model.parsers.line_chunks import line_chunks
from shared_model.parsers.objects import open_object

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RAW_SHOWN = 512
_LONGEST_TIME = 10**14  # milliseconds: the year 5138
_SECONDS_BELOW = 10**11  # seconds up to the year 5138, milliseconds from 1973 on


def read_flows(stream: BinaryIO, *, source: str, account: str = "", block: int = 1 << 18) -> Iterator[FlowRead]:
    """Read a flow-log object as two-way flows.

    Parameters
    ----------
    stream : BinaryIO
        The object, plain or gzip, open at its beginning.
    source : str
        Name of the object for errors and evidence, e.g. ``vpc_flow_logs:s3://bucket/key``.
    account : str
        Whose records they are where they do not say it (a layout without ``account-id``). Without an account, what a verdict
        names has none either, and no signal of another kind is about the same thing.
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
    for chunk in read_flow_records(stream, source=source, account=account):
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


def read_flow_records(stream: BinaryIO, *, source: str, account: str = "") -> Iterator[FlowRecords]:
    """Read a flow-log object as one-way records, a chunk of lines at a time.

    Every line that is neither empty nor a header is counted once: as a record, as NODATA, as SKIPDATA or as Rejected.
    Parameters and errors are those of :func:`read_flows`.
    """
    parser = _Parser(source, account)
    try:
        for text in line_chunks(open_object(stream, source=source), source):
            yield parser.parse(text)
    except UnreadableTelemetry as error:
        if parser.next_line == 1:
            raise
        damage = Rejected(source, parser.next_line, "", f"{error.reason}; the lines before this one were read")
        yield FlowRecords.empty().noted((damage,))


class _Parser:
    """What lasts from chunk to chunk: the layout, the interfaces seen, the addresses read."""

    def __init__(self, source: str, account: str) -> None:
        self.source = source
        self._account = account
        self.next_line = 1  # 1-based number of the line that comes next
        self._interfaces: list[Interface] = []
        self._layout = Layout(DEFAULT_LAYOUT)
        self._interface_index: dict[bytes, int] = {}
        self._interface_table = FieldTable(words=3, values=1, slots=1 << 15)  # "eni-" and 17 digits
        self._addresses_read = AddressFields()

    def parse(self, text: bytes) -> FlowRecords:
        """Parse whole lines."""
        if b"\r" in text:
            # Same number of lines; a carriage return elsewhere stays, and is no part of a good field.
            text = text.replace(b"\r\n", b"\n")
        buffer = np.frombuffer(text + bytes(PADDING), np.uint8)
        separators = Separators.of(buffer[: len(text)])
        number = np.arange(self.next_line, self.next_line + len(separators.begins), dtype=np.int64)
        parts: list[FlowRecords] = []
        begin = 0
        for header, names in self._headers(text, buffer, separators.begins):
            if header > begin:
                parts.append(self._parse_lines(text, buffer, separators, number, slice(begin, header)))
            begin = header + 1
            self._layout = Layout(names)
        if begin < len(number):
            parts.append(self._parse_lines(text, buffer, separators, number, slice(begin, len(number))))
        self.next_line += len(number)
        return FlowRecords.joined(parts, tuple(self._interfaces))

    def _headers(self, text: bytes, buffer: NDArray[np.uint8], begins: NDArray[np.intp]) -> Iterator[tuple[int, list[str]]]:
        """(line, field names) of each header line among these."""
        first = buffer.take(begins)
        # A name begins with a letter, perhaps behind spaces: mostly no line does, and the text need not be searched.
        letter = (first >= ord("a")) & (first <= ord("z")) | (first <= ord(" "))
        if not letter.any():
            return
        # The object's first line is looked at whatever it says, so that a header without addresses is told from a line.
        hint = 0 if self.next_line == 1 else text.find(HEADER_HINT)
        while hint >= 0:
            line = int(np.searchsorted(begins, hint, "right")) - 1
            end = text.find(b"\n", hint) + 1
            if letter[line] and (names := header_names(text[begins[line] : end])) is not None:
                yield line, names
            hint = text.find(HEADER_HINT, end)

    def _parse_lines(
        self, text: bytes, buffer: NDArray[np.uint8], separators: Separators, number: NDArray[np.int64], part: slice
    ) -> FlowRecords:
        """Parse those lines, which are of one layout."""
        layout = self._layout
        fields = len(layout.names)
        counts = separators.field_counts()[part]
        ends = separators.at[separators.line_end[part]]
        begins = separators.begins[part]
        fits = counts == fields
        rejected: list[Rejected] = []
        if fields == 1:
            fits &= ends > begins
        if layout.missing or not fits.all():
            unfit = ends > begins
            if not layout.missing:
                unfit &= ~fits
            for row in np.flatnonzero(unfit).tolist():
                name, reason = layout.missing or ("", f"{counts[row]} fields, where the layout has {fields}")
                rejected.append(self._rejected(int(number[part.start + row]), name, reason, text[begins[row] : ends[row]]))
            if layout.missing:
                return FlowRecords.empty().noted(tuple(rejected))
        rows = np.flatnonzero(fits) + part.start
        return self._records(Lines(text, buffer, layout, separators, rows, number[rows]), rejected)

    def _records(self, lines: Lines, rejected: list[Rejected]) -> FlowRecords:
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
                rejected.append(self._rejected(int(lines.number[row]), name, reason, lines.line(row)))
            good = np.ones(len(records), np.bool_)
            good[list(lines.wrong)] = False
            records = records.keep(np.flatnonzero(good))
        rejected.sort(key=lambda item: item.record)
        return records.noted(tuple(rejected), nodata, skipdata)

    def _columns(self, lines: Lines) -> FlowRecords:
        layout = lines.layout
        source = self._addresses(lines, layout.first_of("srcaddr", "pkt-srcaddr"))
        destination = self._addresses(lines, layout.first_of("dstaddr", "pkt-dstaddr"))
        start = self._times(lines, layout.first_of("start", "end"))
        end = self._times(lines, layout.first_of("end", "start"))
        if (end < start).any():
            lines.reject(end < start, "end", "lies before start")
        direction = np.zeros(len(lines), np.int8)
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

    def _times(self, lines: Lines, name: str) -> NDArray[np.int64]:
        """Milliseconds since the epoch, from seconds or milliseconds."""
        values = lines.numbers(name, _LONGEST_TIME, None)
        return np.where(values < _SECONDS_BELOW, values * 1000, values)

    def _rewritten(self, lines: Lines, packet: str, recorded: str, direction: NDArray[np.int8], meaning: int) -> None:
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

    def _addresses(self, lines: Lines, name: str, *, optional: bool = False) -> NDArray[np.uint64]:
        """Addresses of a field as (n, 2) words; zero where it is absent or wrong."""
        words, ok = self._addresses_read.words(lines.raw, lines.text, *lines.span(name))
        if not optional and not ok.all():
            absent = lines.absent(name)
            lines.reject(~ok & absent, name, "the address is absent (-)")
            lines.reject(~ok & ~absent, name, "not an IPv4 or IPv6 address")
        return words

    def _interface_column(self, lines: Lines) -> NDArray[np.int32]:
        """Index of each line's interface, adding those not seen before."""
        if not len(lines):
            return np.empty(0, np.int32)
        if "interface-id" not in lines.layout.column:
            return np.full(len(lines), self._interface(lines, 0, b""), np.int32)
        starts, lengths = lines.span("interface-id")

        def read(rows: NDArray[np.intp]) -> NDArray[np.uint64]:
            spans = zip(rows.tolist(), starts[rows].tolist(), lengths[rows].tolist(), strict=True)
            found = [self._interface(lines, row, lines.raw[start : start + length]) for row, start, length in spans]
            return np.array(found, np.uint64)[:, None]

        table = self._interface_table
        if lengths.max() > table.longest:  # no identifier is so long
            return read(np.arange(len(lines)))[:, 0].astype(np.int32)
        return table.values(lines.text, starts, lengths, read)[:, 0].astype(np.int32)

    def _interface(self, lines: Lines, row: int, name: bytes) -> int:
        """Index of an interface. Its account and instance are those of the first line that names it."""
        index = self._interface_index.get(name)
        if index is None:
            index = self._interface_index[name] = len(self._interfaces)
            instance_id = lines.text_of(row, "instance-id") if name else ""
            account, vpc_id = lines.text_of(row, "account-id") or self._account, lines.text_of(row, "vpc-id")
            self._interfaces.append(Interface(lines.text_of(row, "interface-id"), account, instance_id, vpc_id))
        return index

    def _rejected(self, record: int, name: str, reason: str, raw: bytes) -> Rejected:
        return Rejected(self.source, record, name, reason, raw[: 4 * _RAW_SHOWN].decode("utf-8", "replace")[:_RAW_SHOWN])
