"""Whether training on evaded attacks helps against evasion in audit records: a network like ``audit``, before and after.

Both learn the same generated and recorded stories of training; the second also each attack under one evasion, drawn at random.
Tests are those of :mod:`training.trials.audit_evasion`: recorded attacks that no training saw. The threshold is what 1 % of
benign windows of validation families reach.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from training.audit_data import recorded, recorded_stories
from training.metrics import mean_and_spread
from training.scenarios import Split
from training.sequences import Story, cut_stories
from training.tasks import audit
from training.trials.audit_evasion import EVASIONS, HISTORIES, evaded, held_out
from training.trials.audit_sets import CLOUDS, stories
from training.trials.measures import threshold_for
from training.trials.models import Score, fit_network
from training.trials.stage import SEEDS, Document, Stage
from training.trials.story_sets import drawn

_TARGET = 1e-2
_EVADED = tuple(name for name in EVASIONS if name != "none")


def cells() -> list[str]:
    """One for each seed."""
    return [str(seed) for seed in SEEDS]


def run(key: str, root: Path) -> Document:
    """Stories of held-out attacks that alert under each evasion, and windows of their controls that do, of both networks."""
    seed = int(key)
    learnt = [story for cloud in CLOUDS for story in stories(cloud, Split.TRAIN, seed=seed)]
    learnt += list(recorded_stories(recorded(root).train, Split.TRAIN, seed=seed, histories=HISTORIES))
    held = drawn(audit(), [story for cloud in CLOUDS for story in stories(cloud, Split.VALIDATION, seed=seed + 10)], seed=seed)
    found: Document = {}
    for title, told in (("before", learnt), ("after", learnt + hardened(learnt, seed=seed))):
        score = fit_network("cnn_lstm", drawn(audit(), told, seed=seed), held, seed=seed, detector="audit").score
        threshold = threshold_for(score(held.windows[~held.hostile]), _TARGET)
        found[title] = {
            "evasions": {name: _alerting(score, threshold, _tests(str(root), name)) for name in EVASIONS},
            "controls": _alarming(score, threshold, held_out(str(root), attack=False)),
        }
    return found


def hardened(told: list[Story], *, seed: int) -> list[Story]:
    """Each attack story that has benign events too, once more, under an evasion drawn at random."""
    rng = np.random.default_rng([seed, 41])
    kept = [story for story in told if story.attack and (story.labels == 0).any()]
    return [evaded(story, EVASIONS[_EVADED[rng.integers(len(_EVADED))]], number) for number, story in enumerate(kept)]


@cache
def _tests(root: str, evasion: str) -> list[Story]:
    return [evaded(story, EVASIONS[evasion], number) for number, story in enumerate(held_out(root))]


def _alerting(score: Score, threshold: float, told: list[Story]) -> Document:
    windows = cut_stories(told)
    alarm = (score(audit().dense(windows.rows)) >= threshold) & (windows.evidence > 0)
    return {"found": len(set(windows.story[alarm].tolist())), "of": len(told)}


def _alarming(score: Score, threshold: float, told: list[Story]) -> Document:
    alarm = score(audit().dense(cut_stories(told).rows)) >= threshold
    return {"found": int(alarm.sum()), "of": len(alarm)}


def sum_up(results: dict[str, Document]) -> Document:
    """Shares of stories by evasion and network, and of controls' windows, mean and spread over seeds."""
    every = list(results.values())
    first = every[0]["before"]

    def over(shares: list[Document]) -> Document:
        mean, spread = mean_and_spread([one["found"] / one["of"] for one in shares])
        return {"mean": round(mean, 4), "spread": round(spread, 4)}

    titles = ("before", "after")
    return {
        "seeds": len(every), "stories": first["evasions"]["none"]["of"], "windows": first["controls"]["of"],
        "evasions": {
            name: {title: over([one[title]["evasions"][name] for one in every]) for title in titles} for name in EVASIONS
        },
        "controls": {title: over([one[title]["controls"] for one in every]) for title in titles},
    }  # fmt: skip


STAGE = Stage(
    "audit_hardening", "training on evaded attacks, audit records", cells, run, sum_up,
    datasets=("cloudtrail_stratus", "panther"), scenarios=("audit",),
    looks_at=lambda _: ["audit: held-out Stratus techniques", "audit: held-out Panther cases"],
)  # fmt: skip
