"""Windows of an entity's encoded events, labelled, for training and evaluation.

At serving, :mod:`shared_model.windows` cuts the same windows from what arrives: the last 16 events up to an end, padded left.
Here the ends are chosen: many for training, every eighth for evaluation (the serving stride).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WINDOW = 16
STRIDE = 8


@dataclass(frozen=True, slots=True)
class Story:
    """One entity's encoded events in order of time.

    Attributes
    ----------
    rows : (m, R)
        Encoded events: the audit detector's byte rows or the network detector's features.
    labels : int64 (m,)
        Class of each event.
    family : str
        Scenario family or recorded log that it comes from.
    attack : bool
        The entity did something that must lead to a verdict.
    days : float
        How long it was watched.
    entity : str
        Whom it is about, for telling stories of one log apart.
    times_ms : int64 (m,) or None
        When each event was, where alerts are counted by the hour.
    """

    rows: NDArray[np.generic]
    labels: NDArray[np.int64]
    family: str
    attack: bool
    days: float
    entity: str = ""
    times_ms: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of many stories.

    Attributes
    ----------
    rows : (n, 16, R)
        Padded with zeros on the left.
    classes : int64 (n,)
        Class of the latest attack event in the window, 0 where there is none.
    evidence : int64 (n,)
        How many attack events are in it.
    story : int64 (n,)
        Index of the story it belongs to.
    """

    rows: NDArray[np.generic]
    classes: NDArray[np.int64]
    evidence: NDArray[np.int64]
    story: NDArray[np.int64]

    def take(self, chosen: NDArray[np.generic]) -> Windows:
        """Only these windows: a mask or indices."""
        return Windows(self.rows[chosen], self.classes[chosen], self.evidence[chosen], self.story[chosen])

    def __len__(self) -> int:
        return len(self.classes)


def serving_ends(events: int) -> NDArray[np.int64]:
    """Ends of the windows that serving scores when all events arrive at once: the newest event and every eighth before it."""
    return np.arange(events - 1, -1, -STRIDE)[::-1].copy()


def cut(rows: NDArray[np.generic], ends: NDArray[np.int64]) -> NDArray[np.generic]:
    """Windows (len(ends), 16, R) of the rows up to and including each end."""
    index = ends[:, None] + np.arange(-WINDOW + 1, 1)
    windows: NDArray[np.generic] = rows[np.maximum(index, 0)]
    windows[index < 0] = 0
    return windows


def cut_stories(stories: Iterable[Story], ends_of: dict[int, NDArray[np.int64]] | None = None) -> Windows:
    """Cut every story at its serving ends, or at ``ends_of[index]``."""
    parts, classes, evidence, owner = [], [], [], []
    for number, story in enumerate(stories):
        ends = serving_ends(len(story.labels)) if ends_of is None else ends_of[number]
        parts.append(cut(story.rows, ends))
        index = ends[:, None] + np.arange(-WINDOW + 1, 1)
        labels = np.where(index >= 0, story.labels[np.maximum(index, 0)], 0)
        hostile = labels > 0
        latest = WINDOW - 1 - hostile[:, ::-1].argmax(axis=1)
        classes.append(np.where(hostile.any(axis=1), labels[np.arange(len(ends)), latest], 0))
        evidence.append(hostile.sum(axis=1))
        owner.append(np.full(len(ends), number))
    if not parts:
        raise ValueError("no story to cut: the selection of families or logs is empty")
    return Windows(np.concatenate(parts), np.concatenate(classes), np.concatenate(evidence), np.concatenate(owner))


def training_windows(
    stories: list[Story], rng: np.random.Generator, *, enough: int, benign_ends: int = 6, attack_ends: int = 10
) -> Windows:
    """Windows for training: ends drawn per story, windows that hold too little evidence left out.

    A window in which an attack has only begun cannot be told from a benign one; teaching it as either would teach noise. It is
    left out when it holds fewer than ``enough`` attack events, or fewer than the story has at all.
    """
    ends: dict[int, NDArray[np.int64]] = {}
    for number, story in enumerate(stories):
        count = len(story.labels)
        hostile = np.flatnonzero(story.labels > 0)
        if len(hostile):
            near = np.unique(np.concatenate([hostile + shift for shift in range(STRIDE)]))
            near = near[near < count]
            calm = np.setdiff1d(np.arange(count), near)
            chosen = [rng.choice(near, min(attack_ends, len(near)), replace=False)]
            if len(calm):
                chosen.append(rng.choice(calm, min(benign_ends // 2, len(calm)), replace=False))
            ends[number] = np.sort(np.concatenate(chosen)).astype(np.int64)
        else:
            ends[number] = np.sort(rng.choice(count, min(benign_ends, count), replace=False)).astype(np.int64)
    windows = cut_stories(stories, ends)
    return windows.take(decidable(windows, stories, enough))


def decidable(windows: Windows, stories: list[Story], enough: int) -> NDArray[np.bool_]:
    """Mask of windows that hold no attack event, or enough of them (at least ``enough``, or all that their story has)."""
    available = np.array([int((story.labels > 0).sum()) for story in stories])[windows.story]
    mask: NDArray[np.bool_] = (windows.evidence == 0) | (windows.evidence >= np.minimum(enough, available))
    return mask
