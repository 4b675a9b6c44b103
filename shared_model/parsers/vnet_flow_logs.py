"""VNet flow logs: blobs of records, two-way flows out of them.

Format: https://learn.microsoft.com/azure/network-watcher/vnet-flow-logs-overview#log-format (version 4). A record is a minute of
one interface; in it, under ``flowRecords.flows[].flowGroups[].flowTuples``, stand the tuples
``ms,source,destination,source port,destination port,protocol,I|O,B|C|E|D,encryption,packets,bytes,packets,bytes`` (sent from
source to destination, and received). What becomes one flow stands in :mod:`shared_model.connections`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from shared_model.connections import BEGAN, DENIED, FlowTuples
from shared_model.parsers.azure_flow_logs import Block, array_at, interface_of, read_flow_log
from shared_model.parsers.fields import FieldError
from shared_model.parsers.flow_layout import Layout
from shared_model.parsers.flow_tuples import TupleText

if TYPE_CHECKING:
    from shared_model.events import Rejected
    from shared_model.flow_records import FlowRead
    from shared_model.parsers.address_fields import AddressFields

_ENDS = ("source", "destination", "source-port", "destination-port", "protocol")
_COUNTS = ("packets-sent", "bytes-sent", "packets-received", "bytes-received")
_LAYOUT = Layout(("time", *_ENDS, "direction", "state", "encryption", *_COUNTS))


def read_flows(stream: BinaryIO, *, source: str, block: int = 1 << 18) -> Iterator[FlowRead]:
    """Read a VNet flow log, or whole records of it, as two-way flows.

    Parameters
    ----------
    stream : BinaryIO
        The blob, or a part of it from between two records to between two others.
    source : str
        Name of it for errors and evidence, e.g. ``vnet_flow_logs:https://…/PT1H.json@0-4711``.
    block : int
        How many tuples are joined to flows at a time: bounds the memory, however large the blob is.

    Yields
    ------
    FlowRead
        One for about every ``block`` tuples, and one for the rest. An interface's id is its MAC address, its ``vpc_id`` the ARM
        id of the resource that is logged, both in lower case. TCP flags are absent: 0.

    Raises
    ------
    UnreadableTelemetry
        Nothing could be read at all. Damage further on becomes a Rejected.
    """
    return read_flow_log(stream, source=source, block=block, blocks=_blocks, columns=_columns)


def _blocks(record: dict[str, Any]) -> Iterator[Block | FieldError]:
    interface = interface_of(record.get("macAddress"), record.get("targetResourceID", ""), record.get("flowLogResourceID", ""))
    for flow in array_at(record, "flowRecords", "flows"):
        try:
            for group in array_at(flow, "flowGroups"):
                try:
                    yield interface, array_at(group, "flowTuples")
                except FieldError as error:
                    yield error
        except FieldError as error:
            yield error


def _columns(text: TupleText, read: AddressFields, source: str) -> tuple[FlowTuples, list[Rejected]]:
    lines = text.lines(_LAYOUT)
    state = lines.letters("state", b"BCED")
    needed = (state != BEGAN) & (state != DENIED)
    encryption = lines.is_encryption("encryption")
    if not encryption.all():
        lines.reject(~encryption, "encryption", "neither X, NX nor NX with a reason")
    tuples = FlowTuples(
        time_ms=lines.times("time"),
        source=lines.addresses("source", read),
        destination=lines.addresses("destination", read),
        source_port=lines.numbers("source-port", 65535, None).astype(np.int32),
        destination_port=lines.numbers("destination-port", 65535, None).astype(np.int32),
        protocol=lines.numbers("protocol", 255, None).astype(np.int16),
        packets_out=lines.counts("packets-sent", needed),
        packets_in=lines.counts("packets-received", needed),
        bytes_out=lines.counts("bytes-sent", needed),
        bytes_in=lines.counts("bytes-received", needed),
        state=state,
        outbound=lines.letters("direction", b"IO") == ord("O"),
        interface=text.interface[lines.rows],
        record=lines.number,
    )
    good, wrong = lines.good(tuples, source)
    return good, wrong + text.unfit((_LAYOUT,), source)
