"""What a network that learnt one cloud says of the other: generated API calls, families that training never saw.

The networks are small ones for this question. Attack and benign families of the tests are those of the test split, of which
training tells nothing; a family of which some call is part of an attack in training is not tested, so that the operations of
every attack are held out. A threshold is what 1 % of benign windows of the validation families of the learnt cloud reach.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from training.scenarios import Split
from training.scenarios.library import attack_operations, scenarios_by_family
from training.tasks import audit
from training.trials.audit_sets import CLOUDS, stories
from training.trials.measures import averaged, figures_at, threshold_for
from training.trials.models import Examples, fit_network, fit_trees, joined
from training.trials.stage import SEEDS, Document, Stage
from training.trials.story_sets import Judged, drawn, judged

LEARNT = {"aws": ("aws",), "azure": ("azure",), "both": CLOUDS}
MODELS = ("cnn_lstm", "lightgbm_window", "forest_flow")
_TARGET = 1e-2


def cells() -> list[str]:
    """``LEARNT_SEED``: every cell is tested on both clouds."""
    return [f"{learnt}_{seed}" for seed in SEEDS for learnt in LEARNT]


def run(key: str, _: Path) -> Document:
    """Figures on the unseen families of both clouds."""
    learnt, _, text = key.partition("_")
    seed = int(text)
    train, held = (
        joined([_windows(cloud, split, seed) for cloud in LEARNT[learnt]]) for split in (Split.TRAIN, Split.VALIDATION)
    )
    found: Document = {}
    for model in MODELS:
        score = (
            fit_network(model, train, held, seed=seed, detector="audit").score
            if model == "cnn_lstm"
            else fit_trees(model, train, seed=seed)
        )
        threshold = threshold_for(score(held.windows[~held.hostile]), _TARGET)
        for cloud in CLOUDS:
            test = _tested(cloud).examples
            found.setdefault(cloud, {})[model] = figures_at(test.hostile, score(test.windows), threshold)
    return found


@cache
def _windows(cloud: str, split: Split, seed: int) -> Examples:
    return drawn(audit(), stories(cloud, split, seed=seed + 10 * (split is Split.VALIDATION)), seed=seed)


@cache
def _tested(cloud: str) -> Judged:
    known = known_calls(cloud)
    return judged(audit(), [story for story in stories(cloud, Split.TEST, seed=77) if story.family not in known])


def known_calls(cloud: str) -> dict[str, list[str]]:
    """Attack families of the test split with calls that make up an attack of training too, and these calls."""
    attacks = {family: attack_operations(scenario) for family, scenario in scenarios_by_family().items() if family.is_attack}
    learnt = frozenset().union(*(calls for family, calls in attacks.items() if family.split is Split.TRAIN))
    return {
        family.name: sorted(calls & learnt)
        for family, calls in attacks.items()
        if family.split is Split.TEST and family.cloud == cloud and calls & learnt
    }


def sum_up(results: dict[str, Document]) -> Document:
    """Figures by what was learnt, what was tested and model."""
    table: Document = {}
    for learnt in LEARNT:
        every = [found for key, found in results.items() if key.startswith(f"{learnt}_")]
        if every:
            table[learnt] = {cloud: {model: averaged(one[cloud][model] for one in every) for model in MODELS} for cloud in CLOUDS}
    return {"learnt": table, "not_tested": {cloud: known_calls(cloud) for cloud in CLOUDS}}


STAGE = Stage(
    "clouds", "one cloud learnt, the other tested", cells, run, sum_up,
    scenarios=("audit",), looks_at=lambda _: [f"held-out scenario families, {cloud}" for cloud in CLOUDS],
)  # fmt: skip
