"""train: one network for each seed, as it came out of the fit; float32, not yet quantized."""

from __future__ import annotations

import numpy as np

from training.checkpoints import Checkpoints, Keeping
from training.export import LAYERS
from training.fitted import Learnt, learn
from training.fitting import Scaling
from training.stages import clean, material
from training.stages.stage import Build, Cell, Figures, Stage

FILE = "learnt.npz"


def run(cell: Cell) -> Figures:
    """Fit from where an earlier run was interrupted, if it was."""
    build, seed = cell.build, cell.seed
    assert seed is not None  # noqa: S101  (a cell of a stage that is done for each seed)
    learnt = learn(
        build.task, material.load(build.place("encode")), clean.recordings(build), seed, epochs=build.epochs,
        progress=build.progress, keeping=Keeping(Checkpoints(cell.unfinished, cell.recipe), f"{build.task.name}-seed{seed}"),
        stepped=lambda done: build.stepped(done, build.epochs),
    )  # fmt: skip
    arrays = {f"{layer}-{number}": array for layer in LAYERS for number, array in enumerate(learnt.weights[layer])}
    np.savez(
        cell.place / FILE, center=learnt.scaling.center, scale=learnt.scaling.scale, calibration=learnt.calibration,
        stopping=learnt.stopping, counts=np.array([learnt.windows, learnt.parameters, learnt.epochs]),
        **arrays,
    )  # type: ignore[arg-type, unused-ignore]  # fmt: skip
    return {"windows": learnt.windows, "parameters": learnt.parameters, "epochs": learnt.epochs}


def learnt_of(build: Build, seed: int) -> Learnt:
    """What the fit of that seed left."""
    with np.load(build.place("train", seed) / FILE, allow_pickle=False) as file:
        held = {name: file[name] for name in file.files}
    weights = {layer: tuple(held[name] for name in sorted(held) if name.rpartition("-")[0] == layer) for layer in LAYERS}
    windows, parameters, epochs = (int(count) for count in held["counts"])
    return Learnt(
        weights, Scaling(held["center"], held["scale"]), held["calibration"], held["stopping"], windows, parameters, epochs
    )


STAGE = Stage(
    "train", "the network, until validation no longer improves", run, needs=("clean", "encode"),
    settings=("name", "seed", "epochs", "sizes", "classes", "benign", "enough", "honest"), calls=("dense", "single_events"),
    each_seed=True,
)  # fmt: skip
