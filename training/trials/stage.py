"""A stage asks one question in several cells. A cell is computed once, stored, and never again while its recipe stands.

Cells lie in ``build/trials/STAGE/``; what they say together is written to ``docs/figures/trials/STAGE.json`` with the run record.
The report reads these documents and nothing else.
"""

from __future__ import annotations

import ast
import hashlib
import json
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from training.datasets import catalogue

_ROOT = Path(__file__).resolve().parents[2]
WORK = _ROOT / "build" / "trials"
DOCUMENTS = _ROOT / "docs" / "figures" / "trials"
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
    modules : tuple of str
        Files (paths under the repository) that decide the result: modules by their code, others by their bytes.
    datasets : tuple of str
        Data sets that it reads.
    """

    name: str
    question: str
    cells: Callable[[], Sequence[str]]
    run: Callable[[str, Path], Document]
    sum_up: Callable[[dict[str, Document]], Document]
    modules: tuple[str, ...]
    datasets: tuple[str, ...]

    def recipe(self) -> str:
        """Hash of what decides the results: code, versions, checksums of the data."""
        parts = [_code(_ROOT / path) for path in self.modules]
        parts += [f"{name} {version(name)}" for name in _PACKAGES]
        parts += [file.sha256 for file in catalogue() if file.dataset in self.datasets]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def kept(self, key: str) -> Document | None:
        """What a cell found earlier, by this recipe; None when it is to be computed."""
        path = WORK / self.name / f"{key}.json"
        if not path.is_file():
            return None
        stored: Document = json.loads(path.read_text(encoding="utf-8"))
        return stored["found"] if stored["recipe"] == self.recipe() else None

    def compute(self, key: str, root: Path) -> Document:
        """Compute one cell and keep it."""
        begun = time.process_time()
        found = self.run(key, root)
        path = WORK / self.name / f"{key}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        seconds = round(time.process_time() - begun, 1)
        path.write_text(json.dumps({"recipe": self.recipe(), "seconds": seconds, "found": found}, indent=1) + "\n")
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


@cache
def _code(path: Path) -> str:
    """A module without comments and docstrings: to word something better changes no result. Of other files, the checksum."""
    if path.suffix != ".py":
        return hashlib.sha256(path.read_bytes()).hexdigest()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)
