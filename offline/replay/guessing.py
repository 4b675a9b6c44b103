"""Recorded lines of an SSH server that is being guessed at, as the log of a seeded machine."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from offline.replay.replayed import ReplayedLines
from offline.report.record import Provenance
from shared_model.events import Telemetry
from training.data_root import data_root
from training.loaders.compressed import read_xz_text
from training.scenarios import families, generate

_STAMP = re.compile(r"^(\w{3} [ \d]\d \d\d:\d\d:\d\d) \S+ ")
_YEAR = 2015  # RFC 3164 has none; only distances in time matter


def openssh(host: str, at: datetime, *, lines: int = 240, instead: str = "guessed-and-in") -> ReplayedLines:
    """The last lines of the OpenSSH log with their own gaps, written by another host and ending at ``at``."""
    root = data_root()
    if root is None:
        return _generated(host, at, instead)
    recorded = read_xz_text(root / "system_logs" / "OpenSSH_2k.log.xz").splitlines()[-lines:]
    told = [(_stamp(line), _STAMP.sub("", line)) for line in recorded]
    source = f"{len(told)} lines of a real OpenSSH server under guessing, moved to {host} and to now"
    return ReplayedLines(_moved(told, host, at), Provenance.RECORDED_MOVED, source)


def _generated(host: str, at: datetime, name: str) -> ReplayedLines:
    (family,) = (each for each in families(Telemetry.SYSTEM_LOGS) if each.name == f"system/{name}")
    (scenario,) = generate(5, only=(family,))
    if scenario.log is None:
        raise ValueError(f"{family.name} is no story of a host's log")
    told = [(int(event["timestamp"]), _STAMP.sub("", event["message"])) for event in scenario.log["logEvents"]]
    source = f"{family.imitates}: generated (the recordings are not here)"
    return ReplayedLines(_moved(told, host, at), Provenance.GENERATED, source)


def _stamp(line: str) -> int:
    match = _STAMP.match(line)
    if match is None:
        raise ValueError(f"no RFC 3164 line: {line[:80]!r}")
    moment = datetime.strptime(f"{_YEAR} {match[1]}", "%Y %b %d %H:%M:%S").replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)


def _moved(told: list[tuple[int, str]], host: str, at: datetime) -> tuple[tuple[int, str], ...]:
    shift = int(at.timestamp() * 1000) - max(time_ms for time_ms, _ in told)
    moved = []
    for time_ms, message in told:
        moment = datetime.fromtimestamp((time_ms + shift) / 1000, UTC)
        moved.append((time_ms + shift, f"{moment:%b} {moment.day:2d} {moment:%H:%M:%S} {host} {message}"))
    return tuple(moved)
