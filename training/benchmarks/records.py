"""Rows of a benchmark data set: numbers, categories and what each row is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.datasets import Checked, catalogue, verify_files

BENIGN = "benign"


class DataNotAsPublished(RuntimeError):
    """A file is absent or differs from the published one; the message says which one to bring."""


@dataclass(frozen=True, slots=True)
class Records:
    """Labelled records of one data set.

    Attributes
    ----------
    numbers : float64 (n, d)
        NaN where a value is missing or infinite.
    categories : str (n, c)
    attacks : str (n,)
        Name of the attack, :data:`BENIGN` where there is none.
    families : str (n,)
        Family of the attack, :data:`BENIGN` where there is none.
    number_names, category_names : tuple of str
    """

    numbers: NDArray[np.float64]
    categories: NDArray[np.str_]
    attacks: NDArray[np.str_]
    families: NDArray[np.str_]
    number_names: tuple[str, ...]
    category_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.attacks)

    @property
    def truth(self) -> NDArray[np.bool_]:
        """True where the record is of an attack: (n,)."""
        return np.asarray(self.attacks != BENIGN)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Records:
        """The chosen rows, in that order."""
        return Records(
            self.numbers[rows], self.categories[rows], self.attacks[rows], self.families[rows],
            self.number_names, self.category_names,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Records without repetitions, and what was found on the way.

    ``repeated`` rows had the features of an earlier one and were dropped; ``contradicting`` of these under another label.
    """

    records: Records
    repeated: int
    contradicting: int


def drop_repeated(records: Records) -> Cleaned:
    """Keep each distinct feature vector once: its first appearance, under the label that it has there.

    Done before any split: a row that stands on both sides of one is remembered, not recognised. Vectors that occur under both
    labels stay in as well, though no model can get them all right; leaving them out would flatter.
    """
    _, first, inverse = np.unique(row_keys(records), return_index=True, return_inverse=True)
    truth = records.truth
    contradicting = int(np.sum(truth != truth[first[inverse]]))
    return Cleaned(records.take(np.sort(first)), len(records) - len(first), contradicting)


def row_keys(records: Records) -> NDArray[np.object_]:
    """One hashable value a row: equal where all features are equal to six digits (the label is no part of it).

    Six digits, because the same flow was published with more digits in one file and fewer in another.
    """
    numbers = np.nan_to_num(records.numbers, nan=-9.87654e30)
    with np.errstate(divide="ignore"):
        exponent = np.where(numbers == 0, 0.0, np.floor(np.log10(np.abs(numbers))))
    unit = 10.0 ** (exponent - 5)
    rounded = np.ascontiguousarray(np.rint(numbers / unit) * unit + 0.0, np.float32)
    words = ["\x1f".join(row) for row in records.categories.tolist()]
    return np.array([row.tobytes() + word.encode() for row, word in zip(rounded, words, strict=True)], object)


def checked_files(root: Path, dataset: str, names: Iterable[str]) -> dict[str, Path]:
    """Paths of the named files, after their content was compared with the published sha256.

    Raises
    ------
    DataNotAsPublished
        Naming every file that is absent or differs, and what to bring.
    """
    wanted = set(names)
    files = [file for file in catalogue() if file.dataset == dataset and file.name in wanted]
    unknown = wanted - {file.name for file in files}
    if unknown:
        raise DataNotAsPublished(f"datasets.json does not name {sorted(unknown)} of {dataset}: add their sha256 there first")
    wrong: list[Checked] = [checked for checked in verify_files(root, files) if checked.problem]
    if wrong:
        raise DataNotAsPublished("; ".join(f"{item.file.dataset}/{item.file.name}: {item.problem}" for item in wrong))
    return {file.name: root / file.dataset / file.name for file in files}
