"""The auditor's question: is the journal what was written? Every stream, every anchor, and copies of anchors kept elsewhere."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from response.anchors import PREFIX, Known, heads, is_anchors
from response.chain import Fault, Problem, check
from response.journal import Journal, JournalEntry
from response.orders import Book

#: What clocks may differ by, and a writer may take: an entry that is older than the anchor before it by more was put in later.
_SKEW_MS = 30 * 60_000
#: The schedule runs every five minutes: what no anchor holds after so long, none will.
_UNANCHORED_MS = 2 * 3_600_000
_ENDLESS = 10**12
#: There is an anchor a day at least.
_SILENT_MS = 26 * 3_600_000


@dataclass(frozen=True, slots=True)
class Report:
    """What verifying found.

    Attributes
    ----------
    streams, entries, anchors, copies : int
        How many were looked at; anchors are no part of the streams and entries.
    unchained : int
        Entries from before there was a chain: a later entry of their stream, or an anchor, vouches for them or nothing does.
    since : int
        Entries that are newer than the last anchor: changed or taken away now, they are missed only by what follows them.
    last_anchor_ms : int or None
    problems : tuple of Problem
        Sorted by stream and sequence number.
    """

    streams: int
    entries: int
    anchors: int
    copies: int
    unchained: int
    since: int
    last_anchor_ms: int | None
    problems: tuple[Problem, ...]


class NotACopy(ValueError):
    """A line is a copy of an anchor that was changed since, or no JSON."""


@dataclass(frozen=True, slots=True)
class Copy:
    """An anchor as it was kept elsewhere.

    Attributes
    ----------
    stream : str
    sequence : int
    digest : str
    entry : JournalEntry or None
        The anchor itself; a line of a log names it only.
    """

    stream: str
    sequence: int
    digest: str
    entry: JournalEntry | None = None


def read_copies(lines: Iterable[str]) -> Iterator[Copy]:
    """Yield copies of anchors: lines of JSON, as the lake or the log holds them. Lines about something else are left out.

    Raises
    ------
    NotACopy
        Names the line.
    """
    for number, line in enumerate(lines, 1):
        try:
            value = json.loads(line) if line.startswith("{") else None
        except ValueError as error:
            raise NotACopy(f"line {number} is not JSON: {error}") from error
        if not isinstance(value, dict) or not {"anchor", "digest"} <= value.keys():
            continue
        stream, _, sequence = str(value["anchor"]).rpartition("/")
        try:
            copy = Copy(stream, int(sequence), str(value["digest"]))
            if fields := value.get("entry"):
                copy = replace(copy, entry=JournalEntry.read(fields, sealed=copy.digest))
        except (TypeError, ValueError, KeyError) as error:
            raise NotACopy(f"line {number} is no copy of an anchor: {error}") from error
        if copy.entry and (copy.entry.id, copy.entry.digest) != (value["anchor"], copy.digest):
            raise NotACopy(f"line {number}: the copy of {value['anchor']} was changed: its content does not give its digest")
        yield copy


def verify(journal: Journal, names: Iterable[str], *, now_ms: int, copies: Iterable[Copy] = ()) -> Report:
    """Verify a whole journal.

    Parameters
    ----------
    journal : Journal
    names : iterable of str
        Of all its streams. Those that only an anchor or a copy names are looked for too.
    now_ms : int
    copies : iterable of Copy
        Anchors, as they were kept elsewhere: of two that differ, the copy is believed.
    """
    given = sorted(copies, key=lambda each: each.entry is not None)
    kept = {(each.stream, each.sequence): each for each in given}
    outside = defaultdict[str, dict[int, str]](dict)
    for copy in kept.values():
        outside[copy.stream][copy.sequence] = copy.digest
    all_names = {*names}
    days = sorted({name for name in all_names if is_anchors(name)} | {day for day, _ in kept})
    streams = {day: journal.stream(day) for day in days}
    problems = [*_at_odds(given), *(found for day in days for found in check(day, streams[day], outside[day]))]
    problems += _between_days(streams, days)
    anchors = {(each.stream, each.sequence): each for day in days for each in streams[day]}
    anchors |= {place: each.entry for place, each in kept.items() if each.entry is not None}
    known, firsts = Known(), defaultdict[str, list[tuple[int, int | None]]](list)
    run_ms: int | None = None
    last_ms: int | None = None
    for anchor in (anchors[place] for place in sorted(anchors)):
        known.add(anchor)
        if anchor.time_ms != last_ms:  # else one run wrote several
            run_ms, last_ms = last_ms, anchor.time_ms
        for head in heads(anchor):
            firsts[head.stream].append((head.sequence, run_ms))
    book, entries, unchained, since, oldest_ms = Book(journal), 0, 0, 0, now_ms
    checked = sorted({name for name in all_names if not is_anchors(name)} | known.digests.keys())
    for name in checked:
        stream, held = journal.stream(name), known.newest[name].sequence if name in known.newest else 0
        problems += check(name, stream, known.digests.get(name, {}))
        problems += book.problems(stream)
        problems += _late(stream, [*firsts[name], (_ENDLESS, last_ms)], held, now_ms)
        entries += len(stream)
        unchained += sum(not each.previous for each in stream)
        oldest_ms = min([oldest_ms, *(each.time_ms for each in stream if each.previous)])
        since += sum(each.sequence > held for each in stream if each.previous)
    if silent := _silence(anchors[max(anchors)] if anchors else None, oldest_ms, now_ms):
        problems.append(silent)
    first = {(each.stream, each.sequence): each for each in reversed(problems)}
    return Report(len(checked), entries, len(anchors), len(kept), unchained, since, last_ms, tuple(sorted(first.values())))


def _at_odds(copies: Sequence[Copy]) -> Iterator[Problem]:
    """Who may add copies can add a forged one beside the true one, which he cannot take away."""
    digests = defaultdict[tuple[str, int], set[str]](set)
    for copy in copies:
        digests[copy.stream, copy.sequence].add(copy.digest)
    for (stream, sequence), found in digests.items():
        if len(found) > 1:
            yield Problem(
                stream, sequence, Fault.ALTERED, f"there are {len(found)} copies of it that differ: one of them is forged"
            )


def _between_days(streams: Mapping[str, Sequence[JournalEntry]], days: Sequence[str]) -> Iterator[Problem]:
    """The first anchor of a day names the last one before it."""
    for before, day in zip(["", *days], days, strict=False):
        first = next((each for each in streams[day] if each.sequence == 1), None)
        if first is None:
            continue
        after: Mapping[str, Any] = first.detail.get("after", {})
        if not after:
            if before and streams[before]:
                yield Problem(day, 1, Fault.INSERTED, f"it names no anchor before it, though there are some in {before}")
            continue
        stream, _, number = str(after["anchor"]).rpartition("/")
        there = {each.sequence: each.digest for each in streams.get(stream, ())}.get(int(number))
        if there is None:
            yield Problem(stream, int(number), Fault.MISSING, f"the first anchor of {day} was written after it")
        elif there != after["digest"]:
            yield Problem(stream, int(number), Fault.ALTERED, f"the first anchor of {day} was written after another one")


def _silence(last: JournalEntry | None, oldest_ms: int, now_ms: int) -> Problem | None:
    """Say whether anchors are missing; ``oldest_ms`` is the time of the first entry that one could hold."""
    if last is None:
        what = "there is no anchor: does the schedule run (expire_containments), or were the anchors taken away?"
        return Problem(PREFIX, 1, Fault.MISSING, what) if now_ms - oldest_ms > _UNANCHORED_MS else None
    if now_ms - last.time_ms <= _SILENT_MS:
        return None
    what = f"no anchor follows that of {_time(last.time_ms)}: does the schedule run, or were the anchors taken away?"
    return Problem(last.stream, last.sequence + 1, Fault.MISSING, what)


def _late(stream: Sequence[JournalEntry], firsts: Sequence[tuple[int, int | None]], held: int, now_ms: int) -> Iterator[Problem]:
    """Yield entries that were put in later than they say, and those that no anchor holds.

    ``firsts`` says, up to a sequence number, when the last anchor was written that did not hold these entries; ``held`` is
    the last number that any holds.
    """
    for entry in stream:
        without_ms = next(time_ms for sequence, time_ms in firsts if sequence >= entry.sequence)
        if entry.previous and without_ms is not None and entry.time_ms < without_ms - _SKEW_MS:
            what = f"it says {_time(entry.time_ms)}, but the anchor of {_time(without_ms)} found the stream without it"
            yield Problem(entry.stream, entry.sequence, Fault.INSERTED, what)
        elif entry.previous and entry.sequence > held and now_ms - entry.time_ms > _UNANCHORED_MS:
            what = f"it says {_time(entry.time_ms)}, and no anchor since then holds it"
            yield Problem(entry.stream, entry.sequence, Fault.UNANCHORED, what)


def _time(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
