"""One-way records → two-way flows.

A VPC flow log writes one record per direction and aggregation interval; everything behind this module sees two-way
flows, initiator first.

**Which records are one flow.** The same interface, the same protocol, mirrored address and port pairs, both accepted,
and intervals that overlap or lie at most :data:`ADJACENT_MS` apart. Where several fit, neighbours in time are paired.
A refused record stays alone: its answer was never let through. A record without a mate stays a one-way flow.

**Who began.** The first of these that decides:

1. TCP flags: SYN without ACK was sent by the initiator, SYN with ACK by the responder.
2. Ports: the one end whose port is a service's (below 1024, or in :data:`SERVICE_PORTS`) is the responder.
   It stands before time, because the aggregation intervals of a long flow begin in any order.
3. The record that began earlier.
4. The lower port is the responder's.
5. The record that was logged first.

For a record without a mate only the first two count (and not the ports when it was refused: nobody answers what was
not let in); then its source began.

**Whose interface.** ``local_source`` from the record's ``flow-direction``; else from an address that the log rewrote to
the interface's own (``pkt-srcaddr``, ``pkt-dstaddr``); else from the address that the interface's records have in common,
a private one first (an interface in a VPC logs its private address, whatever public one is mapped to it); else, where the
interface has several, from the one end that is private.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from shared_model import addresses
from shared_model.events import FlowBatch, Interface, Rejected
from shared_model.ordering import sorted_by_high_bits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Intervals that lie further apart are different flows: the longest pause within one 60-second aggregation.
ADJACENT_MS = 60_000
#: Ports at or above 1024 behind which services listen, so that the other end is the one that began.
SERVICE_PORTS = (1433, 1521, 2049, 2323, 3306, 3389, 5432, 5900, 5985, 5986, 6379, 6443, 8080, 8443, 9092, 9200, 11211, 27017)

_SYN, _ACK = 0x02, 0x10
_TCP = 6
_INGRESS, _EGRESS = 1, 2
_ROUNDS = 3
#: Most records that wait for their mate in a later part of the object.
_MOST_WAITING = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class FlowRecords:
    """One-way records as columns, all of length n, and what was no record beside them.

    Attributes
    ----------
    start_ms, end_ms, source, destination, source_port, destination_port, protocol, interface, record
        As in :class:`~shared_model.events.FlowBatch`.
    packets, bytes : int64 (n,)
        -1 where the log has none.
    flags : uint8 (n,)
        TCP flags, 0 where the log has none.
    refused : bool (n,)
    direction : int8 (n,)
        1 into the interface, 2 out of it, 0 unknown.
    interfaces : tuple of Interface
        Within one stream later chunks only add to it.
    rejected, nodata, skipdata
        Lines of the chunk that are no records.
    """

    start_ms: NDArray[np.int64]
    end_ms: NDArray[np.int64]
    source: NDArray[np.uint64]
    destination: NDArray[np.uint64]
    source_port: NDArray[np.int32]
    destination_port: NDArray[np.int32]
    protocol: NDArray[np.int16]
    packets: NDArray[np.int64]
    bytes: NDArray[np.int64]
    flags: NDArray[np.uint8]
    refused: NDArray[np.bool_]
    direction: NDArray[np.int8]
    interface: NDArray[np.int32]
    record: NDArray[np.int64]
    interfaces: tuple[Interface, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    nodata: int = 0
    skipdata: int = 0

    def __len__(self) -> int:
        return len(self.start_ms)

    @classmethod
    def empty(cls) -> Self:
        """No records."""
        columns: dict[str, Any] = {name: np.empty(0, kind) for name, kind in _COLUMNS.items()}
        columns["source"] = columns["destination"] = np.empty((0, 2), np.uint64)
        return cls(**columns)

    @classmethod
    def joined(cls, parts: Sequence[Self], interfaces: tuple[Interface, ...]) -> Self:
        """Several chunks of one stream as one."""
        if not parts:
            return replace(cls.empty(), interfaces=interfaces)
        if len(parts) == 1:
            return replace(parts[0], interfaces=interfaces)
        return cls(
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS},
            interfaces=interfaces,
            rejected=tuple(rejected for part in parts for rejected in part.rejected),
            nodata=sum(part.nodata for part in parts),
            skipdata=sum(part.skipdata for part in parts),
        )

    def keep(self, rows: NDArray[np.intp]) -> Self:
        """Those records only."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _COLUMNS})

    def noted(self, rejected: tuple[Rejected, ...], nodata: int = 0, skipdata: int = 0) -> Self:
        """The same records with what was no record beside them."""
        return replace(self, rejected=rejected, nodata=nodata, skipdata=skipdata)


_COLUMNS: dict[str, type] = {
    "start_ms": np.int64,
    "end_ms": np.int64,
    "source": np.uint64,
    "destination": np.uint64,
    "source_port": np.int32,
    "destination_port": np.int32,
    "protocol": np.int16,
    "packets": np.int64,
    "bytes": np.int64,
    "flags": np.uint8,
    "refused": np.bool_,
    "direction": np.int8,
    "interface": np.int32,
    "record": np.int64,
}
assert set(_COLUMNS) <= {column.name for column in fields(FlowRecords)}  # noqa: S101 - a column cannot be forgotten here


class Pairer:
    """Pairs the records of one stream, block by block.

    A record that has found no mate waits for the next block; of those at most 65,536 are kept, the newest, so that the
    memory does not grow with the object.
    """

    def __init__(self, origin: str = "") -> None:
        self._origin = origin
        self._parts: list[FlowRecords] = []
        self._unpaired = 0
        # (interface, 0 for IPv6 or 1 for IPv4) -> its address, where no field tells
        self._own: dict[tuple[int, int], tuple[int, int]] = {}

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
        swapped = _began_by_second(records, first, second)
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
        self._guess_local(batch, np.flatnonzero(direction == 0))
        return batch

    def _guess_local(self, batch: FlowBatch, rows: NDArray[np.intp]) -> None:
        """Fill ``local_source`` of rows whose records do not tell, from the address an interface's records share."""
        if not len(rows):
            return
        own = np.zeros((len(batch.interfaces), 2, 2), np.uint64)
        for place, words in self._own.items():
            own[place] = words
        family = addresses.is_mapped(batch.source[rows]).astype(np.intp)
        mine = own[batch.interface[rows], family]
        is_source = addresses.same(batch.source[rows], mine)
        is_destination = addresses.same(batch.destination[rows], mine)
        unknown = np.flatnonzero(~is_source & ~is_destination)
        if len(unknown):
            for place, words in _common_addresses(batch, rows[unknown], family[unknown]).items():
                self._own[place] = words
                own[place] = words
            mine = own[batch.interface[rows[unknown]], family[unknown]]
            is_source[unknown] = addresses.same(batch.source[rows[unknown]], mine)
            # An interface's further addresses: of two ends, the private one is inside.
            is_destination[unknown] = addresses.same(batch.destination[rows[unknown]], mine)
            still = rows[~is_source & ~is_destination]
            inside = addresses.scopes(batch.source[still]) == addresses.Scope.PRIVATE
            outside = addresses.scopes(batch.destination[still]) != addresses.Scope.PRIVATE
            is_source[~is_source & ~is_destination] = inside & outside
        batch.local_source[rows] = is_source


def _common_addresses(
    batch: FlowBatch, rows: NDArray[np.intp], family: NDArray[np.intp]
) -> dict[tuple[int, int], tuple[int, int]]:
    """The private address, else the address, that stands in most of an interface's flows of a family; of equals a destination."""
    place = batch.interface[rows].astype(np.intp) * 2 + family
    found, rest = _in_every_flow(batch, rows, place)
    if not len(rest):
        return found
    rows, place = rows[rest], np.tile(place[rest], 2)
    words = np.concatenate([batch.destination[rows], batch.source[rows]])
    pair = (place.astype(np.uint64) << np.uint64(33)) | addresses.keys(words)
    _, first, count = np.unique(pair, return_index=True, return_counts=True)
    private = addresses.scopes(words[first]) == addresses.Scope.PRIVATE
    best = np.lexsort((-first, count, private, place[first]))
    last = np.flatnonzero(np.diff(place[first][best], append=-1))
    chosen = first[best[last]]
    return found | _by_place(place[chosen], words[chosen])


def _in_every_flow(
    batch: FlowBatch, rows: NDArray[np.intp], place: NDArray[np.intp]
) -> tuple[dict[tuple[int, int], tuple[int, int]], NDArray[np.intp]]:
    """The usual case of the rule, without counting every address: one end of a place's first flow is private and in all.

    No other address can then stand in more flows, nor come first in as many. Returns what was found so, and which of the
    rows are of places where it does not decide.
    """
    places = int(place.max()) + 1
    sample = np.zeros(places, np.intp)
    sample[place[::-1]] = rows[::-1]  # the last assignment stays: the first flow
    flows = np.bincount(place, minlength=places)
    source, destination = batch.source[rows], batch.destination[rows]
    # A flow from an address to itself holds it twice.
    decided = np.bincount(place[addresses.same(source, destination)], minlength=places) == 0
    decided &= flows > 0
    own = np.zeros((places, 2), np.uint64)
    open_ = decided.copy()
    for ends in (batch.destination, batch.source):  # of equals a destination
        candidate = ends[sample]
        mine = candidate[place]
        holding = addresses.same(destination, mine) | addresses.same(source, mine)
        wins = open_ & (np.bincount(place[holding], minlength=places) == flows)
        wins &= addresses.scopes(candidate) == addresses.Scope.PRIVATE
        own[wins] = candidate[wins]
        open_ &= ~wins
    decided &= ~open_
    chosen = np.flatnonzero(decided)
    return _by_place(chosen, own[chosen]), np.flatnonzero(~decided[place])


def _by_place(place: NDArray[np.intp], words: NDArray[np.uint64]) -> dict[tuple[int, int], tuple[int, int]]:
    """Address by (interface, family) of places, which are ``2 * interface + family``."""
    return {(index >> 1, index & 1): (high, low) for index, high, low in zip(place.tolist(), *words.T.tolist(), strict=True)}


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


_service_table: NDArray[np.bool_] | None = None


def _is_service(port: NDArray[np.int32]) -> NDArray[np.bool_]:
    global _service_table
    if _service_table is None:
        _service_table = np.zeros(1 << 16, np.bool_)
        _service_table[1:1024] = True
        _service_table[list(SERVICE_PORTS)] = True
    result: NDArray[np.bool_] = _service_table[port]
    return result


def _began_by_second(records: FlowRecords, first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Whether the answer's side of ``first`` began: the order of evidence in the module's docstring."""
    alone = second < 0
    other = np.where(alone, first, second)
    tcp = records.protocol[first] == _TCP
    flags, other_flags = records.flags[first], records.flags[other]
    asks, answers = flags & (_SYN | _ACK) == _SYN, flags & (_SYN | _ACK) == _SYN | _ACK
    other_asks, other_answers = other_flags & (_SYN | _ACK) == _SYN, other_flags & (_SYN | _ACK) == _SYN | _ACK
    # Positive: the second record's source began. The weights keep an earlier kind of evidence above all later ones.
    score = 32 * (tcp & answers).astype(np.int8) - 32 * (tcp & asks).astype(np.int8)
    score += np.where(alone, 0, 32 * (tcp & other_asks).astype(np.int8) - 32 * (tcp & other_answers).astype(np.int8))
    score = np.sign(score).astype(np.int8) * 8
    source_port, destination_port = records.source_port[first], records.destination_port[first]
    ports = _is_service(source_port).astype(np.int8) - _is_service(destination_port).astype(np.int8)
    score += 4 * np.where(alone & records.refused[first], 0, ports).astype(np.int8)
    earlier = np.sign(records.start_ms[first] - records.start_ms[other]).astype(np.int8)
    score += 2 * earlier  # 0 for a record alone: it is its own other
    lower = np.sign(destination_port - source_port).astype(np.int8)
    score += np.where(alone, 0, lower).astype(np.int8)
    began: NDArray[np.bool_] = score > 0
    return began
