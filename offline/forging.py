"""What somebody who holds the responder's identity can write: an entry that fits the journal, and says that it is all over."""

from __future__ import annotations

import time
from collections.abc import Callable

from offline.report.record import Kind
from offline.timeline import Timeline
from response.containment import fold
from response.journal import Journal, JournalEntry, Step
from response.orders import Book


def undone(journal: Journal, applied: JournalEntry, *, by: str) -> JournalEntry:
    """Append that a containment was undone by somebody, with the right number and the digest of the entry before it."""
    stream = fold(applied.stream, journal.stream(applied.stream))
    containment = stream.containments[applied.containment_id]
    said = {"restored": [f"{containment.plan.target.id}: everything"], "left": []}
    forged = stream.entry(Step.UNDONE, containment, now_ms=time.time_ns() // 1_000_000, actor=by, detail=said)
    journal.append(forged)
    return forged


def doubt(journal: Journal, entry: JournalEntry) -> str:
    """Return why whoever reads the journal does not believe an entry, ``""`` where it counts."""
    return Book(journal).stream(entry.stream).disbelieved.get(entry.sequence, "")


def play(timeline: Timeline, journal: Journal, applied: JournalEntry, *, by: str, schedule: Callable[[], object]) -> str:
    """Forge the undo, let the schedule look at it, and show what is believed. Returns why it is doubted, as :func:`doubt`."""
    forged = undone(journal, applied, by=by)
    text = f"UNDONE is written as entry {forged.sequence} of its stream, in ada's name"
    timeline.note(Kind.EVENT, text, "number and digest fit; nobody asked for it", applied.correlation_id)
    timeline.note(Kind.EVENT, "the schedule anchors the journal")
    schedule()
    timeline.drain()
    found = doubt(journal, forged)
    timeline.note(Kind.REFUSAL, "NOT BELIEVED, says breakwater status", found, applied.correlation_id)
    return found
