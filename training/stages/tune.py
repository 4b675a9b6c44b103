"""tune: int8 weights, the benign output moved, and both thresholds, on benign validation data and nothing else."""

from __future__ import annotations

import json

import numpy as np

from training import fitted
from training.fitted import Tuned, benign_of
from training.stages import material
from training.stages.stage import Build, Cell, Figures, Stage
from training.stages.train import learnt_of

MODEL, BIAS, THRESHOLDS = "model.tflite", "logits-bias.npy", "thresholds.json"


def run(cell: Cell) -> Figures:
    """Tune one seed's network."""
    build, seed = cell.build, cell.seed
    assert seed is not None  # noqa: S101  (a cell of a stage that is done for each seed)
    benign = benign_of(material.load(build.place("encode")))
    tuned = fitted.tune(build.task, benign, learnt_of(build, seed), build.progress)
    (cell.place / MODEL).write_bytes(tuned.model)
    np.save(cell.place / BIAS, tuned.weights["logits"][1])
    thresholds = {"threshold": tuned.threshold, "strict_threshold": tuned.strict}
    (cell.place / THRESHOLDS).write_text(json.dumps(thresholds, indent=1) + "\n", encoding="utf-8")
    return {**thresholds, "bytes": len(tuned.model), "benign_entities": len(benign)}


def tuned_of(build: Build, seed: int) -> Tuned:
    """What the tuning of that seed left: of the weights only the output's bias differs from what was learnt."""
    place = build.place("tune", seed)
    weights = dict(learnt_of(build, seed).weights)
    weights["logits"] = (weights["logits"][0], np.load(place / BIAS, allow_pickle=False))
    thresholds = json.loads((place / THRESHOLDS).read_text(encoding="utf-8"))
    return Tuned(weights, (place / MODEL).read_bytes(), thresholds["threshold"], thresholds["strict_threshold"])


STAGE = Stage(
    "tune", "int8, the benign output moved, thresholds on benign validation data", run, needs=("encode", "train"),
    settings=("name", "seed", "sizes", "alerts_per_entity_day"), calls=("dense",), each_seed=True,
)  # fmt: skip
