"""Undos that were decided on, as who undoes has written them down: nothing is undone without.

Who contains adds to the journal of a containment, so an entry there that says that an undo was begun proves nothing: a responder
that was taken over could write it, and have the schedule finish it under the identity that gives back. Orders stand in streams of
their own, one a day (``undos#2026-11-29``, UTC), which only who undoes may write: on AWS the table's own policy sees to it, on
Azure it is a table of its own (docs/decisions/136). An order names the plan: what is undone is what it was given for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from response.chain import Fault, Problem
from response.containment import AT_WORK_MS, Containment, Stream, fold
from response.journal import Journal, JournalEntry, Step, following
from response.proposals import fingerprint
from response.turns import with_turns

PREFIX = "undos"
#: Who decided on an undo that nobody asked for: the time to live is over.
BY_EXPIRY = "policy:time_to_live"


@dataclass(frozen=True, slots=True)
class Order:
    """One undo that was decided on.

    Attributes
    ----------
    containment_id, stream : str
        What is to be undone, and the stream in which it stands.
    plan : str
        :func:`~response.proposals.fingerprint` of the plan that it was given for.
    entry : JournalEntry
        By which it was written down: who decided, when, and what attests that.
    """

    containment_id: str
    stream: str
    plan: str
    entry: JournalEntry

    def is_for(self, containment: Containment) -> bool:
        """Whether it is for this containment, with the plan that it has."""
        return self.containment_id == containment.id and self.plan == fingerprint(containment.plan)

    def may_be_at_work(self, now_ms: int, *, but_by: str = "") -> bool:
        """Whether who wrote it, unless that was an earlier delivery of this message, may still be about to undo."""
        is_own = bool(but_by) and self.entry.detail.get("delivery") == but_by
        return not is_own and now_ms <= self.entry.time_ms + AT_WORK_MS


@dataclass(frozen=True, slots=True)
class Book:
    """The orders, each day of which is read once: what says UNDONE is believed where one stands behind it.

    Whoever contains can write that a containment was undone. It is in force all the same: it is listed, ends, and can be undone.
    """

    journal: Journal
    _days: dict[str, list[JournalEntry]] = field(default_factory=dict)

    def stream(self, name: str) -> Stream:
        """Read a stream, and fold what is believed of it. Raises CloudUnavailable."""
        entries = self.journal.stream(name)
        return fold(name, entries, self.without_order(entries))

    def without_order(self, entries: Iterable[JournalEntry]) -> dict[int, str]:
        """Return which of these say UNDONE with no order behind them, by their number, and why. Raises CloudUnavailable."""
        said = {entry.sequence: self._against(entry) for entry in entries if entry.step is Step.UNDONE}
        return {number: reason for number, reason in said.items() if reason}

    def problems(self, entries: Iterable[JournalEntry]) -> Iterator[Problem]:
        """Yield what is wrong with a stream for want of orders. Raises CloudUnavailable."""
        entries = [*entries]
        for number, reason in self.without_order(entries).items():
            entry = next(each for each in entries if each.sequence == number)
            what = f"it says that {entry.containment_id} was undone, and {reason}: that one counts as in force"
            yield Problem(entry.stream, number, Fault.UNORDERED, what)

    def _against(self, entry: JournalEntry) -> str:
        """Why an entry that says UNDONE is not believed, ``""`` where it is."""
        name = str(entry.detail.get("order", ""))
        stream, _, number = name.rpartition("/")
        if not is_orders(stream) or not number.isdecimal():
            return "it names no order of who undoes"
        found, settled = self._find(stream, int(number))
        if found is None:
            return f"who undoes has written no order {name}"
        if (found.containment_id, found.stream) != (entry.containment_id, entry.stream):
            return f"the order {name} is for {found.containment_id}"
        return f"the order {name} was not carried out ({settled})" if settled else ""

    def _find(self, stream: str, number: int) -> tuple[Order | None, str]:
        """Return an order, and why it was settled without being carried out."""
        for again in (False, True):
            if again or stream not in self._days:  # it may have been given since
                self._days[stream] = self.journal.stream(stream)
            entries = self._days[stream]
            given = next((_order(each) for each in entries if each.sequence == number and each.step is Step.ORDERED), None)
            if given is not None:
                settled = (each for each in entries if each.step is Step.SETTLED and each.detail.get("order") == number)
                return given, next((str(each.detail.get("reason", "")) for each in settled), "")
        return None, ""


def stream_of(time_ms: int) -> str:
    """Return the name of the stream of that day's orders: ``undos#2026-11-29`` (UTC)."""
    return f"{PREFIX}#{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d}"


def is_orders(stream: str) -> bool:
    """Whether a stream holds orders."""
    return stream.startswith(f"{PREFIX}#")


def give(journal: Journal, containment: Containment, *, actor: str, now_ms: int, detail: Mapping[str, Any]) -> Order:
    """Write down that a containment is to be undone, unless an order for the same stands that day already.

    What a person decides does not rest on what time decided, which an extension takes back.

    Parameters
    ----------
    journal, containment
    actor : str
        Who or what decided.
    now_ms : int
    detail : mapping
        What attests who decided, and the message that brought it.

    Raises
    ------
    CloudUnavailable
    """
    today = stream_of(now_ms)
    said = {
        "containment": containment.id,
        "stream": containment.stream,
        "plan": fingerprint(containment.plan),
        **detail,
    }

    def unless_given(entries: Sequence[JournalEntry]) -> JournalEntry:
        given = (order.entry for order in standing(entries) if order.is_for(containment))
        known = next((entry for entry in given if (entry.actor == BY_EXPIRY) is (actor == BY_EXPIRY)), None)
        if known is not None:
            return known
        # By the containment's id its own stream is found, and not this one; by the time, the schedule finds what is to be done.
        return following(today, entries, Step.ORDERED, about=today, actor=actor, now_ms=now_ms, detail=said, expires_ms=now_ms)

    return _order(_append(journal, today, unless_given))


def settle(journal: Journal, order: Order, *, now_ms: int, reason: str = "") -> None:
    """Write down that an order was carried out, or, with the reason, that it is not going to be. Raises CloudUnavailable."""
    said = {"order": order.entry.sequence, **({"reason": reason} if reason else {})}

    def unless_settled(entries: Sequence[JournalEntry]) -> JournalEntry:
        if order not in standing(entries):
            return order.entry
        name, actor = order.entry.stream, order.entry.actor
        return following(name, entries, Step.SETTLED, about=name, actor=actor, now_ms=now_ms, detail=said)

    _append(journal, order.entry.stream, unless_settled)


def standing_of(journal: Journal, names: Iterable[str]) -> Iterator[Order]:
    """Yield the orders that were not settled yet, of those of the named streams that hold orders. Raises CloudUnavailable."""
    for name in sorted({name for name in names if is_orders(name)}):
        yield from standing(journal.stream(name))


def standing(entries: Sequence[JournalEntry]) -> list[Order]:
    """Return the orders of one day that were not settled yet, oldest first."""
    settled = {entry.detail.get("order") for entry in entries if entry.step is Step.SETTLED}
    return [_order(entry) for entry in entries if entry.step is Step.ORDERED and entry.sequence not in settled]


def _order(entry: JournalEntry) -> Order:
    said = entry.detail
    return Order(str(said["containment"]), str(said["stream"]), str(said["plan"]), entry)


def _append(journal: Journal, name: str, next_of: Callable[[Sequence[JournalEntry]], JournalEntry]) -> JournalEntry:
    """Append what follows from the stream as it is; an entry that stands there already is there."""

    def attempt() -> JournalEntry:
        entries = journal.stream(name)
        entry = next_of(entries)
        if entry not in entries:
            journal.append(entry)
        return entry

    return with_turns(name, attempt)
