"""What each part of the CNN-LSTM is worth: without its convolutions, without its LSTM, without order, and without a network.

Same windows of real flows, same head, same training as :mod:`training.trials.flows`; networks in float32, so that nothing but the
part that was taken out makes the difference.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.trials.flows import divided, examples, recording_of
from training.trials.measures import averaged, figures_at, threshold_for
from training.trials.models import NETWORKS, fit_network, fit_trees
from training.trials.stage import SEEDS, Document, Stage

TESTS = (("iot23", "8-1"), ("iot23", "21-1"), ("ctu", "011"), ("device", "011"))
MODELS = (*NETWORKS, "lightgbm_window")
_TARGET = 1e-2


def cells() -> list[str]:
    """``KIND_TEST_SEED``, as of :mod:`training.trials.flows`."""
    return [f"{kind}_{name}_{seed}" for seed in SEEDS for kind, name in TESTS]


def run(key: str, root: Path) -> Document:
    """Figures of every variant on one test."""
    kind, name, seed = key.split("_")
    train, test = divided(kind, name, str(root))
    learnt, held = examples(train, seed=int(seed))
    windows = test.windows(np.arange(len(test)))
    found: Document = {}
    for model in MODELS:
        if model in NETWORKS:
            fitted = fit_network(model, learnt, held, seed=int(seed), quantized=False)
            score, parameters = fitted.exact, int(fitted.model.count_params())
        else:
            score, parameters = fit_trees(model, learnt, seed=int(seed)), None
        threshold = threshold_for(score(held.windows[~held.hostile]), _TARGET)
        found[model] = {**figures_at(test.hostile, score(windows), threshold), "parameters": parameters}
    return found


def sum_up(results: dict[str, Document]) -> Document:
    """Figures by test and variant, mean and spread over seeds."""
    tests: dict[str, list[Document]] = {}
    for key, found in results.items():
        tests.setdefault(key.rpartition("_")[0], []).append(found)
    return {
        "parameters": {model: next(iter(results.values()))[model]["parameters"] for model in MODELS},
        "tests": {
            name: {model: averaged(one[model] for one in every) for model in MODELS} for name, every in sorted(tests.items())
        },
    }


STAGE = Stage(
    "ablation", "what each part of the network is worth", cells, run, sum_up,
    datasets=("zeek_iot23", "zeek_ctu_days"), looks_at=lambda key: [recording_of(key)],
)  # fmt: skip
