"""Writes connections as VPC Flow Log records: one-way, aggregated over 60 seconds, v2 or a custom v5 layout.

Format: Amazon VPC User Guide, "Flow log records". What is imitated, because a detector sees it: each direction is a record
of its own; a connection longer than the aggregation interval becomes several; packets of one five-tuple within an interval
share a record; times are whole seconds; ``tcp-flags`` is the union within the interval and names ACK only together with SYN;
an interval in which an interface was idle gives a NODATA record.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from training.scenarios.connections import FIN, RST, SYN, SYN_ACK, TCP, Connection, Outcome
from training.scenarios.family import BENIGN
from training.scenarios.site import Host, Site

AGGREGATION_MS = 60_000


class Layout(StrEnum):
    """Which fields a record has, in which order."""

    V2 = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
    V5 = (
        "version account-id vpc-id subnet-id instance-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes"
        " start end action log-status tcp-flags type pkt-srcaddr pkt-dstaddr region az-id flow-direction traffic-path"
    )


@dataclass(frozen=True, slots=True)
class FlowLog:
    """One flow-log object's lines, and apart from them what each line belongs to.

    Attributes
    ----------
    lines : tuple of str
        First the header where the layout needs one, then one record a line.
    labels : tuple of str
        Class of each line; ``benign`` for the header and for NODATA.
    """

    lines: tuple[str, ...]
    labels: tuple[str, ...]

    def encode(self) -> bytes:
        """Text as the service delivers it, before gzip."""
        return ("\n".join(self.lines) + "\n").encode()


@dataclass(slots=True)
class _Record:
    host: Host
    source: str
    destination: str
    source_port: int
    destination_port: int
    protocol: int
    egress: bool
    accepted: bool
    label: str
    packets: int
    octets: int
    first_ms: int
    last_ms: int
    flags: int


def write_flow_log(connections: Iterable[Connection], site: Site, *, layout: Layout = Layout.V5) -> FlowLog:
    """Cut connections into flow-log records of every interface that sees them.

    Records are in order of their aggregation interval's end, as they arrive; within one interval their order is arbitrary but
    fixed for a seed. A connection that touches no host of the site is seen by nobody and ignored.
    """
    phase = {host.interface_id: random.Random(host.interface_id).randrange(AGGREGATION_MS) for host in site.hosts}
    open_records: dict[tuple[object, ...], _Record] = {}
    for connection in connections:
        for host, interval, record in _one_way(connection, site, phase):
            key = (
                interval, host.interface_id, record.source, record.destination, record.source_port, record.destination_port,
                record.protocol, record.accepted,
            )  # fmt: skip
            known = open_records.get(key)
            if known is None:
                open_records[key] = record
            else:
                _merge(known, record)
    ordered = sorted(open_records.items(), key=lambda item: (item[0][0], item[1].first_ms))
    header = [layout.value] if layout is Layout.V5 else []
    write = _v5 if layout is Layout.V5 else _v2
    lines = [write(record, site) for _, record in ordered]
    return FlowLog(tuple(header + lines), tuple([BENIGN] * len(header) + [record.label for _, record in ordered]))


def _one_way(connection: Connection, site: Site, phase: dict[str, int]) -> Iterator[tuple[Host, int, _Record]]:
    source, destination = site.host_at(connection.source), site.host_at(connection.destination)
    for host, is_source in ((source, True), (destination, False)):
        if host is None:
            continue
        # A security group rejects where the packet arrives: the interface that sent it logs an accepted egress.
        refused_here = connection.outcome is Outcome.REJECTED and not (is_source and destination is not None)
        for forward in (True, False):
            packets, octets = (
                (connection.packets_out, connection.bytes_out) if forward else (connection.packets_in, connection.bytes_in)
            )
            if not packets:
                continue
            for interval, share_packets, share_octets, first, last, flags in _intervals(
                connection, forward, packets, octets, phase[host.interface_id]
            ):
                ends = (connection.source, connection.source_port, connection.destination, connection.destination_port)
                here = ends if forward else (ends[2], ends[3], ends[0], ends[1])
                yield host, interval, _Record(
                    host, here[0], here[2], here[1], here[3], connection.protocol, forward == is_source,
                    not refused_here, connection.label, share_packets, share_octets, first, last, flags,
                )  # fmt: skip


def _intervals(
    connection: Connection, forward: bool, packets: int, octets: int, phase: int
) -> Iterator[tuple[int, int, int, int, int, int]]:
    """Spread packets evenly and cut at the interval borders: (interval, packets, bytes, first, last, flags)."""
    begin, end = connection.start_ms, connection.start_ms + connection.duration_ms
    first_interval, last_interval = (begin - phase) // AGGREGATION_MS, (end - phase) // AGGREGATION_MS
    pieces = min(int(last_interval - first_interval) + 1, packets)
    for piece in range(pieces):
        share_packets = packets * (piece + 1) // pieces - packets * piece // pieces
        share_octets = octets * (piece + 1) // pieces - octets * piece // pieces
        interval = first_interval + (piece * (last_interval - first_interval) // max(1, pieces - 1) if pieces > 1 else 0)
        border = interval * AGGREGATION_MS + phase
        first, last = max(begin, border), min(end, border + AGGREGATION_MS - 1)
        yield interval, share_packets, share_octets, first, last, _flags(connection, forward, piece == 0, piece == pieces - 1)


def _flags(connection: Connection, forward: bool, opens: bool, closes: bool) -> int:
    if connection.protocol != TCP:
        return 0
    if connection.outcome is not Outcome.ANSWERED:
        return SYN if forward else RST
    return (SYN if forward else SYN_ACK) * opens | FIN * closes


def _merge(known: _Record, more: _Record) -> None:
    known.packets += more.packets
    known.octets += more.octets
    known.first_ms = min(known.first_ms, more.first_ms)
    known.last_ms = max(known.last_ms, more.last_ms)
    known.flags |= more.flags
    if more.label != BENIGN:
        known.label = more.label


def _v2(record: _Record, site: Site) -> str:
    return (
        f"2 {site.account} {record.host.interface_id} {record.source} {record.destination} {record.source_port}"
        f" {record.destination_port} {record.protocol} {record.packets} {record.octets} {record.first_ms // 1000}"
        f" {record.last_ms // 1000} {'ACCEPT' if record.accepted else 'REJECT'} OK"
    )


def _v5(record: _Record, site: Site) -> str:
    direction = "egress" if record.egress else "ingress"
    inside = site.host_at(record.destination) is not None
    path = ("1" if inside else "8") if record.egress else "-"
    return (
        f"5 {site.account} {site.vpc_id} subnet-{site.vpc_id[4:12]} {record.host.instance_id} {record.host.interface_id}"
        f" {record.source} {record.destination} {record.source_port} {record.destination_port} {record.protocol}"
        f" {record.packets} {record.octets} {record.first_ms // 1000} {record.last_ms // 1000}"
        f" {'ACCEPT' if record.accepted else 'REJECT'} OK {record.flags} {'IPv6' if ':' in record.source else 'IPv4'}"
        f" {record.source} {record.destination} {site.region} {site.region}-az1 {direction} {path}"
    )
