"""A one-line language for sequences of API calls, so that a scenario can be read at a glance.

A script is a list of calls separated by blanks, each ``service:Operation`` followed by any of

- ``*4`` or ``*3-20``: that often (a number drawn between the two);
- ``?0.4``: only with this probability (decided once for the whole call);
- ``!0.2``: each time refused (AccessDenied) with this probability.

Example: ``"iam:ListUsers?0.6 iam:CreateUser iam:CreateAccessKey*1-2 iam:AttachUserPolicy!0.1"``.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

_CALL = re.compile(
    r"(?P<service>[a-z0-9-]+):(?P<operation>[A-Za-z0-9]+)"
    r"(?:\*(?P<least>\d+)(?:-(?P<most>\d+))?)?(?:\?(?P<chance>[\d.]+))?(?:!(?P<denied>[\d.]+))?"
)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a script, drawn."""

    service: str
    operation: str
    denied: bool


def operations(script: str) -> frozenset[str]:
    """Every ``service:Operation`` that the script may yield."""
    return frozenset(f"{match['service']}:{match['operation']}" for match in map(_parse, script.split()))


def play(script: str, rng: random.Random) -> Iterator[Call]:
    """Draw one run of the script. Raises ValueError naming the word that is not a call."""
    for word in script.split():
        match = _parse(word)
        if match["chance"] and rng.random() >= float(match["chance"]):
            continue
        least = int(match["least"] or 1)
        for _ in range(rng.randint(least, int(match["most"] or least))):
            yield Call(match["service"], match["operation"], bool(match["denied"]) and rng.random() < float(match["denied"] or 0))


def _parse(word: str) -> re.Match[str]:
    match = _CALL.fullmatch(word)
    if match is None:
        raise ValueError(f"{word!r} is not a call of a script: write service:Operation, then *times, ?chance, !refused")
    return match
