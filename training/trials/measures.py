"""Figures of one test in a trial, as JSON can hold them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.benchmarks.intervals import allows, at_rate
from training.metrics import area_under_curve, mean_and_spread

RATES = (1e-2, 1e-3)
#: Of the figures of a test, those that are averaged over seeds.
NAMES = ("auc", "auprc", "mcc", "recall", "fpr", "recall_1e-2", "recall_1e-3")


def figures_at(hostile: NDArray[np.bool_], score: NDArray[np.float64], threshold: float) -> dict[str, Any]:
    """Recall, false positives and MCC at a threshold set elsewhere, and what the ranking is worth.

    ``recall_1e-2`` and ``recall_1e-3`` take their threshold from this test's own benign scores; None where it has fewer than
    3 / rate benign records, as every figure that has nothing to divide by.
    """
    alarm = score >= threshold
    attack, benign = int(hostile.sum()), int((~hostile).sum())
    found, false = int((alarm & hostile).sum()), int((alarm & ~hostile).sum())
    figures: dict[str, Any] = {
        "attack": attack, "benign": benign, "found": found, "false": false,
        "recall": found / attack if attack else None, "fpr": false / benign if benign else None,
        "auc": area_under_curve(hostile, score) if attack and benign else None,
        "auprc": average_precision(hostile, score) if attack and benign else None,
        "mcc": matthews(found, false, benign - false, attack - found),
    }  # fmt: skip
    for rate in RATES:
        reached = at_rate(hostile, score, rate) if allows(rate, benign) and attack else None
        figures[f"recall_{_named(rate)}"] = None if reached is None else reached.recall
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in figures.items()}


def threshold_for(benign: NDArray[np.float64], rate: float) -> float:
    """Smallest threshold that at most that share of these benign scores reach (at most one of them where they are few)."""
    ordered = np.sort(benign)[::-1]
    return float(np.nextafter(ordered[min(int(rate * len(ordered)), len(ordered) - 1)], np.inf))


def average_precision(hostile: NDArray[np.bool_], score: NDArray[np.float64]) -> float:
    """Area under the precision–recall curve, records of equal score coming in together."""
    order = np.argsort(-score, kind="stable")
    hits, ranked = np.cumsum(hostile[order]), score[order]
    ends = np.r_[np.flatnonzero(np.diff(ranked)), len(score) - 1]
    precision, recall = hits[ends] / (ends + 1), hits[ends] / hostile.sum()
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def matthews(hit: int, false: int, quiet: int, missed: int) -> float | None:
    """Matthews' correlation coefficient; None where a margin of the table is empty."""
    product = float(hit + false) * (hit + missed) * (quiet + false) * (quiet + missed)
    return None if product == 0 else (hit * quiet - false * missed) / product**0.5


def averaged(every: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Mean and sample standard deviation of each figure over seeds, counts of the first seed."""
    kept = list(every)
    summary: dict[str, Any] = {"seeds": len(kept), "attack": kept[0]["attack"], "benign": kept[0]["benign"]}
    for name in NAMES:
        present = [one[name] for one in kept if one[name] is not None]
        mean, spread = mean_and_spread(present)
        summary[name] = {"mean": round(mean, 4), "spread": round(spread, 4)} if present else None
    return summary


def _named(rate: float) -> str:
    return f"{rate:.0e}".replace("e-0", "e-")
