"""What is raised where an invariant does not hold."""

from __future__ import annotations


class Violation(AssertionError):
    """An invariant does not hold."""


def must(holds: bool, otherwise: str) -> None:
    """Raise Violation unless it holds."""
    if not holds:
        raise Violation(otherwise)
