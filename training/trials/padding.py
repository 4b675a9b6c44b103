"""Control: what a forest reaches on each test of real flows that sees of a window only how much of it is padding.

It must come out near chance. Where it does not, the length of a sequence gives the label away, and what any model reaches there
is no evidence of what it knows of attacks.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.trials import flows
from training.trials.measures import averaged, figures_at
from training.trials.stage import Document, Stage


def cells() -> list[str]:
    """Those of :mod:`training.trials.flows`."""
    return flows.cells()


def run(key: str, root: Path) -> Document:
    """Figures of the forest, on the very windows that the models are trained and tested on."""
    from sklearn.ensemble import RandomForestClassifier

    kind, name, seed = key.split("_")
    train, test = flows.divided(kind, name, str(root))
    learnt, _ = flows.examples(train, seed=int(seed))
    forest = RandomForestClassifier(100, max_depth=4, class_weight="balanced", random_state=int(seed))
    forest.fit(lengths(learnt.windows), learnt.hostile)
    score = np.asarray(forest.predict_proba(lengths(test.windows(np.arange(len(test)))))[:, 1], np.float64)
    return figures_at(test.hostile, score, 0.5)


def lengths(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """How many events each window holds: (n, 1)."""
    return np.any(windows != 0, axis=2).sum(axis=1, keepdims=True).astype(np.float32)


def sum_up(results: dict[str, Document]) -> Document:
    """Mean and spread over seeds, by test; tests without an attack or without benign flows have no ranking."""
    tests: dict[str, list[Document]] = {}
    for key, found in results.items():
        tests.setdefault(key.rpartition("_")[0], []).append(found)
    return {"tests": {name: averaged(every) for name, every in sorted(tests.items()) if every[0]["auc"] is not None}}


STAGE = Stage(
    "padding", "control: only how full the window is", cells, run, sum_up,
    datasets=("zeek_iot23", "zeek_ctu_days", "unsw_nb15_sample_time_ip"), looks_at=lambda key: [flows.recording_of(key)],
)  # fmt: skip
