"""What evasion costs, before and after training on evaded attacks (the shipped detector: :mod:`.network_evasion`).

An IoT-23 capture is left out; its attack is acted out again under each evasion. Every threshold is the one that 1 % of the
capture's own benign flows reach before any evasion: it ranks, and lets evasions be compared.
"""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.loaders.zeek import iot23_connections, monitored_site
from training.metrics import mean_and_spread
from training.network_data import flow_stories
from training.scenarios.flow_log import FlowLog, write_flow_log
from training.trials.evasion import EVASIONS
from training.trials.flow_sets import FlowSet, flow_set
from training.trials.flows import CAPTURES, examples, recording_of
from training.trials.measures import threshold_for
from training.trials.models import Score, fit_network
from training.trials.stage import SEEDS, Document, Stage

#: Captures with hundreds of attacks and of benign flows, which the deployed detector never saw either.
TESTS = ("8-1", "21-1")
_TARGET = 1e-2


def cells() -> list[str]:
    """``CAPTURE_SEED``."""
    return [f"{name}_{seed}" for seed in SEEDS for name in TESTS]


def run(key: str, root: Path) -> Document:
    """Recall under each evasion, of a network that never saw one and of one that was trained on all but the test's."""
    name, _, seed = key.partition("_")
    others = [other for other in CAPTURES if other != name]
    plain = [_captured(str(root), other, "none") for other in others]
    hardened = plain + [_captured(str(root), other, evasion) for other in others for evasion in EVASIONS if evasion != "none"]
    tests = {evasion: _captured(str(root), name, evasion) for evasion in EVASIONS}
    found: Document = {
        "attack": {evasion: int(test.hostile.sum()) for evasion, test in tests.items()},
        "benign": {evasion: int((~test.hostile).sum()) for evasion, test in tests.items()},
    }
    for title, sets, most in (("before", plain, 800), ("after", hardened, 250)):
        learnt, held = examples(sets, seed=int(seed), most=most)
        found[title] = _recalls(fit_network("cnn_lstm", learnt, held, seed=int(seed)).score, tests)
    return found


def _recalls(score: Score, tests: dict[str, FlowSet]) -> Document:
    scored = {evasion: score(test.windows(np.arange(len(test)))) for evasion, test in tests.items()}
    threshold = threshold_for(scored["none"][~tests["none"].hostile], _TARGET)
    return {evasion: shares(scored[evasion] >= threshold, tests[evasion].hostile) for evasion in tests}


def shares(alarm: NDArray[np.bool_], hostile: NDArray[np.bool_]) -> Document:
    """Recall and false positives."""
    return {"recall": float(alarm[hostile].mean()), "fpr": float(alarm[~hostile].mean())}


@cache
def _captured(root: str, name: str, evasion: str) -> FlowSet:
    return flow_set(name, flow_stories(evaded_log(root, name, evasion), f"zeek/{name}"))


def evaded_log(root: str, name: str, evasion: str) -> FlowLog:
    """A capture as a flow log, its attack acted out under an evasion."""
    connections = EVASIONS[evasion](iot23_connections(Path(root), name), random.Random(f"{name} {evasion}"))
    return write_flow_log(connections, monitored_site(name, connections))


def sum_up(results: dict[str, Document]) -> Document:
    """Mean and spread over seeds by capture, evasion and network."""
    tests: Document = {}
    for name in TESTS:
        every = [found for key, found in results.items() if key.startswith(f"{name}_")]
        if every:
            evasions = {
                evasion: {title: _over_seeds([one[title][evasion] for one in every]) for title in ("before", "after")}
                | {kind: every[0][kind][evasion] for kind in ("attack", "benign")}
                for evasion in EVASIONS
            }
            tests[name] = {"seeds": len(every), "evasions": evasions}
    return {"tests": tests}


def _over_seeds(every: list[Document]) -> Document:
    figures: Document = {}
    for figure in ("recall", "fpr"):
        mean, spread = mean_and_spread([one[figure] for one in every])
        figures[figure] = {"mean": round(mean, 4), "spread": round(spread, 4)}
    return figures


STAGE = Stage(
    "robustness", "what evasion costs", cells, run, sum_up,
    datasets=("zeek_iot23",), looks_at=lambda key: [recording_of(f"iot23_{key}")],
)  # fmt: skip
