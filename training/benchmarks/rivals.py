"""What the network is compared with, on the same splits: linear SVM, random forest, LightGBM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from training.benchmarks.encoding import Encoding, plain_numbers
from training.benchmarks.records import Records

Rival = Literal["svm", "random_forest", "lightgbm"]
RIVALS: tuple[Rival, ...] = ("svm", "random_forest", "lightgbm")
#: Records → score of an attack in [0, 1], 0.5 being the model's own boundary.
Scorer = Callable[[Records], NDArray[np.float64]]


def fit_rival(rival: Rival, train: Records, encoding: Encoding, *, seed: int) -> Scorer:
    """Fit attack against benign. The SVM reads the network's encoding; trees read plain numbers, which serve them better.

    The SVM is linear and fitted by averaged stochastic gradient descent on the hinge loss; its margin is squashed into
    [0, 1] by a function that keeps the order of even the largest margins (a logistic one would round them to 1) and the boundary.
    """
    if rival == "svm":
        from sklearn.linear_model import SGDClassifier

        svm = SGDClassifier(loss="hinge", alpha=1e-6, average=True, max_iter=8, tol=None, random_state=seed)
        svm.fit(encoding.apply(train), train.truth)
        return lambda records: _squashed(np.asarray(svm.decision_function(encoding.apply(records)), np.float64))
    model: Any
    if rival == "random_forest":
        from sklearn.ensemble import RandomForestClassifier

        model = RandomForestClassifier(80, n_jobs=1, random_state=seed)
    else:
        model = boosted(seed)
    model.fit(plain_numbers(train, encoding), train.truth)
    return lambda records: np.asarray(model.predict_proba(plain_numbers(records, encoding))[:, 1], np.float64)


def boosted(seed: int) -> Any:
    """Untrained LightGBM, as the comparison and the teachers of the random splits use it."""
    from lightgbm import LGBMClassifier

    return LGBMClassifier(
        n_estimators=250, num_leaves=63, learning_rate=0.1, n_jobs=1, random_state=seed, deterministic=True,
        force_row_wise=True, bagging_fraction=0.9, bagging_freq=1, verbose=-1,
    )  # fmt: skip


def _squashed(margin: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(0.5 + 0.5 * margin / (1 + np.abs(margin)))
