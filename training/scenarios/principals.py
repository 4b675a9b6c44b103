"""Honest principals: their habits, what they do now and then, and what they never did before."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

from training.scenarios.catalogue import drawn_habits, drawn_rarities, drawn_stray
from training.scenarios.family import Family, Split
from training.scenarios.library import scenarios_by_family
from training.scenarios.schema import ApiBenign
from training.scenarios.script import Call, play

#: How often a script of a principal is none of its own, by its kind, as a multiple of a role's.
_STRAYS = {"user": 2.0, "root": 1.0, "role": 1.0, "instance": 0.3}
#: The rarest of what a principal does now and then comes so many powers of ten less often than the commonest.
_RAREST = 2.0


@dataclass(frozen=True, slots=True)
class Principal:
    """One benign principal with its habits; see :class:`~training.scenarios.schema.ApiBenign` for the words.

    ``pause_s`` is the median pause between calls of one script; between scripts it is up to fifty times longer. Of ``rarities``
    some are far rarer than others (``weights``). ``strays`` is how often a script is none of its own: an honest first time.
    """

    name: str
    cloud: str
    caller: str
    agents: tuple[str, ...]
    habits: tuple[str, ...]
    rarities: tuple[str, ...]
    rare: float
    pause_s: float
    mfa: bool
    weights: tuple[float, ...] = ()
    strays: float = 0.0
    split: Split = Split.TRAIN


def principal_of(family: Family, rng: random.Random) -> Principal:
    """The principal of a benign family; where its habits are drawn, they are drawn here."""
    owner = _written_or_drawn(family, rng)
    own = random.Random(rng.random())
    weights = tuple(10 ** own.uniform(-_RAREST, 0) for _ in owner.rarities)
    return replace(owner, weights=weights, strays=_STRAYS[owner.caller] * own.lognormvariate(0, 0.5), split=family.split)


def _written_or_drawn(family: Family, rng: random.Random) -> Principal:
    scenario = cast(ApiBenign, scenarios_by_family()[family])
    if scenario.draw is None:
        return Principal(
            family.name, scenario.cloud, scenario.principal, scenario.agents, scenario.habits, scenario.rarities, scenario.rare,
            scenario.pause.draw(rng), scenario.mfa,
        )  # fmt: skip
    known = [
        each.habits
        for other, each in scenarios_by_family().items()
        if isinstance(each, ApiBenign) and each.habits and each.cloud == scenario.cloud and other.split == family.split
    ]
    habits = drawn_habits(scenario.draw, scenario.cloud, known, rng)
    kind = rng.choice(("user", "role", "role", "instance"))
    agents = rng.choice((("sdk",), ("cli",), ("console",), ("terraform",), ("sdk", "cli")))
    if kind == "user" and agents == ("console",):
        sign_in = "signin:ConsoleLogin" if scenario.cloud == "aws" else "entra:SignIn"
        habits += (rng.choice((sign_in, f"{sign_in}!1 {sign_in}", f"{sign_in} {rng.choice(habits)}")),) * 2
    rarities = drawn_rarities(scenario.cloud, rng)
    return Principal(
        family.name, scenario.cloud, kind, agents, habits, rarities, 0.06, rng.lognormvariate(1, 1.2), rng.random() < 0.5
    )  # fmt: skip


def owner_of(split: Split, cloud: str, rng: random.Random) -> Principal:
    """Draw an owner for an attack: a written principal of the split, in training half the time a made-up one."""
    benign = [
        (family, scenario)
        for family, scenario in scenarios_by_family().items()
        if isinstance(scenario, ApiBenign) and scenario.cloud == cloud and family.split == split
    ]
    drawn = [family for family, scenario in benign if scenario.draw is not None and scenario.draw != "specialist"]
    written = [family for family, scenario in benign if scenario.draw is None and not family.looks_like]
    if drawn and rng.random() < 0.5:
        return principal_of(rng.choice(drawn), rng)
    return principal_of(rng.choice(written), rng)


def benign_calls(owner: Principal, rng: random.Random, *, rare: float | None = None) -> Iterator[Call]:
    """One script's calls of this principal: mostly a habit, sometimes a rarity, now and then what it never did before.

    ``rare`` is the chance of a rarity instead of the principal's own; given, nothing else is done but habits and rarities.
    """
    chance = owner.rare if rare is None else rare
    stray = drawn_stray(owner.cloud, rng, often=owner.strays) if rare is None else ""
    if stray:
        yield from play(stray, rng)
    elif owner.rarities and rng.random() < chance:
        yield from play(rng.choices(owner.rarities, owner.weights)[0], rng)
    else:
        yield from play(rng.choice(owner.habits), rng)


def history(owner: Principal, caller: Any, rng: random.Random, begin_ms: int, calls: int) -> list[tuple[int, Call, Any]]:
    """At least ``calls`` benign calls (0 gives none) from ``begin_ms`` on, with this principal's pauses."""
    told: list[tuple[int, Call, Any]] = []
    at = float(begin_ms)
    while len(told) < calls:
        for call in benign_calls(owner, rng):
            told.append((int(at), call, caller))
            at += 1000 * rng.lognormvariate(0, 0.8) * owner.pause_s
        at += 1000 * owner.pause_s * rng.lognormvariate(2.3, 1.4)
    return told
