"""``breakwater doctor``: whether a deployment is alive, after it was made and whenever it has said nothing for long."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from time import time_ns

from console.deployment import Deployment, Health, Print, Sign
from response.anchors import is_anchors, stream_of
from response.journal import Journal, JournalEntry, Step
from response.orders import Book
from response.switch import read_switch
from response.telling import moment
from shared_model.errors import CloudUnavailable, RefusedByCloud

_WORDS = {Health.GOOD: "good", Health.BAD: "BAD", Health.UNKNOWN: "?"}
_DAY_MS = 86_400_000
#: The schedule runs every five minutes, and a run takes at most ten: what was due so long ago has been missed.
_MISSED_MS = 30 * 60_000
#: What the schedule ends, or asks about; an undo that goes on has its own end.
_ENDING = (Step.APPLYING, Step.APPLIED)
_SCHEDULE = "expire_containments does not run, or fails: its log says why; containments do not end meanwhile, `undo` works"


def doctor(where: Deployment, options: argparse.Namespace, out: Print) -> int:
    """Print a line for each sign of life, and below it what to do; changes nothing. Returns 1 where one of them is bad."""
    now_ms, counted = time_ns() // 1_000_000, Counter[Health]()
    for sign in chain(where.signs(now_ms), _in_journal(where, now_ms)):
        out(f"{_WORDS[sign.health]:<5} {sign.what}")  # at once: a cloud that answers slowly should not look like none
        if sign.cure:
            out(f"      -> {sign.cure}")
        counted[sign.health] += 1
    bad, unknown = counted[Health.BAD], counted[Health.UNKNOWN]
    not_known = f", {unknown} not known" if unknown else ""
    said = f"{bad} of {counted.total()} signs are bad" if bad else "nothing is bad"
    out(f"{said}{not_known} ({where.where})")
    return 1 if bad else 0


def _in_journal(where: Deployment, now_ms: int) -> Iterator[Sign]:
    """Yield what the journal says; where it cannot be read, what else was seen is worth the more."""
    try:
        yield from _schedule(where.journal, now_ms)
        yield _switch(where)
    except (CloudUnavailable, RefusedByCloud) as error:
        yield Sign(Health.BAD, f"schedule and switch: could not look: {error}", where.advice(error))


def _switch(where: Deployment) -> Sign:
    objection = read_switch(where.journal).objection
    return Sign(Health.BAD, objection) if objection else Sign(Health.GOOD, "armed: the policy's modes say what is changed")


def _schedule(journal: Journal, now_ms: int) -> Iterator[Sign]:
    """Yield whether the schedule runs, by what it must have left in the journal: anchors of what was written, and ends."""
    last = _last_anchor(journal, now_ms)
    if last is None:
        yield Sign(Health.BAD, "expire_containments: no anchor of today or yesterday, and it writes one a day", _SCHEDULE)
    elif missed := _not_anchored(journal, last, now_ms):
        since = f"its last anchor is of {moment(last.time_ms)}"
        yield Sign(
            Health.BAD, f"expire_containments: {missed.id} of {moment(missed.time_ms)} is not anchored, {since}", _SCHEDULE
        )
    else:
        yield Sign(Health.GOOD, f"expire_containments: last anchor {moment(last.time_ms)}, and nothing older is without one")
    book = Book(journal)
    for name in sorted(set(journal.expiring(now_ms - _MISSED_MS))):
        for containment in book.stream(name).containments.values():
            due_ms = max(containment.expires_ms or now_ms, containment.earliest_undo_ms)
            if containment.step in _ENDING and not containment.asked and due_ms < now_ms - _MISSED_MS:
                overdue = f"{containment.id} should have ended, or a person been asked, at {moment(due_ms)}"
                yield Sign(Health.BAD, overdue, f"{_SCHEDULE} (breakwater show {containment.id})")


def _last_anchor(journal: Journal, now_ms: int) -> JournalEntry | None:
    for day_ms in (now_ms, now_ms - _DAY_MS):
        if anchors := journal.stream(stream_of(day_ms)):
            return anchors[-1]
    return None


def _not_anchored(journal: Journal, last: JournalEntry, now_ms: int) -> JournalEntry | None:
    """Return an entry that was written after the last anchor, and long enough ago for another one."""
    for name in journal.written(last.time_ms + 1):
        for entry in () if is_anchors(name) else journal.stream(name):
            if last.time_ms < entry.time_ms < now_ms - _MISSED_MS:
                return entry
    return None
