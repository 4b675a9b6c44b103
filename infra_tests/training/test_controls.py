"""The controls see what they are there for: lengths that give attacks away, and generated records that are unlike real ones."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the forests live in the training environment (make train makes it)")

from training.controls import only_lengths, separability
from training.sequences import Story, cut_stories

pytestmark = pytest.mark.training


def stories(count: int, events: int, *, attack: bool, mean: float = 1.0, seed: int = 1) -> list[Story]:
    rng = np.random.default_rng(seed)
    labels = np.full(events, int(attack), np.int64)
    return [
        Story(rng.normal(mean, 0.1, (events, 3)).astype(np.float32), labels, "x", attack, 1.0, str(number))
        for number in range(count)
    ]


def test_short_attacks_are_given_away_by_their_padding():
    mixed = stories(40, 3, attack=True) + stories(40, 30, attack=False)
    assert only_lengths(cut_stories(mixed), mixed, seed=1)["auc"] > 0.9


def test_matched_lengths_give_nothing_away():
    mixed = stories(60, 12, attack=True) + stories(60, 12, attack=False)
    assert only_lengths(cut_stories(mixed), mixed, seed=1)["auc"] == pytest.approx(0.5)


def test_records_of_another_make_are_told_apart_and_like_ones_are_not():
    generated = stories(60, 16, attack=False, seed=1)
    apart = separability(generated, stories(60, 16, attack=False, mean=3.0, seed=2), np.asarray, seed=1)
    alike = separability(generated, stories(60, 16, attack=False, seed=3), np.asarray, seed=1)
    assert apart["auc"] == 1.0
    assert 0.2 < alike["auc"] < 0.8
