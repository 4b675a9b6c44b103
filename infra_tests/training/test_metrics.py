"""Figures on cases small enough to count by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.metrics import alert_budget_threshold, area_under_curve, figures, mean_and_spread

TRUTH = np.array([True, True, True, False, False, False, False, False])
SCORE = np.array([0.9, 0.6, 0.2, 0.7, 0.4, 0.3, 0.1, 0.0])


def test_figures_by_hand():
    found = figures(TRUTH, SCORE, 0.5)
    assert (found.attack, found.benign) == (3, 5)
    assert found.accuracy == pytest.approx(6 / 8)
    assert found.precision == pytest.approx(2 / 3)
    assert found.recall == pytest.approx(2 / 3)
    assert found.f1 == pytest.approx(2 / 3)
    assert found.fpr == pytest.approx(1 / 5)


def test_area_counts_pairs_and_ties_half():
    # 0.9 beats five, 0.6 beats four, 0.2 beats two of five benign scores: 11 of 15 pairs.
    assert area_under_curve(TRUTH, SCORE) == pytest.approx(11 / 15)
    assert area_under_curve(np.array([True, False]), np.array([0.5, 0.5])) == pytest.approx(0.5)


def test_nothing_to_divide_by_is_no_number():
    found = figures(np.zeros(4, bool), np.zeros(4), 0.5)
    assert math.isnan(found.recall)
    assert math.isnan(found.auc)
    assert found.fpr == 0


@pytest.mark.parametrize(("budget", "alerts"), [(0.0, 0), (0.1, 1), (0.2, 2), (0.35, 3)])
def test_the_budget_is_kept_exactly(budget, alerts):
    peaks = np.array([0.1, 0.2, 0.3, 0.8, 0.9, 0.95])
    threshold = alert_budget_threshold(peaks, 10.0, budget)
    assert int((peaks >= threshold).sum()) == alerts


def test_a_budget_without_benign_entities_is_refused():
    with pytest.raises(ValueError, match="no benign entity"):
        alert_budget_threshold(np.array([]), 1.0, 0.1)


def test_spread_is_of_a_sample():
    assert mean_and_spread([1.0, 3.0, float("nan")]) == (2.0, pytest.approx(math.sqrt(2)))
    assert mean_and_spread([5.0]) == (5.0, 0.0)
