"""Writes the folder of one deployed detector: model.tflite, detector.json, evaluation.json, MODEL_CARD.md."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.card import model_card
from training.export import sha256
from training.fitting import Scaling
from training.tasks import Task

#: Where the deployed detectors lie.
ARTIFACTS = Path(__file__).resolve().parents[1] / "model_artifacts"


@dataclass(frozen=True, slots=True)
class Built:
    """What one build made.

    ``evaluation`` is what evaluation.json holds; the card is written from it, so that both always say the same.
    """

    model: bytes
    scaling: Scaling
    threshold: float
    trained: dict[str, Any]
    evaluation: dict[str, Any]


def write_artifact(task: Task, built: Built, folder: Path) -> None:
    """Write all files of the detector to the folder, which is made when absent."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.tflite").write_bytes(built.model)
    detector = {
        "name": task.name,
        "version": task.version,
        "window": task.sizes.window,
        "stride": 8,
        "features": list(task.features),
        "scaling": {"center": _rounded(built.scaling.center.tolist()), "scale": _rounded(built.scaling.scale.tolist())},
        "classes": [{"name": name, "technique": technique} for name, technique in task.classes.items()],
        "threshold": round(built.threshold, 6),
        "model": {"file": "model.tflite", "sha256": sha256(built.model), "bytes": len(built.model)},
        "trained": built.trained,
    }
    (folder / "detector.json").write_text(json.dumps(detector, indent=1) + "\n")
    (folder / "evaluation.json").write_text(json.dumps(built.evaluation, indent=1, allow_nan=False) + "\n")
    (folder / "MODEL_CARD.md").write_text(model_card(detector, built.evaluation))


def _rounded(values: list[float]) -> list[float]:
    """Short decimal text; the build scales with exactly these numbers."""
    return [float(f"{value:.6g}") for value in values]
