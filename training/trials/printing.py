"""How figures of sequence models are printed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from training.benchmarks.intervals import UPPER

Document = dict[str, Any]
_KINDS = {
    "iot23": "IoT-23 {}, trained on the other captures", "ctu": "CTU day {}, trained on earlier days",
    "device": "CTU day {} as its computer saw it, trained on earlier days", "unsw": "UNSW-NB15, 18 February, trained on January",
}  # fmt: skip


def title_of(name: str) -> str:
    """What a test of real flows is, from the name of its cells."""
    kind, _, which = name.partition("_")
    return _KINDS[kind].format(which)


def cells(one: Document, names: Sequence[str]) -> list[str]:
    """Figures by name; a dash where the sample does not allow one."""
    return [auc(one) if name == "auc" else share(one, name) for name in names]


def share(one: Document, name: str) -> str:
    """A share of a test's attack flows, or of its benign ones, in percent; of fewer than three events its upper bound."""
    return percent(one[name], of=one["benign" if name == "fpr" else "attack"])


def auc(one: Document) -> str:
    """The area under the ROC curve."""
    return number(one["auc"])


def number(value: Document | None) -> str:
    """Mean and spread as they are."""
    return "–" if value is None else f"{value['mean']:.3f}" + (f" ± {value['spread']:.3f}" if value["spread"] else "")


def percent(value: Document | None, *, of: int | None = None) -> str:
    """Mean and spread of a share, in percent; of ``of`` trials with fewer than three events its one-sided 95 % upper bound."""
    if value is None or value["mean"] is None:
        return "–"
    events = len(UPPER) if of is None else math.ceil(round(value["mean"] * of, 3))
    if of and events < len(UPPER):
        return f"≤ {100 * UPPER[events] / of:.2g}" if UPPER[events] < of else "–"
    return f"{100 * value['mean']:.1f}" + (f" ± {100 * value['spread']:.1f}" if value["spread"] else "")


def k_of_n(one: Document | None) -> str:
    """How many of how many, with the exact 95 % interval."""
    return "–" if one is None else f"{one['found']} of {one['of']} ({100 * one['low']:.0f}–{100 * one['high']:.0f} %)"


def run_line(document: Document) -> str:
    """How much of the stage was computed, and what it took."""
    run = document["run"]
    left = "" if run["cells"] == run["of"] else f"; {run['of'] - run['cells']} cells were not computed"
    return f"*{run['cells']} of {run['of']} cells, {run['seconds']} s of processor time{left}.*"
