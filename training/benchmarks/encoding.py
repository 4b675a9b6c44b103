"""From a record to numbers between -1 and 1: one encoding for every model, fitted on training records alone.

A number becomes its standard score of the signed logarithm, and its place among the quantiles of training, piecewise linear
(Gorishniy, Rubachev, Babenko 2022, "On Embeddings for Numerical Features"): a tree finds its cuts by itself, a network is given
them. A category becomes one-hot, so that the first layer's weights are its learned embedding; one unseen in training is all zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.benchmarks.records import Records

#: Quantile steps a number is cut into, at most (values that repeat give fewer).
STEPS = 14
_LIMIT = 4.0


@dataclass(frozen=True, slots=True)
class Number:
    """How one number is encoded: center and scale of its signed logarithm, cuts between quantiles, what stands for a gap."""

    name: str
    center: float
    scale: float
    cuts: NDArray[np.float64]
    median: float
    may_miss: bool

    @property
    def width(self) -> int:
        return 1 + len(self.cuts) - 1 + int(self.may_miss)


@dataclass(frozen=True, slots=True)
class Category:
    """The values of one category that training has, in order."""

    name: str
    values: tuple[str, ...]

    @property
    def width(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class Encoding:
    """Fitted encoding. Columns lie group by group; ``groups`` holds the width of each."""

    fields: tuple[Number | Category, ...]
    groups: tuple[int, ...]

    @property
    def width(self) -> int:
        return sum(self.groups)

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Columns of each field: from, to."""
        ends = np.cumsum([field.width for field in self.fields]).tolist()
        return tuple((int(end - field.width), int(end)) for end, field in zip(ends, self.fields, strict=True))

    def apply(self, records: Records) -> NDArray[np.float32]:
        """Encode: (n, width) float32, each value in [-1, 1]."""
        columns = []
        for field in self.fields:
            if isinstance(field, Category):
                values = records.categories[:, records.category_names.index(field.name)]
                columns.append(values[:, None] == np.array(field.values)[None])
            else:
                columns.append(_number(field, records.numbers[:, records.number_names.index(field.name)]))
        return np.concatenate([column.astype(np.float32) for column in columns], axis=1)


def fit_encoding(records: Records, groups: Sequence[Sequence[str]]) -> Encoding:
    """Fit on training records; fields that are in no group are left out, names that the records lack are passed over."""
    fields: list[Number | Category] = []
    widths = []
    for group in groups:
        fitted: list[Number | Category] = []
        for name in group:
            if name in records.category_names:
                values = records.categories[:, records.category_names.index(name)]
                fitted.append(Category(name, tuple(sorted(set(values.tolist())))))
            elif name in records.number_names:
                fitted.append(_fit_number(name, records.numbers[:, records.number_names.index(name)]))
        fields += fitted
        widths.append(sum(field.width for field in fitted))
    return Encoding(tuple(fields), tuple(widths))


def plain_numbers(records: Records, encoding: Encoding) -> NDArray[np.float32]:
    """What trees read: numbers as they are (gaps filled by the same rule), categories as their index in training (-1: unseen)."""
    columns: list[NDArray[np.float64]] = []
    for field in encoding.fields:
        if isinstance(field, Category):
            index = {value: place for place, value in enumerate(field.values)}
            words = records.categories[:, records.category_names.index(field.name)].tolist()
            columns.append(np.array([index.get(word, -1) for word in words], np.float64))
        else:
            values = records.numbers[:, records.number_names.index(field.name)]
            columns.append(np.where(np.isnan(values), field.median, values))
    return np.stack(columns, axis=1).astype(np.float32)


def _fit_number(name: str, values: NDArray[np.float64]) -> Number:
    known = values[~np.isnan(values)]
    log = _signed_log(known)
    cuts = np.unique(np.quantile(known, np.linspace(0, 1, STEPS + 1)))
    if len(cuts) < STEPS // 2:
        # Mostly one value: quantiles of the distinct values say where the rest lies.
        cuts = np.unique(np.concatenate([cuts, np.quantile(np.unique(known), np.linspace(0, 1, STEPS // 2 + 1))]))
    cuts = cuts if len(cuts) > 1 else np.array([cuts[0], cuts[0] + 1.0])
    return Number(name, float(log.mean()), float(log.std()) or 1.0, cuts, float(np.median(known)), bool(np.isnan(values).any()))


def _number(field: Number, values: NDArray[np.float64]) -> NDArray[np.float64]:
    gaps = np.isnan(values)
    filled = np.where(gaps, field.median, values)
    standard = np.clip((_signed_log(filled) - field.center) / field.scale, -_LIMIT, _LIMIT) / _LIMIT
    low, high = field.cuts[:-1], field.cuts[1:]
    steps = np.clip((filled[:, None] - low) / (high - low), 0.0, 1.0)
    missing = [gaps[:, None].astype(np.float64)] if field.may_miss else []
    return np.concatenate([standard[:, None], steps, *missing], axis=1)


def _signed_log(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))
