"""What principals did before their story begins, so that a habit is one: the sketch that serving would have kept of them.

Nobody published weeks of single principals, so how often honest ones do what they never did is assumed: rarities that come once
in days or once in a year, strays (:mod:`training.scenarios.catalogue`), programs taken up. The owner of an attack, of its control
and every benign principal have pasts of one distribution: known for a week to half a year, or (:data:`UNKNOWN`) not at all.
"""

from __future__ import annotations

import random
from collections import defaultdict
from functools import cache
from typing import Any

from shared_model.encoders.audit import ROW, encode_api_calls
from shared_model.events import ApiCall
from shared_model.habits import FIRSTS, Words, judge, words_of_rows
from shared_model.parsers.azure_audit import parse_audit_records
from shared_model.parsers.cloudtrail import parse_cloudtrail
from training.scenarios.family import Split
from training.scenarios.principals import Principal, benign_calls
from training.scenarios.script import Call, play
from training.scenarios.writers import WRITERS

#: Share of principals of whom nothing is known: new ones, and those that were quiet for longer than memory keeps. Training has
#: more of them than a month after deployment there are: on the first day there is nobody else.
UNKNOWN = {Split.TRAIN: 0.25, Split.VALIDATION: 0.1, Split.TEST: 0.1}
#: Powers of ten of the days that the others are known for.
_KNOWN_DAYS = (0.85, 2.25)
#: Median and spread of scripts a day, and how many are told: by then habits have shown, and most rarities.
_A_DAY, _SPREAD, _TOLD = 6.0, 0.8, 400
#: Programs that a thief, or a person who takes up another tool, goes on with.
OTHER_PROGRAMS = ("cli", "cli", "sdk")
#: Share of benign principals that do (of those watched for days, each day): another program is as common as with an attack.
CHANGES_PROGRAM = 0.25
#: What anybody does in Azure's directory and among its resources. There an entity is a principal, here a session: two histories.
DIRECTORY_WORK = "entra:SignIn*1-2 entra:Update_user?0.4 entra:Update_group?0.2"
RESOURCE_WORK = "Microsoft.ResourceGraph/resources/action*1-3 Microsoft.Resources/subscriptions/resourceGroups/read?0.6"
#: Of Azure's principals, those that were in both before, whatever their own work is.
_BOTH = 0.8
_DAY_MS = 86_400_000
_ANY_MS = 1_760_000_000_000
_ANY = {
    "aws": Call("sts", "GetCallerIdentity", False),
    "azure": Call("Microsoft.ResourceGraph", "resources/action", False),
}  # fmt: skip
_PARSERS = {"aws": parse_cloudtrail, "azure": parse_audit_records}
#: Words from here on are of the caller, not of the call.
_WHERE = FIRSTS.index("network")


def sketch_of(owner: Principal, caller: Any, rng: random.Random, begin_ms: int) -> bytes:
    """The sketch of a principal that has these habits when its story begins, empty where nothing is known of it.

    ``caller`` is who it is: its own address and program.
    """
    if rng.random() < UNKNOWN[owner.split]:
        return b""
    days = 10 ** rng.uniform(*_KNOWN_DAYS)
    turns = max(1, min(int(days * _A_DAY * rng.lognormvariate(0, _SPREAD)), _TOLD))
    told = [(turn / turns, call) for turn in range(turns) for call in benign_calls(owner, rng)]
    if owner.cloud == "azure" and rng.random() < _BOTH:
        told += [(rng.random(), call) for work in (DIRECTORY_WORK, RESOURCE_WORK) for _ in range(3) for call in play(work, rng)]
    where = _words(owner.cloud, caller, _ANY[owner.cloud])[_WHERE:]
    seen: dict[Words, list[float]] = defaultdict(list)
    for share, call in told:
        seen[*_words_of_call(owner.cloud, call.service, call.operation, call.grant)[:_WHERE], *where].append(share)
    taken_up = [rng.random() for _ in range(int(days)) if rng.random() < CHANGES_PROGRAM]
    for share in taken_up:
        seen[0, 0, 0, 0, _program_of(owner.cloud, rng.choice(OTHER_PROGRAMS))].append(share)
    ends = [(words, share) for words, shares in seen.items() for share in (min(shares), max(shares))]
    times = [begin_ms - int(days * _DAY_MS * (1 - share)) for _, share in ends]
    return judge(b"", [words for words, _ in ends], times)[1]


@cache
def _words_of_call(cloud: str, service: str, operation: str, grant: str) -> Words:
    """Words of a call by whomever: network and program are the stranger's."""
    return _words(cloud, _somebody(cloud, "cli"), Call(service, operation, False, grant))


@cache
def _program_of(cloud: str, program: str) -> int:
    return _words(cloud, _somebody(cloud, program), _ANY[cloud])[-1]


def _somebody(cloud: str, program: str) -> Any:
    return WRITERS[cloud].make_caller(random.Random(0), "user", program, now_ms=_ANY_MS, mfa=None)


def _words(cloud: str, caller: Any, call: Call) -> Words:
    written = WRITERS[cloud].record(random.Random(0), caller, call, _ANY_MS)
    parsed = [call for call in _PARSERS[cloud](written, source="past") if isinstance(call, ApiCall)]
    (words,) = words_of_rows(encode_api_calls(parsed).view(ROW)[:, 0], [call.source_address for call in parsed])
    return words
