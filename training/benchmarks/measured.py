"""Everything that the report says in numbers, as one JSON document: computed from stored scores, then only printed."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from training.benchmarks import ledger, nsl_kdd, specimen
from training.benchmarks.assess import (
    BUDGET,
    FORMS,
    RANDOM_BUDGET,
    Outcome,
    at_boundary,
    at_budget,
    at_random_budget,
    flips,
    outcomes,
    spread,
    summary,
    weigh_forms,
)
from training.benchmarks.encoding import fit_encoding
from training.benchmarks.figures import FIGURES, MODELS
from training.benchmarks.intervals import allows, at_rate, counted
from training.benchmarks.jobs import NETWORKS, SEEDS
from training.benchmarks.protocols import LEFT_OUT, OFFICIAL, RANDOM, TYPES_OUT, cleaned, split
from training.benchmarks.records import BENIGN, row_keys
from training.benchmarks.unseen import coarse
from training.datasets import catalogue

MEASURED = FIGURES / "benchmarks.json"
RATES = (1e-2, 1e-3, 1e-4)
OFFICIAL_TESTS = ("KDDTest+", "KDDTest-21")


def measure(root: Path) -> dict[str, Any]:
    """Compute every figure from the jobs that are done, write the document, and return it."""
    kept = outcomes(OFFICIAL, "cnn_lstm")
    if kept:
        first = kept[0]
        parts = split(OFFICIAL, first.job.seed, root)
        specimen.keep(coarse(fit_encoding(parts.train, parts.groups)), (first.job.folder / "model.tflite").read_bytes())
    form = weigh_forms("cnn_lstm", TYPES_OUT)[0].form
    document: dict[str, Any] = {
        "run": _run_record(),
        "data": _data(root),
        "boundary": {protocol: _boundary(protocol) for protocol in (*RANDOM, OFFICIAL)},
        "random_budget": {"share": RANDOM_BUDGET, **{protocol: _random_budget(protocol) for protocol in RANDOM}},
        "choice": {model: [_chosen(one) for one in weigh_forms(model, TYPES_OUT)] for model in ("cnn_lstm", "lightgbm")},
        "budget": BUDGET,
        "form": form,
        "forms": _official_forms(),
        "unseen": _unseen(),
        "ranking": _ranking(),
        "left_out": _left_out(),
        "rates": _rates(),
        "engines": _engines(),
        "looks": _looks(),
        "specimen": _specimen(),
    }
    if MEASURED.is_file():
        carry(json.loads(MEASURED.read_text(encoding="utf-8")), document)
    MEASURED.parent.mkdir(parents=True, exist_ok=True)
    MEASURED.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return document


def carry(earlier: dict[str, Any], document: dict[str, Any]) -> None:
    """Keep the figures of models of which this run has no scores, marked as carried: ``make evaluate`` replaces them.

    Only what a model says at its own boundary is kept. What an earlier rule made of it is not.
    """
    carried = document["carried"] = []
    for protocol, models in earlier["boundary"].items():
        for model, tests in models.items():
            if model not in document["boundary"][protocol]:
                document["boundary"][protocol][model] = tests
                carried.append([protocol, model])
    ordered = {
        protocol: {model: models[model] for model in MODELS if model in models}
        for protocol, models in document["boundary"].items()
    }
    document["boundary"] = ordered
    for protocol, entry in earlier["rates"].items():
        kept = document["rates"].setdefault(protocol, {"benign": entry["benign"], "models": {}})["models"]
        kept |= {model: cells for model, cells in entry["models"].items() if model not in kept}
    for protocol, models in earlier["engines"].items():
        kept = document["engines"].setdefault(protocol, {})
        kept |= {model: one for model, one in models.items() if model not in kept}
    for family, models in earlier["left_out"].items():
        kept = document["left_out"].setdefault(family, {})
        kept |= {model: {"boundary": one["boundary"]} for model, one in models.items() if model not in kept}


def _run_record() -> dict[str, Any]:
    packages = ("numpy", "scikit-learn", "lightgbm", "keras", "tensorflow-cpu", "ai-edge-litert", "optuna")
    files = [file for file in catalogue() if file.dataset in {"nsl_kdd", "cicids2017"}]
    return {
        "seeds": list(SEEDS),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "versions": {name: version(name) for name in packages},
        "sha256": {f"{file.dataset}/{file.name}": file.sha256 for file in files},
    }


def _data(root: Path) -> dict[str, Any]:
    described = {}
    for protocol in RANDOM:
        clean = cleaned(root, protocol)
        names, sizes = np.unique(clean.records.families, return_counts=True)
        described[protocol] = {
            "records": len(clean.records), "repeated": clean.repeated, "contradicting": clean.contradicting,
            "gaps": int(np.isnan(clean.records.numbers).sum()),
            "families": dict(zip(names.tolist(), sizes.tolist(), strict=True)),
        }  # fmt: skip
    train, test = nsl_kdd.load(root, nsl_kdd.TRAIN), nsl_kdd.load(root, nsl_kdd.TEST)
    known = set(row_keys(train).tolist())
    described["KDDTest+"] = {"records": len(test), "also_in_training": sum(key in known for key in row_keys(test).tolist())}
    return described


def _boundary(protocol: str) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    for model in MODELS:
        every = outcomes(protocol, model)
        if every:
            rows[model] = {test: summary([at_boundary(one, test) for one in every]) for test in every[0].tests}
    return rows


def _random_budget(protocol: str) -> dict[str, Any]:
    found = {model: outcomes(protocol, model) for model in MODELS}
    return {model: summary([at_random_budget(one, one.tests[0]) for one in every]) for model, every in found.items() if every}


def _chosen(one: Any) -> dict[str, Any]:
    return {"form": one.form, "by_type": one.by_type, "by_record": one.by_record, "fpr": one.fpr, "types": one.types}


def _official_forms() -> dict[str, Any]:
    return {
        model: {
            test: {form: summary([at_budget(one, test, form) for one in outcomes(OFFICIAL, model)]) for form in FORMS}
            for test in OFFICIAL_TESTS
        }
        for model in MODELS
        if outcomes(OFFICIAL, model)
    }


def _unseen() -> dict[str, Any]:
    """Per attack type of KDDTest+ that training lacks: detected of all, first seed, by the network and by LightGBM."""
    found: dict[str, Any] = {}
    form = weigh_forms("cnn_lstm", TYPES_OUT)[0].form
    for model in ("cnn_lstm", "lightgbm"):
        every = outcomes(OFFICIAL, model)
        if not every:
            continue
        attacks = every[0].attacks("KDDTest+")
        unseen = sorted(set(attacks.tolist()) - set(every[0].result["trained_on"]) - {BENIGN})
        ways = {"boundary": [one.scores("KDDTest+") >= 0.5 for one in every]}
        ways["budget"] = [one.surprise("KDDTest+", form) >= -np.log(BUDGET) for one in every]
        found[model] = {
            way: {
                "types": {name: _k_of_n(alarms[0][attacks == name]) for name in unseen},
                "all": spread(float(alarm[np.isin(attacks, unseen)].mean()) for alarm in alarms),
                "seen": spread(float(alarm[~np.isin(attacks, [*unseen, BENIGN])].mean()) for alarm in alarms),
            }
            for way, alarms in ways.items()
        }
    return found


def _k_of_n(alarm: Any) -> dict[str, Any]:
    share = counted(int(alarm.sum()), len(alarm))
    return {"found": share.found, "of": share.trials, "low": round(share.low, 4), "high": round(share.high, 4)}


def _ranking() -> dict[str, Any]:
    """What a threshold picked on KDDTest+ itself would give: what the ranking is worth, not what anyone can reach."""
    form = weigh_forms("cnn_lstm", TYPES_OUT)[0].form
    ranked: dict[str, Any] = {}
    for model in MODELS:
        every = outcomes(OFFICIAL, model)
        scores = {"own": [one.scores("KDDTest+") for one in every], "form": [one.surprise("KDDTest+", form) for one in every]}
        if every:
            ranked[model] = {
                kind: {
                    "oracle": spread(
                        _best_accuracy(one.truth("KDDTest+"), score) for one, score in zip(every, listed, strict=True)
                    ),
                    "at_4": spread(
                        _accuracy_at(one.truth("KDDTest+"), score, 0.04) for one, score in zip(every, listed, strict=True)
                    ),
                }
                for kind, listed in scores.items()
            }
    return ranked


def _best_accuracy(truth: Any, score: Any) -> float:
    order = np.argsort(-score, kind="stable")
    ends = np.r_[np.flatnonzero(np.diff(score[order])), len(score) - 1]
    gained = np.cumsum(np.where(truth[order], 1, -1))[ends]
    return float((int((~truth).sum()) + gained.max()) / len(truth))


def _accuracy_at(truth: Any, score: Any, fpr: float) -> float:
    reached = at_rate(truth, score, fpr)
    return float("nan") if reached is None else float(np.mean((score >= reached.threshold) == truth))


def _left_out() -> dict[str, Any]:
    """Each family left out of training: detected of all, at the boundary and at the budget, and benign alarms."""
    found: dict[str, Any] = {}
    form = weigh_forms("cnn_lstm", TYPES_OUT)[0].form
    for protocol in LEFT_OUT:
        for model in ("lightgbm", "cnn_lstm"):
            for one in outcomes(protocol, model)[:1]:
                (test,) = one.tests
                truth = one.truth(test)
                ways = {"boundary": one.scores(test) >= 0.5, "budget": one.surprise(test, form) >= -np.log(BUDGET)}
                found.setdefault(test, {})[model] = {
                    way: {"found": _k_of_n(alarm[truth]), "false": _k_of_n(alarm[~truth])} for way, alarm in ways.items()
                }
    return found


def _rates() -> dict[str, Any]:
    """Recall at fixed false-positive rates, by protocol and model; None where the sample is too small to speak of the rate."""
    table: dict[str, Any] = {}
    for protocol in (*RANDOM, OFFICIAL):
        for model in MODELS:
            every = outcomes(protocol, model)
            for test in every[0].tests[:1] if every else ():
                benign = int((~every[0].truth(test)).sum())
                cells = {f"{rate:g}": _recall_at(every, test, rate) if allows(rate, benign) else None for rate in RATES}
                table.setdefault(protocol, {"benign": benign, "models": {}})["models"][model] = cells
    return table


def _recall_at(every: list[Outcome], test: str, rate: float) -> dict[str, float]:
    found = [at_rate(one.truth(test), one.scores(test), rate) for one in every]
    return spread(one.recall for one in found if one is not None)


def _engines() -> dict[str, Any]:
    table: dict[str, Any] = {}
    for protocol in (*RANDOM, OFFICIAL):
        for model in NETWORKS:
            every = outcomes(protocol, model)
            if every:
                compared = [flips(one, every[0].tests[0]) for one in every]
                table.setdefault(protocol, {})[model] = {
                    "parameters": every[0].result["details"]["parameters"],
                    "bytes": max(one.result["details"]["bytes"] for one in every),
                    **{name: spread(one[name] for one in compared) for name in compared[0]},
                }
    return table


def _looks() -> dict[str, Any]:
    """Counts of the ledger, the official tests first."""
    counts = ledger.counts(ledger.looks())
    tests = [*OFFICIAL_TESTS, *(test for test in counts if test not in OFFICIAL_TESTS)]
    return {test: {model: asdict(one) for model, one in counts[test].items()} for test in tests if test in counts}


def _specimen() -> dict[str, Any]:
    answer = specimen.answer()
    return {"rows": answer.rows, "high": answer.high, "mean_score": answer.mean_score, "sha256": answer.sha256}
