"""What a conversion yields: telemetry ready for delivery, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from offline.report.record import Provenance


@dataclass(frozen=True, slots=True)
class ReplayedFlows:
    """One flow-log object.

    Attributes
    ----------
    text : bytes
        Flow-log records with their header, before gzip.
    records : int
    provenance : Provenance
    source : str
        Where the flows come from, in words for a person.
    """

    text: bytes
    records: int
    provenance: Provenance
    source: str

    def objects(self, count: int) -> Iterator[bytes]:
        """The same records as several objects in order of time: the service delivers one every few minutes."""
        header, *lines = self.text.splitlines(keepends=True)
        size = -(-len(lines) // count)
        for begin in range(0, len(lines), size):
            yield header + b"".join(lines[begin : begin + size])


@dataclass(frozen=True, slots=True)
class ReplayedCalls:
    """CloudTrail records in order of time: what the principal did before, then the attack."""

    history: tuple[Mapping[str, Any], ...]
    attack: tuple[Mapping[str, Any], ...]
    provenance: Provenance
    source: str

    @property
    def all(self) -> tuple[Mapping[str, Any], ...]:
        """All of them, as the trail delivers them later."""
        return (*self.history, *self.attack)


@dataclass(frozen=True, slots=True)
class ReplayedLines:
    """Lines of one host's log, each with its time in milliseconds."""

    lines: tuple[tuple[int, str], ...]
    provenance: Provenance
    source: str
