"""How figures are printed: mean and spread, k of n, tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def only(tests: dict[str, Any]) -> dict[str, Any]:
    return dict(next(iter(tests.values())))


def cells(one: dict[str, Any]) -> list[str]:
    return [
        plus_minus(one["accuracy"], 2),
        plus_minus(one["f1"], 2),
        plus_minus(one["fpr"], 3),
        f"{one['auc']['mean'] / 100:.5f}",
    ]


def three(one: dict[str, Any]) -> str:
    return f"{plus_minus(one['accuracy'], 2)} / {plus_minus(one['f1'], 2)} / {plus_minus(one['fpr'], 2)}"


def seeds_of(document: dict[str, Any], protocol: str, model: str) -> str:
    """How many seeds the figures are of; a dagger where they are of an earlier run."""
    seeds = only(document["boundary"][protocol][model])["accuracy"]["seeds"]
    return f"{seeds} †" if [protocol, model] in document.get("carried", []) else str(seeds)


def plus_minus(one: dict[str, float], digits: int) -> str:
    return f"{one['mean']:.{digits}f}" + (f" ± {one['spread']:.{digits}f}" if one["seeds"] > 1 else "")


def share(one: dict[str, Any]) -> str:
    return f"{one['found']} of {one['of']} ({100 * one['low']:.3g}–{100 * one['high']:.3g} %)"


def figure(name: str, drawn: Sequence[str], caption: str) -> str:
    return f"![{caption}](figures/{name})\n\n*{caption}*" if name in drawn else ""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))
