"""Every scenario family of API calls left out once: whether a network finds an attack of a kind that it was not told of.

Five folds by the checksum of the family's name, attack and benign families alike, both clouds together. Families that draw their
attack from a catalogue (``any-…``) are left out of every training, since they may draw the very calls that are left out. The
threshold is what 1 % of benign windows of the other folds' stories reach, of those that were kept from training.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from zlib import crc32

import numpy as np

from shared_model.events import Telemetry
from training.audit_data import stories_of
from training.benchmarks.intervals import counted
from training.scenarios import Family, families, generate
from training.sequences import Story
from training.trials.audit_sets import drawn, judged
from training.trials.measures import threshold_for
from training.trials.models import fit_network
from training.trials.stage import Document, Stage

FOLDS = 5
_SEED, _ATTACKS, _BENIGN, _TARGET = 1, 6, 24, 1e-2


def cells() -> list[str]:
    """One for each fold."""
    return [f"fold-{number}" for number in range(FOLDS)]


def run(key: str, _: Path) -> Document:
    """Stories found of each attack family left out, stories that alarm of each benign one."""
    fold = int(key.removeprefix("fold-"))
    known = [story for family in _families() if fold_of(family) != fold for story in _told(family)]
    calm = [story for story in known if not story.attack]
    kept = {id(story) for story in calm[::5]}
    train = drawn([story for story in known if id(story) not in kept], seed=_SEED)
    held = judged(calm[::5]).examples
    network = fit_network("cnn_lstm", train, train, seed=_SEED, detector="audit", epochs=8)
    threshold = threshold_for(network.score(held.windows), _TARGET)
    test = judged([story for family in _families() if fold_of(family) == fold for story in _told(family)])
    alarm = network.score(test.examples.windows) >= threshold
    peaks = np.zeros(len(test.stories), bool)
    attack = np.array([story.attack for story in test.stories])
    counts = test.examples.hostile | ~attack[test.entity]
    np.logical_or.at(peaks, test.entity[counts], alarm[counts])
    found: Document = {"attack": {}, "benign": {}, "days": float(sum(s.days for s in test.stories if not s.attack))}
    for story, raised in zip(test.stories, peaks.tolist(), strict=True):
        one = found["attack" if story.attack else "benign"].setdefault(story.family, {"alerts": 0, "of": 0})
        one["alerts"] += raised
        one["of"] += 1
    return found


def fold_of(family: Family) -> int:
    """The fold that leaves this family out."""
    return crc32(family.name.encode()) % FOLDS


def _families() -> list[Family]:
    every = families(Telemetry.API_CALLS)
    return [family for family in every if not (family.is_attack and "any-" in family.name)]


@cache
def _told(family: Family) -> list[Story]:
    """Its stories; of an attack only those of the attacker, since bystanders are no test of it."""
    told = [
        story
        for scenario in generate(_SEED, only=(family,), repeats=_ATTACKS if family.is_attack else _BENIGN)
        for story in stories_of(scenario)
    ]
    return [story for story in told if story.attack == family.is_attack]


def sum_up(results: dict[str, Document]) -> Document:
    """Over all folds: stories and families found, alarms on benign ones, and which were missed."""
    attack = {name: one for found in results.values() for name, one in found["attack"].items()}
    benign = {name: one for found in results.values() for name, one in found["benign"].items()}
    share = counted(sum(one["alerts"] for one in attack.values()), sum(one["of"] for one in attack.values()))
    false = counted(sum(one["alerts"] for one in benign.values()), sum(one["of"] for one in benign.values()))
    return {
        "stories": {"found": share.found, "of": share.trials, "low": share.low, "high": share.high},
        "false": {"found": false.found, "of": false.trials, "low": false.low, "high": false.high},
        "days": sum(found["days"] for found in results.values()),
        "families": {"found": sum(2 * one["alerts"] >= one["of"] for one in attack.values()), "of": len(attack)},
        "missed": sorted(name for name, one in attack.items() if not one["alerts"]),
        "alarming": {name: f"{one['alerts']} of {one['of']}" for name, one in sorted(benign.items()) if one["alerts"]},
    }


STAGE = Stage(
    "families", "every scenario family left out once", cells, run, sum_up,
    scenarios=("audit",), looks_at=lambda _: ["scenario families of API calls, each left out once"],
)  # fmt: skip
