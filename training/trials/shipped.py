"""The shipped detectors: what their build found on what training never saw, and what they find on the stored sample.

The first is read from ``evaluation.json``, the file of which the card is written. The second is computed here, and a test
computes it again: so report, card and model cannot drift apart.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from shared_model.detector import Detector
from training import evaluation_sample
from training.artifact import ARTIFACTS
from training.evaluation import on_sample
from training.tasks import TASKS
from training.trials.stage import Document, Stage
from training.trials.words import words_of_families

_OF_A_TEST = (
    "attack_entities", "benign_entities", "attack_windows", "benign_windows", "detected", "strict", "alerts", "rates", "replaced",
    "false_alarms_per_entity_day", "benign",
)  # fmt: skip


def cells() -> list[str]:
    """One for each detector."""
    return list(TASKS)


def run(key: str, root: Path) -> Document:
    """Figures of the build, counts on the stored sample, and of API calls what of held-out families training told by word."""
    evaluation = json.loads((ARTIFACTS / key / "evaluation.json").read_text(encoding="utf-8"))
    return {
        "version": Detector.load(ARTIFACTS / key).version,
        "seeds": len(evaluation["seeds"]),
        "tests": {name: _test(test) for name, test in evaluation["tests"].items()},
        "controls": evaluation["controls"],
        "sample": sample(key),
        "words": words_of_families(root) if key == "audit" else None,
    }


def _test(test: dict[str, Any]) -> Document:
    told = {name: test[name] for name in _OF_A_TEST}
    return told | {"recall": test["entities"]["recall"], "fpr": test["entities"]["fpr"], "auc": test["windows"]["auc"]}


def sample(key: str) -> Document:
    """The counts on the stored sample that a card has, and attack entities that alert, by family."""
    judged = evaluation_sample.judge(Detector.load(ARTIFACTS / key), evaluation_sample.read(key))
    return {**on_sample(judged), "families": judged.detected_by_family}


def sum_up(results: dict[str, Document]) -> Document:
    """As found, by detector."""
    return {"detectors": results}


STAGE = Stage(
    "shipped", "the shipped detectors", cells, run, sum_up,
    files=(*(f"model_artifacts/{name}/{file}" for name in TASKS for file in ("detector.json", "evaluation.json")),
           *(f"training/evaluation_sample/{name}.npz" for name in TASKS)),
    datasets=("cloudtrail_stratus", "panther"), scenarios=("audit",),
    looks_at=lambda _: [],  # told again from evaluation.json: the build noted its looks
)  # fmt: skip
