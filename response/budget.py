"""The budget: how much may be contained within an hour, and how much of a kind may be contained at once.

One ledger for each account, with a line for each containment that was begun: an hour is any sixty minutes, and a share is one
of a kind of resource (instances, roles), whichever action takes it, counted over containments that stand. Both limits are
asked, and the line is written, in one conditional write, so that nobody who counts at the same time takes the same place.

A line is written before its containment's first entry, so the journal can be behind it but never ahead. Whether a line still
counts is asked of the journal, and only where a place is wanted that is not there: an undo needs no write here, and what a
killed function took and never began counts no longer than that function could have lived.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from response.actions import CloudUnavailable, Plan
from response.containment import AT_WORK_MS, Containment, fold
from response.journal import Journal, Step

HOUR_MS = 3_600_000
#: Rounds of whoever writes while others write too. Each that is lost is a line of another, and their number is limited.
_ROUNDS = 12
#: Lines of which the journal is asked for one place, at most; the next one who wants a place goes on behind them.
_LOOKS = 64
#: A ledger of more lines than this is swept, a few at a time, though nobody is short of a place.
_MANY, _SWEEPS = 100, 4
#: Characters of a ledger: below what an item of DynamoDB (400 KB) and a row of Azure Tables (1 MiB) take.
_LARGEST = 300_000


@dataclass(frozen=True, slots=True)
class Line:
    """One who took a place.

    Attributes
    ----------
    taker : str
        Id of the containment, or of whatever asked.
    time_ms : int
        When it was taken, or asked for again by the same.
    stream : str
        The journal stream of a containment; ``""`` for what is none.
    kind : str
        Of which kind of resource it takes one; ``""`` where it takes none, or takes it no longer.
    counted : str
        Which one.
    begun : bool
        The journal was seen to have it.
    """

    taker: str
    time_ms: int
    stream: str = ""
    kind: str = ""
    counted: str = ""
    begun: bool = False


class Ledgers(Protocol):
    """One ledger for each purse, replaced only as it was read."""

    def read(self, purse: str) -> tuple[tuple[Line, ...], str]:
        """Return its lines, and the version that they are; ``""`` where there is none yet. Strongly consistent."""
        ...

    def replace(self, purse: str, lines: tuple[Line, ...], version: str) -> bool:
        """Write lines in the place of that version; say whether it still was the present one."""
        ...


class InProcessLedgers:
    """Ledgers in a dict."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[tuple[Line, ...], int]] = {}

    def read(self, purse: str) -> tuple[tuple[Line, ...], str]:
        lines, version = self._kept.get(purse, ((), 0))
        return lines, str(version) if version else ""

    def replace(self, purse: str, lines: tuple[Line, ...], version: str) -> bool:
        before = self._kept.get(purse, ((), 0))[1]
        if before != int(version or 0):
            return False
        self._kept[purse] = lines, before + 1
        return True


@dataclass(frozen=True, slots=True)
class Limits:
    """What the policy allows: containments within an hour, and percent of a kind at once (100 is no limit)."""

    per_hour: int
    percent: int = 100


def one_of_a_few(ledgers: Ledgers, purse: str, taker: str, *, limit: int, now_ms: int) -> tuple[bool, str]:
    """Take one of a purse's few places of an hour; return whether there was one, and who holds the oldest of them.

    Idempotent: a taker that took one has it.
    """
    for _ in range(_ROUNDS):
        found, version = ledgers.read(purse)
        others = tuple(line for line in found if line.taker != taker and line.time_ms > now_ms - HOUR_MS)
        if len(others) >= limit:
            return False, others[0].taker if others else ""
        since_ms = max([now_ms, *(line.time_ms for line in found if line.taker == taker)])
        after = tuple(sorted((*others, Line(taker, since_ms)), key=lambda line: line.time_ms))
        if after == found or ledgers.replace(purse, after, version):
            return True, after[0].taker
    raise CloudUnavailable(f"{purse}: {_ROUNDS} times another took a place first")


def contain(
    ledgers: Ledgers, journal: Journal, plan: Plan, line: Line, limits: Limits, *, now_ms: int, whatever: bool = False
) -> str:
    """Take a place for a containment; return why there is none left, ``""`` where it was taken.

    Parameters
    ----------
    ledgers, journal
    plan : Plan
        What is to be contained.
    line : Line
        Of :func:`line_for`. Idempotent: who took a place has it, and has it from now on, however often it asks.
    limits : Limits
    now_ms : int
    whatever : bool
        It is contained all the same, since a person said so: the line is written also where no place is left, and counts.

    Raises
    ------
    CloudUnavailable
    """
    account = plan.target.account
    asked, kind = _Asked(journal, now_ms), line.kind

    def in_the_way(each: Line) -> bool:
        return (bool(kind) and each.kind == kind) or not each.begun

    for _ in range(_ROUNDS + limits.per_hour):
        found, version = ledgers.read(account)
        others = tuple(each for each in found if each.taker != line.taker and (each.kind or each.time_ms > now_ms - HOUR_MS))
        mine = tuple(each for each in found if each.taker == line.taker)
        line = replace(line, time_ms=max([now_ms, *(each.time_ms for each in mine)]))
        short = _shortage(others, plan, line, limits, now_ms)
        if short:
            others = asked.still_counting(others, in_the_way, _LOOKS)
            short = _shortage(others, plan, line, limits, now_ms)
        elif len(others) > _MANY:
            others = asked.still_counting(others, lambda each: bool(each.kind), _SWEEPS)
        refused = bool(short) and not whatever
        after = (*others, *(mine if refused else (line,)))
        if not refused and len(json.dumps(rows_of(after))) > _LARGEST:
            return f"the budget of account {account} has no room for more: its ledger is full of what is contained"
        if after == found or ledgers.replace(account, after, version):
            return short
    raise CloudUnavailable(f"the budget of account {account}: others took from it first, time and again")


def line_for(taker: str, stream: str, plan: Plan, now_ms: int) -> Line:
    """Return the line of a containment that begins now."""
    return Line(taker, now_ms, stream, plan.kind, plan.counted or (plan.target.id if plan.kind else ""))


def share(plan: Plan, percent: int) -> int | None:
    """Return how many of the plan's kind may be contained at once, None where there is no limit; 0 where nobody could count.

    One at least where they were counted: of an account with three machines, ten percent would else be none for ever.
    """
    if not plan.kind or percent >= 100:
        return None
    return max(1, plan.population * percent // 100) if plan.population else 0


def rows_of(lines: Iterable[Line]) -> list[dict[str, Any]]:
    """Return lines as JSON values, as stores keep them; :func:`lines_of` reads them back."""
    return [{name: value for name, value in asdict(line).items() if value} for line in lines]


def lines_of(rows: Iterable[Mapping[str, Any]]) -> tuple[Line, ...]:
    """Read :func:`rows_of`."""
    return tuple(Line(**row) for row in rows)


def _shortage(others: tuple[Line, ...], plan: Plan, line: Line, limits: Limits, now_ms: int) -> str:
    account = plan.target.account
    if sum(each.time_ms > now_ms - HOUR_MS for each in others) >= limits.per_hour:
        return f"the budget of {limits.per_hour} containments an hour is used up in account {account}"
    most = share(plan, limits.percent)
    if most is None:
        return ""
    if most == 0:
        return f"the budget is {limits.percent} % of the {plan.kind} of account {account}, and nobody could count them"
    contained = {each.counted for each in others if each.kind == line.kind}
    if line.counted in contained or len(contained) < most:
        return ""
    return f"{most} {plan.kind} are contained, the most for account {account} ({limits.percent} % of {plan.population})"


def _is_over(containment: Containment, now_ms: int) -> bool:
    """Whether it takes no place of a share any more.

    What failed may hold in part, until it is undone or would have ended. What an undo left held counts for as long again as it
    was to live, if nobody undoes it before that: its target may be gone, and nobody come back to say so.
    """
    ends_ms = containment.expires_ms or 0
    if containment.step is Step.UNDONE:
        return not containment.is_held or containment.undo_taken_up_ms + ends_ms - containment.applied_ms <= now_ms
    return containment.step is Step.FAILED and ends_ms <= now_ms


class _Asked:
    """What the journal says of lines, asked once of each."""

    def __init__(self, journal: Journal, now_ms: int) -> None:
        self._journal = journal
        self._now_ms = now_ms
        self._said: dict[str, Line | None] = {}

    def still_counting(self, lines: tuple[Line, ...], doubtful: Callable[[Line], bool], most: int) -> tuple[Line, ...]:
        """Return lines without those that count no more; those of which the journal was asked stand last."""
        ask = [each for each in lines if each.stream and doubtful(each)][:most]
        return (*(each for each in lines if each not in ask), *self._kept(ask))

    def _kept(self, ask: list[Line]) -> Iterator[Line]:
        for each in ask:
            if each.taker not in self._said:
                self._said[each.taker] = self._ask(each)
            said = self._said[each.taker]
            if said is not None:
                yield said

    def _ask(self, line: Line) -> Line | None:
        stream = fold(line.stream, self._journal.stream(line.stream))
        containment = stream.containments.get(line.taker)
        if containment is None:  # perhaps about to be begun, by whoever took this place
            return line if self._now_ms <= line.time_ms + AT_WORK_MS else None
        if not _is_over(containment, self._now_ms):
            return replace(line, begun=True)
        return replace(line, begun=True, kind="", counted="") if line.time_ms > self._now_ms - HOUR_MS else None
