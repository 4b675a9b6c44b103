"""``python -m training.build [network|audit|all] --seed N``: rebuild the deployed detectors from scratch."""

from __future__ import annotations

import argparse
import math
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from training.alerts import hourly
from training.artifact import ARTIFACTS, Built, write_artifact
from training.baselines import fit_baselines, recall_at_fpr
from training.benchmarks import ledger
from training.benchmarks.intervals import counted
from training.checkpoints import Checkpoints, Keeping
from training.controls import finite, only_lengths, replaced, separability
from training.data_root import data_root
from training.evaluation import Report, Scored, report, score_stories
from training.evaluation_sample import read as read_sample
from training.export import Weights, float_logits, parity, run_tflite, to_int8, weights_of
from training.fitting import Labelled, Scaling, fit, fit_scaling, pretrain_events, with_honest
from training.jobs.hyperparameters import JobError
from training.jobs.run_record import Run
from training.limits import LIMITS
from training.metrics import mean_and_spread
from training.progress import EpochsDone
from training.recipe import recipe
from training.sequences import decidable, training_windows
from training.tasks import TASKS, Material, Task

#: Stories of each attack family; benign ones are told more often (see the stories' modules).
REPEATS = {"network": 16, "audit": 12}
#: At most; a fit stops earlier when validation no longer improves.
EPOCHS = {"network": 20, "audit": 12}
#: An interrupted build goes on from here, a folder for each run.
_CHECKPOINTS = Path(__file__).resolve().parents[1] / "build" / "train"
#: Alerts per entity-day at which figures are told beside those at the detector's own threshold.
STRICT = 0.001


@dataclass(frozen=True, slots=True)
class Fitted:
    """One seed's model with everything that was decided on training and validation data."""

    seed: int
    weights: Weights
    model: bytes
    scaling: Scaling
    threshold: float
    strict: float
    windows: int
    parameters: int
    epochs: int
    score: Callable[[NDArray[np.generic]], NDArray[np.float32]]
    baselines: dict[str, Any]
    stopping: Labelled


def progress_since(start: float) -> Callable[[str], None]:
    """Print lines with the seconds since ``start``."""
    return lambda text: print(f"{time.monotonic() - start:7.1f} s  {text}", flush=True)


def fit_task(
    task: Task,
    material: Material,
    root: Path | None,
    seed: int,
    *,
    epochs: int,
    progress: Callable[[str], None],
    with_baselines: bool,
    checkpoints: Checkpoints | None = None,
    stepped: Callable[[int], None] = lambda _: None,
) -> Fitted:
    """Train, quantize and set the threshold, from training and validation stories only.

    With ``checkpoints``, an interrupted fit goes on after its last whole epoch. ``stepped`` is told how many epochs are done.
    """
    keeping = Keeping(checkpoints, f"{task.name}-seed{seed}") if checkpoints is not None else None
    rng = np.random.default_rng(seed)
    train = training_windows(material.train, rng, enough=task.enough)
    stopping = training_windows(material.stopping, rng, enough=task.enough)
    dense = task.dense(train.rows)
    scaling = rounded(fit_scaling(dense))
    order = rng.permutation(len(train))
    labelled = Labelled(scaling.apply(dense)[order], train.classes[order])
    watched = Labelled(scaling.apply(task.dense(stopping.rows)), stopping.classes)
    progress(f"{len(train):,} training windows, by class {np.bincount(train.classes, minlength=len(task.classes)).tolist()}")
    if material.honest is not None:
        honest = scaling.apply(task.dense(material.honest.rows))
        labelled = with_honest(labelled, honest, len(task.classes), benign=task.benign, share=task.honest)
        progress(f"{len(honest):,} more in which honest principals do what they never did")
    start = None
    if root is not None and task.single_events is not None and (keeping is None or keeping.state() is None):
        rows, classes = task.single_events(root, seed)
        progress(f"{len(rows):,} single flows start the layer that sees single events")
        start = pretrain_events(task.sizes, scaling.apply(rows), classes, seed=seed, epochs=4, progress=progress)
    count = 0

    def counted(text: str) -> None:
        nonlocal count
        count += 1
        progress(text)
        stepped(count)

    model = fit(
        task.sizes, labelled, watched, seed=seed, epochs=epochs, progress=counted, benign=task.benign, event_weights=start,
        keeping=keeping,
    )  # fmt: skip
    weights = weights_of(model)
    parameters = sum(int(array.size) for arrays in weights.values() for array in arrays)
    benign = [story for story in material.watched or material.validation if not story.attack]

    def scorer(model: bytes) -> Callable[[NDArray[np.generic]], NDArray[np.float32]]:
        return lambda rows: run_tflite(model, scaling.apply(task.dense(rows)))

    first = hourly(score_stories(benign, scorer(to_int8(weights, task.sizes, labelled.windows))))
    weights = centred(weights, first.threshold(task.alerts_per_entity_day))
    exported = to_int8(weights, task.sizes, labelled.windows)
    progress(f"{parameters:,} parameters, {len(exported):,} bytes int8")
    seen = hourly(score_stories(benign, scorer(exported)))
    threshold, strict = (
        min(max(round(seen.threshold(budget), 6), 0.5), 0.99999) for budget in (task.alerts_per_entity_day, STRICT)
    )
    progress(
        f"threshold {threshold}, strict {strict}; {len(benign)} benign validation entities, {seen.entity_days:.1f} entity-days"
    )
    baselines = fit_baselines(labelled.windows, labelled.classes, seed=seed) if with_baselines else {}
    return Fitted(
        seed, weights, exported, scaling, threshold, strict, len(labelled.classes), parameters, count, scorer(exported),
        baselines, watched,
    )  # fmt: skip


def centred(weights: Weights, threshold: float) -> Weights:
    """Weights whose benign logit is moved so that what was ``threshold`` becomes 0.5.

    The share of attacks in training is chosen, not found: what a probability of 0.5 means is settled on benign validation data.
    """
    moved = dict(weights)
    kernel, bias = moved["logits"]
    bias = bias.copy()
    odds = min(max(threshold, 1e-4), 1 - 1e-4)
    bias[0] += math.log(odds / (1 - odds))
    moved["logits"] = [kernel, bias]
    return moved


def rounded(scaling: Scaling) -> Scaling:
    """Scaling with the numbers that detector.json will carry."""
    return Scaling(scaling.center, np.array([float(f"{value:.6g}") for value in scaling.scale], np.float32))


def evaluate(task: Task, material: Material, fitted: list[Fitted]) -> dict[str, Any]:
    """Figures of every test set over all seeds; what is not a number becomes None."""
    tests: dict[str, Any] = {}
    for name, stories in material.tests.items():
        scored = [score_stories(stories, one.score) for one in fitted]
        reports = [report(item, threshold=one.threshold, enough=task.enough) for item, one in zip(scored, fitted, strict=True)]
        stricter = [report(item, threshold=one.strict, enough=task.enough) for item, one in zip(scored, fitted, strict=True)]
        tests[name] = _summary(reports, _against_baselines(task, scored[0], fitted[0], reports[0])) | {
            "benign": "recorded" if name in material.recorded else "generated",
            "detected": _detected(reports),
            "strict": _detected(stricter),
            "alerts": _alerts(scored, fitted),
            "rates": _rates(scored[0], task.enough),
            "replaced": finite(replaced(scored[0], fitted[0].threshold)),
        }
    first = fitted[0]
    sample = report(score_stories(read_sample(task.name), first.score), threshold=first.threshold, enough=task.enough)
    exact = float_logits(first.weights, task.sizes, first.stopping.windows)
    agreement = parity(exact, run_tflite(first.model, first.stopping.windows), first.threshold)
    return {
        "detector": task.name,
        "seeds": [one.seed for one in fitted],
        "thresholds": [one.threshold for one in fitted],
        "strict_thresholds": [one.strict for one in fitted],
        "controls": _controls(task, material, first),
        "parity": {
            "sequences": agreement.sequences,
            "flips": agreement.flips,
            "largest": agreement.largest,
            "mean": agreement.mean,
        },
        "tests": tests,
        "sample": on_sample(sample),
        "limits": list(LIMITS[task.name]),
    }


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


def _controls(task: Task, material: Material, fitted: Fitted) -> dict[str, Any]:
    """What must come out near chance, and how far apart generated and recorded benign records are."""
    train = training_windows(material.train, np.random.default_rng(fitted.seed), enough=task.enough)
    first = next(iter(material.tests.values()), [])
    return {
        "only_lengths": finite(only_lengths(train, first, seed=fitted.seed)) if first else None,
        "separability": {
            name: finite(separability(generated, recorded, task.dense, seed=fitted.seed))
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


def _against_baselines(task: Task, scored: Scored, fitted: Fitted, own: Report) -> dict[str, Any]:
    usable = decidable(scored.windows, scored.stories, task.enough)
    truth = scored.windows.evidence[usable] > 0
    if not truth.any() or truth.all():
        return {}
    from training.metrics import area_under_curve

    events = fitted.scaling.apply(task.dense(scored.windows.rows[usable]))[:, -1]
    scores = {name: baseline(events) for name, baseline in fitted.baselines.items()}
    return {
        name: {"auc": _json(area_under_curve(truth, score)), "recall": _json(recall_at_fpr(truth, score, own.windows.fpr))}
        for name, score in scores.items()
    }


def _json(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)


def build(
    task: Task, root: Path | None, seeds: list[int], *, repeats: int, epochs: int, folder: Path, progress: Callable[[str], None],
    run: Run, checkpoints: Checkpoints | None = None, stepped: Callable[[int, int], None] = lambda *_: None,
) -> None:  # fmt: skip
    """Build one detector with the first seed, evaluate all seeds, and write the folder.

    ``run`` says on what it was built and goes into evaluation.json; ``stepped`` is told the fit's number and its epochs done.
    """
    progress(f"{task.name}: {'recorded data in ' + root.name if root else 'no recorded data: scenarios only'}")
    read_sample(task.name)  # a sample of other features is refused now, and not after the fit
    material = task.gather(root, seeds[0], repeats, progress)
    progress(f"{len(material.train):,} training stories, {len(material.validation):,} for validation")
    fitted = [
        fit_task(
            task,
            material,
            root,
            seed,
            epochs=epochs,
            progress=progress,
            with_baselines=seed == seeds[0],
            checkpoints=checkpoints,
            stepped=partial(stepped, number),
        )
        for number, seed in enumerate(seeds)
    ]
    first = fitted[0]
    evaluation = evaluate(task, material, fitted) | {"run": asdict(run)}
    trained = {
        "seed": first.seed,
        "windows": first.windows,
        "parameters": first.parameters,
        "epochs": first.epochs,
        "sources": list(material.sources),
        "alerts_per_entity_day": task.alerts_per_entity_day,
        "architecture": task.sizes.to_dict(),
        "recipe": recipe(task, repeats=repeats, epochs=epochs),
    }
    write_artifact(task, Built(first.model, first.scaling, first.threshold, trained, evaluation), folder)
    for name, figures in evaluation["tests"].items():
        windows = {key: value["mean"] for key, value in figures["windows"].items()}
        entities = figures["entities"]["recall"]["mean"]
        progress(f"{name}: recall {windows['recall']} fpr {windows['fpr']} auc {windows['auc']}, entities {entities}")
    progress(f"written to {folder}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.build", description=__doc__)
    parser.add_argument("detector", nargs="?", default="all", choices=["all", *TASKS])
    parser.add_argument("--seed", type=int, default=1, help="seed of the shipped model")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds the figures are taken over, from --seed on")
    parser.add_argument(
        "--repeats", type=int, default=0, help="stories of each attack family (default: those of the shipped models)"
    )
    parser.add_argument("--epochs", type=int, default=0, help="at most (default: those of the shipped models)")
    parser.add_argument("--out", type=Path, default=ARTIFACTS, help="folder of the detectors' folders")
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    root, wanted = data_root(), list(TASKS) if arguments.detector == "all" else [arguments.detector]
    try:
        run = Run.of(root)
    except JobError as error:
        parser.error(f"recorded data is not as published: {error}")
    settings = [arguments.seed, arguments.seeds, arguments.repeats, arguments.epochs]
    name_of_run = run.digest(settings)
    checkpoints = Checkpoints(_CHECKPOINTS / name_of_run[:12], name_of_run)
    seeds = list(range(arguments.seed, arguments.seed + arguments.seeds))
    epochs = {name: arguments.epochs or EPOCHS[name] for name in wanted}
    start = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, disable=not sys.stderr.isatty(), console=Console(stderr=True)) as bar:
        epochs_done = EpochsDone(bar, seeds, epochs)
        for name in wanted:
            build(
                TASKS[name](), root, seeds, repeats=arguments.repeats or REPEATS[name], epochs=epochs[name],
                folder=arguments.out / name, progress=progress_since(start), run=run, checkpoints=checkpoints,
                stepped=partial(epochs_done.show, name),
            )  # fmt: skip
            ledger.record_detector(arguments.out / name)
            epochs_done.finish(name)
    shutil.rmtree(checkpoints.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
