"""Times of the week in which a rule applies: ``mon-fri 08:00-18:00 Europe/Berlin``, ``sat,sun 00:00-24:00``, ``22:00-06:00``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = rf"(?:{'|'.join(_DAYS)})"
_FORM = re.compile(rf"(?:({_DAY}(?:[-,]{_DAY})*) )?(\d\d):([0-5]\d)-(\d\d):([0-5]\d)(?: (\S+))?")
_MIDNIGHT = 24 * 60


@dataclass(frozen=True, slots=True)
class Hours:
    """One window of the week.

    Attributes
    ----------
    days : frozenset of int
        0 is Monday. What goes past midnight belongs to the day on which it begins.
    start, end : int
        Minutes of the day; ``end`` is not within, and is at most ``start`` where the window goes past midnight.
    zone : str
        IANA name; ``UTC`` needs no database of time zones.
    """

    days: frozenset[int]
    start: int
    end: int
    zone: str = "UTC"

    def hold(self, now_ms: int) -> bool:
        """Say whether this moment lies within. On the day of a change of the clock, the clock on the wall counts."""
        local = datetime.fromtimestamp(now_ms / 1000, _zone(self.zone))
        minute = local.hour * 60 + local.minute
        if self.start < self.end:
            return local.weekday() in self.days and self.start <= minute < self.end
        yesterday = (local.date() - timedelta(days=1)).weekday()
        return (local.weekday() in self.days and minute >= self.start) or (yesterday in self.days and minute < self.end)

    def __str__(self) -> str:
        days = ",".join(_DAYS[day] for day in sorted(self.days))
        return f"{days} {_clock(self.start)}-{_clock(self.end)} {self.zone}"


def parse_hours(text: str) -> Hours:
    """Read a window. Raises ValueError that says what fits."""
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ValueError('give hours such as "mon-fri 08:00-18:00 Europe/Berlin" or "22:00-06:00" (every day, UTC)')
    days, *clock, zone = match.groups()
    start, end = int(clock[0]) * 60 + int(clock[1]), int(clock[2]) * 60 + int(clock[3])
    if start >= _MIDNIGHT or end > _MIDNIGHT:
        raise ValueError("hours go from 00:00 to 24:00")
    zone = zone or "UTC"
    try:
        _zone(zone)
    except (KeyError, ValueError, OSError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise ValueError(f"there is no time zone {zone!r} here: give an IANA name such as Europe/Berlin, or UTC") from error
    return Hours(_days(days) if days else frozenset(range(7)), start, end, zone)


def _days(text: str) -> frozenset[int]:
    days: set[int] = set()
    for part in text.split(","):
        names = part.split("-")
        if len(names) > 2:
            raise ValueError(f"{part} is no span of days: give two, such as mon-fri")
        first, last = _DAYS.index(names[0]), _DAYS.index(names[-1])
        days |= {(first + step) % 7 for step in range((last - first) % 7 + 1)}
    return frozenset(days)


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


@lru_cache
def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo  # here, because few policies name a zone

    return ZoneInfo(name)
