"""What evasion costs the shipped network detector: the attacks of :mod:`training.trials.robustness`, at its own threshold."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shared_model.detector import Detector
from training.artifact import ARTIFACTS
from training.network_data import flow_stories
from training.sequences import cut_stories, decidable
from training.tasks import network
from training.trials.evasion import EVASIONS
from training.trials.robustness import TESTS, evaded_log, shares
from training.trials.stage import Document, Stage


def cells() -> list[str]:
    """One for each capture."""
    return list(TESTS)


def run(key: str, root: Path) -> Document:
    """Share of decidable windows, cut as serving cuts them, that reach the threshold, under each evasion."""
    detector = Detector.load(ARTIFACTS / "network")
    found: Document = {}
    for evasion in EVASIONS:
        stories = flow_stories(evaded_log(str(root), key, evasion), f"zeek/{key}")
        windows = cut_stories(stories)
        windows = windows.take(decidable(windows, stories, network().enough))
        alarm, hostile = detector.score(np.asarray(windows.rows, np.float32))[0] >= detector.threshold, windows.evidence > 0
        found[evasion] = {"attack": int(hostile.sum()), "benign": int((~hostile).sum()), **shares(alarm, hostile)}
    return {"version": detector.version, "evasions": found}


def sum_up(results: dict[str, Document]) -> Document:
    """As found, by capture."""
    return {"tests": results}


STAGE = Stage(
    "network_evasion", "what evasion costs the shipped network detector", cells, run, sum_up,
    datasets=("zeek_iot23",), files=("model_artifacts/network/detector.json",), looks_at=lambda key: [f"network: IoT-23 {key}"],
)  # fmt: skip
