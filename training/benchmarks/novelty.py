"""How unlike all benign training records a record is, and how that is put together with what a classifier says.

The classifier knows the attacks that it has seen. The novelty score knows no attack at all: it is the error with which a
record is rebuilt from the main components of benign records. Each is turned into the share of benign validation records that
score as high; the smaller of the two shares counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

COMPONENTS = 40


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
    fitted = PCA(COMPONENTS, random_state=seed).fit(benign[rows])
    return Reconstruction(fitted.mean_.astype(np.float32), fitted.components_.astype(np.float32))


def benign_tail(reference: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each score, the share of benign reference scores that reach it: (n,), between 1 / (m + 1) and 1."""
    ordered = np.sort(reference)
    reached = len(ordered) - np.searchsorted(ordered, scores, side="left")
    return np.asarray((reached + 1) / (len(ordered) + 1))


def combined(
    reference: tuple[NDArray[np.float64], NDArray[np.float64]], scores: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """One score from the classifier's and the novelty's: minus the logarithm of the smaller benign tail, (n,).

    ``reference`` holds both scores of benign validation records.
    """
    tails = np.minimum(benign_tail(reference[0], scores[0]), benign_tail(reference[1], scores[1]))
    return np.asarray(-np.log(tails))
