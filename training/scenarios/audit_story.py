"""Tells the story of one principal: its benign days, and an attack under its name when there is one.

The attack stands in the benign history of the SAME principal, account and region, and of the same program unless the credentials
were stolen, so that nothing but what was done, in which order and from where, tells the two apart. A control is the same story
with benign scripts in the attack's place, by the attack's program; and as many principals that do nothing wrong change theirs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

from training.scenarios.catalogue import drawn_attack
from training.scenarios.family import BENIGN, Family
from training.scenarios.library import reserved, scenarios_by_family
from training.scenarios.past import CHANGES_PROGRAM, DIRECTORY_WORK, OTHER_PROGRAMS, RESOURCE_WORK, sketch_of
from training.scenarios.principals import benign_calls, history, owner_of, principal_of
from training.scenarios.schema import ApiAttack
from training.scenarios.script import Call, operations, play
from training.scenarios.site import EPOCH_MS
from training.scenarios.writers import WRITERS, Record, Writer

DAY_MS = 86_400_000
_WHO = {"aws": "sts:GetCallerIdentity?0.7", "azure": "Microsoft.ResourceGraph/resources/action?0.4"}
_LOOK = {
    "aws": _WHO["aws"] + " iam:ListUsers?0.3!0.3 iam:ListRoles?0.3!0.3 iam:ListAttachedUserPolicies?0.3!0.3"
    " ec2:DescribeInstances?0.4 s3:ListBuckets?0.4",
    "azure": _WHO["azure"] + " Microsoft.Resources/subscriptions/resources/read?0.4!0.3"
    " Microsoft.Authorization/permissions/read?0.3",
}  # fmt: skip
_STOLEN_SHARE = 0.35
#: Benign calls before an attack, at least: an attack of which there is no history would be told by that.
_BEFORE = (2, 4, 6, 14, 20, 28)


@dataclass(frozen=True, slots=True)
class LabelledRecord:
    """An audit record and, apart from it, the class it belongs to, and the sketch of what its principal did before the story."""

    record: Record
    label: str
    past: bytes = b""


def benign_story(family: Family, seed: int, *, calls: int = 60) -> list[LabelledRecord]:
    """A principal that does nothing wrong."""
    rng = random.Random(f"{family.name}#{seed}")
    owner = principal_of(family, rng)
    writer = WRITERS[owner.cloud]
    begin = EPOCH_MS + rng.randrange(14 * 24 * 3600) * 1000
    caller = writer.make_caller(rng, owner.caller, rng.choice(owner.agents), now_ms=begin, mfa=owner.mfa)
    past = sketch_of(owner, caller, random.Random(f"past of {family.name}#{seed}"), begin)
    changed = _changed(writer, caller, rng, moves=0.1)
    if changed == caller:
        told = history(owner, caller, rng, begin, calls)
    else:
        half = history(owner, caller, rng, begin, calls // 2)
        told = half + history(owner, changed, rng, half[-1][0] + rng.randrange(5_000, 40_000_000), calls // 2)
    return [LabelledRecord(writer.record(rng, who, call, at), BENIGN, past) for at, call, who in told]


def benign_days(family: Family, seed: int, *, days: int, calls_a_day: int = 80) -> list[LabelledRecord]:
    """The same principal watched for days: some hours of work each, with what it did before in between.

    For alerts per entity-day, which stories of an hour cannot give.
    """
    rng = random.Random(f"days of {family.name}#{seed}")
    owner = principal_of(family, rng)
    writer = WRITERS[owner.cloud]
    begin = EPOCH_MS + rng.randrange(14 * 24 * 3600) * 1000
    caller = writer.make_caller(rng, owner.caller, rng.choice(owner.agents), now_ms=begin, mfa=owner.mfa)
    past = sketch_of(owner, caller, random.Random(f"past of the days of {family.name}#{seed}"), begin)
    told: list[tuple[int, Call, Any]] = []
    for day in range(days):
        if day:
            caller = _changed(writer, caller, rng, moves=0.05)
        start = begin + day * DAY_MS + rng.randrange(3_600_000)
        told += [each for each in history(owner, caller, rng, start, calls_a_day) if each[0] < start + DAY_MS]
    return [LabelledRecord(writer.record(rng, who, call, at), BENIGN, past) for at, call, who in told]


def _changed(writer: Writer, caller: Any, rng: random.Random, *, moves: float) -> Any:
    """The caller from now on: now and then at another address or with another program, neither of which is an attack."""
    if rng.random() < moves:
        caller = writer.at_address(caller, writer.elsewhere(rng, caller).address)
    if rng.random() < CHANGES_PROGRAM:
        caller = writer.at_address(writer.elsewhere(rng, caller, rng.choice(OTHER_PROGRAMS)), caller.address)
    return caller


def attack_story(family: Family, seed: int, *, control: bool = False) -> list[LabelledRecord]:
    """The attack in the history of a principal of its split, with some of the owner's own calls in between and after.

    A ``control`` has the same history, and in the attack's place as many calls as the principal makes all day: what tells the two
    apart is what was done, never how much, when or behind how long a history.
    """
    drawn = random.Random(f"owner of {family.name}#{seed}")
    attack = _acted(cast(ApiAttack, scenarios_by_family()[family]), drawn)
    owner = owner_of(family.split, attack.cloud, drawn)
    writer = WRITERS[owner.cloud]
    rng = random.Random(f"{family.name}#{seed}")
    begin = EPOCH_MS + rng.randrange(14 * 24 * 3600) * 1000
    legitimate = writer.make_caller(
        rng, attack.owner or owner.caller, rng.choice(owner.agents), now_ms=begin, mfa=owner.mfa
    )  # fmt: skip
    past = sketch_of(owner, legitimate, random.Random(f"past of {family.name}#{seed}"), begin)
    before = history(owner, legitimate, rng, begin, rng.choice(_BEFORE))
    at = float(before[-1][0]) + rng.lognormvariate(13, 1.5)
    if attack.cloud == "azure":
        before += _elsewhere_too(attack, before, legitimate, rng)
    thief = legitimate
    if attack.stolen:
        thief = writer.elsewhere(rng, legitimate, rng.choice(OTHER_PROGRAMS))
    elif rng.random() < 0.2:  # the insider or the implant: nothing but the calls themselves is new, at most the address
        thief = writer.at_address(legitimate, writer.elsewhere(rng, legitimate).address)
    if control:  # a person or job that moved, or that did not
        thief = writer.at_address(thief, drawn.choice((legitimate.address, thief.address)))
    elif attack.mfa is not None:
        thief = replace(thief, mfa=attack.mfa)
    honest, directory = (_endless(work, drawn) for work in (partial(benign_calls, owner), partial(play, DIRECTORY_WORK)))
    pause = attack.pace.draw(rng)
    told = [LabelledRecord(writer.record(rng, who, call, time), BENIGN, past) for time, call, who in before]
    for stage in attack.chain:
        if stage.after is not None:
            at += 1000 * stage.after.draw(rng)
        label = BENIGN if stage.innocent or control else stage.verdict or attack.verdict
        for call in play(stage.calls, rng):
            acted = call if not control else next(directory if call.service == "entra" else honest)
            told.append(LabelledRecord(writer.record(rng, thief, acted, int(at)), label, past))
            at += 1000 * pause * rng.lognormvariate(0, 0.7)
            if rng.random() < 0.06:
                own_calls = benign_calls(owner, rng, rare=0.0)
                told += [LabelledRecord(writer.record(rng, legitimate, own, int(at)), BENIGN, past) for own in own_calls]
    after = history(owner, legitimate, rng, int(at) + rng.randrange(5_000, 600_000), rng.choice((0, 0, 3, 10)))
    return told + [LabelledRecord(writer.record(rng, who, call, time), BENIGN, past) for time, call, who in after]


def _elsewhere_too(
    attack: ApiAttack, before: list[tuple[int, Call, Any]], caller: Any, rng: random.Random
) -> list[tuple[int, Call, Any]]:
    """Benign calls where the attack goes and the history does not: in the directory, or among the resources."""
    known = {call.service == "entra" for _, call, _ in before}
    goes = {name.startswith("entra:") for stage in attack.chain for name in operations(stage.calls)}
    work = " ".join(DIRECTORY_WORK if directory else RESOURCE_WORK for directory in sorted(goes - known))
    return [(rng.randint(before[0][0], before[-1][0]), call, caller) for call in play(work, rng)]


def _endless(work: Callable[[random.Random], Iterable[Call]], rng: random.Random) -> Iterator[Call]:
    while True:
        yield from work(rng)


def _acted(attack: ApiAttack, rng: random.Random) -> ApiAttack:
    """The attack with calls where it says that they are drawn; those come with a look around as others do."""
    if not any(stage.draw for stage in attack.chain):
        return attack
    chain, looked = [], rng.choice(("", _WHO[attack.cloud], _LOOK[attack.cloud]))
    for stage in attack.chain:
        script = drawn_attack(stage.draw, attack.cloud, rng, reserved()) if stage.draw else stage.calls
        if stage.draw and looked:
            chain.append(stage.model_copy(update={"calls": looked, "draw": "", "innocent": True}))
        chain.append(stage.model_copy(update={"calls": script, "draw": ""}))
    sign_in = attack.verdict == "initial_access"
    return attack.model_copy(
        update={
            "chain": tuple(chain),
            "stolen": attack.stolen or sign_in or rng.random() < _STOLEN_SHARE,
            "mfa": False if sign_in else attack.mfa,
        }
    )
