"""The shipped detectors on both engines that can serve them: decisions that flip, size, sequences per second of processor time.

The windows are those of :mod:`training.evaluation_sample`, generated once and stored. float32 is compared with int8 where float32
exists: on the cards, and in :mod:`training.trials.flows`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from training import evaluation_sample
from training.artifact import ARTIFACTS
from training.sequences import cut_stories
from training.tasks import TASKS
from training.trials.stage import Document, Stage

_ROOT = Path(__file__).resolve().parents[2]
#: Python that has each engine; tflite-runtime's last release needs an environment of its own (``make tflite-runtime``).
ENGINES = {"ai_edge_litert": Path(sys.executable), "tflite_runtime": _ROOT / ".venv-tflite" / "bin" / "python"}


def cells() -> list[str]:
    """One for each detector."""
    return list(TASKS)


def run(key: str, _: Path) -> Document:
    """Scores of the stored sample by each engine that is installed."""
    folder = ARTIFACTS / key
    windows = TASKS[key]().dense(cut_stories(evaluation_sample.read(key)).rows)
    found: Document = {"windows": len(windows), "bytes": (folder / "model.tflite").stat().st_size, "engines": {}}
    scores = {}
    with tempfile.TemporaryDirectory() as there:
        rows = Path(there) / "windows.npy"
        np.save(rows, windows)
        for engine, python in ENGINES.items():
            if python.exists():
                out = Path(there) / f"{engine}.npz"
                command = [str(python), "-m", "training.trials.engine_scores", str(folder), str(rows), str(out), engine]
                subprocess.run(command, check=True, cwd=_ROOT, capture_output=True)
                with np.load(out) as said:
                    scores[engine] = said["probability"]
                    found["version"] = str(said["version"])
                    found["engines"][engine] = {"sequences_per_second": round(len(windows) / float(said["seconds"]))}
    threshold = _threshold(folder)
    reference = scores["ai_edge_litert"]
    for engine, probability in scores.items():
        found["engines"][engine] |= {
            "flips": float(np.mean((probability >= threshold) != (reference >= threshold))),
            "largest": float(np.abs(probability - reference).max()),
        }
    return found


def _threshold(folder: Path) -> float:
    from shared_model.detector import Detector

    return Detector.load(folder).threshold


def sum_up(results: dict[str, Document]) -> Document:
    """As found, by detector."""
    return {"detectors": results}


STAGE = Stage(
    "engines", "engine against engine", cells, run, sum_up,
    files=("training/trials/engine_scores.py", *(f"model_artifacts/{name}/detector.json" for name in TASKS),
           *(f"training/evaluation_sample/{name}.npz" for name in TASKS)),
    looks_at=lambda _: [],  # speed and agreement of engines, on the stored sample
)  # fmt: skip
