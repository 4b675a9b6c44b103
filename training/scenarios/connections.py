"""Single connections as they look in flow telemetry: sizes, durations and flags of common exchanges.

Sizes are IP bytes, headers included, as VPC Flow Logs count them. They are drawn around what the protocols
really need: a bare SYN is 40 to 60 bytes, a TLS handshake costs 0.7 kB up and 3 to 6 kB down.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import IntEnum

from training.scenarios.family import BENIGN

TCP, UDP, ICMP = 6, 17, 1
FIN, SYN, RST, SYN_ACK = 1, 2, 4, 18
_SEGMENT = 1400


class Outcome(IntEnum):
    """What became of a connection attempt."""

    ANSWERED = 0
    SILENT = 1  # let out or in, never answered
    REFUSED = 2  # answered by RST
    REJECTED = 3  # stopped by security group or network ACL


@dataclass(frozen=True, slots=True)
class Connection:
    """One two-way exchange, before the flow-log service cuts it into one-way records.

    Times in milliseconds since the epoch; packets and IP bytes each way; ``label`` is the class it belongs to.
    """

    start_ms: int
    duration_ms: int
    source: str
    source_port: int
    destination: str
    destination_port: int
    protocol: int
    packets_out: int
    bytes_out: int
    packets_in: int
    bytes_in: int
    outcome: Outcome = Outcome.ANSWERED
    label: str = BENIGN


def ephemeral(rng: random.Random) -> int:
    """Client port as Linux picks it (32768-60999), or Windows and NAT gateways do (1024-65535)."""
    return rng.randrange(32768, 61000) if rng.random() < 0.8 else rng.randrange(1024, 65536)


def tcp(
    rng: random.Random, at_ms: float, source: str, destination: str, port: int, *,
    up: float, down: float, seconds: float, label: str = BENIGN, source_port: int | None = None, packets: int = 1,
) -> Connection:  # fmt: skip
    """Answered TCP exchange of ``up`` and ``down`` payload bytes over ``seconds``, in at least ``packets`` each way."""
    packets_out = max(packets, 4 + int(up / _SEGMENT) + int(down / (2 * _SEGMENT)) + rng.randrange(3))
    packets_in = max(packets, 3 + int(down / _SEGMENT) + int(up / (2 * _SEGMENT)) + rng.randrange(3))
    return Connection(
        int(at_ms), max(1, int(seconds * 1000)), source, source_port or ephemeral(rng), destination, port, TCP,
        packets_out, int(up) + 52 * packets_out, packets_in, int(down) + 52 * packets_in, Outcome.ANSWERED, label,
    )  # fmt: skip


def attempt(
    rng: random.Random, at_ms: float, source: str, destination: str, port: int, outcome: Outcome, *,
    label: str = BENIGN, source_port: int | None = None, tries: int | None = None,
) -> Connection:  # fmt: skip
    """TCP connection attempt that came to nothing: one to three SYNs, perhaps a RST."""
    sent = tries or (1 if outcome is Outcome.REFUSED else rng.choice((1, 1, 2, 3)))
    size = rng.choice((40, 44, 48, 52, 60))
    answered = outcome is Outcome.REFUSED
    lasts = 1000 * (2**sent - 1) // 2 if 1 < sent <= 4 else 10 * sent  # retransmissions back off; a flood does not wait
    return Connection(
        int(at_ms), lasts, source, source_port or ephemeral(rng), destination, port, TCP,
        sent, sent * size, sent if answered else 0, 40 * sent if answered else 0, outcome, label,
    )  # fmt: skip


def udp(
    rng: random.Random, at_ms: float, source: str, destination: str, port: int, *,
    up: int, down: int, packets: int = 1, seconds: float = 0.03, outcome: Outcome = Outcome.ANSWERED,
    label: str = BENIGN, source_port: int | None = None,
) -> Connection:  # fmt: skip
    """UDP exchange of ``packets`` each way, ``up`` and ``down`` payload bytes in all; ``down`` 0 is no answer."""
    return Connection(
        int(at_ms), max(1, int(seconds * 1000)), source, source_port or ephemeral(rng), destination, port, UDP,
        packets, up + 28 * packets, packets if down else 0, down + 28 * packets if down else 0,
        outcome if down or outcome is Outcome.REJECTED else Outcome.SILENT, label,
    )  # fmt: skip


def web_request(
    rng: random.Random, at_ms: float, source: str, destination: str, *, port: int = 443, label: str = BENIGN
) -> Connection:
    """One HTTP(S) connection with a log-normal answer (median about 12 kB) and some keep-alive."""
    up = 700 + rng.lognormvariate(6.2, 0.9)
    down = 3500 + rng.lognormvariate(9.0, 1.4)
    return tcp(
        rng,
        at_ms,
        source,
        destination,
        port,
        up=up,
        down=min(down, 4e7),
        seconds=min(rng.lognormvariate(-0.3, 1.4), 120.0),
        label=label,
    )


def name_lookup(rng: random.Random, at_ms: float, source: str, resolver: str) -> Connection:
    return udp(
        rng, at_ms, source, resolver, 53, up=rng.randrange(28, 60), down=rng.randrange(44, 300), seconds=rng.uniform(0.001, 0.06)
    )
