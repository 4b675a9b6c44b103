"""evaluate: every final test, over all seeds, by int8 at the thresholds that tuning left; each look is counted."""

from __future__ import annotations

import json

from training.baselines import fit_baselines
from training.benchmarks import ledger
from training.detector_figures import Fitted
from training.detector_figures import evaluate as judged
from training.evaluation_sample import FOLDER as SAMPLES
from training.fitted import examples, scorer
from training.recipe import recipe
from training.stages import material
from training.stages.stage import Build, Cell, Figures, Stage, checksum
from training.stages.train import learnt_of
from training.stages.tune import tuned_of

FILE = "figures.json"


def run(cell: Cell) -> Figures:
    """Judge every seed's model; baselines are fitted on what the first one learnt from."""
    build = cell.build
    task, gathered = build.task, material.load(build.place("encode"))
    first = build.seeds[0]
    drawn = examples(task, gathered, first, lambda _: None)
    baselines = fit_baselines(drawn.learnt.windows, drawn.learnt.classes, seed=first)
    models = []
    for seed in build.seeds:
        learnt, tuned = learnt_of(build, seed), tuned_of(build, seed)
        score = scorer(task, learnt.scaling, tuned.model)
        models.append(Fitted(seed, tuned.threshold, tuned.strict, learnt.scaling, score))
    found = judged(task, gathered, models, baselines, build.stepped)
    (cell.place / FILE).write_text(json.dumps(found, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    if build.looks is not None:
        noted = recipe(task, repeats=build.repeats, epochs=build.epochs)
        for look in ledger.detector_looks(task.name, found["tests"], build.seeds, noted):
            ledger.record(look, build.looks)
    for name, figures in found["tests"].items():
        windows = {key: value["mean"] for key, value in figures["windows"].items()}
        entities = figures["entities"]["recall"]["mean"]
        build.progress(f"{name}: recall {windows['recall']} fpr {windows['fpr']} auc {windows['auc']}, entities {entities}")
    return {
        name: {"entities_found": figures["entities"]["recall"]["mean"], "auc": figures["windows"]["auc"]["mean"]}
        for name, figures in found["tests"].items()
    }


def _reads(build: Build) -> dict[str, str]:
    return {"sample": checksum(SAMPLES / f"{build.task.name}.npz")}


STAGE = Stage(
    "evaluate", "every final test, over all seeds, by int8", run, needs=("load", "encode", "train", "tune"),
    settings=("name", "seeds", "repeats", "epochs", "enough", "classes", "benign", "honest", "sizes", "features",
              "alerts_per_entity_day"),
    calls=("dense",), reads=_reads,
)  # fmt: skip
