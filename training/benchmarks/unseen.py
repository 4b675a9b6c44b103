"""How networks are trained when the test holds attacks that training lacks.

Fine steps between quantiles let a network fit the known attacks to the last record and tell it nothing of what lies between them;
hard labels say nothing of how near to a boundary a record is. So numbers are encoded coarsely, and the network learns the margin
of a LightGBM teacher (Hinton, Vinyals, Dean 2015, "Distilling the Knowledge in a Neural Network"), on the records of training and
on mixtures of them that nobody labelled. All of it was chosen on left-out attack types of KDDTrain+.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from training.benchmarks.encoding import Category, Encoding, Number, plain_numbers
from training.benchmarks.records import Records

#: Divides the teacher's log-odds, so that what it is less sure of still counts.
TEMPERATURE = 3.0
#: At most that many records of each attack, and of benign, are learnt from; and that many mixtures.
ATTACKS, BENIGNS, MIXTURES = 3000, 36_000, 30_000


@dataclass(frozen=True, slots=True)
class Lesson:
    """Encoded rows (n, width) and, for each, the teacher's softened probabilities of benign and attack (n, 2)."""

    rows: NDArray[np.float32]
    targets: NDArray[np.float32]


class Teacher:
    """LightGBM on plain numbers, as :mod:`training.benchmarks.rivals` reads them."""

    def __init__(self, train: Records, encoding: Encoding, *, seed: int) -> None:
        from lightgbm import LGBMClassifier

        self._encoding = encoding
        self._trees = LGBMClassifier(
            n_estimators=120, num_leaves=31, n_jobs=1, random_state=seed, deterministic=True, force_row_wise=True, verbose=-1
        ).fit(plain_numbers(train, encoding), train.truth)

    def lesson(self, records: Records) -> Lesson:
        """What the student is to say of these records."""
        margin = np.asarray(self._trees.predict(plain_numbers(records, self._encoding), raw_score=True))
        attack = 1 / (1 + np.exp(-np.clip(margin / TEMPERATURE, -50, 50)))
        return Lesson(self._encoding.apply(records), np.stack([1 - attack, attack], 1).astype(np.float32))


def coarse(encoding: Encoding) -> Encoding:
    """The same fields in the same groups, each number with one step from its least to its largest value in training."""
    fields: list[Number | Category] = [
        replace(field, cuts=field.cuts[[0, -1]]) if isinstance(field, Number) else field for field in encoding.fields
    ]
    old = np.cumsum([0, *(field.width for field in encoding.fields)])
    new = np.cumsum([0, *(field.width for field in fields)])
    ends = [int(new[np.searchsorted(old, end)]) for end in np.cumsum([0, *encoding.groups])]
    return Encoding(tuple(fields), tuple(end - begin for begin, end in pairwise(ends)))


def thinned(records: Records, *, seed: int) -> Records:
    """At most :data:`ATTACKS` of each attack and :data:`BENIGNS` benign: repeating forty thousand times teaches nothing more."""
    rng = np.random.default_rng([seed, 77])
    kept = []
    for attack in sorted(set(records.attacks.tolist())):
        rows = rng.permutation(np.flatnonzero(records.attacks == attack))
        kept.append(rows[: ATTACKS if records.truth[rows[0]] else BENIGNS])
    return records.take(rng.permutation(np.concatenate(kept)))


def mixtures(records: Records, count: int = MIXTURES, *, seed: int, share: float = 0.25) -> Records:
    """Records that never were: in each, a share of the fields comes from another record. Their labels mean nothing."""
    rng = np.random.default_rng([seed, 4])
    one = records.take(rng.integers(0, len(records), count))
    other = records.take(rng.integers(0, len(records), count))
    numbers = np.where(rng.random(one.numbers.shape) < share, other.numbers, one.numbers)
    categories = np.where(rng.random(one.categories.shape) < share, other.categories, one.categories)
    return replace(one, numbers=numbers, categories=categories)
