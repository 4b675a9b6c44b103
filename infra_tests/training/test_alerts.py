"""Alerts are counted one an entity and hour, and a threshold keeps its budget; a control that alarms is seen."""

from __future__ import annotations

import numpy as np
import pytest

from training.alerts import Hourly, hourly
from training.controls import CONTROL, replaced
from training.evaluation import Scored
from training.sequences import Story, cut_stories

HOUR_MS = 3_600_000


def story(family: str, times_ms: list[int], *, attack: bool = False, days: float = 1.0) -> Story:
    count = len(times_ms)
    labels = np.full(count, int(attack), np.int64)
    return Story(np.ones((count, 2), np.float32), labels, family, attack, days, family, np.array(times_ms, np.int64))


def scored(stories: list[Story], probability: list[float]) -> Scored:
    windows = cut_stories(stories)
    assert len(windows) == len(probability)
    return Scored(stories, windows, np.array(probability), np.ones(len(windows), np.int64))


def test_two_windows_of_one_hour_are_one_alert():
    times = [0] * 8 + [1000] * 8 + [5 * HOUR_MS] * 8
    counted = hourly(scored([story("a", times), story("b", times[:8])], [0.9, 0.8, 0.2, 0.7]))
    assert sorted(counted.peaks.tolist()) == [0.2, 0.7, 0.9]
    assert (counted.entity_days, counted.events) == (2.0, 32)
    assert counted.alerts(0.7) == 2


def test_attacks_raise_no_false_alert():
    counted = hourly(scored([story("a", [0], attack=True), story("b", [0])], [0.99, 0.3]))
    assert counted.peaks.tolist() == [0.3]
    assert counted.entity_days == 1.0


@pytest.mark.parametrize(("budget", "alerts"), [(0.0, 0), (0.02, 2), (0.5, 50), (9.0, 100)])
def test_a_threshold_keeps_its_budget(budget, alerts):
    counted = Hourly(np.random.default_rng(1).random(100), 100.0, 1000)
    assert counted.alerts(counted.threshold(budget)) == alerts


def test_no_benign_entity_gives_no_threshold():
    with pytest.raises(ValueError, match="no benign scenario"):
        Hourly(np.zeros(0), 1.0, 0).threshold(0.1)


def test_controls_that_alarm_are_seen():
    stories = [
        story(CONTROL + "x", [0]),
        story(CONTROL + "x", [0]),
        story("y", [0]),
        story("y", [0]),
        story("z", [0], attack=True),
    ]
    figures = replaced(scored(stories, [0.9, 0.8, 0.1, 0.2, 0.99]), 0.5)
    assert figures == {"auc": 1.0, "controls": 2, "alarm": 1.0, "others_alarm": 0.0}
    assert replaced(scored(stories[2:], [0.1, 0.2, 0.99]), 0.5) is None
