"""Rows of CICIDS2017 and NF-BoT-IoT-v2: real shapes of single flows, without the times and hosts that they had.

Formats: CICFlowMeter's CSV (flow duration in microseconds, payload bytes, header bytes apart) and NetFlow v9 as nProbe names its
fields. Rows are put on generated hosts at generated times; so they may teach what single flows look like, never order or rhythm.
"""

from __future__ import annotations

import csv
import io
import lzma
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from training.loaders.cleaned import Cleaned, written_csv
from training.loaders.compressed import read_xz_text
from training.scenarios.connections import UDP, Connection, Outcome, ephemeral
from training.scenarios.family import BENIGN

#: Labels of CICIDS2017 that have a class here; rows with others are left out.
_CICIDS = {
    "BENIGN": BENIGN,
    "FTP-Patator": "brute_force",
    "SSH-Patator": "brute_force",
    "Bot": "command_and_control",
    "PortScan": "scan",
    "DDoS": "denial_of_service",
}
_NETFLOW = {
    "Benign": BENIGN,
    "DDoS": "denial_of_service",
    "DoS": "denial_of_service",
    "Reconnaissance": "scan",
    "Theft": "exfiltration",
}
_UDP_PORTS = frozenset({53, 123, 137, 138, 1900, 5353, 5355})


@dataclass(frozen=True, slots=True)
class Shape:
    """What one flow was like: destination port, IANA protocol, milliseconds, packets and IP bytes each way, class."""

    port: int
    protocol: int
    duration_ms: int
    packets_out: int
    bytes_out: int
    packets_in: int
    bytes_in: int
    label: str

    def at(self, rng: random.Random, start_ms: float, source: str, destination: str) -> Connection:
        """The flow between these hosts at that time."""
        outcome = Outcome.ANSWERED if self.packets_in else Outcome.SILENT
        return Connection(
            int(start_ms), max(1, self.duration_ms), source, ephemeral(rng), destination, self.port, self.protocol,
            self.packets_out, self.bytes_out, self.packets_in, self.bytes_in, outcome, self.label,
        )  # fmt: skip


def read_cicids(root: Path, name: str) -> list[Shape]:
    """Shapes of one day file (``tuesday_patator``) in its order, repeated rows dropped."""
    text = read_xz_text(root / "cicids2017" / f"{name}.csv.xz")
    reader = csv.reader(io.StringIO(text))
    header = [column.strip() for column in next(reader)]
    place = {column: index for index, column in reversed(list(enumerate(header)))}
    seen: set[Shape] = set()
    shapes: list[Shape] = []
    for row in reader:
        label = _CICIDS.get(row[place["Label"]].strip())
        if label is None:
            continue
        out, back = int(float(row[place["Total Fwd Packets"]])), int(float(row[place["Total Backward Packets"]]))
        port = int(float(row[place["Destination Port"]]))
        shape = Shape(
            port,
            UDP if port in _UDP_PORTS else 6,
            max(0, int(float(row[place["Flow Duration"]]) / 1000)),
            max(1, out),
            _ip_bytes(row[place["Total Length of Fwd Packets"]], out),
            back,
            _ip_bytes(row[place["Total Length of Bwd Packets"]], back),
            label,
        )
        if shape not in seen:
            seen.add(shape)
            shapes.append(shape)
    return shapes


def _ip_bytes(payload: str, packets: int) -> int:
    return max(0, int(float(payload))) + 40 * packets


def read_netflow(root: Path, *, most: int = 6000) -> list[Shape]:
    """Distinct shapes of NF-BoT-IoT-v2, at most that many of each class, in order of the file."""
    kept: dict[str, dict[Shape, None]] = {}
    with lzma.open(root / "netflow_nf_bot_iot_v2" / "botiot_reduced.csv.xz", "rt") as text:
        for row in csv.DictReader(text):
            label = _NETFLOW.get(row["Attack"])
            if label is None or len(kept.setdefault(label, {})) >= most:
                continue
            shape = Shape(
                int(row["L4_DST_PORT"]), int(row["PROTOCOL"]), int(float(row["FLOW_DURATION_MILLISECONDS"])),
                max(1, int(row["IN_PKTS"])), int(row["IN_BYTES"]), int(row["OUT_PKTS"]), int(row["OUT_BYTES"]), label,
            )  # fmt: skip
            kept[label][shape] = None
    return [shape for shapes in kept.values() for shape in shapes]


def clean_cicids(root: Path, names: Iterable[str]) -> Iterator[tuple[str, Cleaned]]:
    """Day files as they are read: repeated rows and rows without a class left out, one label a class."""
    for name in names:
        rows = [
            {
                "Destination Port": shape.port, "Flow Duration": 1000 * shape.duration_ms,
                "Total Fwd Packets": out, "Total Length of Fwd Packets": shape.bytes_out - 40 * out,
                "Total Backward Packets": shape.packets_in, "Total Length of Bwd Packets": shape.bytes_in - 40 * shape.packets_in,
                "Label": _first(_CICIDS, shape.label),
            }
            for shape in read_cicids(root, name.removesuffix(".csv.xz"))
            # Fewer bytes than headers alone: the row had no packet out, for which one is read.
            for out in (shape.packets_out if shape.bytes_out >= 40 * shape.packets_out else 0,)
        ]  # fmt: skip
        yield name, Cleaned(written_csv(tuple(rows[0]), rows), _rows(root / "cicids2017" / name), len(rows))


def clean_netflow(root: Path, names: Iterable[str]) -> Iterator[tuple[str, Cleaned]]:
    """The file as it is read: distinct shapes, so many of each class, one label a class."""
    for name in names:
        rows = [
            {
                "L4_DST_PORT": shape.port, "PROTOCOL": shape.protocol, "FLOW_DURATION_MILLISECONDS": shape.duration_ms,
                "IN_PKTS": shape.packets_out, "IN_BYTES": shape.bytes_out, "OUT_PKTS": shape.packets_in,
                "OUT_BYTES": shape.bytes_in, "Attack": _first(_NETFLOW, shape.label),
            }
            for shape in read_netflow(root)
        ]  # fmt: skip
        yield name, Cleaned(written_csv(tuple(rows[0]), rows), _rows(root / "netflow_nf_bot_iot_v2" / name), len(rows))


def _first(labels: dict[str, str], wanted: str) -> str:
    return next(label for label, meant in labels.items() if meant == wanted)


def _rows(path: Path) -> int:
    """Lines without the header."""
    return len(read_xz_text(path).splitlines()) - 1


def workday(shapes: list[Shape], rng: random.Random, host: str, begin_ms: float, servers: list[str]) -> Iterator[Connection]:
    """Flows of these shapes from one host to a few servers, in bursts and pauses as a person makes them."""
    at = begin_ms
    for shape in shapes:
        yield shape.at(rng, at, host, servers[(shape.port * 7919 + shape.bytes_in % 5) % len(servers)])
        at += rng.choice((5.0, 40.0, 900.0, 12_000.0)) * rng.lognormvariate(0, 1)
