"""The report's figures, as SVG files beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from training.benchmarks.assess import Outcome, calibration, outcomes, precision_recall
from training.benchmarks.jobs import NETWORKS, SEEDS
from training.benchmarks.protocols import OFFICIAL, RANDOM
from training.benchmarks.rivals import RIVALS
from training.benchmarks.tuning import STUDY
from training.trials import stage
from training.trials.measures import average_precision
from training.trials.platforms import PAPER_MS

FIGURES = Path(__file__).resolve().parents[2] / "docs" / "figures"
TITLES = {
    "svm": "linear SVM", "random_forest": "random forest", "lightgbm": "LightGBM", "lstm": "LSTM", "cnn_lstm": "CNN-LSTM",
    "nsl_random": "NSL-KDD, random", "cicids_random": "CICIDS2017, random", "nsl_official": "KDDTrain+ → KDDTest+",
}  # fmt: skip
MODELS = (*RIVALS, *NETWORKS)
PAPER = {"accuracy": 98.7, "f1": 98.2, "fpr": 1.3}


def draw_all(document: dict[str, Any]) -> list[str]:
    """Draw every figure that there are results for; returns the names of the files, those of an earlier run included."""
    for name, draw in _DRAWINGS.items():
        draw(name, document)
    return sorted(path.name for path in FIGURES.glob("*.svg"))


def _accuracy_per_epoch(name: str, _: dict[str, Any]) -> None:
    if not any(outcomes(protocol, model) for protocol in RANDOM for model in NETWORKS):
        return
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


def _false_positives(name: str, document: dict[str, Any]) -> None:
    protocols = (*RANDOM, OFFICIAL)
    with _axes(name, 3, "", "false positives (% of benign)") as axes:
        for place, protocol in zip(axes, protocols, strict=True):
            for index, model in enumerate(MODELS):
                tests = document["boundary"][protocol].get(model)
                if tests:
                    rate = next(iter(tests.values()))["fpr"]
                    place.bar(index, rate["mean"], color="tab:blue" if model == "cnn_lstm" else "tab:gray", width=0.7)
                    place.errorbar(index, rate["mean"], rate["spread"], color="black", lw=1, capsize=2)
            place.axhline(PAPER["fpr"], color="tab:red", lw=0.8, ls=":")
            place.set_xticks(range(len(MODELS)), [TITLES[model] for model in MODELS], rotation=35, ha="right", fontsize=7)
            place.set_title(TITLES[protocol])


def _precision_recall(name: str, _: dict[str, Any]) -> None:
    if not _comparable():
        return
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


def _calibration(name: str, _: dict[str, Any]) -> None:
    if not _comparable():
        return
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


def _tuning(name: str, _: dict[str, Any]) -> None:
    if not STUDY.is_file():
        return
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


def _latency(name: str, _: dict[str, Any]) -> None:
    found = stage.document("platforms")
    known = {cloud: ms for cloud, ms in found["latency_ms"].items() if ms} if found is not None else {}
    if not known:
        return
    with _axes(name, 1, "", "decision on one API call (ms, median)") as (place,):
        for index, (cloud, ms) in enumerate(known.items()):
            for offset, height, colour in ((-0.2, ms, "tab:blue"), (0.2, PAPER_MS[cloud], "tab:gray")):
                place.bar(index + offset, height, color=colour, width=0.35)
                place.annotate(f"{height:g}", (index + offset, height), ha="center", va="bottom", fontsize=7)
        place.set_xticks(range(len(known)), [{"aws": "AWS", "azure": "Azure"}[cloud] for cloud in known])
        place.set_yscale("log")
        place.set_title("here (blue), as the paper claims (gray)", fontsize=8)


def _transfer(name: str, _: dict[str, Any]) -> None:
    found = stage.document("transfer")
    if found is None:
        return
    with _axes(name, 2, "share of the target's flows that is labelled (%)", "recall at FPR 1e-2 (%)") as axes:
        for place, pair in zip(axes, found["pairs"].values(), strict=False):
            for start, colour in (("pretrained", "tab:blue"), ("scratch", "tab:gray")):
                points = [
                    (100 * float(share), one[start]["recall_1e-2"]) for share, one in pair["shares"].items() if start in one
                ]
                known = [(share, 100 * recall["mean"], 100 * recall["spread"]) for share, recall in points if recall is not None]
                label = "pre-trained" if start == "pretrained" else "from scratch"
                if known:
                    shares, means, spreads = zip(*known, strict=True)
                    place.errorbar(shares, means, spreads, fmt="o-", ms=3, lw=1, color=colour, label=label)
            place.set_xscale("symlog", linthresh=1)
            place.set_title(f"{pair['source']} →\n{pair['target']}", fontsize=7)
        axes[0].legend(fontsize=7)


_DRAWINGS = {
    "accuracy-per-epoch.svg": _accuracy_per_epoch,
    "false-positives.svg": _false_positives,
    "precision-recall.svg": _precision_recall,
    "calibration.svg": _calibration,
    "tuning.svg": _tuning,
    "latency.svg": _latency,
    "transfer.svg": _transfer,
}


def _comparable() -> bool:
    """Whether the network and its best rival have scores under every protocol; a figure of an earlier run stays otherwise."""
    return all(_first(protocol, model) for protocol in (*RANDOM, OFFICIAL) for model in ("lightgbm", "cnn_lstm"))


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

    figure, rows = plt.subplots(1, count, figsize=(3.6 * count, 3.0), layout="constrained", squeeze=False)
    axes = rows[0]
    for place in axes:
        place.set_xlabel(x)
    axes[0].set_ylabel(y)
    yield axes
    FIGURES.mkdir(parents=True, exist_ok=True)
    figure.savefig(FIGURES / name, metadata={"Date": None})
    plt.close(figure)
