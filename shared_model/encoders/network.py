"""Flows → features: what both VPC Flow Logs and VNet flow logs carry, and the order in which an entity's flows came.

Two steps, so that what is remembered of a flow is small (36 bytes) and the order features are always computed on the
entity's true sequence: :func:`encode` keeps the *facts* of each flow, :func:`expand` turns sequences of facts into
features. No address is kept, only a hash by which two destinations are compared. The table of features, and what stands
where a value is missing, is in ``docs/features-network.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from shared_model import addresses
from shared_model.addresses import Scope
from shared_model.encoders.interpolation import interpolated
from shared_model.events import Entity, EntityKind, FlowBatch
from shared_model.flow_ids import event_ids, mix
from shared_model.ordering import grouped
from shared_model.windows import Events

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

#: What is remembered of one flow.
FACTS: Final = np.dtype(
    [
        ("destination", "<u8"),
        ("duration_ms", "<f4"),
        ("packets_out", "<f4"),  # NaN where the log has none, here and below
        ("packets_in", "<f4"),
        ("bytes_out", "<f4"),
        ("bytes_in", "<f4"),
        ("source_port", "<u2"),
        ("destination_port", "<u2"),
        ("protocol", "u1"),
        ("flags_out", "u1"),
        ("flags_in", "u1"),
        ("marks", "u1"),
    ]
)
_TWO_WAY, _REJECTED, _LOCAL_SOURCE, _PEER_PRIVATE, _PEER_PUBLIC = 1, 2, 4, 8, 16
_SYN, _RST, _ACK = 0x02, 0x04, 0x10
ICMP, TCP, UDP, ICMP_6 = 1, 6, 17, 58
_PROTOCOL_NAMES = {ICMP: "icmp", TCP: "tcp", UDP: "udp", ICMP_6: "icmp6"}

#: Groups of services by destination port; a port in none of them sets no group.
SERVICE_GROUPS: Final[dict[str, tuple[int, ...]]] = {
    "service_web": (80, 443, 8000, 8080, 8443),
    "service_remote_access": (22, 23, 2222, 2323, 3389, 5900, 5985, 5986),
    "service_naming_and_time": (53, 67, 68, 123, 137, 5353),
    "service_data_store": (1433, 1521, 3306, 5432, 5984, 6379, 9042, 9200, 11211, 27017),
    "service_files_and_mail": (20, 21, 25, 110, 111, 135, 139, 143, 389, 445, 465, 587, 636, 873, 993, 995, 2049),
}

#: Columns of :func:`expand`, in order. The last is 1 for every event and 0 in padding.
FEATURES: Final[tuple[str, ...]] = (
    "log_duration",
    "log_packets_out",
    "log_packets_in",
    "log_bytes_out",
    "log_bytes_in",
    "log_bytes_per_packet_out",
    "log_bytes_per_packet_in",
    "bytes_balance",
    "log_packet_rate",
    "tcp",
    "udp",
    "icmp",
    "port_well_known",
    "port_registered",
    *SERVICE_GROUPS,
    "flags_known",
    "unanswered_syn",
    "reset",
    "rejected",
    "two_way",
    "local_source",
    "peer_private",
    "peer_public",
    "has_previous",
    "log_interarrival",
    "interarrival_change",
    "same_destination",
    "same_destination_port",
    "bytes_change",
    "present",
)
_COLUMN = {name: index for index, name in enumerate(FEATURES)}


def encode(batch: FlowBatch) -> Events:
    """Facts of each flow, grouped by entity.

    The entity of a flow is its initiator: the source address within the account of the interface that saw it.

    Returns
    -------
    Events
        ``rows`` of type :data:`FACTS`, in the order of the batch; ``ids`` from :func:`event_ids`.
    """
    entity, count = _entities(batch)
    return Events(entity, batch.start_ms, event_ids(batch), facts(batch), count)


def entity_of(batch: FlowBatch, flow: int) -> Entity:
    """The entity of one flow of the batch."""
    high, low = batch.source[flow].tolist()
    return Entity(EntityKind.ADDRESS, addresses.to_text(high, low), batch.interfaces[int(batch.interface[flow])].account)


def _entities(batch: FlowBatch) -> tuple[NDArray[np.intp], int]:
    accounts: dict[str, int] = {}
    code = np.array([accounts.setdefault(item.account, len(accounts)) for item in batch.interfaces], np.uint64)
    key = (code[batch.interface] << np.uint64(33)) | addresses.keys(batch.source)
    return grouped(key, max(len(accounts), 1) << 33)


def facts(batch: FlowBatch) -> NDArray[np.void]:
    """What is remembered of each flow: :data:`FACTS` (n,)."""
    rows = np.empty(len(batch), FACTS)
    rows["destination"] = mix(batch.destination[:, 0] ^ mix(batch.destination[:, 1]))
    rows["duration_ms"] = np.maximum(batch.end_ms - batch.start_ms, 0)
    for name in ("packets_out", "packets_in", "bytes_out", "bytes_in"):
        amounts: NDArray[np.int64] = getattr(batch, name)
        rows[name] = amounts
        if (amounts < 0).any():
            rows[name][amounts < 0] = np.nan
    rows["source_port"] = batch.source_port
    rows["destination_port"] = batch.destination_port
    rows["protocol"] = batch.protocol
    rows["flags_out"] = batch.flags_out
    rows["flags_in"] = batch.flags_in
    peer = addresses.scopes(np.where(batch.local_source[:, None], batch.destination, batch.source))
    marks = batch.two_way * np.uint8(_TWO_WAY) + batch.rejected * np.uint8(_REJECTED)
    marks += batch.local_source * np.uint8(_LOCAL_SOURCE)
    marks += (peer == Scope.PRIVATE) * np.uint8(_PEER_PRIVATE) + (peer == Scope.PUBLIC) * np.uint8(_PEER_PUBLIC)
    rows["marks"] = marks
    return rows


def is_two_way(rows: NDArray[np.void]) -> NDArray[np.bool_]:
    """Which remembered flows were seen in both directions (bool (n,))."""
    two_way: NDArray[np.bool_] = rows["marks"] & _TWO_WAY != 0
    return two_way


def describe_facts(row: np.void) -> str:
    """One line about a flow of which only the facts are left; its addresses are not among them."""
    said = [f"earlier flow to port {int(row['destination_port'])} {protocol_name(int(row['protocol']))}"]
    packets = float(row["packets_out"]) + float(row["packets_in"])
    if not np.isnan(packets):
        said.append(counted(round(packets), "packet"))
    marks = int(row["marks"])
    said += [word for word, mark in (("rejected", _REJECTED), ("answered", _TWO_WAY)) if marks & mark]
    return ", ".join(said)


def protocol_name(number: int) -> str:
    """``tcp``, ``udp``, ``icmp``, ``icmp6``, or ``protocol <number>``."""
    return _PROTOCOL_NAMES.get(number, f"protocol {number}")


def counted(number: int, what: str) -> str:
    """``1 packet``, ``12 packets``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def expand(rows: NDArray[np.void], times_ms: NDArray[np.int64], first: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Features of sequences of flows.

    Parameters
    ----------
    rows : FACTS (m,)
        One entity after another, each in the order of time.
    times_ms : int64 (m,)
        Start of each flow.
    first : bool (m,)
        Which rows are the first of their entity.

    Returns
    -------
    float32 (m, len(FEATURES))
        Unscaled; ``log_`` is the natural logarithm of 1 + the value.
    """
    out = np.zeros((len(_COLUMN), len(rows)), np.float32)  # one contiguous row per feature; turned round at the end

    def column(name: str) -> NDArray[np.float32]:
        values: NDArray[np.float32] = out[_COLUMN[name]]
        return values

    amounts = {}
    for name in ("packets_out", "packets_in", "bytes_out", "bytes_in"):
        values = np.log1p(rows[name])
        if np.isnan(values).any():
            values = interpolated(values, times_ms, first)
        amounts[name] = values
        column(f"log_{name}")[:] = values
    column("log_duration")[:] = np.log1p(rows["duration_ms"])
    for way in ("out", "in"):
        # log of a ratio of sums that are at least 1: no zero denominator can arise.
        column(f"log_bytes_per_packet_{way}")[:] = np.maximum(amounts[f"bytes_{way}"] - amounts[f"packets_{way}"], 0)
    bytes_out, bytes_in = amounts["bytes_out"], amounts["bytes_in"]
    column("bytes_balance")[:] = np.tanh((bytes_out - bytes_in) / 2)  # = (out - in) / (out + in) of 1 + bytes
    packets = np.logaddexp(amounts["packets_out"], amounts["packets_in"])
    column("log_packet_rate")[:] = np.logaddexp(packets - np.log1p(rows["duration_ms"] / 1000), 0)

    protocol = rows["protocol"]
    is_tcp = protocol == TCP
    column("tcp")[:] = is_tcp
    column("udp")[:] = protocol == UDP
    column("icmp")[:] = (protocol == ICMP) | (protocol == ICMP_6)
    port = rows["destination_port"]
    has_ports = is_tcp | (protocol == UDP)
    column("port_well_known")[:] = has_ports & (port < 1024)
    column("port_registered")[:] = has_ports & (port >= 1024) & (port < 32768)
    group = _service_group_of_port()[port]
    for number, name in enumerate(SERVICE_GROUPS, start=1):
        column(name)[:] = has_ports & (group == number)

    flags_out, flags_in = rows["flags_out"], rows["flags_in"]
    column("flags_known")[:] = is_tcp & ((flags_out | flags_in) != 0)
    column("unanswered_syn")[:] = is_tcp & (flags_out & (_SYN | _ACK) == _SYN) & (flags_in & _SYN == 0)
    column("reset")[:] = is_tcp & ((flags_out | flags_in) & _RST != 0)
    marks = rows["marks"]
    column("two_way")[:] = marks & _TWO_WAY != 0
    column("rejected")[:] = marks & _REJECTED != 0
    column("local_source")[:] = marks & _LOCAL_SOURCE != 0
    column("peer_private")[:] = marks & _PEER_PRIVATE != 0
    column("peer_public")[:] = marks & _PEER_PUBLIC != 0
    column("present")[:] = 1
    if len(rows) > 1:
        _order_features(column, rows, times_ms, first, np.logaddexp(bytes_out, bytes_in))
    return np.ascontiguousarray(out.T)


def _order_features(
    column: Callable[[str], NDArray[np.float32]],
    rows: NDArray[np.void],
    times_ms: NDArray[np.int64],
    first: NDArray[np.bool_],
    log_bytes: NDArray[np.float32],
) -> None:
    """What a flow is to the one before it. The first flow of an entity has 0 in all of them, and in ``has_previous``."""
    follows = ~first[1:]
    column("has_previous")[1:] = follows
    log_gap = np.log1p((times_ms[1:] - times_ms[:-1]).clip(0)).astype(np.float32) * follows
    column("log_interarrival")[1:] = log_gap
    column("interarrival_change")[2:] = np.abs(log_gap[1:] - log_gap[:-1]) * (follows[1:] & follows[:-1])
    column("same_destination")[1:] = follows & (rows["destination"][1:] == rows["destination"][:-1])
    same_port = (rows["destination_port"][1:] == rows["destination_port"][:-1]) & (rows["protocol"][1:] == rows["protocol"][:-1])
    column("same_destination_port")[1:] = follows & same_port
    column("bytes_change")[1:] = (log_bytes[1:] - log_bytes[:-1]) * follows


_group_table: NDArray[np.uint8] | None = None


def _service_group_of_port() -> NDArray[np.uint8]:
    """Number of each port's group, counted from 1; 0: in none."""
    global _group_table
    if _group_table is None:
        _group_table = np.zeros(1 << 16, np.uint8)
        for number, ports in enumerate(SERVICE_GROUPS.values(), start=1):
            _group_table[list(ports)] = number
    return _group_table
