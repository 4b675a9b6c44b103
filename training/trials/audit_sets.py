"""Generated API calls of one cloud as windows, for trials of the audit detector and of networks like it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_model.events import Telemetry
from training.audit_data import stories_of
from training.scenarios import Split, families, generate
from training.sequences import Story, cut_stories, decidable, training_windows
from training.tasks import audit
from training.trials.models import Examples

CLOUDS = ("aws", "azure")
#: Times that an attack family is told, and a benign one.
_ATTACKS, _BENIGN = 10, 20


@dataclass(frozen=True, slots=True)
class Judged:
    """Decidable windows as serving cuts them, and the entity of each."""

    examples: Examples
    entity: NDArray[np.int64]
    stories: list[Story]


def stories(cloud: str, split: Split, *, seed: int) -> list[Story]:
    """Stories of every family of API calls of that cloud and split."""
    told: list[Story] = []
    for family in families(Telemetry.API_CALLS, split, cloud=cloud):
        for scenario in generate(seed, only=(family,), repeats=_ATTACKS if family.is_attack else _BENIGN):
            told += stories_of(scenario)
    return told


def drawn(told: list[Story], *, seed: int) -> Examples:
    """Windows to train on."""
    task = audit()
    windows = training_windows(told, np.random.default_rng(seed), enough=task.enough)
    return Examples(task.dense(windows.rows), windows.classes > 0)


def judged(told: list[Story]) -> Judged:
    """Windows to be judged: those that hold no attack, or enough of it."""
    task = audit()
    windows = cut_stories(told)
    windows = windows.take(decidable(windows, told, task.enough))
    return Judged(Examples(task.dense(windows.rows), windows.evidence > 0), windows.story, told)
