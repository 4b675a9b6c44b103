"""Corroboration: one signal notifies, two independent signals about the same thing may contain.

A signal is a verdict. Two are independent when they were drawn from different telemetry; a finding and a verdict that
rest on the same records are one signal told twice. Which of them arrives first makes no difference.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from shared_model.events import EntityKind, Telemetry
from shared_model.verdicts import Verdict

#: Characters of a verdict that is kept: what every store takes in one text property.
_LARGEST = 30_000


@dataclass(frozen=True, slots=True)
class Signal:
    """What is kept of a verdict for corroboration.

    Attributes
    ----------
    verdict_id, detector : str
    telemetry : Telemetry
    time_ms : int
        Time of the event that it rests on.
    names : tuple of str
        Entity keys that it is about, its own first.
    case : str
        The incident that it belongs to (``response/cases.py``); ``""`` on what was kept before there were cases.
    """

    verdict_id: str
    detector: str
    telemetry: Telemetry
    time_ms: int
    names: tuple[str, ...]
    case: str = ""

    @classmethod
    def of(cls, verdict: Verdict) -> Signal:
        """Return the signal that a verdict is.

        An address is a name only on evidence of a completed two-way flow: whoever can spoof a source address
        could else lend a signal to a stranger's instance.
        """
        related = (e for e in verdict.related if e.kind is not EntityKind.ADDRESS or verdict.completed_flow)
        names = dict.fromkeys((verdict.entity.key, *(entity.key for entity in related)))
        return cls(verdict.id, verdict.detector, verdict.telemetry, verdict.time_ms, tuple(names))


class SignalStore(Protocol):
    """Recent signals by name."""

    def record(self, signal: Signal, *, window_ms: int, now_ms: int) -> bool:
        """Keep the signal under each of its names for at least the window. Idempotent.

        Returns whether it was new. Raises CloudUnavailable when it could not be kept.
        """
        ...

    def recent(self, name: str, since_ms: int, until_ms: int) -> Iterable[Signal]:
        """Yield the signals with that name and a time in [since, until]. Sees every earlier :meth:`record`."""
        ...


def corroborating(signal: Signal, signals: SignalStore, window_ms: int) -> tuple[Signal, ...]:
    """Return the independent signals that share a name with this one and are at most the window away, newest first.

    It holds both ways: each of them is corroborated by this one.
    """
    found = {
        other.verdict_id: other
        for name in signal.names
        for other in signals.recent(name, signal.time_ms - window_ms, signal.time_ms + window_ms)
        if other.telemetry is not signal.telemetry
    }
    return tuple(sorted(found.values(), key=lambda other: (-other.time_ms, other.verdict_id)))


def kept(verdict: Verdict) -> str:
    """Return the verdict as JSON for the journal, bounded: what it shows gives way first, then as in :func:`fitted`."""
    if len(verdict.to_json()) > _LARGEST:  # it waits for a second signal: what it shows has given none
        verdict = replace(verdict, seen=())
    return fitted(verdict, _LARGEST)


def fitted(verdict: Verdict, largest: int) -> str:
    """Return the verdict as JSON of so many characters: evidence gives way first, then the last names of others.

    What it shows stays: it may be the second signal.
    """
    text = verdict.to_json()
    while len(text) > largest and (verdict.evidence or verdict.related or verdict.opened):
        related, opened = verdict.related, verdict.opened
        if not verdict.evidence:
            related, opened = related[: len(related) // 2], opened[: len(opened) // 2]
        verdict = replace(verdict, evidence=(), related=related, opened=opened)
        text = verdict.to_json()
    return text


class InProcessSignals:
    """Signals in a dict."""

    def __init__(self) -> None:
        self._by_name: dict[str, dict[str, Signal]] = {}

    def record(self, signal: Signal, *, window_ms: int, now_ms: int) -> bool:
        new = signal.verdict_id not in self._by_name.get(signal.names[0], {})
        for name in signal.names:
            self._by_name.setdefault(name, {})[signal.verdict_id] = signal
        return new

    def recent(self, name: str, since_ms: int, until_ms: int) -> Iterable[Signal]:
        return tuple(s for s in self._by_name.get(name, {}).values() if since_ms <= s.time_ms <= until_ms)
