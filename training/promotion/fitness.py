"""Whether a returned detector could serve at all, before anybody asks how well."""

from __future__ import annotations

import json
from pathlib import Path

from shared_model.detector import Detector
from shared_model.errors import ArtifactError
from training.card import model_card
from training.promotion.refusal import Refused
from training.promotion.trial import operators_of

MOST_BYTES = 300_000
#: Built-in operators that the exported graphs use. Another one is a decision: what it costs must be measured first.
OPERATORS = frozenset(
    {
        "ADD", "CONCATENATION", "CONV_2D", "DEQUANTIZE", "FULLY_CONNECTED", "LOGISTIC", "MAX_POOL_2D", "MEAN", "MUL", "PAD",
        "QUANTIZE", "RELU", "RESHAPE", "SPLIT", "STRIDED_SLICE", "SUB", "TANH", "TRANSPOSE", "UNPACK",
    }
)  # fmt: skip


def check_fitness(folder: Path, present: Detector | None) -> Detector:
    """Load the returned detector through the engine that serves, and hold it against the present one.

    Raises
    ------
    Refused
        It does not load, is too large, has operators, features, classes or windows other than it may, or its card says something
        else than its figures.
    """
    model = folder / "model.tflite"
    if (size := model.stat().st_size) > MOST_BYTES:
        raise Refused(
            f"the model has {size:,} bytes, at most {MOST_BYTES:,} are allowed: every invocation loads and pays for them"
        )
    if strange := sorted(operators_of(model) - OPERATORS):
        raise Refused(f"the model needs the operator {strange[0]}: the slim runtime is held to {', '.join(sorted(OPERATORS))}")
    try:
        detector = Detector.load(folder)
    except ArtifactError as error:
        raise Refused(f"the engine that serves cannot take it: {error}") from error
    documents = [json.loads((folder / name).read_text()) for name in ("detector.json", "evaluation.json")]
    if (folder / "MODEL_CARD.md").read_text() != model_card(*documents):
        raise Refused("the card says something else than evaluation.json: build it with the sources of this checkout")
    if detector.name != folder.name:
        raise Refused(f"the detector in {folder.name} calls itself {detector.name}: they are not of one run")
    if present is not None:
        for what in ("features", "classes", "window", "stride"):
            if getattr(detector, what) != getattr(present, what):
                raise Refused(
                    f"{what} are not those of the present detector: memory and verdicts rest on them, so they change with the "
                    "code that serves, never by a promotion"
                )
    return detector


def check_version(folder: Path, present: Path) -> None:
    """Refuse what decides otherwise under the version of the present detector: ids of verdicts are made of the version.

    Raises
    ------
    Refused
        Model, scaling or threshold differ, the version does not.
    """
    new, old = (json.loads((at / "detector.json").read_text()) for at in (folder, present))
    if new["version"] == old["version"] and any(new[what] != old[what] for what in ("model", "scaling", "threshold")):
        raise Refused(
            f"it decides otherwise than the present {old['name']} {old['version']} and calls itself the same: verdicts of both "
            "would share their ids; raise `version` in training/tasks.py and train again"
        )
