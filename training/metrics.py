"""Figures of detection, in numpy alone, so that every environment computes the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Figures:
    """Binary detection at one threshold. Shares are 0-1; NaN where there was nothing to divide by.

    ``fpr`` is false alarms among benign, ``recall`` detected among attack, ``auc`` the area under the ROC curve.
    """

    attack: int
    benign: int
    accuracy: float
    precision: float
    recall: float
    f1: float
    fpr: float
    auc: float

    def to_dict(self) -> dict[str, float]:
        return asdict(self)


def figures(truth: NDArray[np.bool_], probability: NDArray[np.float64], threshold: float) -> Figures:
    """Compute all figures of ``probability >= threshold`` against ``truth`` (both (n,))."""
    alarm = probability >= threshold
    hit, miss = int(np.sum(alarm & truth)), int(np.sum(~alarm & truth))
    false, quiet = int(np.sum(alarm & ~truth)), int(np.sum(~alarm & ~truth))
    return Figures(
        attack=hit + miss,
        benign=false + quiet,
        accuracy=_share(hit + quiet, len(truth)),
        precision=_share(hit, hit + false),
        recall=_share(hit, hit + miss),
        f1=_share(2 * hit, 2 * hit + false + miss),
        fpr=_share(false, false + quiet),
        auc=area_under_curve(truth, probability),
    )


def area_under_curve(truth: NDArray[np.bool_], score: NDArray[np.float64]) -> float:
    """Area under the ROC curve, as the chance that an attack scores above a benign one; ties count half (Mann-Whitney)."""
    attack, benign = int(truth.sum()), int((~truth).sum())
    if not attack or not benign:
        return float("nan")
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[inverse]
    return float((ranks[truth].sum() - attack * (attack + 1) / 2) / (attack * benign))


def best_accuracy_threshold(truth: NDArray[np.bool_], probability: NDArray[np.float64]) -> float:
    """Threshold among the scores that gives the highest accuracy. For validation data only."""
    candidates = np.unique(probability)
    right = [float(np.mean((probability >= candidate) == truth)) for candidate in candidates]
    return float(candidates[int(np.argmax(right))])


def alert_budget_threshold(peaks: NDArray[np.float64], entity_days: float, alerts_per_entity_day: float) -> float:
    """Smallest threshold at which benign entities raise at most that many alerts per entity-day.

    Parameters
    ----------
    peaks : (n,)
        Highest probability of each benign entity (an entity alerts once).
    entity_days : float
        How many entity-days these entities were watched for.
    """
    if len(peaks) == 0:
        raise ValueError("no benign entity to take a threshold from: the validation split has no benign scenario")
    allowed = int(alerts_per_entity_day * entity_days)
    ordered = np.sort(peaks)[::-1]
    if allowed >= len(ordered):
        return float(ordered[-1])
    return float(np.nextafter(ordered[allowed], 1.0))


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample standard deviation, NaN left out; spread 0 for a single value."""
    present = [value for value in values if not np.isnan(value)]
    if not present:
        return float("nan"), float("nan")
    return float(np.mean(present)), float(np.std(present, ddof=1)) if len(present) > 1 else 0.0


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
