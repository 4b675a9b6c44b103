"""What the sequence model has to beat: models that see the last event of a window and nothing before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Last events (n, F) → probability of an attack (n,).
Baseline = Callable[[NDArray[np.float32]], NDArray[np.float64]]


def fit_baselines(
    windows: NDArray[np.float32], classes: NDArray[np.int64], *, seed: int, most: int = 20_000
) -> dict[str, Baseline]:
    """Fit logistic regression and a random forest on the last event of each window (n, T, F), attack against benign."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    chosen = np.random.default_rng(seed).permutation(len(classes))[:most]
    rows, truth = windows[chosen, -1], classes[chosen] > 0
    models: dict[str, Any] = {
        "logistic_regression": LogisticRegression(max_iter=300, class_weight="balanced"),
        "random_forest": RandomForestClassifier(100, max_depth=14, class_weight="balanced", n_jobs=2, random_state=seed),
    }

    def probability(model: Any) -> Baseline:
        return lambda events: np.asarray(model.predict_proba(events)[:, 1], np.float64)

    return {name: probability(model.fit(rows, truth)) for name, model in models.items()}


def recall_at_fpr(truth: NDArray[np.bool_], score: NDArray[np.float64], fpr: float) -> float:
    """Share of attacks detected when at most that share of benign alarms: the threshold is taken from the benign scores here."""
    benign = np.sort(score[~truth])[::-1]
    if not len(benign) or not truth.any():
        return float("nan")
    limit = benign[min(int(fpr * len(benign)), len(benign) - 1)]
    return float(np.mean(score[truth] > limit))
