"""Calls of each cloud by what they are used for, to make principals and attacks that nobody wrote down one by one.

A few written families teach a model those families. Drawn from the catalogue, benign principals differ in what they read and
build, and attacks in which sensitive call they make, so that the model has to learn what kind of call it is (service, verb,
object, effect). The lists are ``catalogue_aws.yaml`` and ``catalogue_azure.yaml``.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import yaml

from training.scenarios.held_out import HELD_OUT_OPERATIONS
from training.scenarios.script import operations

HabitsDrawn = Literal["reader", "builder", "specialist", "mixture"]
#: Classes of which a sensitive call can be drawn.
VERDICTS_DRAWN = (
    "credential_access", "privilege_escalation", "persistence", "defense_evasion", "exfiltration", "execution", "initial_access",
    "discovery", "lateral_movement", "impact",
)  # fmt: skip
#: Honest first times, as a share of a role's scripts: a look around, a change of ordinary work, a sensitive call.
_STRAY_READS, _STRAY_BUILDS, _STRAY_SENSITIVE = 0.02, 0.004, 0.0004
_NO_WORK = frozenset({"discovery", "initial_access"})  # nobody's daily work consists of these


@dataclass(frozen=True, slots=True)
class Catalogue:
    """One cloud's calls. ``sensitive`` is by class; held-out calls are not among them."""

    reads: tuple[str, ...]
    builds: tuple[str, ...]
    sensitive: dict[str, tuple[str, ...]]


@cache
def catalogue(cloud: str) -> Catalogue:
    """Read the catalogue of ``aws`` or ``azure``."""
    document = yaml.safe_load(Path(__file__).with_name(f"catalogue_{cloud}.yaml").read_text())

    def calls(kind: str) -> tuple[str, ...]:
        separator = ":" if cloud == "aws" else "/"
        return tuple(f"{service}{separator}{name}" for service, names in document[kind].items() for name in names.split())

    sensitive = {
        verdict: tuple(call for call in written if not operations(call) & HELD_OUT_OPERATIONS)
        for verdict, written in document["sensitive"].items()
    }
    return Catalogue(calls("reads"), calls("builds"), sensitive)


def drawn_habits(kind: str, cloud: str, known: list[tuple[str, ...]], rng: random.Random) -> tuple[str, ...]:
    """Habits of a made-up principal of that kind; ``known`` are those of written ones, of which a mixture takes some."""
    if kind == "reader":
        return _reader(cloud, rng)
    if kind == "builder":
        return _builder(cloud, rng)
    if kind == "specialist":
        return _specialist(cloud, rng)
    return tuple(rng.choice(habits) for habits in rng.choices(known, k=6)) + _reader(cloud, rng)[:2]


def drawn_rarities(cloud: str, rng: random.Random) -> tuple[str, ...]:
    """What a made-up principal does now and then."""
    calls = catalogue(cloud)
    return (
        rng.choice(calls.builds),
        rng.choice(calls.reads) + "!1",
        f"{rng.choice(calls.reads)} {rng.choice(calls.builds)}",
    )


def drawn_stray(cloud: str, rng: random.Random, *, often: float) -> str:
    """What an honest principal does that is no habit of its, mostly nothing; ``often`` is a multiple of what a role does so."""
    calls, at = catalogue(cloud), rng.random() / often if often else 1.0
    if at < _STRAY_SENSITIVE:
        return rng.choice([call for those in calls.sensitive.values() for call in those])
    if at < _STRAY_SENSITIVE + _STRAY_BUILDS:
        return f"{rng.choice(calls.reads)}?0.5 {rng.choice(calls.builds)}*1-2"
    if at < _STRAY_SENSITIVE + _STRAY_BUILDS + _STRAY_READS:
        return " ".join(f"{rng.choice(calls.reads)}*1-2" for _ in range(rng.choice((1, 1, 2, 4))))
    return ""


def drawn_attack(verdict: str, cloud: str, rng: random.Random, forbidden: frozenset[str]) -> str:
    """Script of one to three sensitive calls of the class, none of which is forbidden."""
    allowed = [call for call in catalogue(cloud).sensitive[verdict] if not operations(call) & forbidden]
    return " ".join(rng.sample(allowed, min(len(allowed), rng.choice((1, 1, 1, 2, 3)))))


def _reader(cloud: str, rng: random.Random) -> tuple[str, ...]:
    """A few tours of five to twelve services' reads, some refused."""
    refused = rng.choice(("", "", "", "!0.1", "!0.4"))
    reads = catalogue(cloud).reads
    own = rng.sample(reads, min(len(reads), rng.randrange(3, 30)))
    return tuple(
        " ".join(f"{rng.choice(own)}*1-{rng.choice((1, 1, 3, 8))}{refused}" for _ in range(rng.randrange(1, 7))) for _ in range(6)
    )


def _builder(cloud: str, rng: random.Random) -> tuple[str, ...]:
    """Its own few changes, repeated, each among the reads that go with them."""
    calls = catalogue(cloud)
    changes, reads = rng.sample(calls.builds, rng.randrange(1, 9)), rng.sample(calls.reads, rng.randrange(3, 12))

    def turn() -> str:
        often = rng.choice((1, 2, 4))
        read, change, after, next_change = (rng.choice(those) for those in (reads, changes, reads, changes))
        return f"{read}*0-4 {change}*1-{often} {after}*0-3 {next_change}?0.4"

    return (*tuple(turn() for _ in range(5)), f"{rng.choice(reads)}*1-3")


def _specialist(cloud: str, rng: random.Random) -> tuple[str, ...]:
    """An honest principal whose work IS a sensitive call: it makes the same one or two again and again."""
    sensitive = catalogue(cloud).sensitive
    work = [
        next(iter(operations(rng.choice(sensitive[verdict])))) for verdict in rng.sample(sorted(set(sensitive) - _NO_WORK), 2)
    ]
    reads = rng.sample(catalogue(cloud).reads, 5)
    return (
        *tuple(f"{rng.choice(reads)}*0-2 {rng.choice(work)}*1-2 {rng.choice(reads)}*0-2" for _ in range(4)),
        f"{rng.choice(reads)}*1-2",
    )
