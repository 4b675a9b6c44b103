"""What an attacker may do to his own connections so that they look less like an attack. Benign ones are left as they are."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from statistics import median

from training.scenarios.connections import TCP, UDP, Connection, ephemeral
from training.scenarios.family import BENIGN

Evasion = Callable[[list[Connection], random.Random], list[Connection]]
_ORDINARY_PORTS = (443, 443, 443, 80, 53, 123, 8080)


def padded(connections: list[Connection], rng: random.Random) -> list[Connection]:
    """Up to twice the packets, and bytes in each of them, as far as a packet holds."""

    def pad(one: Connection) -> Connection:
        packets = one.packets_out + rng.randrange(one.packets_out + 1)
        most = max(one.bytes_out, 1400 * packets)
        return replace(one, packets_out=packets, bytes_out=rng.randrange(one.bytes_out, most + 1))

    return _hostile(connections, pad)


def jittered(connections: list[Connection], rng: random.Random) -> list[Connection]:
    """Pauses between the attacker's connections stretched by a factor of a log-normal distribution (median 1.6)."""
    hostile = [one for one in connections if one.label != BENIGN]
    calm = [one for one in connections if one.label == BENIGN]
    late, before = 0.0, hostile[0].start_ms if hostile else 0
    moved = []
    for one in hostile:
        late += (one.start_ms - before) * (rng.lognormvariate(0.5, 1.0) - 1)
        before = one.start_ms
        moved.append(replace(one, start_ms=int(max(one.start_ms + late, hostile[0].start_ms))))
    return _in_order(calm + moved)


def ordinary_ports(connections: list[Connection], rng: random.Random) -> list[Connection]:
    """Ports that everybody uses, where the attacker owns both ends; what he scans or guesses at is not his to move."""

    def move(one: Connection) -> Connection:
        if one.label in ("scan", "brute_force") or one.protocol not in (TCP, UDP):
            return replace(one, source_port=ephemeral(rng)) if one.protocol in (TCP, UDP) else one
        return replace(one, destination_port=rng.choice(_ORDINARY_PORTS), source_port=ephemeral(rng))

    return _hostile(connections, move)


def interleaved(connections: list[Connection], rng: random.Random) -> list[Connection]:
    """After every connection of the attack, one that imitates a benign connection of the same recording.

    They are labelled benign: nothing in them is an attack, and an alarm on one of them counts as false.
    """
    calm = [one for one in connections if one.label == BENIGN]
    hostile = [one for one in connections if one.label != BENIGN]
    if not calm or not hostile:
        return connections
    gap = median([1.0, *(later.start_ms - one.start_ms for one, later in pairwise(hostile))])
    cover = [
        replace(rng.choice(calm), start_ms=one.start_ms + max(1, int(gap * rng.random())), source=one.source) for one in hostile
    ]
    return _in_order(connections + cover)


def everything(connections: list[Connection], rng: random.Random) -> list[Connection]:
    """All of them at once."""
    return interleaved(jittered(padded(ordinary_ports(connections, rng), rng), rng), rng)


EVASIONS: dict[str, Evasion] = {
    "none": lambda connections, _: connections,
    "padding": padded,
    "jitter": jittered,
    "ordinary ports": ordinary_ports,
    "interleaving": interleaved,
    "all of them": everything,
}


def _hostile(connections: list[Connection], change: Callable[[Connection], Connection]) -> list[Connection]:
    return [one if one.label == BENIGN else change(one) for one in connections]


def _in_order(connections: list[Connection]) -> list[Connection]:
    return sorted(connections, key=lambda one: one.start_ms)
