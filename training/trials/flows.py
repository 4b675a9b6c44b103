"""Whether sequences of real flows beat a random forest on single flows, on a capture or a day that training never saw.

Each flow is judged: the network and the trees on windows see the 15 before it, the forest sees it alone. Thresholds come from the
last fifth of every training sequence; nothing of the test has a part in them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.trials import flow_sets
from training.trials.flow_sets import FlowSet
from training.trials.measures import averaged, figures_at, threshold_for
from training.trials.models import Examples, fit_network, fit_trees, joined, thinned
from training.trials.stage import SEEDS, Document, Stage

CAPTURES = ("34-1", "42-1", "5-1", "20-1", "7-1", "8-1", "21-1", "44-1", "4-1")
DAYS = ("008", "010", "011")
MODELS = ("cnn_lstm", "lightgbm_window", "forest_flow")
#: At most that many flows of each recording and label are trained on.
MOST = 800
_TARGET, _BOUNDARY = 1e-2, 0.5


def cells() -> list[str]:
    """``KIND_TEST_SEED``: ``iot23`` captures, ``ctu`` days by initiator, ``device`` days as one computer saw them, ``unsw``."""
    days = [(kind, day) for kind in ("ctu", "device") for day in DAYS[1:]]
    tests = [*(("iot23", name) for name in CAPTURES), *days, ("unsw", "later")]
    return [f"{kind}_{name}_{seed}" for seed in SEEDS for kind, name in tests]


def recording_of(key: str) -> str:
    """What a cell tests on, as the ledger of final tests names it."""
    kind, name = key.split("_")[:2]
    named = {
        "iot23": f"IoT-23 {name}", "ctu": f"CTU day {name}", "device": f"CTU day {name} as its computer saw it",
        "unsw": "UNSW-NB15, 18 February",
    }  # fmt: skip
    return named[kind]


def run(key: str, root: Path) -> Document:
    """Train on every other recording (earlier days), test on the one named."""
    kind, name, seed = key.split("_")
    train, test = divided(kind, name, str(root))
    return judged(train, test, int(seed))


@cache
def divided(kind: str, name: str, root: str) -> tuple[list[FlowSet], FlowSet]:
    """Training recordings and the test recording."""
    where = Path(root)
    if kind == "iot23":
        every = {capture: flow_sets.iot23(where, capture) for capture in CAPTURES}
        test = every.pop(name)
        return list(every.values()), test
    if kind in ("ctu", "device"):
        days = DAYS[: DAYS.index(name) + 1]
        sets = [flow_sets.ctu_day(where, day, by_device=kind == "device") for day in days]
        return sets[:-1], sets[-1]
    return [flow_sets.unsw(where, later=False)], flow_sets.unsw(where, later=True)


def judged(train: list[FlowSet], test: FlowSet, seed: int) -> dict[str, Any]:
    """Figures of every model on the test."""
    learnt, held = examples(train, seed=seed)
    flows = np.arange(len(test))
    windows = test.windows(flows)
    found: dict[str, Any] = {}
    for model in MODELS:
        network = fit_network(model, learnt, held, seed=seed) if model == "cnn_lstm" else None
        score = fit_trees(model, learnt, seed=seed) if network is None else network.score
        threshold = threshold_for(score(held.windows[~held.hostile]), _TARGET)
        scored = score(windows)
        found[model] = figures_at(test.hostile, scored, threshold)
        if network is not None:
            found["engines"] = compared(test.hostile, network.exact(windows), scored) | {"bytes": network.size}
    return found


def compared(hostile: NDArray[np.bool_], exact: NDArray[np.float64], small: NDArray[np.float64]) -> dict[str, float]:
    """float32 against int8 at the boundary of 0.5: accuracy of both and the share of decisions that flip."""
    return {
        "float32": float(np.mean((exact >= _BOUNDARY) == hostile)),
        "int8": float(np.mean((small >= _BOUNDARY) == hostile)),
        "flips": float(np.mean((exact >= _BOUNDARY) != (small >= _BOUNDARY))),
    }


def examples(sets: list[FlowSet], *, seed: int, most: int = MOST) -> tuple[Examples, Examples]:
    """Training windows, and those that stop training and give the threshold: the last fifth of every sequence."""
    parts: list[list[Examples]] = [[], []]
    for flows in sets:
        late = flows.time >= 0.8
        for part, chosen in ((0, ~late), (1, late)):
            index = np.flatnonzero(chosen)
            kept = index[thinned(flows.hostile[index], np.zeros(len(index), np.int64), most, seed=seed)]
            parts[part].append(Examples(flows.windows(kept), flows.hostile[kept]))
    learnt, held = (joined(part) for part in parts)
    return learnt, held


def sum_up(results: dict[str, Document]) -> Document:
    """Figures by test and model, mean and spread over seeds."""
    tests: dict[str, list[Document]] = {}
    for key, found in results.items():
        tests.setdefault(key.rpartition("_")[0], []).append(found)
    return {
        "tests": {name: _over_seeds(every) for name, every in sorted(tests.items())},
        "engines": {
            name: {figure: float(np.mean([one["engines"][figure] for one in every])) for figure in every[0]["engines"]}
            for name, every in sorted(tests.items())
        },
    }


def _over_seeds(every: list[Document]) -> Document:
    return {model: averaged(one[model] for one in every) for model in MODELS}


STAGE = Stage(
    "flows", "real flows, unseen capture or day", cells, run, sum_up,
    datasets=("zeek_iot23", "zeek_ctu_days", "unsw_nb15_sample_time_ip"), looks_at=lambda key: [recording_of(key)],
)  # fmt: skip
