"""Real flows with time and addresses as sequences, and windows in which the newest flow is to be judged.

No address, direction or TTL is a feature here: the columns that tell which end was monitored and whether the peer is private
are blanked, because in these recordings they alone nearly give the label away. What stays is relative: the same destination
as before.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared_model.encoders.network import FEATURES, encode, expand
from shared_model.parsers.vpc_flow_logs import read_flows
from training.loaders.compressed import read_xz_text
from training.loaders.zeek import Capture, read_ctu_day, read_iot23
from training.network_data import CLASS_INDEX, capture_stories, flow_stories
from training.scenarios.connections import Connection, Outcome
from training.scenarios.family import BENIGN
from training.scenarios.flow_log import FlowLog, write_flow_log
from training.scenarios.site import Host, Site, hexadecimal
from training.sequences import WINDOW, Story, cut

#: Blanked: they say which side was watched.
DIRECTION = ("local_source", "peer_private", "peer_public")
_BLANK = [FEATURES.index(name) for name in DIRECTION]
_UNSW_PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1}
_UNSW_SERVERS = "149.171.126."


@dataclass(frozen=True, slots=True)
class FlowSet:
    """Flows of one recording, one sequence after another, each in order of time.

    Attributes
    ----------
    name : str
    features : float32 (m, F)
    hostile : bool (m,)
    position : int64 (m,)
        Place of each flow in its sequence, from 0.
    time : float64 (m,)
        Share of the recording that had passed, 0 to 1, by place in its sequence (each sequence for itself).
    """

    name: str
    features: NDArray[np.float32]
    hostile: NDArray[np.bool_]
    position: NDArray[np.int64]
    time: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.hostile)

    def windows(self, flows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The chosen flows, each with up to 15 before it, zeros on the left: (n, 16, F)."""
        windows = np.asarray(cut(self.features, flows), np.float32)
        before = np.arange(WINDOW - 1, -1, -1)
        windows[before[None] > self.position[flows][:, None]] = 0
        return windows


def flow_set(name: str, stories: Iterable[Story]) -> FlowSet:
    """Put stories one after another."""
    kept = list(stories)
    lengths = [len(story.labels) for story in kept]
    features = np.concatenate([np.asarray(story.rows, np.float32) for story in kept])
    features[:, _BLANK] = 0
    return FlowSet(
        name,
        features,
        np.concatenate([story.labels > 0 for story in kept]),
        np.concatenate([np.arange(length) for length in lengths]),
        np.concatenate([np.arange(length) / length for length in lengths]),
    )


def iot23(root: Path, name: str) -> FlowSet:
    """One IoT-23 capture, a sequence for each initiator."""
    return flow_set(f"iot23-{name}", capture_stories(read_iot23(root, name)))


def ctu_day(root: Path, name: str, *, by_device: bool) -> FlowSet:
    """One CTU day: a sequence for each initiator, or one of everything that the computer saw."""
    capture = read_ctu_day(root, name)
    return flow_set(f"ctu-{name}", [_device_story(capture)] if by_device else capture_stories(capture))


def unsw(root: Path, *, later: bool) -> FlowSet:
    """The rows of January 2015 (training) or of 18 February (``later``), a sequence for each initiator."""
    text = read_xz_text(root / "unsw_nb15_sample_time_ip" / "sample_train10.csv.xz")
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row["proto"] in _UNSW_PROTOCOLS]
    chosen = sorted((row for row in rows if (int(row["stime"]) >= 1_424_217_600) == later), key=lambda row: int(row["stime"]))
    connections = [_unsw_connection(row) for row in chosen]
    return flow_set("UNSW-NB15", flow_stories(_log_of(connections), "unsw"))


def _unsw_connection(row: dict[str, str]) -> Connection:
    answered = Outcome.ANSWERED if int(row["dpkts"]) or row["proto"] != "tcp" else Outcome.SILENT
    return Connection(
        int(row["stime"]) * 1000, max(1, int(1000 * float(row["dur"]))), row["srcip"], int(row["sport"], 0), row["dstip"],
        int(row["dsport"], 0), _UNSW_PROTOCOLS[row["proto"]], max(1, int(row["spkts"])), int(row["sbytes"]), int(row["dpkts"]),
        int(row["dbytes"]), answered, BENIGN if row["label"] == "0" else "scan",
    )  # fmt: skip


def _log_of(connections: list[Connection]) -> FlowLog:
    """What a flow log of the servers' network would have held."""
    rng = random.Random("unsw")
    ends = {connection.source for connection in connections} | {connection.destination for connection in connections}
    hosts = tuple(
        Host("unsw", address, f"eni-0{hexadecimal(rng, 16)}", f"i-0{hexadecimal(rng, 16)}")
        for address in sorted(ends)
        if address.startswith(_UNSW_SERVERS)
    )
    site = Site(
        rng,
        connections[0].start_ms,
        hosts,
        "",
        f"vpc-0{hexadecimal(rng, 16)}",
        _by_address={host.address: host for host in hosts},
    )
    return write_flow_log(connections, site)


def _device_story(capture: Capture) -> Story:
    """Everything that crossed the one computer of the capture, as one sequence."""
    rows, times, labels = [], [], []
    for read in read_flows(io.BytesIO(capture.flow_log.encode()), source=capture.name, block=1 << 22):
        events = encode(read.batch)
        rows.append(events.rows)
        times.append(events.times_ms)
        labels.append(np.array([CLASS_INDEX[label] for label in capture.flow_log.labels], np.int64)[read.batch.record - 1])
    when = np.concatenate(times)
    order = np.argsort(when, kind="stable")
    first = np.zeros(len(order), bool)
    first[0] = True
    hostile = np.concatenate(labels)[order]
    dense = expand(np.concatenate(rows)[order], when[order], first)
    return Story(dense, hostile, capture.name, bool(hostile.any()), capture.days)
