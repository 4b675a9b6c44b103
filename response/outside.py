"""Signals from outside what a detector saw: the operator's watch list of networks, and canaries that nobody uses legitimately.

A verdict whose own events show one of them has a second signal that no telemetry gave: the operator did, beforehand. It is one
for this verdict only. What it proves is what the operator knows of the address or the canary, and no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from response.policy import Policy
from response.resources import in_one_spelling
from response.signals import Signal
from shared_model.events import SPOOFABLE, Entity, EntityKind, Telemetry
from shared_model.verdicts import Verdict


def outside_signals(verdict: Verdict, policy: Policy) -> tuple[Signal, ...]:
    """Return the second signals that the policy's lists give a verdict, at most one of each list."""
    found = {
        Telemetry.CANARY: next(_canaries(verdict, policy.canaries), ""),
        Telemetry.WATCH_LIST: next(_watched(verdict, policy.watch_list), ""),
    }
    return tuple(Signal(f"{kind}: {what}", "the policy", kind, verdict.time_ms, ()) for kind, what in found.items() if what)


def _canaries(verdict: Verdict, canaries: tuple[str, ...]) -> Iterator[str]:
    for name in _shown(verdict) if canaries else ():
        spelled = in_one_spelling(name)
        yield from (f"{name} ({pattern})" for pattern in canaries if fnmatchcase(spelled, pattern))


def _watched(verdict: Verdict, blocks: tuple[str, ...]) -> Iterator[str]:
    if not blocks:
        return
    from ipaddress import ip_network  # here, because few policies need it

    from response.addresses import read_address

    networks = [ip_network(block) for block in blocks]
    for name in _shown(verdict):
        address = read_address(name)
        yield from (f"{name} ({network})" for network in networks if address is not None and address in network)


def _shown(verdict: Verdict) -> Iterator[str]:
    """What its events show: of flows, ``seen`` has only those that were answered."""
    yield from verdict.seen
    yield from (entity.id for entity in (verdict.entity, *verdict.related) if not _may_be_spoofed(entity, verdict))


def _may_be_spoofed(entity: Entity, verdict: Verdict) -> bool:
    return entity.kind is EntityKind.ADDRESS and verdict.telemetry in SPOOFABLE and not verdict.completed_flow
