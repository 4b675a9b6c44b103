"""A case: what belongs to one incident, by one id, from the first signal to the last undo.

A verdict joins the case of whatever shares a name with it within the policy's window (the entity, or a related one), however
many actions each leads to; else it opens one. Its id says when it began, so ids sort by time.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from response.signals import Signal, SignalStore

PREFIX = "case-"
_FORMAT = "%Y%m%d-%H%M"
#: What shares a name with a case that began longer ago opens another: an entity that is never quiet is not one incident.
LONGEST_MS = 86_400_000


def case_of(signal: Signal, signals: SignalStore, window_ms: int) -> str:
    """Return the case of a signal: the one that it was given before, the oldest that it joins, or its own.

    Two verdicts that are handled at the same moment, before either is recorded, may open a case each.

    Raises
    ------
    CloudUnavailable
    """
    near = {
        other.verdict_id: other
        for name in signal.names
        for other in signals.recent(name, signal.time_ms - window_ms, signal.time_ms + window_ms)
        if other.case
    }
    if signal.verdict_id in near:
        return near[signal.verdict_id].case
    joined = (other.case for other in near.values() if signal.time_ms - _began_ms(other.case) <= LONGEST_MS)
    return min(joined, default=_opened_by(signal))


def is_case(identifier: str) -> bool:
    """Whether an id is that of a case: no containment's begins so."""
    return identifier.startswith(PREFIX)


def _opened_by(signal: Signal) -> str:
    """``case-20261129-1505-3fa2b1c9``: the minute (UTC) of its first signal, and a hash of that one's id."""
    began = datetime.fromtimestamp(signal.time_ms / 1000, UTC)
    return f"{PREFIX}{began.strftime(_FORMAT)}-{hashlib.sha256(signal.verdict_id.encode()).hexdigest()[:8]}"


def _began_ms(case: str) -> int:
    began = datetime.strptime(case.removeprefix(PREFIX).rpartition("-")[0], _FORMAT).replace(tzinfo=UTC)
    return int(began.timestamp()) * 1000
