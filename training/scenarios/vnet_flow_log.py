"""Connections as VNet flow log records: version 4, one record for each interface and minute.

Format: https://learn.microsoft.com/azure/network-watcher/vnet-flow-logs-overview#log-format. What is imitated, because a detector
sees it: a connection begins with a tuple without counts (B), goes on with what was new each minute (C) and ends (E); what a
security group stops is one tuple at the interface that stopped it (D); TCP flags are not logged; both ends' interfaces log a
connection within the network, each in its own direction.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from training.scenarios.connections import Connection, Outcome
from training.scenarios.site import Site

MINUTE_MS = 60_000
_VERSION = 4
#: Time, tuple and class.
_Told = tuple[int, str, str]
#: Which rule let it pass or stopped it, by (outbound, denied); no detector reads it.
_RULES = {
    (False, False): "UserRule_AllowHttps",
    (True, False): "DefaultRule_AllowInternetOutBound",
    (False, True): "DefaultRule_DenyAllInBound",
    (True, True): "DefaultRule_DenyAllOutBound",
}


@dataclass(frozen=True, slots=True)
class FlowLog:
    """Where a virtual network's flow log goes: ARM ids of the log and of what is logged."""

    log_id: str
    network_id: str

    def blob(self, mac: str, time_ms: int) -> str:
        """Name of the blob that Network Watcher appends an interface's records of an hour to."""
        at = datetime.fromtimestamp(time_ms / 1000, UTC)
        subscription, watcher, log = (self.log_id.upper().split("/")[place] for place in (2, 8, 10))
        return (
            f"flowLogResourceID=/{subscription}_NETWORKWATCHERRG/{watcher}_{log}"
            f"/y={at:%Y}/m={at:%m}/d={at:%d}/h={at:%H}/m=00/macAddress={mac}/PT1H.json"
        )


#: A made-up network's.
GENERATED = FlowLog(
    "/subscriptions/00000000-0000-0000-0000-00000000000a/resourceGroups/NetworkWatcherRG/providers/Microsoft.Network"
    "/networkWatchers/NetworkWatcher_westeurope/flowLogs/generated",
    "/subscriptions/00000000-0000-0000-0000-00000000000a/resourceGroups/generated/providers/Microsoft.Network/virtualNetworks/net",
)


@dataclass(frozen=True, slots=True)
class FlowRecord:
    """One record: an interface's minute.

    Attributes
    ----------
    mac : str
        As Network Watcher writes it: upper case, without hyphens.
    time_ms : int
        The minute's end.
    content : dict
    labels : tuple of str
        Class of each tuple, in the order in which they stand in ``content``.
    """

    mac: str
    time_ms: int
    content: dict[str, Any]
    labels: tuple[str, ...]


def write_records(connections: Iterable[Connection], site: Site, log: FlowLog) -> tuple[FlowRecord, ...]:
    """Write connections as the records of every interface that sees them, in order of time.

    Parameters
    ----------
    connections : iterable of Connection
    site : Site
        Its hosts' interface ids are their MAC addresses.
    log : FlowLog
    """
    minutes: dict[tuple[int, str], dict[tuple[bool, bool], list[_Told]]] = defaultdict(lambda: defaultdict(list))
    for connection in connections:
        for mac, outbound, denied, time_ms, text in _tuples(connection, site):
            minutes[time_ms // MINUTE_MS, mac][outbound, denied].append((time_ms, text, connection.label))
    return tuple(
        _record(mac, (minute + 1) * MINUTE_MS, groups, log)
        for (minute, mac), groups in sorted(minutes.items(), key=lambda m: m[0])
    )


def on_azure(site: Site) -> Site:
    """The same site as a virtual network: its interfaces are known by MAC addresses."""
    hosts = tuple(replace(host, interface_id=f"000D3A{host.interface_id[-6:].upper()}") for host in site.hosts)
    by_address = {host.address: host for host in hosts}
    return replace(site, hosts=hosts, victim=site.victim and by_address.get(site.victim.address), _by_address=by_address)


def document(records: Sequence[FlowRecord | str]) -> bytes:
    """A blob of these records, as it stands between two appends. A text is put where a record would be, as it is."""
    texts = (each if isinstance(each, str) else json.dumps(each.content, separators=(",", ":")) for each in records)
    return b'{"records":[' + ",".join(texts).encode() + b"]}"


def _tuples(connection: Connection, site: Site) -> Iterator[tuple[str, bool, bool, int, str]]:
    """(MAC, outbound, denied, time, tuple) at each interface that sees the connection."""
    source, destination = site.host_at(connection.source), site.host_at(connection.destination)
    for host, outbound in ((source, True), (destination, False)):
        if host is None:
            continue
        # A security group stops what arrives; the interface that sent it logs that nothing came back.
        denied = connection.outcome is Outcome.REJECTED and not (outbound and destination is not None)
        ends = f"{connection.source},{connection.destination},{connection.source_port},{connection.destination_port}"
        way = f"{connection.protocol},{'O' if outbound else 'I'}"
        if denied:
            yield host.interface_id, outbound, True, connection.start_ms, f"{connection.start_ms},{ends},{way},D,NX,0,0,0,0"
            continue
        for time_ms, state, counts in _states(connection):
            yield host.interface_id, outbound, False, time_ms, f"{time_ms},{ends},{way},{state},NX,{counts}"


def _states(connection: Connection) -> Iterator[tuple[int, str, str]]:
    """Begin, one tuple each further minute with what was new in it, end with the rest."""
    begin, end = connection.start_ms, connection.start_ms + connection.duration_ms
    yield begin, "B", "0,0,0,0"
    totals = (connection.packets_out, connection.bytes_out, connection.packets_in, connection.bytes_in)
    pieces = connection.duration_ms // MINUTE_MS + 1
    for piece in range(1, pieces + 1):
        new = (total * piece // pieces - total * (piece - 1) // pieces for total in totals)
        last = piece == pieces
        yield end if last else begin + piece * MINUTE_MS, "E" if last else "C", ",".join(map(str, new))


def _record(mac: str, time_ms: int, groups: dict[tuple[bool, bool], list[_Told]], log: FlowLog) -> FlowRecord:
    ordered = [(kind, sorted(told)) for kind, told in sorted(groups.items())]
    listed = [{"rule": _RULES[kind], "flowTuples": [text for _, text, _ in told]} for kind, told in ordered]
    acl = f"{log.network_id.rpartition('/virtualNetworks/')[0]}/networkSecurityGroups/edge"
    content = {
        "time": datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.0000000Z"),
        "flowLogGUID": "00000000-0000-0000-0000-000000000001",
        "macAddress": mac,
        "category": "FlowLogFlowEvent",
        "flowLogResourceID": log.log_id.upper(),
        "targetResourceID": log.network_id,
        "operationName": "FlowLogFlowEvent",
        "flowLogVersion": _VERSION,
        "flowRecords": {"flows": [{"aclID": acl, "flowGroups": listed}]},
    }
    return FlowRecord(mac, time_ms, content, tuple(label for _, told in ordered for _, _, label in told))
