"""Stories and windows of a build as arrays in one file: told and encoded once, read by every later stage.

A story that stands in several sets is stored once. What is read back equals what was written, bit for bit.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.sequences import Story, Windows
from training.tasks import Material

FILE = "material.npz"
_HONEST = ("rows", "classes", "evidence", "story")


def save(material: Material, folder: Path) -> None:
    """Write the material to ``FOLDER/material.npz``."""
    sets = _sets(material)
    numbers: dict[int, int] = {}
    pool: list[Story] = []
    for story in (story for stories in sets.values() for story in stories):
        if id(story) not in numbers:
            numbers[id(story)] = len(pool)
            pool.append(story)
    families = sorted({story.family for story in pool})
    index = {family: number for number, family in enumerate(families)}
    header = {
        "sets": list(sets),
        "tests": list(material.tests),
        "apart": list(material.apart),
        "sources": material.sources,
        "recorded": sorted(material.recorded),
        "families": families,
        "entities": [story.entity for story in pool],
    }
    arrays: dict[str, NDArray[Any]] = {
        "header": np.frombuffer(json.dumps(header).encode(), np.uint8),
        "rows": np.concatenate([story.rows for story in pool]),
        "labels": np.concatenate([story.labels for story in pool]),
        "lengths": np.array([len(story.labels) for story in pool], np.int64),
        "family": np.array([index[story.family] for story in pool], np.int64),
        "attack": np.array([story.attack for story in pool], bool),
        "days": np.array([story.days for story in pool], np.float64),
        "timed": np.array([story.times_ms is not None for story in pool], bool),
        "times_ms": np.concatenate([np.zeros(0, np.int64), *(story.times_ms for story in pool if story.times_ms is not None)]),
    }
    for number, stories in enumerate(sets.values()):
        arrays[f"set-{number:03}"] = np.array([numbers[id(story)] for story in stories], np.int64)
    if material.honest is not None:
        arrays |= {f"honest-{name}": getattr(material.honest, name) for name in _HONEST}
    partial = folder / f"{FILE}.partial"
    with partial.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type, unused-ignore]
    partial.replace(folder / FILE)


def load(folder: Path) -> Material:
    """Read what :func:`save` wrote."""
    with np.load(folder / FILE, allow_pickle=False) as file:
        held = {name: file[name] for name in file.files}
    header = json.loads(held["header"].tobytes())
    pool = list(_stories(held, header))
    sets = {name: [pool[at] for at in held[f"set-{number:03}"].tolist()] for number, name in enumerate(header["sets"])}
    honest = Windows(*(held[f"honest-{name}"] for name in _HONEST)) if f"honest-{_HONEST[0]}" in held else None
    return Material(
        sets["train"], sets["stopping"], sets["validation"], {name: sets[f"test {name}"] for name in header["tests"]},
        tuple(header["sources"]), sets["watched"],
        {name: (sets[f"generated {name}"], sets[f"recorded {name}"]) for name in header["apart"]},
        frozenset(header["recorded"]), honest,
    )  # fmt: skip


def sources(folder: Path) -> tuple[str, ...]:
    """Say in words what the stored material is made of."""
    with np.load(folder / FILE, allow_pickle=False) as file:
        return tuple(json.loads(file["header"].tobytes())["sources"])


def _sets(material: Material) -> dict[str, list[Story]]:
    named = {name: getattr(material, name) for name in ("train", "stopping", "validation", "watched")}
    tests = {f"test {name}": stories for name, stories in material.tests.items()}
    apart = {
        f"{kind} {name}": stories
        for name, both in material.apart.items()
        for kind, stories in zip(("generated", "recorded"), both, strict=True)
    }
    return named | tests | apart


def _stories(held: dict[str, NDArray[Any]], header: dict[str, Any]) -> Iterable[Story]:
    ends = np.cumsum(held["lengths"])
    untimed = np.where(held["timed"], held["lengths"], 0)
    times_end = np.cumsum(untimed)
    for number, entity in enumerate(header["entities"]):
        begin, end = int(ends[number] - held["lengths"][number]), int(ends[number])
        last = int(times_end[number])
        timed = bool(held["timed"][number])
        yield Story(
            held["rows"][begin:end], held["labels"][begin:end], header["families"][int(held["family"][number])],
            bool(held["attack"][number]), float(held["days"][number]), entity,
            held["times_ms"][last - (end - begin) : last] if timed else None,
        )  # fmt: skip
