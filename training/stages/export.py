"""export: the int8 file of the first seed, held against what was evaluated and against float32."""

from __future__ import annotations

import json
from dataclasses import asdict

from training.export import float_logits, parity, run_tflite, sha256, to_int8
from training.stages.stage import Cell, Figures, Stage
from training.stages.train import learnt_of
from training.stages.tune import tuned_of

MODEL, PARITY = "model.tflite", "parity.json"


class ExportDiffers(Exception):
    """Quantizing the same weights again gave other bytes than those that were evaluated."""


def run(cell: Cell) -> Figures:
    """Quantize again, demand the bytes that were evaluated, and compare them with float32. Raises ExportDiffers."""
    build = cell.build
    seed = build.seeds[0]
    learnt, tuned = learnt_of(build, seed), tuned_of(build, seed)
    model = to_int8(tuned.weights, build.task.sizes, learnt.calibration)
    if model != tuned.model:
        raise ExportDiffers(
            f"{build.task.name}, seed {seed}: {sha256(tuned.model)[:12]} was evaluated, and quantized again the weights give "
            f"{sha256(model)[:12]}: run tune, evaluate and export on one machine, with one set of versions"
        )
    exact = float_logits(tuned.weights, build.task.sizes, learnt.stopping)
    agreement = asdict(parity(exact, run_tflite(model, learnt.stopping), tuned.threshold))
    (cell.place / MODEL).write_bytes(model)
    (cell.place / PARITY).write_text(json.dumps(agreement, indent=1) + "\n", encoding="utf-8")
    build.progress(f"{len(model):,} bytes int8, {sha256(model)[:12]}; decisions differ from float32 on {agreement['flips']:.2%}")
    return {**agreement, "bytes": len(model), "sha256": sha256(model)}


STAGE = Stage(
    "export", "the int8 file, held against float32", run, needs=("train", "tune", "evaluate"), settings=("name", "seed", "sizes")
)
