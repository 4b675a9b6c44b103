"""The model card, written from detector.json and evaluation.json and from nothing else."""

# ruff: noqa: E501  (prose of the card)
from __future__ import annotations

from typing import Any

#: What the paper states (its data: NSL-KDD and CICIDS2017; the split is not stated for each).
PAPER = {"accuracy": 0.987, "f1": 0.982, "fpr": 0.013}
_INTENDED = {
    "network": "sequences of two-way flows of one initiating address, from VPC Flow Logs (later VNet flow logs)",
    "audit": "sequences of API calls of one principal or session, and of system-log records of one host",
}


def model_card(detector: dict[str, Any], evaluation: dict[str, Any]) -> str:
    """Return the card as Markdown. Every figure in it stands in ``evaluation`` too."""
    trained, model = detector["trained"], detector["model"]
    lines = [
        f"# Detector `{detector['name']}` {detector['version']}",
        "",
        "Written by `python -m training.build`; figures are those of `evaluation.json`.",
        "",
        "## What it is",
        "",
        f"An int8 CNN-LSTM over {_INTENDED[detector['name']]}: {detector['window']} events a window, "
        f"{len(detector['features'])} features an event, {trained['parameters']:,} parameters, {model['bytes']:,} bytes, built-in TFLite operators only.",
        f"It names one of {len(detector['classes'])} classes: "
        + ", ".join(
            f"{item['name']}{' (' + item['technique'] + ')' if item['technique'] else ''}" for item in detector["classes"]
        )
        + ".",
        "",
        "## What it was trained on",
        "",
        *[f"- {source}" for source in trained["sources"]],
        f"- {trained['windows']:,} windows; seed {trained['seed']}; stopped after {trained['epochs']} epochs.",
        "",
        f"Threshold {detector['threshold']}: the smallest at which benign validation entities raise at most {trained['alerts_per_entity_day']} alerts per "
        "entity-day. No test data had a part in weights, threshold, features or stopping. A deployment calibrates its own threshold from its own scores.",
        "",
        "## Figures on what it never saw",
        "",
        _seeds(evaluation),
        "",
        "Windows: 16 events, scored where serving scores them; windows in which an attack has only begun are left out. Entities: alert when any window does.",
        "",
        "| test set | attack / benign windows | accuracy | F1 | recall | FPR | AUC | entity recall | entity FPR | false alarms per entity-day | right class |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
        *[_row(name, figures) for name, figures in evaluation["tests"].items()],
        "",
        "Beside it, on the same windows, what a model of the last event alone reaches (AUC; recall at the threshold that gives the detector's own FPR there):",
        "",
        "| test set | detector | logistic regression | random forest |",
        "|---|---|---|---|",
        *[_baseline_row(name, figures) for name, figures in evaluation["tests"].items() if figures["baselines"]],
        "",
        f"int8 against float32 on validation windows: {_percent(evaluation['parity']['flips'])} of decisions differ, largest difference in "
        f"probability {evaluation['parity']['largest']:.3f}.",
        "",
        "### Attack entities detected, by family or technique",
        "",
        "| family | detected |",
        "|---|---|",
        *[
            f"| {family} | {_percent(share)} |"
            for figures in evaluation["tests"].values()
            for family, share in figures["recall_by_family"].items()
        ],
        "",
        "### Benign entities that alarm, by family (those that do)",
        "",
        "| family | alarm |",
        "|---|---|",
        *[
            f"| {family} | {_percent(share)} |"
            for figures in evaluation["tests"].values()
            for family, share in figures["alarms_by_family"].items()
            if share
        ],
        "",
        "## Beside the paper",
        "",
        f"The paper reports accuracy {_percent(PAPER['accuracy'])}, F1 {_percent(PAPER['f1'])}, FPR {_percent(PAPER['fpr'])} on NSL-KDD and CICIDS2017. Those are single records with the "
        "benchmark's own features, its split is not stated, and random splits of those sets let a linear model reach 97 to 99 %. The figures above are sequences of what cloud logs "
        "carry, tested on families, techniques and captures that training never saw. The two cannot be compared as numbers; they stand side by side so that nobody has to guess.",
        "",
        "## Limits",
        "",
        *[f"- {limit}" for limit in evaluation["limits"]],
        "",
    ]
    return "\n".join(lines)


def _seeds(evaluation: dict[str, Any]) -> str:
    seeds = evaluation["seeds"]
    if len(seeds) == 1:
        return f"One seed ({seeds[0]})."
    return f"Seeds {', '.join(map(str, seeds))}: mean ± standard deviation, each with its own threshold. The shipped model is seed {seeds[0]}, not the best one."


def _row(name: str, figures: dict[str, Any]) -> str:
    windows, entities = figures["windows"], figures["entities"]
    cells = [
        name,
        f"{figures['attack_windows']:,} / {figures['benign_windows']:,}",
        *[_spread(windows[key]) for key in ("accuracy", "f1", "recall", "fpr")],
        _spread(windows["auc"], percent=False),
        _spread(entities["recall"]),
        _spread(entities["fpr"]),
        _spread(figures["false_alarms_per_entity_day"], percent=False),
        _spread(figures["right_class"]),
    ]
    return "| " + " | ".join(cells) + " |"


def _baseline_row(name: str, figures: dict[str, Any]) -> str:
    cells = [f"{_spread(figures['windows']['auc'], percent=False)}; {_spread(figures['windows']['recall'])}"]
    cells += [
        f"{_number(figures['baselines'][kind]['auc'])}; {_percent(figures['baselines'][kind]['recall'])}"
        for kind in ("logistic_regression", "random_forest")
    ]
    return f"| {name} | " + " | ".join(cells) + " |"


def _spread(value: dict[str, float | None], *, percent: bool = True) -> str:
    mean, spread = value["mean"], value["spread"]
    if mean is None or spread is None:
        return "–"
    return f"{100 * mean:.1f} ± {100 * spread:.1f} %" if percent else f"{mean:.3f} ± {spread:.3f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
