"""What a sample allows to be said about a rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Rule of three: below this many trials for each event expected, a rate is a bound and not a figure.
TRIALS_PER_EVENT = 3
#: Poisson's one-sided 95 % limits for 0, 1 and 2 events: what fewer than three allow to be said is a bound, not a rate.
UPPER = (3.0, 4.74, 6.30)


@dataclass(frozen=True, slots=True)
class Counted:
    """``found`` of ``trials`` with the exact 95 % interval of Clopper and Pearson (1934)."""

    found: int
    trials: int
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.found} of {self.trials} ({100 * self.low:.0f}–{100 * self.high:.0f} %)"


def counted(found: int, trials: int) -> Counted:
    """Exact two-sided 95 % interval of a share.

    Raises
    ------
    ValueError
        More found than tried, or nothing tried.
    """
    if not 0 <= found <= trials or trials == 0:
        raise ValueError(f"{found} of {trials} is no share")
    from scipy.stats import beta

    low = float(beta.ppf(0.025, found, trials - found + 1)) if found else 0.0
    high = float(beta.ppf(0.975, found + 1, trials - found)) if found < trials else 1.0
    return Counted(found, trials, low, high)


def allows(rate: float, trials: int) -> bool:
    """Whether that many benign records are enough to speak of that false-positive rate (n ≥ 3 / rate)."""
    return trials * rate >= TRIALS_PER_EVENT


@dataclass(frozen=True, slots=True)
class AtRate:
    """A threshold that at most ``rate`` of the benign records reach, and the share of attacks that still do."""

    rate: float
    threshold: float
    recall: float


def at_rate(truth: NDArray[np.bool_], score: NDArray[np.float64], rate: float) -> AtRate | None:
    """Recall at a false-positive rate; None where the sample is too small to speak of it.

    The threshold is taken from these very benign scores, so it says what the ranking is worth, not what a deployment gets.
    """
    benign = np.sort(score[~truth])[::-1]
    if not allows(rate, len(benign)) or not truth.any():
        return None
    threshold = float(np.nextafter(benign[min(int(rate * len(benign)), len(benign) - 1)], np.inf))
    return AtRate(rate, threshold, float(np.mean(score[truth] >= threshold)))
