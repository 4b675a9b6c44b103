"""NSG flow logs, versions 1 and 2: blobs of records, two-way flows out of them.

Format: https://learn.microsoft.com/azure/network-watcher/nsg-flow-logs-overview#log-format. No more of them can be created; those
that there are end on 30 September 2027. Under ``properties.flows[].flows[].flowTuples`` stand the tuples
``seconds,source,destination,source port,destination port,T|U,I|O,A|D`` and, in version 2, ``,B|C|E,packets,bytes,packets,bytes``
(from source to destination, and back). What becomes one flow stands in :mod:`shared_model.connections`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from shared_model.connections import BEGAN, DENIED, NO_STATE, FlowTuples
from shared_model.parsers.azure_flow_logs import Block, array_at, interface_of, read_flow_log
from shared_model.parsers.fields import FieldError
from shared_model.parsers.flow_layout import Layout
from shared_model.parsers.flow_tuples import TupleLines, TupleText, protocol_of_letters

if TYPE_CHECKING:
    from shared_model.events import Rejected
    from shared_model.flow_records import FlowRead
    from shared_model.parsers.address_fields import AddressFields

_NAMES = ("time", "source", "destination", "source-port", "destination-port", "protocol", "direction", "decision")
_VERSION_1 = Layout(_NAMES)
_VERSION_2 = Layout((*_NAMES, "state", "packets-sent", "bytes-sent", "packets-received", "bytes-received"))


def read_flows(stream: BinaryIO, *, source: str, block: int = 1 << 18) -> Iterator[FlowRead]:
    """Read an NSG flow log, or whole records of it, as two-way flows.

    Parameters, yields and errors are those of :func:`shared_model.parsers.vnet_flow_logs.read_flows`; an interface's ``vpc_id``
    is the ARM id of the network security group. Of version 1 neither counts nor answers are known.
    """
    return read_flow_log(stream, source=source, block=block, blocks=_blocks, columns=_columns)


def _blocks(record: dict[str, Any]) -> Iterator[Block | FieldError]:
    for rule in array_at(record, "properties", "flows"):
        try:
            for group in array_at(rule, "flows"):
                try:
                    tuples = array_at(group, "flowTuples")
                    yield interface_of(group.get("mac") or record.get("macAddress"), record.get("resourceId", "")), tuples
                except FieldError as error:
                    yield error
        except FieldError as error:
            yield error


def _columns(text: TupleText, read: AddressFields, source: str) -> tuple[FlowTuples, list[Rejected]]:
    parts, rejected = [], text.unfit((_VERSION_2, _VERSION_1), source)
    for layout in (_VERSION_1, _VERSION_2):
        lines = text.lines(layout)
        if len(lines):
            tuples, wrong = lines.good(_of_layout(lines, text, read), source)
            parts.append(tuples)
            rejected += wrong
    tuples = FlowTuples.joined(parts)
    return tuples.keep(np.argsort(tuples.record)) if len(parts) > 1 else tuples, rejected


def _of_layout(lines: TupleLines, text: TupleText, read: AddressFields) -> FlowTuples:
    denied = lines.letters("decision", b"AD") == ord("D")
    if lines.layout is _VERSION_1:
        state = np.full(len(lines), NO_STATE, np.uint8)
        none = np.zeros(len(lines), np.int64)
        packets_out = packets_in = bytes_out = bytes_in = none
    else:
        state = lines.letters("state", b"BCE")
        needed = (state != BEGAN) & ~denied
        packets_out, packets_in = lines.counts("packets-sent", needed), lines.counts("packets-received", needed)
        bytes_out, bytes_in = lines.counts("bytes-sent", needed), lines.counts("bytes-received", needed)
    return FlowTuples(
        time_ms=lines.times("time"),
        source=lines.addresses("source", read),
        destination=lines.addresses("destination", read),
        source_port=lines.numbers("source-port", 65535, None).astype(np.int32),
        destination_port=lines.numbers("destination-port", 65535, None).astype(np.int32),
        protocol=protocol_of_letters(lines.letters("protocol", b"TU"), {"T": 6, "U": 17}),
        packets_out=packets_out,
        packets_in=packets_in,
        bytes_out=bytes_out,
        bytes_in=bytes_in,
        state=np.where(denied, np.uint8(DENIED), state),
        outbound=lines.letters("direction", b"IO") == ord("O"),
        interface=text.interface[lines.rows],
        record=lines.number,
    )
