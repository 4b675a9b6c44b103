"""How long ago something was, as a person would say it."""

from __future__ import annotations


def ago(time_ms: int, now_ms: int) -> str:
    """Return such as ``3 hours ago``."""
    return f"{span(time_ms, now_ms)} ago"


def span(since_ms: int | None, now_ms: int) -> str:
    """Return how long since, in the unit that a person would take; none where it is not known since when."""
    seconds = max(0, now_ms - (since_ms or now_ms)) // 1000
    for size, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} seconds"
