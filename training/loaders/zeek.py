"""Zeek connection logs (IoT-23, CTU) as VPC Flow Log records.

Format: Zeek conn.log (https://docs.zeek.org/en/master/logs/conn.html), comma separated with a header line (IoT-23 as published by
its mirrors) or tab separated with ``#fields`` (the CTU captures). A connection is written as the one-way, 60-second records that
a VPC would have logged for the monitored host, then read by the same parser as a customer's logs. So training and
serving see the same thing, the loss of information included.
"""

from __future__ import annotations

import csv
import io
import ipaddress
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from training.loaders.cleaned import Cleaned, written_csv
from training.loaders.compressed import read_xz_text
from training.scenarios.connections import Connection, Outcome
from training.scenarios.family import BENIGN
from training.scenarios.flow_log import FlowLog, Layout, write_flow_log
from training.scenarios.site import Host, Site, hexadecimal

_PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1}
#: conn_state of TCP attempts that were refused (RST) or never answered.
_OUTCOMES = {"S0": Outcome.SILENT, "SH": Outcome.SILENT, "REJ": Outcome.REFUSED, "RSTRH": Outcome.SILENT}
#: Detailed labels of IoT-23 by class of the network detector.
CLASS_OF_LABEL = {
    "": BENIGN,
    "-": BENIGN,
    "PartOfAHorizontalPortScan": "scan",
    "C&C": "command_and_control",
    "C&C-Torii": "command_and_control",
    "C&C-FileDownload": "command_and_control",
    "FileDownload": "command_and_control",
    "DDoS": "denial_of_service",
}

#: Columns of conn.log that are read, besides the label.
_COLUMNS = (
    "ts", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "duration", "conn_state", "history", "orig_pkts",
    "orig_ip_bytes", "resp_pkts", "resp_ip_bytes",
)  # fmt: skip
#: One label for each class, which :data:`CLASS_OF_LABEL` reads as that class.
_LABEL_OF_CLASS = {meant: label for label, meant in reversed(CLASS_OF_LABEL.items()) if label}


@dataclass(frozen=True, slots=True)
class Capture:
    """One capture as flow-log records.

    Attributes
    ----------
    name : str
        E.g. ``34-1``.
    flow_log : FlowLog
        Records with their labels.
    days : float
        Length of the capture in days.
    """

    name: str
    flow_log: FlowLog
    days: float


def iot23_connections(root: Path, name: str) -> list[Connection]:
    """Connections of one IoT-23 capture (``34-1``) in order of time."""
    paths = sorted((root / "zeek_iot23").glob(f"*-{name}-labeled.csv.xz"))
    if not paths:
        raise FileNotFoundError(f"no capture {name} under {root / 'zeek_iot23'}: captures are files CTU-*-{name}-labeled.csv.xz")
    text = read_xz_text(paths[0])
    rows = list(csv.DictReader(io.StringIO(text)))
    return _connections(rows)


def read_iot23(root: Path, name: str, *, layout: Layout = Layout.V5, rows: range | None = None) -> Capture:
    """Read one IoT-23 capture as flow-log records. ``rows`` takes only these positions of it, in order of time."""
    connections = iot23_connections(root, name)
    if rows is not None:
        connections = [connections[index] for index in rows if index < len(connections)]
    return _capture(name, connections, layout)


def read_ctu_day(root: Path, name: str, *, layout: Layout = Layout.V5) -> Capture:
    """Read one CTU day (``008``). For evaluation only: its licence keeps it out of weights. Background rows are dropped.

    Its labels say who asked for a connection, not what it was: a row from outside to the device is ``scan`` here.
    """
    path = root / "zeek_ctu_days" / f"{name}-conn.log.labeled.xz"
    lines = read_xz_text(path).splitlines()
    fields = next(line for line in lines if line.startswith("#fields")).split("\t")[1:]
    rows = [dict(zip(fields, line.split("\t"), strict=False)) for line in lines if line and not line.startswith("#")]
    kept = [
        {**row, "detailed-label": "PartOfAHorizontalPortScan" if row["label"] == "Malicious" else "-"}
        for row in rows
        if row["label"] != "Background"
    ]
    return _capture(name, _connections(kept), layout)


def _connections(rows: list[dict[str, str]]) -> list[Connection]:
    found = (_connection(row, "detailed-label") for row in rows)
    return sorted((connection for connection in found if connection is not None), key=lambda connection: connection.start_ms)


def _capture(name: str, connections: list[Connection], layout: Layout) -> Capture:
    site = monitored_site(name, connections)
    days = (connections[-1].start_ms - connections[0].start_ms) / 86_400_000 if connections else 0.0
    return Capture(name, write_flow_log(connections, site, layout=layout), days)


def _connection(row: dict[str, str], label_field: str) -> Connection | None:
    protocol = _PROTOCOLS.get(row["proto"])
    if protocol is None or not row["ts"]:
        return None
    packets_out, packets_in = _count(row["orig_pkts"]), _count(row["resp_pkts"])
    bytes_out, bytes_in = _count(row["orig_ip_bytes"]), _count(row["resp_ip_bytes"])
    if packets_out + packets_in == 0:
        # Zeek counts no packet whose checksum is wrong (floods have such); its history names each of them: "C" out, "c" back.
        packets_out, packets_in = row["history"].count("C"), row["history"].count("c")
        bytes_out, bytes_in = 40 * packets_out, 40 * packets_in
        if packets_out + packets_in == 0:
            return None
    answered = _OUTCOMES.get(row["conn_state"], Outcome.ANSWERED) if protocol == 6 else Outcome.ANSWERED
    icmp = protocol == 1
    return Connection(
        start_ms=int(float(row["ts"]) * 1000),
        duration_ms=max(1, int(float(_given(row["duration"]) or 0) * 1000)),
        source=row["id.orig_h"],
        source_port=0 if icmp else int(row["id.orig_p"]),
        destination=row["id.resp_h"],
        destination_port=0 if icmp else int(row["id.resp_p"]),
        protocol=protocol,
        packets_out=packets_out,
        bytes_out=bytes_out,
        packets_in=packets_in,
        bytes_in=bytes_in,
        outcome=answered,
        label=CLASS_OF_LABEL.get(row[label_field], BENIGN),
    )


def _given(value: str) -> str:
    return "" if value in ("-", "(empty)") else value


def _count(value: str) -> int:
    return int(float(_given(value) or 0))


def monitored_site(name: str, connections: list[Connection]) -> Site:
    """Monitored hosts: the private addresses that start connections; where there are none, the address that most rows touch."""
    sources: dict[str, int] = {}
    touched: dict[str, int] = {}
    for connection in connections:
        if _monitored(connection.source):
            sources[connection.source] = sources.get(connection.source, 0) + 1
        for address in (connection.source, connection.destination):
            touched[address] = touched.get(address, 0) + 1
    addresses = list(sources) or [max(touched, key=lambda address: touched[address])]
    rng = random.Random(name)
    hosts = tuple(
        Host(f"capture-{name}", address, f"eni-0{hexadecimal(rng, 16)}", f"i-0{hexadecimal(rng, 16)}") for address in addresses
    )
    return Site(
        rng=rng,
        start_ms=connections[0].start_ms,
        hosts=hosts,
        resolver="",
        vpc_id=f"vpc-0{hexadecimal(rng, 16)}",
        _by_address={host.address: host for host in hosts},
    )


def _monitored(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    return parsed.is_private and not parsed.is_link_local and not parsed.is_unspecified and not parsed.is_multicast


def clean_iot23(root: Path, names: Iterable[str]) -> Iterator[tuple[str, Cleaned]]:
    """Capture files as they are read: rows that are no connection left out, one label a class."""
    for name in names:
        rows = list(csv.DictReader(io.StringIO(read_xz_text(root / "zeek_iot23" / name))))
        kept = [row for row in rows if _connection(row, "detailed-label") is not None]
        told = [{**row, "detailed-label": _LABEL_OF_CLASS[CLASS_OF_LABEL.get(row["detailed-label"], BENIGN)]} for row in kept]
        yield name, Cleaned(written_csv((*_COLUMNS, "detailed-label"), told), len(rows), len(kept))


def clean_ctu_days(root: Path, names: Iterable[str]) -> Iterator[tuple[str, Cleaned]]:
    """Files of days as they are read: background and what is no connection left out."""
    for name in names:
        lines = read_xz_text(root / "zeek_ctu_days" / name).splitlines()
        fields = next(line for line in lines if line.startswith("#fields")).split("\t")[1:]
        rows = [dict(zip(fields, line.split("\t"), strict=False)) for line in lines if line and not line.startswith("#")]
        kept = [row for row in rows if row["label"] != "Background" and _connection(row, "label") is not None]
        columns = (*_COLUMNS, "label")
        told = ["\t".join(("#fields", *columns)), *("\t".join(row[column] for column in columns) for row in kept)]
        yield name, Cleaned(("\n".join(told) + "\n").encode(), len(rows), len(kept))


def captures(root: Path) -> Iterator[str]:
    """Names of the IoT-23 captures that lie there."""
    for path in sorted((root / "zeek_iot23").glob("CTU-*-labeled.csv.xz")):
        yield path.name.split("Capture-")[1].removesuffix("-labeled.csv.xz")
