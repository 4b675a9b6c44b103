"""Every scenario family left out once: whether a network finds an attack of a kind that it was not told of.

API calls (both clouds together), flows and system logs, each by a network of its own. Five folds by the checksum of the family's
name, attack and benign families alike. Families that draw their attack from a catalogue (``any-…``) are left out of every
training, since they may draw the very calls that are left out. The threshold is what 1 % of benign windows of the other folds'
stories reach, of those that were kept from training.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from zlib import crc32

import numpy as np

from shared_model.events import Telemetry
from training import audit_data, network_data
from training.benchmarks.intervals import counted
from training.scenarios import Family, Scenario, families, generate
from training.sequences import Story
from training.tasks import TASKS
from training.trials.measures import threshold_for
from training.trials.models import fit_network
from training.trials.stage import Document, Stage
from training.trials.story_sets import drawn, judged

FOLDS = 5
_SEED, _TARGET = 1, 1e-2
_DRAWN_FROM_A_CATALOGUE = re.compile(r"\bany-")


@dataclass(frozen=True, slots=True)
class Kind:
    """Telemetry of which families are left out: whose sizes the network has, how it is called, how often a family is told."""

    telemetry: Telemetry
    detector: str
    words: str
    stories_of: Callable[[Scenario], list[Story]]
    attacks: int
    benign: int


#: A flow log holds many initiators, so it is told seldom; of system logs there are few families.
KINDS = {
    "api-calls": Kind(Telemetry.API_CALLS, "audit", "API calls", audit_data.stories_of, attacks=6, benign=24),
    "flows": Kind(Telemetry.FLOW_LOGS, "network", "flows", network_data.stories_of, attacks=6, benign=6),
    "system-logs": Kind(Telemetry.SYSTEM_LOGS, "audit", "system logs", audit_data.stories_of, attacks=24, benign=48),
}


def cells() -> list[str]:
    """``KIND_fold-NUMBER``."""
    return [f"{kind}_fold-{number}" for kind in KINDS for number in range(FOLDS)]


def run(key: str, _: Path) -> Document:
    """Stories found of each attack family left out, stories that alarm of each benign one."""
    name, _, number = key.partition("_fold-")
    kind, fold = KINDS[name], int(number)
    task = TASKS[kind.detector]()
    known = [story for family in told_families(kind) if fold_of(family) != fold for story in _told(name, family)]
    calm = [story for story in known if not story.attack]
    kept = {id(story) for story in calm[::5]}
    train = drawn(task, [story for story in known if id(story) not in kept], seed=_SEED)
    held = judged(task, calm[::5]).examples
    network = fit_network("cnn_lstm", train, train, seed=_SEED, detector=kind.detector, epochs=8)
    threshold = threshold_for(network.score(held.windows), _TARGET)
    test = judged(task, [story for family in told_families(kind) if fold_of(family) == fold for story in _told(name, family)])
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


def told_families(kind: Kind) -> list[Family]:
    """Families of that telemetry but for attacks that are drawn from a catalogue."""
    every = families(kind.telemetry)
    return [family for family in every if not (family.is_attack and _DRAWN_FROM_A_CATALOGUE.search(family.name))]


@cache
def _told(name: str, family: Family) -> list[Story]:
    """Its stories; of an attack only those of the attacker, since bystanders are no test of it."""
    kind = KINDS[name]
    told = [
        story
        for scenario in generate(_SEED, only=(family,), repeats=kind.attacks if family.is_attack else kind.benign)
        for story in kind.stories_of(scenario)
    ]
    return [story for story in told if story.attack == family.is_attack]


def sum_up(results: dict[str, Document]) -> Document:
    """Of each kind of telemetry over all folds."""
    by_kind = {name: [found for key, found in results.items() if key.startswith(f"{name}_")] for name in KINDS}
    return {"kinds": {name: _over_folds(every) for name, every in by_kind.items() if every}}


def _over_folds(every: list[Document]) -> Document:
    """Stories and families found, alarms on benign ones, and which were missed."""
    attack = {name: one for found in every for name, one in found["attack"].items()}
    benign = {name: one for found in every for name, one in found["benign"].items()}
    rare = {name: one for name, one in attack.items() if 0 < 2 * one["alerts"] < one["of"]}
    share = counted(sum(one["alerts"] for one in attack.values()), sum(one["of"] for one in attack.values()))
    false = counted(sum(one["alerts"] for one in benign.values()), sum(one["of"] for one in benign.values()))
    return {
        "folds": len(every),
        "stories": {"found": share.found, "of": share.trials, "low": share.low, "high": share.high},
        "false": {"found": false.found, "of": false.trials, "low": false.low, "high": false.high},
        "days": sum(found["days"] for found in every),
        "families": {"found": sum(2 * one["alerts"] >= one["of"] for one in attack.values()), "of": len(attack)},
        "missed": sorted(name for name, one in attack.items() if not one["alerts"]),
        "seldom": {name: f"{one['alerts']} of {one['of']}" for name, one in sorted(rare.items())},
        "alarming": {name: f"{one['alerts']} of {one['of']}" for name, one in sorted(benign.items()) if one["alerts"]},
    }  # fmt: skip


STAGE = Stage(
    "families", "every scenario family left out once", cells, run, sum_up,
    scenarios=("audit", "network"),
    looks_at=lambda key: [f"scenario families of {KINDS[key.partition('_')[0]].words}, each left out once"],
)  # fmt: skip
