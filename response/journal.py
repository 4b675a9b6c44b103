"""The journal: immutable events, one stream per (action, target), appended in order.

The present state of a containment is a fold over its stream; nothing is ever updated or deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol


class Step(StrEnum):
    """What happened. The order in a stream: PLANNED … then one of the ends."""

    OBSERVED = "OBSERVED"  # observe mode: would have been done
    REFUSED = "REFUSED"  # guard or plan said no; detail.reason says why
    NOOP = "NOOP"  # already so
    APPLYING = "APPLYING"  # written BEFORE the change, with plan.before
    APPLIED = "APPLIED"
    VERIFIED = "VERIFIED"
    DRIFTED = "DRIFTED"
    UNREACHABLE = "UNREACHABLE"
    FAILED = "FAILED"  # apply raised for good; nothing more will be tried
    EXPIRY_DUE = "EXPIRY_DUE"  # time to live is over, a person is asked
    UNDOING = "UNDOING"
    UNDONE = "UNDONE"
    DISARMED = "DISARMED"  # the master switch (response/switch.py), in its own stream
    ARMED = "ARMED"


#: Entries by which the schedule finds a containment: one that is stuck at APPLYING has no APPLIED.
EXPIRES = frozenset({Step.APPLYING, Step.APPLIED})
#: ``detail["wants"]`` of a refusal that ends when an independent second signal comes.
CORROBORATION = "corroboration"


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One immutable event.

    Attributes
    ----------
    stream : str
        ``<action>#<target entity key>``.
    sequence : int
        1, 2, 3 … within the stream; two writers of the same number: one wins.
    containment_id : str
        Hash of action, target and verdict id.
    step : Step
    time_ms : int
    correlation_id, verdict_id : str
    actor : str
        Who or what decided: ``policy:<rule>`` or the person's ARN.
    plan : mapping or None
        The whole plan as JSON values (on OBSERVED, REFUSED, APPLYING).
    detail : mapping
        Reason, verification, restored and left of an undo; ``wants`` of a refusal that is not the last word.
    expires_ms : int or None
        When the containment ends (on APPLYING and APPLIED).
    verdict : str
        The verdict as :func:`response.signals.kept` writes it, at most 30,000 characters (on a REFUSED that
        :attr:`awaits_corroboration`): whoever brings the second signal decides it again from here.
    """

    stream: str
    sequence: int
    containment_id: str
    step: Step
    time_ms: int
    correlation_id: str
    verdict_id: str
    actor: str
    plan: Mapping[str, Any] | None
    detail: Mapping[str, Any]
    expires_ms: int | None = None
    verdict: str = ""

    @property
    def id(self) -> str:
        """Names this entry among all: ``<stream>/<sequence>``."""
        return f"{self.stream}/{self.sequence}"

    @property
    def awaits_corroboration(self) -> bool:
        """Refused for want of a second signal, and for nothing else."""
        return self.step is Step.REFUSED and self.detail.get("wants") == CORROBORATION


class SequenceTaken(Exception):
    """Another writer appended this sequence number first: read the stream again and decide anew."""


class Journal(Protocol):
    """Append-only. No implementation can update or delete."""

    def append(self, entry: JournalEntry) -> None:
        """Write the entry. Raises SequenceTaken when another has its number; the very same one there is no other."""
        ...

    def stream(self, name: str) -> list[JournalEntry]:
        """Every entry of that stream in order; empty where there is none. Strongly consistent."""
        ...

    def expiring(self, before_ms: int) -> Iterable[str]:
        """Names of streams with an entry at a step of :data:`EXPIRES` whose ``expires_ms`` lies before the given time."""
        ...

    def find(self, containment_id: str) -> str | None:
        """Name of the stream that holds that containment."""
        ...


class InProcessJournal:
    """The journal in a list per stream: for tests, replays and a console without a cloud."""

    def __init__(self) -> None:
        self._streams: dict[str, list[JournalEntry]] = {}

    def append(self, entry: JournalEntry) -> None:
        entries = self._streams.setdefault(entry.stream, [])
        if entry.sequence <= len(entries):
            if entries[entry.sequence - 1] == entry:
                return
            raise SequenceTaken(f"{entry.stream} already has an entry {entry.sequence}")
        if entry.sequence != len(entries) + 1:
            raise ValueError(f"{entry.stream} has {len(entries)} entries: the next is not {entry.sequence}")
        entries.append(entry)

    def stream(self, name: str) -> list[JournalEntry]:
        return list(self._streams.get(name, ()))

    def expiring(self, before_ms: int) -> Iterable[str]:
        return tuple(
            name
            for name, entries in self._streams.items()
            if any(e.step in EXPIRES and e.expires_ms is not None and e.expires_ms < before_ms for e in entries)
        )

    def find(self, containment_id: str) -> str | None:
        return next((n for n, entries in self._streams.items() if any(e.containment_id == containment_id for e in entries)), None)
