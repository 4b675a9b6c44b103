"""What evasion costs the shipped audit detector, on recorded attack techniques that training never saw.

An attacker chooses his program's name, when he calls, and what he calls in between. Each held-out Stratus technique and Panther
case stands behind benign calls of the same principal; what is woven in between is taken from these. Without any evasion the
attack comes from a kind of program that these calls never came from: the attacker's own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared_model.detector import Detector
from shared_model.encoders.audit import ROW, ROW_BYTES
from shared_model.habits import FIRSTS, KNOWN
from shared_model.vocabulary import AGENTS
from training.artifact import ARTIFACTS
from training.audit_data import recorded, recorded_stories
from training.scenarios import Split
from training.sequences import Story, cut_stories
from training.tasks import audit
from training.trials.stage import Document, Stage

Rows = NDArray[np.void]
Evasion = Callable[[Rows, NDArray[np.int64], np.random.Generator], tuple[Rows, NDArray[np.int64]]]
HISTORIES = (14, 22, 30)
_PROGRAM = 1 << FIRSTS.index("program")
_SEED = 5


def foreign_agent(rows: Rows, labels: NDArray[np.int64], rng: np.random.Generator) -> tuple[Rows, NDArray[np.int64]]:
    """A kind of program that none of the principal's benign calls came from; any, where they came from all kinds."""
    kinds = np.arange(1, len(AGENTS))
    strange = np.setdiff1d(kinds, rows["agent"][labels == 0])
    changed = rows.copy()
    changed["agent"][labels > 0] = rng.choice(strange if len(strange) else kinds)
    return _told(changed, labels, first=bool(len(strange))), labels


def own_agent(rows: Rows, labels: NDArray[np.int64], rng: np.random.Generator) -> tuple[Rows, NDArray[np.int64]]:
    """The program that the principal's benign calls come from."""
    changed = rows.copy()
    changed["agent"][labels > 0] = rng.choice(rows["agent"][labels == 0], int((labels > 0).sum()))
    return _told(changed, labels, first=False), labels


def _told(rows: Rows, labels: NDArray[np.int64], *, first: bool) -> Rows:
    """Rows that say whether the first call of the attack is the principal's first by its program; no later one is."""
    hostile = np.flatnonzero(labels > 0)
    rows["novel"][hostile] &= np.uint8(0xFF ^ _PROGRAM)
    if first and rows["novel"][hostile[0]] & KNOWN:
        rows["novel"][hostile[0]] |= _PROGRAM
    return rows


def slowed(rows: Rows, labels: NDArray[np.int64], rng: np.random.Generator) -> tuple[Rows, NDArray[np.int64]]:
    """Pauses before the attacker's calls stretched by up to an hour each."""
    changed = rows.copy()
    waits = np.where(labels > 0, rng.exponential(900_000, len(rows)).clip(0, 3_600_000), 0)
    changed["time_ms"] += np.cumsum(waits).astype(changed["time_ms"].dtype)
    return changed, labels


def woven(rows: Rows, labels: NDArray[np.int64], rng: np.random.Generator) -> tuple[Rows, NDArray[np.int64]]:
    """After each call of the attack three of the principal's own earlier calls."""
    calm = np.flatnonzero(labels == 0)
    order: list[int] = []
    for place, label in enumerate(labels.tolist()):
        order.append(place)
        if label > 0:
            order += rng.choice(calm, 3).tolist()
    taken = np.array(order)
    changed, own = rows[taken].copy(), labels[taken]
    again = np.ones(len(taken), np.bool_)
    again[np.unique(taken, return_index=True)[1]] = False
    changed["novel"][again] &= np.uint8(KNOWN)  # made before: a first of nothing
    times = rows["time_ms"].astype(np.int64)
    told = np.maximum.accumulate(np.where(np.r_[True, np.diff(taken) > 0], times[taken], 0))
    changed["time_ms"] = told + 1500 * np.arange(len(told))
    return changed, own


def everything(rows: Rows, labels: NDArray[np.int64], rng: np.random.Generator) -> tuple[Rows, NDArray[np.int64]]:
    """All of them at once."""
    return woven(*slowed(*own_agent(rows, labels, rng), rng), rng)


EVASIONS: dict[str, Evasion] = {
    "none": foreign_agent,
    "user agent": own_agent,
    "jitter": lambda rows, labels, rng: slowed(*foreign_agent(rows, labels, rng), rng),
    "interleaving": lambda rows, labels, rng: woven(*foreign_agent(rows, labels, rng), rng),
    "all of them": everything,
}


def cells() -> list[str]:
    """One for each evasion."""
    return [name.replace(" ", "-") for name in EVASIONS]


def run(key: str, root: Path) -> Document:
    """Techniques and stories that alert at the detector's threshold."""
    evade = EVASIONS[key.replace("-", " ")]
    detector = Detector.load(ARTIFACTS / "audit")
    stories = [evaded(story, evade, number) for number, story in enumerate(held_out(str(root)))]
    windows = cut_stories(stories)
    probability, _kind = detector.score(audit().dense(windows.rows))
    alarm = (probability >= detector.threshold) & (windows.evidence > 0)
    hit = np.zeros(len(stories), bool)
    np.logical_or.at(hit, windows.story, alarm)
    names = sorted({story.family for story in stories})
    told = {name: [bool(found) for found, story in zip(hit, stories, strict=True) if story.family == name] for name in names}
    return {
        "version": detector.version,
        "stories": len(stories),
        "found": int(hit.sum()),
        "techniques": {name: {"found": sum(found), "of": len(found)} for name, found in told.items()},
    }


@cache
def held_out(root: str, *, attack: bool = True) -> list[Story]:
    """Held-out attacks behind benign history, or their controls."""
    unseen = recorded(Path(root)).held_out
    every = recorded_stories(unseen, Split.TEST, seed=_SEED, histories=HISTORIES)
    return [story for story in every if story.attack == attack and (story.labels == 0).any()]


def evaded(story: Story, evade: Evasion, number: int) -> Story:
    """The story under an evasion; ``number`` seeds what is drawn."""
    rows = np.ascontiguousarray(story.rows, np.uint8).view(ROW)[:, 0]
    changed, labels = evade(rows, story.labels, np.random.default_rng([_SEED, number]))
    return replace(story, rows=np.ascontiguousarray(changed).view(np.uint8).reshape(-1, ROW_BYTES), labels=labels)


def sum_up(results: dict[str, Document]) -> Document:
    """As found, by evasion."""
    return {"evasions": {name: results[name.replace(" ", "-")] for name in EVASIONS if name.replace(" ", "-") in results}}


STAGE = Stage(
    "audit_evasion", "what evasion costs the shipped audit detector", cells, run, sum_up,
    datasets=("cloudtrail_stratus", "panther"), files=("model_artifacts/audit/detector.json",), scenarios=("audit",),
    looks_at=lambda _: ["audit: held-out Stratus techniques", "audit: held-out Panther cases"],
)  # fmt: skip
