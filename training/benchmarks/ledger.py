"""Counts how often a final test was looked at. A figure that was looked at often is no first look, and the report says so."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

LEDGER = Path(__file__).resolve().parents[2] / "docs" / "figures" / "final-tests.jsonl"


@dataclass(frozen=True, slots=True)
class Look:
    """One evaluation of one model on one final test; of a trial, one cell of the stage that ``model`` names.

    ``recipe`` is a hash of everything that decides the model (settings, code version, data): the same recipe looked at again,
    as ``make evaluate`` does, teaches nobody anything new; another recipe does.
    """

    test: str
    model: str
    seed: int
    recipe: str


@dataclass(frozen=True, slots=True)
class Counts:
    """Different recipes, and evaluations: each recipe with each seed is one."""

    recipes: int
    evaluations: int


def record(look: Look, path: Path = LEDGER) -> None:
    """Append, unless this very recipe has been looked at before."""
    if look in looks(path):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(look), sort_keys=True) + "\n")


def detector_looks(detector: str, tests: Iterable[str], seeds: Sequence[int], recipe: str) -> list[Look]:
    """What a build that evaluates a detector looks at: each of its test sets, with each seed."""
    return [Look(f"{detector}: {test}", "cnn_lstm", seed, recipe) for test in tests for seed in seeds]


def looks(path: Path = LEDGER) -> list[Look]:
    """All evaluations so far, oldest first."""
    if not path.is_file():
        return []
    return [Look(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def counts(every: Iterable[Look]) -> dict[str, dict[str, Counts]]:
    """How often each final test was looked at, by test and by model (of trials by stage), in order of their names."""
    recipes: dict[tuple[str, str], list[str]] = {}
    for look in every:
        recipes.setdefault((look.test, look.model), []).append(look.recipe)
    found: dict[str, dict[str, Counts]] = {}
    for (test, model), looked in sorted(recipes.items()):
        found.setdefault(test, {})[model] = Counts(len(set(looked)), len(looked))
    return found
