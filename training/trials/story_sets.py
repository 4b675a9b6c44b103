"""Stories as windows, for trials of networks like the detectors: those to learn from, and those to be judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.sequences import Story, cut_stories, decidable, training_windows
from training.tasks import Task
from training.trials.models import Examples


@dataclass(frozen=True, slots=True)
class Judged:
    """Decidable windows as serving cuts them, and the entity of each."""

    examples: Examples
    entity: NDArray[np.int64]
    stories: list[Story]


def drawn(task: Task, told: list[Story], *, seed: int) -> Examples:
    """Windows to train on."""
    windows = training_windows(told, np.random.default_rng(seed), enough=task.enough)
    return Examples(task.dense(windows.rows), windows.classes > 0)


def judged(task: Task, told: list[Story]) -> Judged:
    """Windows to be judged: those that hold no attack, or enough of it."""
    windows = cut_stories(told)
    windows = windows.take(decidable(windows, told, task.enough))
    return Judged(Examples(task.dense(windows.rows), windows.evidence > 0), windows.story, told)
