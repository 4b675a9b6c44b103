"""How unlike all benign training records a record is, and how that is put together with what a classifier says.

The classifier knows the attacks that it has seen. Two scores know no attack at all, and each sees what the other is blind to:

- **reconstruction**: the error with which a record is rebuilt from the main components of benign records;
- **dependence**: the log-odds that a record is one of benign training and not a mixture of two of them (half of the fields of
  each), by trees. Each value of a mixture is an ordinary one; only their company gives it away (Hastie, Tibshirani,
  Friedman 2009, "The Elements of Statistical Learning", 14.2.4, estimates densities so).

Each score becomes the share of benign validation records that reach it. The logarithms of the three shares are added (Fisher
1932), and the sum is judged by the same benign records, so that a budget of false alarms means what it says for every form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.benchmarks.encoding import Encoding, plain_numbers
from training.benchmarks.records import Records
from training.benchmarks.unseen import mixtures

COMPONENTS = 40
#: What is stored of each record, in this order.
SCORES = ("reconstruction", "dependence")
_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """Main components of benign records: ``mean`` (width,), ``axes`` (components, width)."""

    mean: NDArray[np.float32]
    axes: NDArray[np.float32]

    def error(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Squared distance of encoded rows (n, width) to what the components can express: (n,)."""
        centred = rows - self.mean
        rest = centred - centred @ self.axes.T @ self.axes
        return np.asarray(np.einsum("ij,ij->i", rest, rest), np.float64)


def fit_reconstruction(benign: NDArray[np.float32], *, seed: int, most: int = 12_000) -> Reconstruction:
    """Fit on encoded benign training rows, on a sample of them when there are more than ``most``."""
    from sklearn.decomposition import PCA

    rows = np.random.default_rng(seed).permutation(len(benign))[:most]
    fitted = PCA(min(COMPONENTS, *benign[rows].shape), random_state=seed).fit(benign[rows])
    return Reconstruction(fitted.mean_.astype(np.float32), fitted.components_.astype(np.float32))


def fit_dependence(benign: Records, encoding: Encoding, *, seed: int) -> Callable[[Records], NDArray[np.float64]]:
    """Fit on benign training records; the score of a record is the log-odds that it is a mixture."""
    from lightgbm import LGBMClassifier

    made = mixtures(benign, len(benign), seed=seed, share=_SHARE)
    rows = np.concatenate([plain_numbers(benign, encoding), plain_numbers(made, encoding)])
    trees = LGBMClassifier(
        n_estimators=150, num_leaves=63, n_jobs=1, random_state=seed, deterministic=True, force_row_wise=True, verbose=-1
    ).fit(rows, np.r_[np.zeros(len(benign)), np.ones(len(made))])
    return lambda records: np.asarray(trees.predict(plain_numbers(records, encoding), raw_score=True), np.float64)


def benign_tail(reference: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each score, the share of benign reference scores that reach it: (n,), between 1 / (m + 1) and 1."""
    ordered = np.sort(reference)
    reached = len(ordered) - np.searchsorted(ordered, scores, side="left")
    return np.asarray((reached + 1) / (len(ordered) + 1))


def joint(reference: Sequence[NDArray[np.float64]], scores: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """One benign tail from several scores: (n,). ``reference`` holds the same scores of benign validation records, each (m,)."""

    def added(given: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        tails = [benign_tail(known, score) for known, score in zip(reference, given, strict=True)]
        return np.asarray(-np.sum(np.log(tails), axis=0))

    return benign_tail(added(reference), added(scores))
