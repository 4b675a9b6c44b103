"""One seed's model: learnt on training windows, then quantized and given its thresholds on benign validation data.

The stages of a build and the trials that fit a detector again share this. No test is seen here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.alerts import hourly
from training.checkpoints import Keeping
from training.evaluation import Score, score_stories
from training.export import CALIBRATION_SEQUENCES, Weights, run_tflite, to_int8, weights_of
from training.fitting import Labelled, Progress, Scaling, fit, fit_scaling, pretrain_events, with_honest
from training.sequences import Story, training_windows
from training.tasks import Material, Task

#: Alerts per entity-day at which figures are told beside those at the detector's own threshold.
STRICT = 0.001


@dataclass(frozen=True, slots=True)
class Examples:
    """What one seed learns from: scaled windows, those that decide when to stop, and the scaling of both."""

    learnt: Labelled
    watched: Labelled
    scaling: Scaling


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a fit found.

    Attributes
    ----------
    weights : Weights
    scaling : Scaling
    calibration : float32 (400, T, F)
        Scaled training windows that set the ranges of the quantized activations.
    stopping : float32 (n, T, F)
        Scaled windows that decided when to stop: float32 and int8 are compared on them.
    windows, parameters, epochs : int
        Windows learnt from, parameters of the network, epochs until the fit stopped.
    """

    weights: Weights
    scaling: Scaling
    calibration: NDArray[np.float32]
    stopping: NDArray[np.float32]
    windows: int
    parameters: int
    epochs: int


@dataclass(frozen=True, slots=True)
class Tuned:
    """A fit with everything that was decided on benign validation data.

    Attributes
    ----------
    weights : Weights
        The benign output moved so that the detector's own threshold lies at 0.5.
    model : bytes
        The int8 TFLite file of these weights.
    threshold, strict : float
        The detector's own threshold, and the one at :data:`STRICT` alerts per entity-day.
    """

    weights: Weights
    model: bytes
    threshold: float
    strict: float


def examples(task: Task, material: Material, seed: int, progress: Progress) -> Examples:
    """Draw one seed's windows and scale them; the same seed draws the same."""
    rng = np.random.default_rng(seed)
    train = training_windows(material.train, rng, enough=task.enough)
    stopping = training_windows(material.stopping, rng, enough=task.enough)
    dense = task.dense(train.rows)
    scaling = rounded(fit_scaling(dense))
    order = rng.permutation(len(train))
    learnt = Labelled(scaling.apply(dense)[order], train.classes[order])
    watched = Labelled(scaling.apply(task.dense(stopping.rows)), stopping.classes)
    progress(f"{len(train):,} training windows, by class {np.bincount(train.classes, minlength=len(task.classes)).tolist()}")
    if material.honest is not None:
        honest = scaling.apply(task.dense(material.honest.rows))
        learnt = with_honest(learnt, honest, len(task.classes), benign=task.benign, share=task.honest)
        progress(f"{len(honest):,} more in which honest principals do what they never did")
    return Examples(learnt, watched, scaling)


def learn(
    task: Task, material: Material, root: Path | None, seed: int, *, epochs: int, progress: Progress,
    keeping: Keeping | None = None, stepped: Callable[[int], None] = lambda _: None,
) -> Learnt:  # fmt: skip
    """Fit the network, from training and stopping stories only.

    With ``keeping``, an interrupted fit goes on after its last whole epoch. ``stepped`` is told how many epochs are done.
    """
    drawn = examples(task, material, seed, progress)
    start = None
    if root is not None and task.single_events is not None and (keeping is None or keeping.state() is None):
        rows, classes = task.single_events(root, seed)
        progress(f"{len(rows):,} single flows start the layer that sees single events")
        start = pretrain_events(task.sizes, drawn.scaling.apply(rows), classes, seed=seed, epochs=4, progress=progress)
    count = 0

    def counted(text: str) -> None:
        nonlocal count
        count += 1
        progress(text)
        stepped(count)

    model = fit(
        task.sizes, drawn.learnt, drawn.watched, seed=seed, epochs=epochs, progress=counted, benign=task.benign,
        event_weights=start, keeping=keeping,
    )  # fmt: skip
    weights = weights_of(model)
    return Learnt(
        weights, drawn.scaling, drawn.learnt.windows[:CALIBRATION_SEQUENCES].copy(), drawn.watched.windows,
        windows=len(drawn.learnt.classes), parameters=sum(int(array.size) for arrays in weights.values() for array in arrays),
        epochs=count,
    )  # fmt: skip


def tune(task: Task, benign: list[Story], learnt: Learnt, progress: Progress) -> Tuned:
    """Quantize, move the benign output, and set both thresholds, on benign validation entities and nothing else."""

    def quantized(weights: Weights) -> bytes:
        return to_int8(weights, task.sizes, learnt.calibration)

    first = hourly(score_stories(benign, scorer(task, learnt.scaling, quantized(learnt.weights))))
    weights = centred(learnt.weights, first.threshold(task.alerts_per_entity_day))
    model = quantized(weights)
    progress(f"{learnt.parameters:,} parameters, {len(model):,} bytes int8")
    seen = hourly(score_stories(benign, scorer(task, learnt.scaling, model)))
    threshold, strict = (
        min(max(round(seen.threshold(budget), 6), 0.5), 0.99999) for budget in (task.alerts_per_entity_day, STRICT)
    )
    progress(
        f"threshold {threshold}, strict {strict}; {len(benign)} benign validation entities, {seen.entity_days:.1f} entity-days"
    )
    return Tuned(weights, model, threshold, strict)


def benign_of(material: Material) -> list[Story]:
    """Benign validation entities, the measure of thresholds: those that are watched for days where there are such."""
    return [story for story in material.watched or material.validation if not story.attack]


def scorer(task: Task, scaling: Scaling, model: bytes) -> Score:
    """Score windows as the TFLite file would when it serves."""
    return lambda rows: run_tflite(model, scaling.apply(task.dense(rows)))


def centred(weights: Weights, threshold: float) -> Weights:
    """Weights whose benign logit is moved so that what was ``threshold`` becomes 0.5.

    The share of attacks in training is chosen, not found: what a probability of 0.5 means is settled on benign validation data.
    """
    moved = dict(weights)
    kernel, bias = moved["logits"]
    bias = bias.copy()
    odds = min(max(threshold, 1e-4), 1 - 1e-4)
    bias[0] += math.log(odds / (1 - odds))
    moved["logits"] = (kernel, bias)
    return moved


def rounded(scaling: Scaling) -> Scaling:
    """Scaling with the numbers that detector.json will carry."""
    return Scaling(scaling.center, np.array([float(f"{value:.6g}") for value in scaling.scale], np.float32))
