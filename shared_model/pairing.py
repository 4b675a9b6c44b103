"""One-way records → two-way flows.

A VPC flow log writes one record per direction and aggregation interval; everything behind this module sees two-way
flows, initiator first.

**Which records are one flow.** The same interface, the same protocol, mirrored address and port pairs, both accepted,
and intervals that overlap or lie at most :data:`ADJACENT_MS` apart. Where several fit, neighbours in time are paired.
A refused record stays alone: its answer was never let through. A record without a mate stays a one-way flow.

**Who began.** See :mod:`shared_model.flow_initiator`.

**Whose interface.** ``local_source`` from the record's ``flow-direction``; else from an address that the log rewrote to
the interface's own (``pkt-srcaddr``, ``pkt-dstaddr``); else see :mod:`shared_model.own_addresses`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared_model import addresses
from shared_model.events import FlowBatch
from shared_model.flow_initiator import began_by_second
from shared_model.flow_records import FlowRecords
from shared_model.ordering import sorted_by_high_bits
from shared_model.own_addresses import OwnAddresses

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Intervals that lie further apart are different flows: the longest pause within one 60-second aggregation.
ADJACENT_MS = 60_000

_EGRESS = 2  # of FlowRecords.direction
_ROUNDS = 3
#: Most records that wait for their mate in a later part of the object.
_MOST_WAITING = 1 << 16


class Pairer:
    """Pairs the records of one stream, block by block.

    A record that has found no mate waits for the next block; of those at most 65,536 are kept, the newest, so that the
    memory does not grow with the object.
    """

    def __init__(self, origin: str = "") -> None:
        self._origin = origin
        self._parts: list[FlowRecords] = []
        self._unpaired = 0
        self._own = OwnAddresses()

    @property
    def waiting(self) -> int:
        """Records added since the last :meth:`take`."""
        return sum(map(len, self._parts)) - self._unpaired

    def add(self, records: FlowRecords) -> None:
        """Add a chunk; the chunks of one stream share their interfaces."""
        self._parts.append(records)

    def take(self) -> FlowBatch:
        """Flows of what was added; records that may still find their mate wait."""
        return self._flows(_MOST_WAITING)

    def finish(self) -> FlowBatch:
        """Flows of all that is left."""
        return self._flows(0)

    def _flows(self, keep_waiting: int) -> FlowBatch:
        interfaces = self._parts[-1].interfaces if self._parts else ()
        records = FlowRecords.joined(self._parts, interfaces)
        mate = find_mates(records)
        leads = np.flatnonzero((mate < 0) | (mate > np.arange(len(mate))))
        self._parts, self._unpaired = [], 0
        if keep_waiting:
            single = np.flatnonzero((mate < 0) & ~records.refused)[-keep_waiting:]
            later = np.zeros(len(records), np.bool_)
            later[single] = True
            leads = leads[~later[leads]]
            if len(single):
                self._parts, self._unpaired = [records.keep(single).noted(())], len(single)
        return self._oriented(records, leads, mate[leads])

    def _oriented(self, records: FlowRecords, first: NDArray[np.intp], second: NDArray[np.intp]) -> FlowBatch:
        """Flows out of records ``first`` and their mates ``second`` (-1: none), initiator's direction out."""
        alone = second < 0
        swapped = began_by_second(records, first, second)
        forward, backward = np.where(swapped, second, first), np.where(swapped, first, second)
        has_out, has_in = forward >= 0, backward >= 0
        sample = np.where(has_out, forward, backward)  # its addresses are turned round where only the answer was seen
        turned = ~has_out
        answer = np.where(has_in, backward, forward)

        def of(column: NDArray[np.generic], rows: NDArray[np.intp], there: NDArray[np.bool_]) -> NDArray[np.generic]:
            values: NDArray[np.generic] = column[rows]
            if not there.all():
                values[~there] = 0
            return values

        source, destination = records.source[sample], records.destination[sample]
        source_port, destination_port = records.source_port[sample], records.destination_port[sample]
        if turned.any():
            source[turned], destination[turned] = destination[turned], source[turned]
            source_port[turned], destination_port[turned] = destination_port[turned], source_port[turned]
        direction = records.direction[sample]
        direction = np.where(turned & (direction > 0), 3 - direction, direction)
        batch = FlowBatch(
            start_ms=np.minimum(records.start_ms[sample], records.start_ms[answer]),
            end_ms=np.maximum(records.end_ms[sample], records.end_ms[answer]),
            source=source,
            destination=destination,
            source_port=source_port,
            destination_port=destination_port,
            protocol=records.protocol[sample],
            packets_out=of(records.packets, sample, has_out),  # type: ignore[arg-type]
            packets_in=of(records.packets, answer, has_in),  # type: ignore[arg-type]
            bytes_out=of(records.bytes, sample, has_out),  # type: ignore[arg-type]
            bytes_in=of(records.bytes, answer, has_in),  # type: ignore[arg-type]
            flags_out=of(records.flags, sample, has_out),  # type: ignore[arg-type]
            flags_in=of(records.flags, answer, has_in),  # type: ignore[arg-type]
            two_way=~alone,
            rejected=records.refused[sample],
            local_source=direction == _EGRESS,
            interface=records.interface[sample],
            record=records.record[first],
            interfaces=records.interfaces,
            origin=self._origin,
        )
        self._own.fill_local(batch, np.flatnonzero(direction == 0))
        return batch


def find_mates(records: FlowRecords) -> NDArray[np.intp]:
    """Position of each record's mate, -1 where it has none: intp (n,). The rule stands in the module's docstring."""
    mate = np.full(len(records), -1, np.intp)
    candidates = np.flatnonzero(~records.refused)
    if len(candidates) < 2:
        return mate
    order, group = _side_by_side(records, candidates)
    for _ in range(_ROUNDS):
        fits = group[:-1] == group[1:]
        near = np.flatnonzero(fits)
        fits[near] = _mirrored(records, order[near], order[near + 1])
        if not fits.any():
            break
        # In a row of neighbours that all fit, every second link is taken: 1-2, 3-4, …
        position = np.arange(len(fits))
        row_begin = np.maximum.accumulate(np.where(fits, -1, position))
        taken = np.flatnonzero(fits & ((position - row_begin) & 1 == 1))
        mate[order[taken]] = order[taken + 1]
        mate[order[taken + 1]] = order[taken]
        alone = mate[order] < 0
        order, group = order[alone], group[alone]
        if len(order) < 2:
            break
    return mate


def _side_by_side(records: FlowRecords, rows: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.uint64]]:
    """Rows in an order that brings the records of one flow side by side, by time, and what is equal for them."""
    group, order = sorted_by_high_bits(_flow_hashes(records, rows), max(len(rows) - 1, 1).bit_length())
    # Two records of one hash are neighbours whichever comes first; where there are more, time decides who is whose.
    follows = group[1:] == group[:-1]
    crowded = np.zeros(len(group), np.bool_)
    for begin in range(3):
        crowded[begin : len(group) - 2 + begin] |= follows[1:] & follows[:-1]
    places = np.flatnonzero(crowded)
    among = order[places]
    order[places] = among[np.lexsort((records.start_ms[rows[among]], group[places]))]
    return rows[order], group


def _flow_hashes(records: FlowRecords, rows: NDArray[np.intp]) -> NDArray[np.uint64]:
    """Hash of each record's interface, protocol and both ends, the same for both directions: uint64 (n,)."""
    factor = np.uint64(0x9E3779B97F4A7C15)
    ends = np.zeros(len(rows), np.uint64)
    sides = ((records.source, records.source_port), (records.destination, records.destination_port))
    for words, port in sides:
        side = words[rows, 1] * np.uint64(0xC2B2AE3D27D4EB4F) + words[rows, 0] * factor
        side += port[rows].astype(np.uint64)
        side *= factor
        side ^= side >> np.uint64(31)
        ends += side  # a sum is the same in both directions
    rest = records.interface[rows].astype(np.uint64) << np.uint64(8) | records.protocol[rows].astype(np.uint64)
    ends = (ends ^ rest) * factor
    ends ^= ends >> np.uint64(32)
    ends *= factor
    return ends


def _mirrored(records: FlowRecords, left: NDArray[np.intp], right: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Whether records are the two directions of one flow."""
    fits: NDArray[np.bool_] = (records.source_port[left] == records.destination_port[right]) & (
        records.destination_port[left] == records.source_port[right]
    )
    fits &= records.interface[left] == records.interface[right]
    fits &= records.protocol[left] == records.protocol[right]
    fits &= addresses.same(records.source[left], records.destination[right])
    fits &= addresses.same(records.destination[left], records.source[right])
    # An address that talks to itself on one port mirrors itself: such records have no directions to pair.
    fits &= ~addresses.same(records.source[left], records.destination[left]) | (
        records.source_port[left] != records.destination_port[left]
    )
    pause = np.maximum(records.start_ms[left], records.start_ms[right]) - np.minimum(records.end_ms[left], records.end_ms[right])
    fits &= pause <= ADJACENT_MS
    return fits
