"""One line of syslog → its parts, in the three headers that are met in practice.

Formats: RFC 3164 (no year, no zone), RFC 5424, and what newer rsyslogs write into
files (RFC 3339 time, then as in RFC 3164).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared_model.parsers.fields import FieldError, time_ms

_PRIORITY = re.compile(r"<(\d{1,3})>")
_RFC_5424 = re.compile(
    r"1 (?P<time>\S+) (?P<host>\S+) (?P<process>\S+) \S+ \S+ "
    r"(?:-|(?:\[[^\]\\\"]*(?:\"(?:[^\"\\]|\\.)*\"[^\]\\\"]*)*\])+)(?: (?P<message>.*))?$",
    re.DOTALL,
)
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
_RFC_3164 = re.compile(
    rf"(?P<month>{_MONTHS.replace(' ', '|')}) {{1,2}}(?P<day>\d{{1,2}}) (?P<clock>\d\d:\d\d:\d\d)(?:\.\d+)? "
    r"(?P<host>\S+) (?P<rest>.*)$",
    re.DOTALL,
)
_RFC_3339 = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?) (?P<host>\S+) (?P<rest>.*)$", re.DOTALL
)
# "sshd[24200]: …", "su(pam_unix)[3]: …", "syslogd 1.4.1: restart.", "-- root[2421]: …"
_TAG = re.compile(r"(?:-- )?(?P<process>[^\s\[:]{1,64})(?: [\d.]+)?(?:\[(?P<pid>[^\]]*)\])?: ?(?P<message>.*)$", re.DOTALL)
_MONTH_NUMBER = {name: number for number, name in enumerate(_MONTHS.split(), 1)}
_CLOCK_SKEW = timedelta(days=1)
_LEAP_CYCLE = 8  # years to look back for a 29 February
_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class SyslogLine:
    """Parts of a line. ``time_ms`` is None where the header states none; texts are ``""`` where it says nothing."""

    time_ms: int | None
    host: str
    process: str
    severity: int | None
    message: str


def parse_syslog(line: str, *, now_ms: int) -> SyslogLine:
    """Read one line.

    Parameters
    ----------
    line : str
    now_ms : int
        RFC 3164 leaves the year out: it becomes the latest one for which the line is not from the future (by more than a
        day, for clocks that differ). Such times are read as UTC.

    Raises
    ------
    FieldError
        When the line begins like none of the formats.
    """
    severity = None
    if match := _PRIORITY.match(line):
        if int(match[1]) > 191:
            raise FieldError("priority", f"{match[1]} is above 191 (RFC 5424, 6.2.1)")
        severity, line = int(match[1]) & 7, line[match.end() :]
        if match := _RFC_5424.match(line):
            return _rfc_5424(match, severity)
    if match := _RFC_3164.match(line):
        when = _without_year(match["month"], match["day"], match["clock"], now_ms)
    elif match := _RFC_3339.match(line):
        when = time_ms(match["time"].replace(",", "."), "timestamp")
    else:
        raise FieldError(
            "timestamp", "is no syslog line: it begins with no RFC 3164, RFC 5424 or RFC 3339 time followed by a host"
        )
    process, message = split_tag(match["rest"])
    return SyslogLine(when, match["host"], process, severity, message)


def split_tag(text: str) -> tuple[str, str]:
    """Split ``program[pid]: message``; a text without a tag is all message."""
    match = _TAG.match(text.lstrip())
    return (match["process"], match["message"].strip()) if match else ("", text.strip())


def _rfc_5424(match: re.Match[str], severity: int) -> SyslogLine:
    def stated(name: str) -> str:
        return "" if match[name] == "-" else match[name]

    return SyslogLine(
        time_ms=time_ms(match["time"], "timestamp") if stated("time") else None,
        host=stated("host"),
        process=stated("process"),
        severity=severity,
        message=(match["message"] or "").removeprefix(_BOM).strip(),
    )


def _without_year(month: str, day: str, clock: str, now_ms: int) -> int:
    latest = datetime.fromtimestamp(now_ms / 1000, UTC) + _CLOCK_SKEW
    hour, minute, second = (int(part) for part in clock.split(":"))
    for year in range(latest.year, latest.year - _LEAP_CYCLE - 1, -1):
        try:
            moment = datetime(year, _MONTH_NUMBER[month], int(day), hour, minute, min(second, 59), tzinfo=UTC)
        except ValueError:
            continue  # 29 February of another year
        if moment <= latest:
            return int(moment.timestamp()) * 1000
    raise FieldError("timestamp", f"{month} {day} {clock} is no date")
