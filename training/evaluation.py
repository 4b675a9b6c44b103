"""Scores stories the way serving does, and says how well."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.metrics import Figures, figures
from training.sequences import Story, Windows, cut_stories, decidable

#: Scores windows: rows (n, 16, R) → logits (n, K).
Score = Callable[[NDArray[np.generic]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Scored:
    """Stories cut at serving ends with the probability and attack class of each window."""

    stories: list[Story]
    windows: Windows
    probability: NDArray[np.float64]
    attack_class: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Report:
    """Figures of one test set at one threshold.

    Attributes
    ----------
    windows : Figures
        Per decidable window.
    entities : Figures
        Per entity: it alerts when any of its windows reaches the threshold.
    false_alarms_per_entity_day : float
        Alerting benign entities by benign entity-days (an entity counts as watched for an hour at least).
    right_class : float
        Share of detected windows of attacks in which the named class is right.
    recall_by_family, alarms_by_family : dict
        Share of attack entities detected, and of benign entities that alarm, by family.
    detected : int
        Attack entities detected.
    detected_by_family : dict
        How many of how many attack entities, by family.
    """

    windows: Figures
    entities: Figures
    false_alarms_per_entity_day: float
    right_class: float
    recall_by_family: dict[str, float]
    alarms_by_family: dict[str, float]
    detected: int
    detected_by_family: dict[str, list[int]]

    def to_dict(self) -> dict[str, object]:
        return asdict(self)


def score_stories(stories: list[Story], score: Score) -> Scored:
    """Cut at serving ends and score."""
    from training.export import attack_probability

    windows = cut_stories(stories)
    logits = score(windows.rows)
    return Scored(stories, windows, attack_probability(logits), 1 + logits[:, 1:].argmax(axis=1))


def benign_peaks(scored: Scored) -> tuple[NDArray[np.float64], float]:
    """Highest probability of each benign entity, and the entity-days they were watched for."""
    peaks = _peaks(scored, np.ones(len(scored.windows), bool))
    benign = np.array([not story.attack for story in scored.stories])
    return peaks[benign], float(sum(story.days for story in scored.stories if not story.attack))


def report(scored: Scored, *, threshold: float, enough: int) -> Report:
    """Compute all figures of a scored test set."""
    hostile = scored.windows.evidence > 0
    usable = decidable(scored.windows, scored.stories, enough)
    attack = np.array([story.attack for story in scored.stories])
    # An attack entity is detected by a window that holds attack events; a benign entity alarms by any window.
    counted = hostile | ~attack[scored.windows.story]
    peaks = _peaks(scored, counted)
    detected = hostile & usable & (scored.probability >= threshold)
    right = scored.attack_class[detected] == scored.windows.classes[detected]
    days = sum(story.days for story in scored.stories if not story.attack)
    alarms = peaks >= threshold
    return Report(
        windows=figures(hostile[usable], scored.probability[usable], threshold),
        entities=figures(attack, peaks, threshold),
        false_alarms_per_entity_day=float(np.sum(alarms & ~attack) / days) if days else float("nan"),
        right_class=float(right.mean()) if len(right) else float("nan"),
        recall_by_family=_by_family(scored.stories, alarms, attack),
        alarms_by_family=_by_family(scored.stories, alarms, ~attack),
        detected=int(np.sum(alarms & attack)),
        detected_by_family=_counts(scored.stories, alarms, attack),
    )


def on_sample(sample: Report) -> dict[str, Any]:
    """Figures of the shipped model on the stored sample, which anybody can compute again from model and sample alone."""
    windows, entities = sample.windows, sample.entities
    return {
        "attack_entities": entities.attack,
        "benign_entities": entities.benign,
        "detected": sample.detected,
        "alarming": round(entities.fpr * entities.benign),
        "windows": {name: round(getattr(windows, name), 6) for name in ("accuracy", "f1", "recall", "fpr", "auc")},
    }


def _peaks(scored: Scored, counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    peaks = np.zeros(len(scored.stories))
    np.maximum.at(peaks, scored.windows.story[counted], scored.probability[counted])
    return peaks


def _counts(stories: list[Story], alarms: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> dict[str, list[int]]:
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for story, alarm, take in zip(stories, alarms.tolist(), chosen.tolist(), strict=True):
        if take:
            counts[story.family][0] += alarm
            counts[story.family][1] += 1
    return dict(sorted(counts.items()))


def _by_family(stories: list[Story], alarms: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> dict[str, float]:
    seen: dict[str, list[bool]] = defaultdict(list)
    for story, alarm, take in zip(stories, alarms, chosen, strict=True):
        if take:
            seen[story.family].append(bool(alarm))
    return {family: float(np.mean(values)) for family, values in sorted(seen.items())}
