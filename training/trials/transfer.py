"""How many labels a network that learnt one recording needs in another, and whether starting from it beats starting anew.

Labelled is a random share of the target's training flows (its earlier days); the test is a later day. The pre-trained network
goes on from its weights at a third of the rate; the other starts from nothing on the same labels. Both take at least 300 steps.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from training.trials.flow_sets import FlowSet
from training.trials.flows import CAPTURES, divided, examples, recording_of
from training.trials.measures import averaged, figures_at, threshold_for
from training.trials.models import Examples, Network, fit_network, joined
from training.trials.stage import SEEDS, Document, Stage

#: Source and target: recordings that differ in place, year and kind of machine. The CTU days are read as their computer saw them,
#: because by initiator the length of a sequence gives its label away (:mod:`training.trials.padding`).
PAIRS = {
    "iot23-to-device": (
        "IoT-23 (small devices, 2018)", "CTU days as the scanned computer saw them (2022)", ("device", "011"),
    ),
    "iot23-to-unsw": ("IoT-23 (small devices, 2018)", "UNSW-NB15 (laboratory, 2015)", ("unsw", "later")),
}  # fmt: skip
SHARES = (0.0, 0.01, 0.05, 0.1, 1.0)
_TARGET, _RATE = 1e-2, 7e-4
#: Steps of a fit, at least; small batches where labels are few.
_STEPS, _EPOCHS = 300, 6


def cells() -> list[str]:
    """``PAIR_SEED``: all shares in one cell, since they share the source's network."""
    return [f"{pair}_{seed}" for seed in SEEDS for pair in PAIRS]


def run(key: str, root: Path) -> Document:
    """Figures by share of labels, of both networks."""
    pair, _, seed = key.partition("_")
    kind, name = PAIRS[pair][2]
    train, test = divided(kind, name, str(root))
    source, held = _source(str(root), int(seed))
    windows = test.windows(np.arange(len(test)))
    found: Document = {}
    for share in SHARES:
        labelled = _labelled(train, share, int(seed))
        enough = labelled is not None and 0 < int(labelled.hostile.sum()) < len(labelled)
        networks = {"pretrained": source}
        if labelled is not None and enough:
            batch = 32 if len(labelled) < 4000 else 256
            epochs = max(_EPOCHS, _STEPS * batch // len(labelled))
            for start, rate in (("pretrained", _RATE), ("scratch", 3 * _RATE)):
                networks[start] = fit_network(
                    "cnn_lstm", labelled, labelled, seed=int(seed), epochs=epochs, batch=batch, rate=rate,
                    start=source if start == "pretrained" else None,
                )  # fmt: skip
        calm = held if labelled is None else labelled
        found[f"{share:g}"] = {
            "labels": 0 if labelled is None else len(labelled),
            "hostile": 0 if labelled is None else int(labelled.hostile.sum()),
            **{
                start: figures_at(
                    test.hostile, network.score(windows), threshold_for(network.score(calm.windows[~calm.hostile]), _TARGET)
                )
                for start, network in networks.items()
            },
        }
    return found


@cache
def _source(root: str, seed: int) -> tuple[Network, Examples]:
    captures, last = divided("iot23", CAPTURES[-1], root)
    learnt, held = examples([*captures, last], seed=seed)
    return fit_network("cnn_lstm", learnt, held, seed=seed), held


def _labelled(train: list[FlowSet], share: float, seed: int) -> Examples | None:
    """That share of all training flows, drawn at random and thinned by label no further."""
    if share == 0:
        return None
    rng = np.random.default_rng([seed, 5])
    parts = []
    for flows in train:
        chosen = np.sort(rng.permutation(len(flows))[: max(1, round(share * len(flows)))])
        parts.append(Examples(flows.windows(chosen), flows.hostile[chosen]))
    return joined(parts)


def sum_up(results: dict[str, Document]) -> Document:
    """Figures by pair, share and start, mean and spread over seeds; a share whose labels hold no attack has no network."""
    pairs: Document = {}
    for pair, (source, target, _) in PAIRS.items():
        every = [found for key, found in results.items() if key.startswith(f"{pair}_")]
        shares = {}
        for share in (f"{one:g}" for one in SHARES):
            starts = {
                start: averaged(one[share][start] for one in every if start in one[share])
                for start in ("pretrained", "scratch")
                if any(start in one[share] for one in every)
            }
            shares[share] = {
                "labels": round(float(np.mean([one[share]["labels"] for one in every]))) if every else 0,
                "hostile": round(float(np.mean([one[share]["hostile"] for one in every]))) if every else 0,
                **starts,
            }
        if every:
            pairs[pair] = {"source": source, "target": target, "shares": shares}
    return {"pairs": pairs}


STAGE = Stage(
    "transfer", "labels that another place needs", cells, run, sum_up,
    datasets=("zeek_iot23", "zeek_ctu_days", "unsw_nb15_sample_time_ip"),
    looks_at=lambda key: [recording_of("_".join(PAIRS[key.partition("_")[0]][2]))],
)  # fmt: skip
