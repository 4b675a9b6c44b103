"""The report's figures, as SVG files beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from training.benchmarks.assess import Outcome, at_boundary, average_precision, calibration, outcomes, precision_recall
from training.benchmarks.jobs import NETWORKS, SEEDS
from training.benchmarks.protocols import OFFICIAL, RANDOM
from training.benchmarks.rivals import RIVALS
from training.benchmarks.tuning import STUDY

FIGURES = Path(__file__).resolve().parents[2] / "docs" / "figures"
TITLES = {
    "svm": "linear SVM", "random_forest": "random forest", "lightgbm": "LightGBM", "lstm": "LSTM", "cnn_lstm": "CNN-LSTM",
    "nsl_random": "NSL-KDD, random", "cicids_random": "CICIDS2017, random", "nsl_official": "KDDTrain+ → KDDTest+",
}  # fmt: skip
MODELS = (*RIVALS, *NETWORKS)
PAPER = {"accuracy": 98.7, "f1": 98.2, "fpr": 1.3}


def draw_all() -> list[str]:
    """Draw every figure that there are results for; returns the names of the files."""
    drawn = [name for name, draw in _DRAWINGS.items() if draw(name)]
    return drawn


def _accuracy_per_epoch(name: str) -> bool:
    with _axes(name, 2, "epoch", "accuracy (%)") as axes:
        for place, protocol in zip(axes, RANDOM, strict=True):
            for model, colour in zip(NETWORKS, ("tab:gray", "tab:blue"), strict=True):
                for index, outcome in enumerate(outcomes(protocol, model)):
                    history = outcome.result["details"]["history"]
                    for curve, style in (("accuracy", "--"), ("val_accuracy", "-")):
                        label = f"{TITLES[model]}, {'training' if curve == 'accuracy' else 'validation'}" if index == 0 else None
                        epochs = range(1, len(history[curve]) + 1)
                        place.plot(epochs, 100 * np.array(history[curve]), style, color=colour, lw=0.9, label=label)
            place.axhline(PAPER["accuracy"], color="tab:red", lw=0.8, ls=":", label="the paper's accuracy")
            place.set_ylim(96, 100.1)
            place.set_title(TITLES[protocol])
        axes[0].legend(fontsize=7)
    return True


def _false_positives(name: str) -> bool:
    protocols = (*RANDOM, OFFICIAL)
    with _axes(name, 3, "", "false positives (% of benign)") as axes:
        for place, protocol in zip(axes, protocols, strict=True):
            for index, model in enumerate(MODELS):
                rates = [100 * at_boundary(outcome, outcome.tests[0]).fpr for outcome in outcomes(protocol, model)]
                if rates:
                    place.bar(index, np.mean(rates), color="tab:blue" if model == "cnn_lstm" else "tab:gray", width=0.7)
                    place.plot([index] * len(rates), rates, "k.", ms=3)
            place.axhline(PAPER["fpr"], color="tab:red", lw=0.8, ls=":")
            place.set_xticks(range(len(MODELS)), [TITLES[model] for model in MODELS], rotation=35, ha="right", fontsize=7)
            place.set_title(TITLES[protocol])
    return True


def _precision_recall(name: str) -> bool:
    with _axes(name, 3, "recall", "precision") as axes:
        for place, protocol in zip(axes, (*RANDOM, OFFICIAL), strict=True):
            for model in MODELS:
                for outcome in _first(protocol, model):
                    truth, score = outcome.truth(outcome.tests[0]), outcome.scores(outcome.tests[0])
                    _, precision, recall = precision_recall(truth, score)
                    keep = np.unique(np.linspace(0, len(recall) - 1, 400).astype(int))
                    label = f"{TITLES[model]} {average_precision(truth, score):.4f}"
                    place.plot(recall[keep], precision[keep], lw=1, label=label)
            place.set_ylim(0.5 if protocol == OFFICIAL else 0.97, 1.003)
            place.set_title(f"{TITLES[protocol]} (average precision)", fontsize=8)
            place.legend(fontsize=6)
    return True


def _calibration(name: str) -> bool:
    with _axes(name, 3, "score, mean of its tenth", "share of attacks") as axes:
        for place, protocol in zip(axes, (*RANDOM, OFFICIAL), strict=True):
            place.plot([0, 1], [0, 1], "k:", lw=0.7)
            for model in ("lightgbm", "cnn_lstm"):
                for outcome in _first(protocol, model):
                    test = outcome.tests[0]
                    points = calibration(outcome.truth(test), outcome.scores(test))
                    place.plot([x for x, _, _ in points], [y for _, y, _ in points], "o-", ms=3, lw=1, label=TITLES[model])
            place.set_title(TITLES[protocol])
        axes[0].legend(fontsize=7)
    return True


def _tuning(name: str) -> bool:
    if not STUDY.is_file():
        return False
    trials: list[dict[str, Any]] = json.loads(STUDY.read_text())["trials"]
    losses = [trial["loss"] for trial in trials]
    settings = ("rate", "dropout", "filters")
    with _axes(name, 4, "", "validation log-loss") as axes:
        axes[0].plot([trial["number"] for trial in trials], losses, "k.", label="trial")
        axes[0].plot(
            [trial["number"] for trial in trials], np.minimum.accumulate(losses), "-", color="tab:blue", label="best so far"
        )
        axes[0].set_xlabel("trial")
        axes[0].legend(fontsize=7)
        for place, setting in zip(axes[1:], settings, strict=True):
            place.scatter([trial["settings"][setting] for trial in trials], losses, c=range(len(trials)), cmap="viridis", s=14)
            place.set_xlabel(setting)
            if setting == "rate":
                place.set_xscale("log")
    return True


_DRAWINGS = {
    "accuracy-per-epoch.svg": _accuracy_per_epoch,
    "false-positives.svg": _false_positives,
    "precision-recall.svg": _precision_recall,
    "calibration.svg": _calibration,
    "tuning.svg": _tuning,
}


def _first(protocol: str, model: str) -> list[Outcome]:
    """The first seed, not the best."""
    return [outcome for outcome in outcomes(protocol, model) if outcome.job.seed == SEEDS[0]]


@contextmanager
def _axes(name: str, count: int, x: str, y: str) -> Iterator[Any]:
    """A row of axes, written as an SVG whose bytes depend on nothing but its content."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "breakwater", "font.size": 8, "axes.grid": True, "grid.alpha": 0.3})
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, count, figsize=(3.6 * count, 3.0), layout="constrained")
    for place in axes:
        place.set_xlabel(x)
    axes[0].set_ylabel(y)
    yield axes
    FIGURES.mkdir(parents=True, exist_ok=True)
    figure.savefig(FIGURES / name, metadata={"Date": None})
    plt.close(figure)
