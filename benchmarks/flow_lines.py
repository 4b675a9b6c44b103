"""Flow-log objects for benchmarks: a made-up network whose talkers are distributed as real ones are.

A few interfaces and peers make most of the flows; three tenths of the flows are refused probes from the internet; a tenth is
IPv6; the two directions of a flow stand up to some hundred lines apart; every thousandth line is damaged.
"""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator
from pathlib import Path

VERSION_5 = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status vpc-id "
    "subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr region az-id sublocation-type sublocation-id "
    "pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path"
)
_INTERFACES, _PEERS, _APART = 300, 20_000, 200


def write_object(path: Path, records: int, *, version: int, seed: int = 1, begin: int = 1_700_000_000) -> None:
    """Write a gzip object of about so many records in the default layout (version 2) or with a header of 29 fields (5).

    ``begin`` is the second from which on they are: with the same seed, later flows of the same talkers.
    """
    with gzip.open(path, "wt", compresslevel=6) as stream:
        if version == 5:
            stream.write(VERSION_5 + "\n")
        for number, line in enumerate(_lines(records, version, begin, random.Random(seed))):
            stream.write((line[:30] if number % 1000 == 999 else line) + "\n")


def _lines(records: int, version: int, start: int, rng: random.Random) -> Iterator[str]:
    own = [
        (f"eni-{rng.randrange(16**17):017x}", f"10.0.{rng.randrange(256)}.{rng.randrange(1, 255)}", f"2001:db8:1::{n + 1:x}")
        for n in range(_INTERFACES)
    ]
    # Benchmarking addresses (RFC 2544) and the documentation range of IPv6.
    peers = [(f"198.{18 + n // 2**16 % 2}.{n // 256 % 256}.{n % 256}", f"2001:db8:2::{n + 1:x}") for n in range(_PEERS)]
    rng.shuffle(peers)
    answers: list[str] = []
    written = 0
    while written < records:
        interface, four, six = own[min(int(rng.expovariate(5 / _INTERFACES)), _INTERFACES - 1)]
        peer_four, peer_six = peers[min(int(rng.paretovariate(0.6)) - 1, _PEERS - 1)]
        mine, peer = (six, peer_six) if rng.random() < 0.1 else (four, peer_four)
        begin = start + rng.randrange(300)
        times = (begin, begin + rng.randrange(60))
        port, kind = rng.randrange(32768, 61000), rng.random()
        if kind < 0.3:
            target = rng.choice((22, 23, 445, 3389, rng.randrange(1, 65536)))
            yield _line(version, interface, mine, peer, mine, port, target, 6, 1, 44, times, "REJECT", 2)
            written += 1
            continue
        protocol, service, asks, gives = (17, 53, 0, 0) if kind < 0.45 else (6, 443, 3, 19)
        source, destination = (mine, peer) if kind < 0.75 else (peer, mine)
        sizes = rng.randrange(1, 60), rng.randrange(1, 90)
        yield _line(
            version,
            interface,
            mine,
            source,
            destination,
            port,
            service,
            protocol,
            sizes[0],
            sizes[0] * 140,
            times,
            "ACCEPT",
            asks,
        )
        answers.append(
            _line(
                version,
                interface,
                mine,
                destination,
                source,
                service,
                port,
                protocol,
                sizes[1],
                sizes[1] * 900,
                times,
                "ACCEPT",
                gives,
            )
        )
        written += 2
        if len(answers) > _APART:
            yield answers.pop(rng.randrange(len(answers)))
    yield from answers


def _line(
    version: int,
    interface: str,
    mine: str,
    source: str,
    destination: str,
    source_port: int,
    port: int,
    protocol: int,
    packets: int,
    size: int,
    times: tuple[int, int],
    action: str,
    flags: int,
) -> str:
    line = (
        f"{version} 123456789012 {interface} {source} {destination} {source_port} {port} {protocol} {packets} {size} "
        f"{times[0]} {times[1]} {action} OK"
    )
    if version == 2:
        return line
    outward = source == mine
    return (
        f"{line} vpc-0123456789abcdef0 subnet-0123456789abcdef0 i-{interface[4:]} {flags} {'IPv6' if ':' in source else 'IPv4'} "
        f"{source} {destination} us-east-1 use1-az1 - - - - {'egress' if outward else 'ingress'} {'8' if outward else '-'}"
    )
