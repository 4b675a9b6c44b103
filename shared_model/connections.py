"""Tuples of Azure's flow logs → two-way flows.

A tuple is written from the connection's initiator (source) to its responder, with the counts of both directions. Its state says
what happened: the connection began (B, no counts yet), goes on (C) or ended (E), both with what was counted since the tuple
before; or it was denied (D). NSG flow logs of version 1 have no states and no counts.

**Which tuples are one flow.** Those of one connection: the same interface, direction, protocol, addresses and ports, in order of
time; from a B, or the first that was read, up to an E, or before the next B; each at most :data:`PAUSE_MS` after the one before.
A denied tuple and one without a state stay alone. Only what is read at once is joined: a connection that is still open then, goes
on as a further flow with the next counts. So each flow says what was new in it, as each record of a VPC flow log does.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from shared_model import addresses
from shared_model.events import FlowBatch, Interface
from shared_model.ordering import sorted_by_high_bits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Tuples that lie further apart are different flows: a connection that is open is logged every minute.
PAUSE_MS = 120_000
#: Values of :attr:`FlowTuples.state`.
NO_STATE, BEGAN, GOES_ON, ENDED, DENIED = 0, ord("B"), ord("C"), ord("E"), ord("D")

_ICMP: Final = (1, 58)


@dataclass(frozen=True, slots=True, eq=False)
class FlowTuples:
    """Tuples as columns, all of length n.

    Attributes
    ----------
    time_ms : int64 (n,)
        When it was logged.
    source, destination, source_port, destination_port, protocol, interface, record
        As in :class:`~shared_model.events.FlowBatch`.
    packets_out, packets_in, bytes_out, bytes_in : int64 (n,)
        Since the tuple before; of no meaning unless the state is ``C`` or ``E``.
    state : uint8 (n,)
        ``B``, ``C``, ``E`` or ``D`` as a character's number; 0: accepted, and the log has no states.
    outbound : bool (n,)
        The source is the interface itself.
    """

    time_ms: NDArray[np.int64]
    source: NDArray[np.uint64]
    destination: NDArray[np.uint64]
    source_port: NDArray[np.int32]
    destination_port: NDArray[np.int32]
    protocol: NDArray[np.int16]
    packets_out: NDArray[np.int64]
    packets_in: NDArray[np.int64]
    bytes_out: NDArray[np.int64]
    bytes_in: NDArray[np.int64]
    state: NDArray[np.uint8]
    outbound: NDArray[np.bool_]
    interface: NDArray[np.int32]
    record: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.time_ms)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Several parts of one stream as one; of none, no tuples."""
        if len(parts) == 1:
            return parts[0]
        if not parts:
            empty: dict[str, Any] = {name: np.empty(0, kind) for name, kind in _COLUMNS.items()}
            return cls(**empty | {name: np.empty((0, 2), np.uint64) for name in ("source", "destination")})
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS})

    def keep(self, rows: NDArray[np.intp]) -> Self:
        """Those tuples only."""
        return type(self)(**{name: getattr(self, name)[rows] for name in _COLUMNS})


def flows_of(tuples: FlowTuples, interfaces: tuple[Interface, ...], origin: str) -> FlowBatch:
    """Join tuples that were read at once to flows, in the order of their first tuples.

    A count is -1 where no tuple of the flow has one. Nothing came back of what was denied. The flow starts and ends with its
    first and last tuple; TCP flags are not logged.
    """
    follower, leader = _followers(tuples)
    leads = np.ones(len(tuples), np.bool_)
    leads[follower] = False
    rows = np.flatnonzero(leads)
    counted = (tuples.state == GOES_ON) | (tuples.state == ENDED)
    known = counted.copy()
    known[leader[counted[follower]]] = True
    known = known[rows]
    denied = tuples.state[rows] == DENIED
    end_ms = tuples.time_ms.copy()
    np.maximum.at(end_ms, leader, tuples.time_ms[follower])

    def total(column: NDArray[np.int64], unknown: NDArray[np.int64] | int) -> NDArray[np.int64]:
        sums = column * counted
        np.add.at(sums, leader, sums[follower])
        return np.where(known, sums[rows], unknown)

    nothing_came = np.where(denied, 0, -1)
    packets_out, packets_in = total(tuples.packets_out, -1), total(tuples.packets_in, nothing_came)
    protocol = tuples.protocol[rows]
    has_ports = (protocol != _ICMP[0]) & (protocol != _ICMP[1])
    return FlowBatch(
        start_ms=tuples.time_ms[rows],
        end_ms=end_ms[rows],
        source=tuples.source[rows],
        destination=tuples.destination[rows],
        source_port=tuples.source_port[rows] * has_ports,
        destination_port=tuples.destination_port[rows] * has_ports,
        protocol=protocol,
        packets_out=packets_out,
        packets_in=packets_in,
        bytes_out=total(tuples.bytes_out, -1),
        bytes_in=total(tuples.bytes_in, nothing_came),
        flags_out=np.zeros(len(rows), np.uint8),
        flags_in=np.zeros(len(rows), np.uint8),
        two_way=(packets_out > 0) & (packets_in > 0),
        rejected=denied,
        local_source=tuples.outbound[rows],
        interface=tuples.interface[rows],
        record=tuples.record[rows],
        interfaces=interfaces,
        origin=origin,
    )


def _followers(tuples: FlowTuples) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Tuples that go on with a flow, and the tuple with which each of these flows begins."""
    rows = np.flatnonzero((tuples.state != DENIED) & (tuples.state != NO_STATE))
    group, order = sorted_by_high_bits(_hashes(tuples, rows), max(len(rows) - 1, 1).bit_length())
    order = rows[order]
    time = tuples.time_ms[order]
    alike = group[1:] == group[:-1]
    if (alike & (time[1:] < time[:-1])).any():
        order = order[np.lexsort((time, group))]
        time = tuples.time_ms[order]
    near = np.flatnonzero(alike & (time[1:] - time[:-1] <= PAUSE_MS))
    before, after = order[near], order[near + 1]
    fits = (tuples.state[before] != ENDED) & (tuples.state[after] != BEGAN) & _same(tuples, before, after)
    place = near[fits] + 1
    # A flow begins at the last place that does not go on with one.
    begin = np.arange(len(order))
    begin[place] = 0
    begin = np.maximum.accumulate(begin)
    return order[place], order[begin[place]]


def _hashes(tuples: FlowTuples, rows: NDArray[np.intp]) -> NDArray[np.uint64]:
    """Hash of the connection of each of these tuples: uint64 (k,)."""
    factor = np.uint64(0x9E3779B97F4A7C15)
    ports = tuples.source_port[rows].astype(np.uint64) << np.uint64(16) | tuples.destination_port[rows].astype(np.uint64)
    rest = tuples.interface[rows].astype(np.uint64) << np.uint64(9) | tuples.protocol[rows].astype(np.uint64) << np.uint64(1)
    source, destination = tuples.source[rows], tuples.destination[rows]
    mixed = (source[:, 1] ^ source[:, 0] * np.uint64(0xC2B2AE3D27D4EB4F)) * factor
    for part in (destination[:, 1], destination[:, 0], ports, rest | tuples.outbound[rows]):
        mixed ^= mixed >> np.uint64(31)
        mixed += part
        mixed *= factor
    return mixed


def _same(tuples: FlowTuples, left: NDArray[np.intp], right: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Whether tuples are of one connection."""
    fits = addresses.same(tuples.source[left], tuples.source[right])
    fits &= addresses.same(tuples.destination[left], tuples.destination[right])
    for column in (tuples.source_port, tuples.destination_port, tuples.protocol, tuples.interface, tuples.outbound):
        fits &= column[left] == column[right]
    return fits


_COLUMNS: dict[str, type] = {
    "time_ms": np.int64,
    "source": np.uint64,
    "destination": np.uint64,
    "source_port": np.int32,
    "destination_port": np.int32,
    "protocol": np.int16,
    "packets_out": np.int64,
    "packets_in": np.int64,
    "bytes_out": np.int64,
    "bytes_in": np.int64,
    "state": np.uint8,
    "outbound": np.bool_,
    "interface": np.int32,
    "record": np.int64,
}
assert set(_COLUMNS) == {column.name for column in fields(FlowTuples)}  # noqa: S101 - a column cannot be forgotten here
