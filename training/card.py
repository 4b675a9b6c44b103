"""The model card, written from detector.json and evaluation.json and from nothing else."""

# ruff: noqa: E501  (prose of the card)
from __future__ import annotations

import math
from typing import Any

from training.benchmarks.intervals import UPPER

#: What the paper states (its data: NSL-KDD and CICIDS2017; the split is not stated for each).
PAPER = {"accuracy": 0.987, "f1": 0.982, "fpr": 0.013}
_INTENDED = {
    "network": "sequences of two-way flows of one initiating address, from VPC Flow Logs and VNet flow logs",
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
        _threshold(detector, evaluation),
        "",
        "## Figures on what it never saw",
        "",
        _seeds(evaluation),
        "",
        "Windows: 16 events, scored where serving scores them; windows in which an attack has only begun are left out. Entities: alert when any window does. "
        "A rate of fewer than three events (n < 3 / rate) is given as its upper bound, one-sided 95 %.",
        "",
        "| test set | attack / benign windows | attack / benign entities | accuracy | F1 | recall | FPR | AUC | entity recall | entity FPR | false alarms per entity-day | right class |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
        *[_row(name, figures) for name, figures in evaluation["tests"].items()],
        "",
        "Beside it, on the same windows, what a model of the last event alone reaches (AUC; recall at the threshold that gives the detector's own FPR there):",
        "",
        "| test set | detector | logistic regression | random forest |",
        "|---|---|---|---|",
        *[_baseline_row(name, figures) for name, figures in evaluation["tests"].items() if figures["baselines"]],
        "",
        *_counted(evaluation),
        *_controls(evaluation),
        *_sample(evaluation["sample"]),
        f"int8 against float32 on validation windows: {_percent(evaluation['parity']['flips'])} of decisions differ, largest difference in "
        f"probability {evaluation['parity']['largest']:.3f}.",
        "",
        "### Attack entities detected, by family or technique",
        "",
        "| family | detected, all seeds | shipped, at the strict threshold |",
        "|---|---|---|",
        *[
            f"| {family} | {_percent(share)} | {_pair(figures, family)} |"
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


def _threshold(detector: dict[str, Any], evaluation: dict[str, Any]) -> str:
    budget = f"the smallest at which benign validation entities raise at most {detector['trained']['alerts_per_entity_day']} alerts per entity-day"
    how = " (one alert an entity and hour), and never below 0.5: the benign output was moved so that it lies there"
    return f"Threshold {detector['threshold']}: {budget}{how}. No test data had a part in weights, threshold or stopping; figures on test data were looked at between versions, as the limits say. A deployment calibrates its own threshold from its own scores."


def _counted(evaluation: dict[str, Any]) -> list[str]:
    """Attack entities as k of n, and alerts as an operator counts them, of the shipped seed."""
    strict = evaluation["strict_thresholds"][0]
    lines = [
        "### Counted",
        "",
        f"The shipped model, at its own threshold and at {strict}, the smallest at which benign validation entities raise at most 1 alert per 1,000 entity-days. Attack entities detected "
        "as k of n with the exact 95 % interval, and families (techniques, cases) of which at least half of the entities are; entities of one family are alike, so that the interval is "
        "narrower than what is known. Alerts are counted one an entity and hour. Where fewer than 3,000 entity-days were watched, no alert at all only bounds the rate: 3 divided by the entity-days.",
        "",
    ]
    for kind in ("generated", "recorded"):
        tests = {name: figures for name, figures in evaluation["tests"].items() if figures["benign"] == kind}
        if not tests:
            continue
        lines += [
            f"Test sets whose benign entities are **{kind}**:",
            "",
            "| test set | detected | families | at the strict threshold | strict, all seeds | alerts of benign entities | strict | entity-days | benign events | alerts per million events, strict |",
            "|---|---|---|---|---|---|---|---|---|---|",
            *[_counted_row(name, figures) for name, figures in tests.items()],
            "",
        ]
    rated = {name: figures["rates"] for name, figures in evaluation["tests"].items() if any(figures["rates"].values())}
    if rated:
        lines += [
            "Recall of windows at a false-positive rate among the same set's benign windows (the ranking's worth, where the sample allows the rate: n ≥ 3 / rate):",
            "",
            "| test set | at FPR 1e-2 | at FPR 1e-3 |",
            "|---|---|---|",
            *[f"| {name} | {_percent(rates['0.01'])} | {_percent(rates['0.001'])} |" for name, rates in rated.items()],
            "",
        ]
    return lines


def _counted_row(name: str, figures: dict[str, Any]) -> str:
    alerts, own = figures["alerts"], figures["detected"]
    families = [2 * found >= of for found, of in own["by_family"].values()]
    cells = [
        name,
        _k_of_n(own),
        f"{sum(families)} of {len(families)}" if families else "–",
        _k_of_n(figures["strict"]),
        _spread(figures["strict"]["recall"]),
        str(alerts["own"][0]),
        str(alerts["strict"][0]),
        f"{alerts['entity_days']:,.1f}",
        f"{alerts['events']:,}",
        per(1e6, alerts["strict"][0], alerts["events"]),
    ]
    return "| " + " | ".join(cells) + " |"


def per(unit: float, count: int, of: float) -> str:
    """``count`` per ``unit`` of ``of``; its upper bound where fewer than three were counted."""
    if not of:
        return "–"
    return f"{unit * count / of:,.0f}" if count >= len(UPPER) else f"≤ {unit * UPPER[count] / of:,.0f}"


def _k_of_n(detected: dict[str, Any]) -> str:
    if not detected["of"]:
        return "–"
    low, high = detected["interval"]
    return f"{detected['found']} of {detected['of']} ({100 * low:.0f}–{100 * high:.0f} %)"


def _pair(figures: dict[str, Any], family: str) -> str:
    found = figures["strict"]["by_family"].get(family)
    return f"{found[0]} of {found[1]}" if found else "–"


def _controls(evaluation: dict[str, Any]) -> list[str]:
    controls = evaluation["controls"]
    lines = ["### Controls", "", "What must come out near chance (AUC 0.5), or the protocol is broken:", ""]
    for name, figures in evaluation["tests"].items():
        if found := figures["replaced"]:
            lines.append(
                f"- attacks of “{name}” replaced by the owner's own calls in the same places ({found['controls']} stories) against the windows of other benign entities: AUC {_number(found['auc'])}; "
                f"{_percent(found['alarm'])} of their windows alarm, {_percent(found['others_alarm'])} of the others'"
            )
    if controls["only_lengths"]:
        lines.append(
            f"- a forest that sees of a window only how much of it is padding: AUC {_number(controls['only_lengths']['auc'])}"
        )
    for name, found in controls["separability"].items():
        lines.append(
            f"- generated against recorded benign windows, told apart by a forest ({name}; {found['generated']:,} and {found['real']:,} windows): AUC {_number(found['auc'])}. At 1 they are "
            "perfectly apart: false alarms on generated records then say little about real ones"
        )
    return [*lines, ""]


def _seeds(evaluation: dict[str, Any]) -> str:
    seeds = evaluation["seeds"]
    if len(seeds) == 1:
        return f"One seed ({seeds[0]})."
    return f"Seeds {', '.join(map(str, seeds))}: mean ± standard deviation, each with its own threshold. The shipped model is seed {seeds[0]}, not the best one."


def _row(name: str, figures: dict[str, Any]) -> str:
    windows, entities = figures["windows"], figures["entities"]
    attack, benign = (figures[f"{kind}_windows"] for kind in ("attack", "benign"))
    attackers, others = (figures[f"{kind}_entities"] for kind in ("attack", "benign"))
    cells = [
        name,
        f"{attack:,} / {benign:,}",
        f"{attackers:,} / {others:,}",
        _spread(windows["accuracy"]),
        _spread(windows["f1"]) if attack else "–",
        _rate(windows["recall"], attack),
        _rate(windows["fpr"], benign),
        _spread(windows["auc"], percent=False),
        _rate(entities["recall"], attackers),
        _rate(entities["fpr"], others),
        _rate(figures["false_alarms_per_entity_day"], figures["alerts"]["entity_days"], percent=False),
        _spread(figures["right_class"]),
    ]
    return "| " + " | ".join(cells) + " |"


def _rate(value: dict[str, float | None], of: float | None, *, percent: bool = True) -> str:
    """Mean ± spread of a rate over ``of`` trials, or its upper bound where those hold fewer than three events; – where that says nothing."""
    mean = value["mean"]
    events = len(UPPER) if mean is None or of is None else math.ceil(round(mean * of, 6))
    if events >= len(UPPER) or not of:
        return _spread(value, percent=percent)
    bound = UPPER[events] / of
    if not percent:
        return f"≤ {bound:.3f}"
    return f"≤ {100 * bound:.{1 if bound >= 0.001 else 2}f} %" if bound < 1 else "–"


def _sample(sample: dict[str, Any]) -> list[str]:
    windows = sample["windows"]
    return [
        "### On the stored sample",
        "",
        "Generated stories of held-out families that are kept with the code (`training/evaluation_sample`), so that anybody can compute this row again from the model; a test does.",
        "",
        "| attack entities detected | benign entities that alarm | accuracy of windows | F1 | recall | FPR | AUC |",
        "|---|---|---|---|---|---|---|",
        f"| {sample['detected']} of {sample['attack_entities']} | {sample['alarming']} of {sample['benign_entities']} | "
        + " | ".join(f"{_percent(windows[name])}" for name in ("accuracy", "f1", "recall", "fpr"))
        + f" | {windows['auc']:.3f} |",
        "",
    ]


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
