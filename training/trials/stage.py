"""A stage asks one question in several cells. A cell is computed once, stored, and never again while its recipe stands.

Cells lie in ``build/trials/STAGE/``; what they say together is written to ``docs/figures/trials/STAGE.json`` with the run record.
The report reads these documents and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from training.benchmarks import ledger
from training.datasets import catalogue
from training.reached_code import reached
from training.recipe import told

_ROOT = Path(__file__).resolve().parents[2]
WORK = _ROOT / "build" / "trials"
DOCUMENTS = _ROOT / "docs" / "figures" / "trials"
LOOKS = ledger.LEDGER
#: Of every question that is asked more than once. How many there are decides which cells there are, and nothing in them.
SEEDS = (1, 2, 3, 4, 5)
_PACKAGES = ("numpy", "scikit-learn", "lightgbm", "keras", "tensorflow-cpu", "ai-edge-litert")
Document = dict[str, Any]
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """One question.

    Attributes
    ----------
    name : str
        Of its folder and its document.
    question : str
        For the progress bar.
    cells : callable
        Keys of all cells, in order; a key is part of a file's name.
    run : callable
        (key, data root) → what the cell found, as JSON can hold it.
    sum_up : callable
        (results by key) → the document.
    looks_at : callable
        Key → names of the final tests that the cell looks at; each look is noted and counted.
    datasets : tuple of str
        Data sets that it reads.
    scenarios : tuple of str
        Detectors whose scenario files it tells.
    files : tuple of str
        Other files (paths under the repository) that it reads.
    """

    name: str
    question: str
    cells: Callable[[], Sequence[str]]
    run: Callable[[str, Path], Document]
    sum_up: Callable[[dict[str, Document]], Document]
    looks_at: Callable[[str], Sequence[str]]
    datasets: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def recipe(self) -> str:
        """Hash of what decides the results: the code that ``run`` reaches, versions, checksums of what it reads."""
        parts = list(self.code())
        parts += [f"{name} {version(name)}" for name in _PACKAGES]
        parts += [file.sha256 for file in catalogue() if file.dataset in self.datasets]
        parts += [json.dumps(told(name), sort_keys=True, default=str) for name in self.scenarios]
        parts += [hashlib.sha256((_ROOT / path).read_bytes()).hexdigest() for path in self.files]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def code(self) -> tuple[str, ...]:
        """Definitions that ``run`` reaches, by name; where it is made within a function, what that one reaches."""
        return reached(self.run.__module__, self.run.__qualname__.partition(".")[0])

    def kept(self, key: str) -> Document | None:
        """What a cell found earlier, by this recipe; None when it is to be computed."""
        path = WORK / self.name / f"{key}.json"
        if not path.is_file():
            return None
        stored: Document = json.loads(path.read_text(encoding="utf-8"))
        return stored["found"] if stored["recipe"] == self.recipe() else None

    def compute(self, key: str, root: Path) -> Document:
        """Compute one cell, keep it, and note its looks at final tests."""
        begun = time.process_time()
        found = self.run(key, root)
        path = WORK / self.name / f"{key}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        seconds = round(time.process_time() - begun, 1)
        path.write_text(json.dumps({"recipe": self.recipe(), "seconds": seconds, "found": found}, indent=1) + "\n")
        for test in self.looks_at(key):
            ledger.record(ledger.Look(test, self.name, seed_of(key), self.recipe()), LOOKS)
        return found

    def write(self) -> Path | None:
        """Write the document from the cells that are there; None when there is none."""
        results = {key: found for key in self.cells() if (found := self.kept(key)) is not None}
        if not results:
            return None
        document = {"run": self._run_record(results), **self.sum_up(results)}
        DOCUMENTS.mkdir(parents=True, exist_ok=True)
        path = DOCUMENTS / f"{self.name}.json"
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        return path

    def _run_record(self, results: Iterable[str]) -> Document:
        done = list(results)
        seconds = [json.loads((WORK / self.name / f"{key}.json").read_text())["seconds"] for key in done]
        return {
            "recipe": self.recipe(),
            "cells": len(done),
            "of": len(self.cells()),
            "seconds": round(sum(seconds)),
            "python": platform.python_version(),
            "versions": {name: version(name) for name in _PACKAGES},
            "sha256": {f"{file.dataset}/{file.name}": file.sha256 for file in catalogue() if file.dataset in self.datasets},
        }


def document(name: str) -> Document | None:
    """What a stage wrote, None where it has not."""
    path = DOCUMENTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def seed_of(key: str) -> int:
    """The seed that a cell's key ends with, 0 where it has none."""
    last = key.rpartition("_")[2]
    return int(last) if last.isdigit() else 0
