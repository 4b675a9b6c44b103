"""Cross-validation of the models of the paper's table 1: five folds of KDDTrain+, each record tested once.

The folds are scikit-learn's, stratified by family. A tenth of what is left for training stops and validates, as under the random
split; every model sees the same folds. Leaving attack types out (:mod:`training.benchmarks.protocols`) is the grouped form of it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from training.benchmarks import nsl_kdd, protocols
from training.benchmarks.encoding import Encoding, fit_encoding, plain_numbers
from training.benchmarks.jobs import NETWORKS, Job, distilled_lesson, fit_network
from training.benchmarks.protocols import Split
from training.benchmarks.records import Records
from training.benchmarks.rivals import RIVALS, boosted, fit_rival
from training.metrics import area_under_curve, mean_and_spread
from training.trials.stage import Document, Stage

FOLDS = 5
MODELS = (*RIVALS, *NETWORKS)
_PROTOCOL, _SEED, _BOUNDARY = "nsl_random", 1, 0.5


def cells() -> list[str]:
    """``MODEL_FOLD``, fold by fold, so that a run that is cut short has the same folds of all models."""
    return [f"{model}_{fold}" for fold in range(FOLDS) for model in MODELS]


def run(key: str, root: Path) -> Document:
    """Counts of one model on the fold that its training never saw, at the boundary of 0.5; networks as int8."""
    model, _, fold = key.rpartition("_")
    parts, encoding = _prepared(str(root), int(fold))
    (test,) = parts.tests.values()
    if model in NETWORKS:
        trees = boosted(_SEED).fit(plain_numbers(parts.train, encoding), parts.train.truth)
        job = Job(_PROTOCOL, model, _SEED)
        fitted = fit_network(job, distilled_lesson(job, parts, encoding, trees), lambda _: None)
        score = fitted.int8(test) if fitted.int8 is not None else fitted.score(test)
    else:
        rival = next(rival for rival in RIVALS if rival == model)
        score = fit_rival(rival, parts.train, encoding, seed=_SEED)(test)
    alarm, truth = score >= _BOUNDARY, test.truth
    return {
        "hit": int((alarm & truth).sum()), "missed": int((~alarm & truth).sum()), "false": int((alarm & ~truth).sum()),
        "quiet": int((~alarm & ~truth).sum()), "auc": area_under_curve(truth, score),
    }  # fmt: skip


def divided(records: Records, fold: int) -> Split:
    """What trains, what validates (a tenth of it) and what is tested in one fold; every record is tested in exactly one."""
    from sklearn.model_selection import StratifiedKFold, train_test_split

    every = StratifiedKFold(FOLDS, shuffle=True, random_state=_SEED).split(np.zeros(len(records)), records.families)
    rest, tested = list(every)[fold]
    learnt, watched = train_test_split(rest, test_size=0.1, random_state=_SEED, stratify=records.families[rest])
    return Split(records.take(learnt), records.take(watched), {f"fold {fold}": records.take(tested)}, nsl_kdd.GROUPS)


@cache
def _prepared(root: str, fold: int) -> tuple[Split, Encoding]:
    parts = divided(protocols.cleaned(Path(root), _PROTOCOL).records, fold)
    return parts, fit_encoding(parts.train, parts.groups)


def sum_up(results: dict[str, Document]) -> Document:
    """Figures by model: mean and spread over folds, and the counts of all folds together."""
    table: Document = {}
    for model in MODELS:
        every = [found for key, found in results.items() if key.rpartition("_")[0] == model]
        if every:
            together = {name: sum(one[name] for one in every) for name in ("hit", "missed", "false", "quiet")}
            figures = [_figures(one) for one in every]
            spreads = {name: _spread([one[name] for one in figures]) for name in figures[0]}
            table[model] = {"folds": len(every), **together, **spreads}
    return {"models": table, "of": FOLDS}


def _figures(one: Document) -> dict[str, float]:
    hit, missed, false, quiet = (one[name] for name in ("hit", "missed", "false", "quiet"))
    return {
        "accuracy": (hit + quiet) / (hit + missed + false + quiet),
        "f1": 2 * hit / (2 * hit + false + missed), "fpr": false / (false + quiet), "auc": one["auc"],
    }  # fmt: skip


def _spread(values: list[float]) -> dict[str, float]:
    mean, spread = mean_and_spread(values)
    return {"mean": round(mean, 6), "spread": round(spread, 6)}


STAGE = Stage(
    "folds", "cross-validation on KDDTrain+", cells, run, sum_up, datasets=("nsl_kdd",),
    looks_at=lambda _: [],  # folds of training data: no final test
)  # fmt: skip
