"""A one-line language for sequences of API calls, so that a scenario can be read at a glance.

A script is a list of calls separated by blanks. A call of AWS is ``service:Operation``, one of Azure Resource Manager
``Microsoft.Provider/type/action`` as the Activity log names it, one of Entra ID ``entra:Add_member_to_role`` (the activity
with ``_`` for blanks, or ``entra:SignIn``). Behind it stands any of

- ``*4`` or ``*3-20``: that often (a number drawn between the two);
- ``?0.4``: only with this probability (decided once for the whole call);
- ``!0.2``: each time refused (AccessDenied, Forbidden) with this probability;
- ``@public``, ``@foreign``, ``@admin``, ``@unwatched``: what it asks for opens something to everybody, to an account outside,
  gives every right, or leaves a trail, recorder or detector seeing less.

Example: ``"iam:ListUsers?0.6 iam:CreateUser iam:CreateAccessKey*1-2 iam:AttachUserPolicy!0.1@admin"``.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

GRANTS = ("public", "foreign", "admin", "unwatched")
_CALL = re.compile(
    r"(?:(?P<service>[a-z0-9-]+):(?P<operation>[A-Za-z0-9_-]+)|(?P<provider>Microsoft\.[A-Za-z]+)/(?P<action>[A-Za-z0-9/]+))"
    r"(?:\*(?P<least>\d+)(?:-(?P<most>\d+))?)?(?:\?(?P<chance>[\d.]+))?(?:!(?P<denied>[\d.]+))?(?:@(?P<grant>[a-z]+))?"
)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a script, drawn. ``grant`` is one of :data:`GRANTS` or empty."""

    service: str
    operation: str
    denied: bool
    grant: str = ""

    @property
    def name(self) -> str:
        return f"{self.service}/{self.operation}" if self.service.startswith("Microsoft.") else f"{self.service}:{self.operation}"


def operations(script: str) -> frozenset[str]:
    """Every call that the script may yield, without repetitions, chances and refusals."""
    return frozenset(_name(match) for match in map(_parse, script.split()))


def of_azure(script: str) -> bool:
    """Whether every call of the script is one of Azure."""
    return all(name.startswith(("Microsoft.", "entra:")) for name in operations(script))


def play(script: str, rng: random.Random) -> Iterator[Call]:
    """Draw one run of the script. Raises ValueError naming the word that is not a call."""
    for word in script.split():
        match = _parse(word)
        if match["chance"] and rng.random() >= float(match["chance"]):
            continue
        least = int(match["least"] or 1)
        for _ in range(rng.randint(least, int(match["most"] or least))):
            yield Call(
                match["service"] or match["provider"],
                match["operation"] or match["action"],
                bool(match["denied"]) and rng.random() < float(match["denied"] or 0),
                match["grant"] or "",
            )


def _name(match: re.Match[str]) -> str:
    return f"{match['service']}:{match['operation']}" if match["service"] else f"{match['provider']}/{match['action']}"


@cache
def _parse(word: str) -> re.Match[str]:
    match = _CALL.fullmatch(word)
    if match is None:
        raise ValueError(
            f"{word!r} is not a call of a script: write service:Operation or Microsoft.Provider/type/action,"
            " then *times, ?chance, !refused, @grant"
        )
    if match["grant"] and match["grant"] not in GRANTS:
        raise ValueError(f"{word!r}: {match['grant']!r} is no grant, use one of {' '.join(GRANTS)}")
    return match
