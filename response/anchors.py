"""Anchors: from time to time an entry that holds the heads of all streams which were written since the last one.

A chain says that a stream fits together; who may write the journal can make it fit again. So the schedule writes down, in
a stream of its own, how each stream ended: one stream of anchors a day, each day's first naming the last of the day before.
A copy of each anchor leaves the system, so that also anchors which were written anew are found (``response/audit.py``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from response.chain import Problem, check
from response.containment import LONGEST_RUN_MS
from response.journal import Journal, JournalEntry, SequenceTaken, Step, following
from response.notices import Notice, notice
from response.orders import Book

PREFIX = "anchors"
#: An entry bears the time at which its writer began, and an index may lag: what is so much older is looked at again.
OVERLAP_MS = LONGEST_RUN_MS + 5 * 60_000
_DAY_MS = 86_400_000
#: The schedule stood still for longer than this: the chain of anchors begins anew, and the audit says so.
_LOOK_BACK_DAYS = 40
#: Characters of heads in one anchor: with the rest it stays below what an item or row may have.
_HEADS = 120_000
#: Who writes anchors.
ACTOR = "policy:anchors"


@dataclass(frozen=True, slots=True)
class Head:
    """How a stream ended: its last entry.

    Attributes
    ----------
    stream : str
    sequence : int
    digest : str
    """

    stream: str
    sequence: int
    digest: str


@dataclass(frozen=True, slots=True)
class Anchored:
    """What came of one run.

    Attributes
    ----------
    anchors : tuple of JournalEntry
        What this run wrote: none where nothing is new, more than one where many heads are.
    problems : tuple of Problem
        What does not fit in the streams that were looked at: tell a person.
    """

    anchors: tuple[JournalEntry, ...]
    problems: tuple[Problem, ...]


@dataclass(slots=True)
class Known:
    """What anchors hold.

    Attributes
    ----------
    digests : dict of stream to dict of sequence number to digest
        Of an entry that was anchored twice, the first digest.
    newest : dict of stream to Head
    """

    digests: dict[str, dict[int, str]] = field(default_factory=dict)
    newest: dict[str, Head] = field(default_factory=dict)

    def add(self, anchor: JournalEntry) -> None:
        """Take in an anchor; in the order in which they were written."""
        for head in heads(anchor):
            self.digests.setdefault(head.stream, {}).setdefault(head.sequence, head.digest)
            self.newest[head.stream] = head


def stream_of(time_ms: int) -> str:
    """Return the name of the stream of that day's anchors: ``anchors#2026-11-29`` (UTC)."""
    return f"{PREFIX}#{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d}"


def is_anchors(stream: str) -> bool:
    """Whether a stream holds anchors."""
    return stream.startswith(f"{PREFIX}#")


def heads(anchor: JournalEntry) -> Iterator[Head]:
    """Yield the heads that an anchor holds."""
    for stream, sequence, digest in anchor.detail.get("heads", ()):
        yield Head(stream, sequence, digest)


def as_copy(anchor: JournalEntry) -> dict[str, Any]:
    """Return an anchor as what leaves the system: JSON values, enough to verify the journal by it alone."""
    return {"anchor": anchor.id, "digest": anchor.digest, "entry": anchor.as_written()}


def anchor(journal: Journal, *, now_ms: int) -> Anchored:
    """Anchor the streams that were written since the last anchor, and look whether each of them fits.

    It reads the anchors of the day on which the last one was written, an index, each stream that was written since (and
    within the overlap before), and the orders behind what was undone there. At least one anchor a day is written, so that
    silence is seen.

    Raises
    ------
    CloudUnavailable
    """
    before = _last_day(journal, now_ms)
    known, problems = Known(), list[Problem]()
    for each in before:
        known.add(each)
    since = before[-1].time_ms - OVERLAP_MS if before else 0
    new: list[Head] = []
    book = Book(journal)
    for name in sorted(set(journal.written(since))):
        entries = journal.stream(name)
        problems += [*check(name, entries, known.digests.get(name, {})), *book.problems(entries)]
        if entries:
            head = Head(name, entries[-1].sequence, entries[-1].digest)
            new += [head] if known.newest.get(name) != head else []
    today = stream_of(now_ms)
    if not new and before and before[-1].stream == today:
        return Anchored((), tuple(problems))
    try:
        return Anchored(tuple(_write(journal, today, before, new, now_ms)), tuple(problems))
    except SequenceTaken:  # another run was faster: what it left, the next one anchors
        return Anchored((), tuple(problems))


def of_problem(problem: Problem) -> Notice:
    """Return what a person is told of a journal that does not fit."""
    text = [
        str(problem),
        "The journal was changed behind Breakwater's back, or a part of it is lost: treat it as an incident of its own.",
        "To see all of it: breakwater journal verify (docs/audit.md says what each finding means).",
    ]
    about = f"{problem.stream}/{problem.sequence}"
    return notice(f"verify/{about}/{problem.fault}", f"THE JOURNAL DOES NOT VERIFY: {about}", text, about)


def _last_day(journal: Journal, now_ms: int) -> list[JournalEntry]:
    days = (stream_of(now_ms - day * _DAY_MS) for day in range(_LOOK_BACK_DAYS))
    return next((entries for entries in map(journal.stream, days) if entries), [])


def _write(journal: Journal, today: str, before: list[JournalEntry], new: list[Head], now_ms: int) -> Iterator[JournalEntry]:
    of_today = before if before and before[-1].stream == today else []
    after = {} if of_today or not before else {"anchor": before[-1].id, "digest": before[-1].digest}
    for some in _in_parts(new):
        detail: dict[str, Any] = {"heads": [[head.stream, head.sequence, head.digest] for head in some]}
        if not of_today and after:
            detail["after"] = after
        entry = following(today, of_today, Step.ANCHORED, about=today, actor=ACTOR, now_ms=now_ms, detail=detail)
        journal.append(entry)
        of_today = [*of_today, entry]
        yield entry


def _in_parts(new: Iterable[Head]) -> Iterator[list[Head]]:
    part, length = list[Head](), 0
    for head in new:
        size = len(json.dumps([head.stream, head.sequence, head.digest]))
        if part and length + size > _HEADS:
            yield part
            part, length = [], 0
        part.append(head)
        length += size
    yield part
