"""card: the detector's folder, with model, description, evaluation and card, all of one build."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from training.artifact import Built, write_artifact
from training.limits import limits
from training.recipe import recipe
from training.stages import evaluate, export, material
from training.stages.stage import Build, Cell, Figures, Stage
from training.stages.train import learnt_of
from training.stages.tune import tuned_of

_FILES = ("model.tflite", "detector.json", "evaluation.json", "MODEL_CARD.md")


def run(cell: Cell) -> Figures:
    """Write the folder that ships."""
    build = cell.build
    task, seed = build.task, build.seeds[0]
    learnt, tuned = learnt_of(build, seed), tuned_of(build, seed)
    found = json.loads((build.place("evaluate") / evaluate.FILE).read_text(encoding="utf-8"))
    tests, sample = found.pop("tests"), found.pop("sample")
    evaluation = {
        **found,
        "parity": json.loads((build.place("export") / export.PARITY).read_text(encoding="utf-8")),
        "tests": tests,
        "sample": sample,
        "limits": limits(task.name, {"tests": tests, "sample": sample}),
        "run": asdict(build.run),
    }
    trained = {
        "seed": seed,
        "windows": learnt.windows,
        "parameters": learnt.parameters,
        "epochs": learnt.epochs,
        "sources": list(material.sources(build.place("encode"))),
        "alerts_per_entity_day": task.alerts_per_entity_day,
        "architecture": task.sizes.to_dict(),
        "recipe": recipe(task, repeats=build.repeats, epochs=build.epochs),
    }
    model = (build.place("export") / export.MODEL).read_bytes()
    write_artifact(task, Built(model, learnt.scaling, tuned.threshold, trained, evaluation), build.out)
    build.progress(f"written to {build.out}")
    return {"version": task.version, "threshold": tuned.threshold}


def _reads(build: Build) -> dict[str, str]:
    """Sources and data that evaluation.json names, and where the folder lies."""
    return {"sources": build.run.source, "recordings": build.run.data.digest, "folder": str(build.out.resolve())}


def _leaves(build: Build) -> tuple[Path, ...]:
    return tuple(build.out / name for name in _FILES)


STAGE = Stage(
    "card", "the folder that ships: model, description, evaluation, card", run,
    needs=("load", "encode", "train", "tune", "evaluate", "export"),
    settings=("name", "version", "features", "classes", "sizes", "alerts_per_entity_day", "seed", "repeats", "epochs", "enough",
              "benign", "honest"),
    reads=_reads, leaves=_leaves,
)  # fmt: skip
