"""What somebody who holds the responder's identity can write: an entry that fits the journal, and says that it is all over."""

from __future__ import annotations

import time

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
