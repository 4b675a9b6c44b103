"""The shipped detectors fitted again with five seeds: how far the figures of the one that ships are luck.

Same stories, settings and code as the build; a fit is judged at its own threshold and at its strict one, on tests that training
never sees, by int8. The build itself takes three seeds, so that ``make train`` stays short.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from training.alerts import hourly
from training.benchmarks import ledger
from training.evaluation import report, score_stories
from training.fitted import benign_of, learn, scorer, tune
from training.metrics import mean_and_spread
from training.recipe import EPOCHS, REPEATS, recipe
from training.tasks import TASKS, Material
from training.trials.stage import SEEDS, Document, Stage

#: Recordings that a fit learns from, or that one of its tests is made of.
_DATASETS = {
    "network": ("zeek_iot23", "zeek_ctu_days", "cicids2017", "netflow_nf_bot_iot_v2"),
    "audit": ("cloudtrail_stratus", "panther", "cloudtrail_invictus", "system_logs"),
}
_FIGURES = ("recall", "recall_strict", "fpr", "auc", "alerts_per_entity_day", "alerts_per_entity_day_strict")


def stage(detector: str) -> Stage:
    """The stage of one detector: its cells hold while its ``detector.json`` does, which carries the recipe of the fit."""

    def run(key: str, root: Path) -> Document:
        task = TASKS[detector]()
        material = _material(detector, str(root))
        learnt = learn(task, material, root, int(key), epochs=EPOCHS[detector], progress=lambda _: None)
        tuned = tune(task, benign_of(material), learnt, lambda _: None)
        score = scorer(task, learnt.scaling, tuned.model)
        found: Document = {}
        for name, stories in material.tests.items():
            scored = score_stories(stories, score)
            own, strict = (report(scored, threshold=at, enough=task.enough) for at in (tuned.threshold, tuned.strict))
            benign = hourly(scored)
            days = benign.entity_days
            alerts = [benign.alerts(at) / days if days else None for at in (tuned.threshold, tuned.strict)]
            found[name] = {
                "attack": own.entities.attack, "benign": own.entities.benign, "entity_days": round(days, 1),
                "recall": _known(own.entities.recall), "recall_strict": _known(strict.entities.recall),
                "fpr": _known(own.entities.fpr), "auc": _known(own.windows.auc),
                "alerts_per_entity_day": alerts[0], "alerts_per_entity_day_strict": alerts[1],
            }  # fmt: skip
            noted = recipe(task, repeats=REPEATS[detector], epochs=EPOCHS[detector])
            ledger.record(ledger.Look(f"{detector}: {name}", "cnn_lstm", int(key), noted))
        return {"threshold": tuned.threshold, "strict_threshold": tuned.strict, "tests": found}

    return Stage(
        f"{detector}_refits", f"{detector}, fitted again", lambda: [str(seed) for seed in SEEDS], run,
        lambda results: {"detector": detector, **sum_up(results)},
        datasets=_DATASETS[detector], files=(f"model_artifacts/{detector}/detector.json",), scenarios=(detector,),
        looks_at=lambda _: [],  # each test is noted above, under the recipe of the fit
    )  # fmt: skip


def _known(value: float) -> float | None:
    return None if value != value else round(value, 6)


@cache
def _material(detector: str, root: str) -> Material:
    """Stories as the build gathers them: told once, whatever the seed of the fit."""
    return TASKS[detector]().gather(Path(root), SEEDS[0], REPEATS[detector], lambda _: None)


def sum_up(results: dict[str, Document]) -> Document:
    """Mean and spread over seeds of every figure on every test."""
    every = list(results.values())
    tests: Document = {}
    for name, first in every[0]["tests"].items():
        tests[name] = {figure: first[figure] for figure in ("attack", "benign", "entity_days")}
        for figure in _FIGURES:
            values = [one["tests"][name][figure] for one in every]
            known = [value for value in values if value is not None]
            mean, spread = mean_and_spread(known)
            tests[name][figure] = {"mean": round(mean, 4), "spread": round(spread, 4)} if known else None
    return {"seeds": len(every), "tests": tests}
