"""Tells the story of one principal: its benign days, and an attack under its name when there is one.

The attack stands in the benign history of the SAME principal, account, region and program, so that nothing but what was done, in
which order and from where, tells the two apart. A control is the same story with one more benign script in the attack's place.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from training.scenarios.audit_attacks import Attack
from training.scenarios.audit_benign import Profile
from training.scenarios.cloudtrail_records import Caller, Record, elsewhere, make_caller, record
from training.scenarios.family import BENIGN
from training.scenarios.script import Call, play
from training.scenarios.site import EPOCH_MS


@dataclass(frozen=True, slots=True)
class LabelledRecord:
    """A CloudTrail record and, apart from it, the class it belongs to."""

    record: Record
    label: str


def benign_calls(profile: Profile, rng: random.Random, *, rare: float | None = None) -> Iterator[Call]:
    """One script's calls of this profile: mostly a habit, sometimes a rarity."""
    chance = profile.rare if rare is None else rare
    scripts = profile.rarities if profile.rarities and rng.random() < chance else profile.habits
    yield from play(rng.choice(scripts), rng)


def history(profile: Profile, caller: Caller, rng: random.Random, begin_ms: int, calls: int) -> list[tuple[int, Call, Caller]]:
    """At least ``calls`` benign calls (0 gives none) from ``begin_ms`` on, with this profile's pauses."""
    told: list[tuple[int, Call, Caller]] = []
    at = float(begin_ms)
    while len(told) < calls:
        for call in benign_calls(profile, rng):
            told.append((int(at), call, caller))
            at += 1000 * rng.lognormvariate(0, 0.8) * profile.pause_s
        at += 1000 * profile.pause_s * rng.lognormvariate(2.3, 1.4)
    return told


def benign_story(profile: Profile, seed: int, *, calls: int = 60) -> list[LabelledRecord]:
    """A principal that does nothing wrong."""
    rng = random.Random(f"{profile.family.name}#{seed}")
    begin = EPOCH_MS + rng.randrange(14 * 24 * 3600) * 1000
    caller = make_caller(rng, profile.caller, rng.choice(profile.agents), now_ms=begin, mfa=profile.mfa)
    if rng.random() < 0.1:  # a person or job that moved: a new address is not an attack
        moved = replace(elsewhere(rng, caller), agent=caller.agent)
        half = history(profile, caller, rng, begin, calls // 2)
        told = half + history(profile, moved, rng, half[-1][0] + rng.randrange(600_000, 40_000_000), calls // 2)
    else:
        told = history(profile, caller, rng, begin, calls)
    return [LabelledRecord(record(rng, who, call, at), BENIGN) for at, call, who in told]


def attack_story(attack: Attack, profile: Profile, seed: int) -> list[LabelledRecord]:
    """The attack in the history of a principal of this profile, with some of the owner's own calls in between and after."""
    rng = random.Random(f"{attack.family.name}#{seed}")
    begin = EPOCH_MS + rng.randrange(14 * 24 * 3600) * 1000
    kind = "instance" if attack.family.name.endswith("instance-credentials-stolen") else profile.caller
    owner = make_caller(rng, kind, rng.choice(profile.agents), now_ms=begin, mfa=profile.mfa)
    before = history(profile, owner, rng, begin, rng.choice((0, 2, 6, 14, 20, 28)))
    at = float(before[-1][0] if before else begin) + rng.lognormvariate(13, 1.5)
    thief = owner
    if attack.stolen:
        thief = elsewhere(rng, owner, rng.choice(("cli", "cli", "sdk")))
    elif rng.random() < 0.4:  # the insider or the implant: nothing but the calls themselves is new
        thief = replace(
            elsewhere(rng, owner, rng.choice(("cli", "sdk"))),
            address=rng.choice((owner.address, "")) or elsewhere(rng, owner).address,
        )
    if attack.mfa is not None:
        thief = replace(thief, mfa=attack.mfa)
    pause = rng.lognormvariate(0.5, 1.3)
    told = [LabelledRecord(record(rng, who, call, time), BENIGN) for time, call, who in before]
    for call, label in [(call, BENIGN) for call in play(attack.prelude, rng)] + [
        (call, attack.family.verdict) for call in play(attack.script, rng)
    ]:
        told.append(LabelledRecord(record(rng, thief, call, int(at)), label))
        at += 1000 * pause * rng.lognormvariate(0, 0.7)
        if rng.random() < 0.06 and thief is not owner:
            told.extend(LabelledRecord(record(rng, owner, own, int(at)), BENIGN) for own in benign_calls(profile, rng, rare=0.0))
    after = history(profile, owner, rng, int(at) + rng.randrange(5_000, 600_000), rng.choice((0, 0, 3, 10)))
    return told + [LabelledRecord(record(rng, who, call, time), BENIGN) for time, call, who in after]
