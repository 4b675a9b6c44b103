"""Figures of a build: every test set over all seeds, beside baselines, controls and the stored sample."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.alerts import hourly
from training.baselines import Baseline, recall_at_fpr
from training.benchmarks.intervals import counted
from training.controls import finite, only_lengths, replaced, separability
from training.evaluation import Report, Score, Scored, on_sample, report, score_stories
from training.evaluation_sample import read as read_sample
from training.fitting import Scaling
from training.metrics import area_under_curve, mean_and_spread
from training.sequences import decidable, training_windows
from training.tasks import Material, Task

#: Told how many of how many steps are done.
Stepped = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Fitted:
    """One seed's model as it would serve, with its thresholds."""

    seed: int
    threshold: float
    strict: float
    scaling: Scaling
    score: Score


def evaluate(
    task: Task, material: Material, fitted: list[Fitted], baselines: dict[str, Baseline], stepped: Stepped = lambda *_: None
) -> dict[str, Any]:
    """Figures of every test set over all seeds; what is not a number becomes None.

    ``baselines`` are of the first seed. ``stepped`` is told how many of how many test sets are done.
    """
    tests: dict[str, Any] = {}
    for name, stories in material.tests.items():
        scored = [score_stories(stories, one.score) for one in fitted]
        reports = [report(item, threshold=one.threshold, enough=task.enough) for item, one in zip(scored, fitted, strict=True)]
        stricter = [report(item, threshold=one.strict, enough=task.enough) for item, one in zip(scored, fitted, strict=True)]
        tests[name] = _summary(reports, _against_baselines(task, scored[0], fitted[0], baselines, reports[0])) | {
            "benign": "recorded" if name in material.recorded else "generated",
            "detected": _detected(reports),
            "strict": _detected(stricter),
            "alerts": _alerts(scored, fitted),
            "rates": _rates(scored[0], task.enough),
            "replaced": finite(replaced(scored[0], fitted[0].threshold)),
        }
        stepped(len(tests), len(material.tests))
    first = fitted[0]
    sample = report(score_stories(read_sample(task.name), first.score), threshold=first.threshold, enough=task.enough)
    return {
        "detector": task.name,
        "seeds": [one.seed for one in fitted],
        "thresholds": [one.threshold for one in fitted],
        "strict_thresholds": [one.strict for one in fitted],
        "controls": _controls(task, material, first.seed),
        "tests": tests,
        "sample": on_sample(sample),
    }


def _detected(reports: list[Report]) -> dict[str, Any]:
    """Attack entities detected: recall over the seeds; of the first seed k of n with the exact 95 % interval, and by family."""
    mean, spread = mean_and_spread([one.entities.recall for one in reports])
    found, of = reports[0].detected, reports[0].entities.attack
    exact = counted(found, of) if of else None
    return {
        "recall": {"mean": _json(mean), "spread": _json(spread)},
        "found": found,
        "of": of,
        "interval": [round(exact.low, 4), round(exact.high, 4)] if exact else None,
        "by_family": reports[0].detected_by_family,
    }


def _alerts(scored: list[Scored], fitted: list[Fitted]) -> dict[str, Any]:
    """Alerts of benign entities, one an entity and hour, at both thresholds, of each seed."""
    counted = [hourly(item) for item in scored]
    return {
        "entity_days": round(counted[0].entity_days, 3),
        "events": counted[0].events,
        "own": [item.alerts(one.threshold) for item, one in zip(counted, fitted, strict=True)],
        "strict": [item.alerts(one.strict) for item, one in zip(counted, fitted, strict=True)],
    }


def _rates(scored: Scored, enough: int) -> dict[str, float | None]:
    """Recall of windows at false-positive rates that the sample allows (n ≥ 3 / rate), thresholds from these very windows."""
    usable = decidable(scored.windows, scored.stories, enough)
    truth, score = scored.windows.evidence[usable] > 0, scored.probability[usable]
    benign = int((~truth).sum())
    return {
        str(rate): _json(recall_at_fpr(truth, score, rate)) if benign * rate >= 3 and truth.any() else None
        for rate in (0.01, 0.001)
    }


def _controls(task: Task, material: Material, seed: int) -> dict[str, Any]:
    """What must come out near chance, and how far apart generated and recorded benign records are."""
    train = training_windows(material.train, np.random.default_rng(seed), enough=task.enough)
    first = next(iter(material.tests.values()), [])
    return {
        "only_lengths": finite(only_lengths(train, first, seed=seed)) if first else None,
        "separability": {
            name: finite(separability(generated, recorded, task.dense, seed=seed))
            for name, (generated, recorded) in material.apart.items()
        },
    }


def _summary(reports: list[Report], baselines: dict[str, Any]) -> dict[str, Any]:
    def over(values: list[float]) -> dict[str, float | None]:
        mean, spread = mean_and_spread(values)
        return {"mean": _json(mean), "spread": _json(spread)}

    names = ("accuracy", "precision", "recall", "f1", "fpr", "auc")
    families = sorted({family for one in reports for family in one.recall_by_family})
    benign = sorted({family for one in reports for family in one.alarms_by_family})
    return {
        "attack_windows": reports[0].windows.attack,
        "benign_windows": reports[0].windows.benign,
        "attack_entities": reports[0].entities.attack,
        "benign_entities": reports[0].entities.benign,
        "windows": {name: over([getattr(one.windows, name) for one in reports]) for name in names},
        "entities": {name: over([getattr(one.entities, name) for one in reports]) for name in names},
        "false_alarms_per_entity_day": over([one.false_alarms_per_entity_day for one in reports]),
        "right_class": over([one.right_class for one in reports]),
        "recall_by_family": {family: float(np.mean([one.recall_by_family[family] for one in reports])) for family in families},
        "alarms_by_family": {family: float(np.mean([one.alarms_by_family[family] for one in reports])) for family in benign},
        "baselines": baselines,
    }


def _against_baselines(task: Task, scored: Scored, fitted: Fitted, baselines: dict[str, Baseline], own: Report) -> dict[str, Any]:
    usable = decidable(scored.windows, scored.stories, task.enough)
    truth = scored.windows.evidence[usable] > 0
    if not truth.any() or truth.all():
        return {}
    events = fitted.scaling.apply(task.dense(scored.windows.rows[usable]))[:, -1]
    scores = {name: baseline(events) for name, baseline in baselines.items()}
    return {
        name: {"auc": _json(area_under_curve(truth, score)), "recall": _json(recall_at_fpr(truth, score, own.windows.fpr))}
        for name, score in scores.items()
    }


def _json(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)
