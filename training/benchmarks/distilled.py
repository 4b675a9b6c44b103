"""How networks are trained under a random split: with the cuts that trees found, and on what the trees say of more records.

A network that is given quantiles has to find by itself that 1,032 bytes is one thing and 1,033 another; trees find such cuts.
So a network reads each number also as "above this cut or not", for the cuts that gained LightGBM most on the training part
(Gorishniy, Rubachev, Babenko 2022 call such an encoding target-aware), and learns, besides its own records, what LightGBM says of
mixtures of them (Hinton, Vinyals, Dean 2015). Both come from training records alone.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.benchmarks.encoding import Category, Encoding, Number, plain_numbers
from training.benchmarks.records import Records
from training.benchmarks.unseen import mixtures

#: Cuts in all, and of one field, at most.
CUTS, CUTS_OF_A_FIELD = 400, 24
#: At most that many records of each attack are learnt: of the floods, forty thousand say what six thousand do.
ATTACKS = 6000
#: Share of the fields of a mixture that come from another record.
SHARE = 0.15


@dataclass(frozen=True, slots=True)
class CutEncoding:
    """Columns of ``base`` without its quantile steps, and for each cut whether the value is above it.

    ``cuts`` holds those of each field of ``base``, empty for categories.
    """

    base: Encoding
    cuts: tuple[NDArray[np.float64], ...]

    @property
    def groups(self) -> tuple[int, ...]:
        """Width of each group, as in ``base``."""
        widths = [
            field.width if isinstance(field, Category) else 1 + len(cuts) + int(field.may_miss)
            for field, cuts in zip(self.base.fields, self.cuts, strict=True)
        ]
        old = np.cumsum([0, *(field.width for field in self.base.fields)])
        new = np.cumsum([0, *widths])
        ends = [int(new[np.searchsorted(old, end)]) for end in np.cumsum([0, *self.base.groups])]
        return tuple(end - begin for begin, end in pairwise(ends))

    def apply(self, records: Records) -> NDArray[np.float32]:
        """Encode: (n, width) float32, each value in [-1, 1]."""
        rows, columns = self.base.apply(records), []
        for field, cuts, (begin, end) in zip(self.base.fields, self.cuts, self.base.spans, strict=True):
            if isinstance(field, Category):
                columns.append(rows[:, begin:end])
                continue
            values = records.numbers[:, records.number_names.index(field.name)]
            filled = np.where(np.isnan(values), field.median, values)
            columns += [rows[:, begin : begin + 1], (filled[:, None] > cuts).astype(np.float32)]
            if field.may_miss:
                columns.append(rows[:, end - 1 : end])
        return np.concatenate(columns, axis=1)


def cut_encoding(encoding: Encoding, trees: Any) -> CutEncoding:
    """Take the cuts of a LightGBM model that was fitted on :func:`plain_numbers` of this encoding."""
    gains: dict[tuple[int, float], float] = defaultdict(float)
    for tree in trees.booster_.dump_model()["tree_info"]:
        open_nodes = [tree["tree_structure"]]
        while open_nodes:
            node = open_nodes.pop()
            if "split_feature" in node:
                gains[node["split_feature"], node["threshold"]] += node["split_gain"]
                open_nodes += [node["left_child"], node["right_child"]]
    kept: dict[int, list[float]] = defaultdict(list)
    for field, cut in sorted(gains, key=lambda key: (-gains[key], key)):
        full = sum(map(len, kept.values())) == CUTS or len(kept[field]) == CUTS_OF_A_FIELD
        if isinstance(encoding.fields[field], Number) and not full:
            kept[field].append(cut)
    return CutEncoding(encoding, tuple(np.array(sorted(kept[index])) for index in range(len(encoding.fields))))


def lessons(
    train: Records, encoding: CutEncoding, trees: Any, mixed: int, *, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rows to learn, and the probabilities of benign and attack of each (n, 2).

    Records stand under their labels, mixtures under what the trees say of them.
    """
    rng = np.random.default_rng([seed, 9])
    kept = [rng.permutation(np.flatnonzero(train.attacks == attack)) for attack in sorted(set(train.attacks.tolist()))]
    learnt = train.take(np.concatenate([rows if not train.truth[rows[0]] else rows[:ATTACKS] for rows in kept]))
    made = mixtures(train, mixed, seed=seed, share=SHARE)
    attack = np.asarray(trees.predict_proba(plain_numbers(made, encoding.base))[:, 1], np.float32)
    targets = np.concatenate([known(learnt), np.stack([1 - attack, attack], axis=1)])
    rows = np.concatenate([encoding.apply(learnt), encoding.apply(made)])
    order = rng.permutation(len(rows))
    return rows[order], targets[order]


def known(records: Records) -> NDArray[np.float32]:
    """Labels as probabilities of benign and attack: (n, 2)."""
    truth = records.truth.astype(np.float32)
    return np.stack([1 - truth, truth], axis=1)
