"""A stage of a detector's build: what it needs, what it leaves, and when what it left still holds.

A stage leaves files in ``FOLDER/STAGE/`` (one that is done for each seed in ``FOLDER/STAGE/seed-N/``) and, last of all,
``done.json``: what decided them (code, settings, versions, checksums of what was read), their own checksums, time and figures.
While all of that stands a stage is not run again. What only keeps and tells of results is here, and decides none.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

from training.jobs.run_record import Run
from training.reached_code import reached
from training.tasks import Task

DONE = "done.json"
#: What an interrupted cell may go on from; the rest of the name says of which recipe it is.
UNFINISHED = "unfinished-"
#: Settings that are the build's; ``seed`` is the cell's, or the first. Others are the task's.
_OF_A_BUILD = frozenset({"seeds", "repeats", "epochs"})
Figures = dict[str, Any]
Parts = dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Build:
    """One detector's build: what is asked for, on what, and where its results lie.

    Attributes
    ----------
    task : Task
    root : Path or None
        Recorded data; None builds on scenarios alone.
    seeds : tuple of int
        The first is that of the model that ships, and of the stories.
    repeats, epochs : int
        Stories of each attack family; epochs of a fit, at most.
    folder : Path
        Of kept results.
    out : Path
        The detector's folder, which the last stage writes.
    run : Run
        Sources, recorded data and versions.
    command : str
        What a person types to run a stage of it, but for the stage's name.
    looks : Path or None
        Where looks at final tests are counted.
    progress : callable
        Told lines.
    stepped : callable
        Told how many of how many steps of a cell are done.
    """

    task: Task
    root: Path | None
    seeds: tuple[int, ...]
    repeats: int
    epochs: int
    folder: Path
    out: Path
    run: Run
    command: str
    looks: Path | None = None
    progress: Callable[[str], None] = lambda _: None
    stepped: Callable[[int, int], None] = lambda *_: None

    def place(self, stage: str, seed: int | None = None) -> Path:
        """Folder of a stage's files, or of one seed's."""
        return self.folder / stage / f"seed-{seed}" if seed is not None else self.folder / stage


@dataclass(frozen=True, slots=True)
class Cell:
    """One thing to compute: a stage, or a stage for one seed.

    Attributes
    ----------
    build : Build
    place : Path
        Its files go here.
    unfinished : Path
        What an interrupted run can go on from; removed when the cell is done.
    seed : int or None
    recipe : str
        Digest of what decides it.
    """

    build: Build
    place: Path
    unfinished: Path
    seed: int | None
    recipe: str


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a build.

    Attributes
    ----------
    name, does : str
    run : callable
        Cell → figures. It writes files into the cell's place.
    needs : tuple of str
        Stages whose files it reads, in the order of the chain.
    settings : tuple of str
        Settings of the task and of the build that it reads. No other may decide what it leaves: a test holds it against this.
    calls : tuple of str
        Functions of the task that it calls.
    each_seed : bool
        It is done for each seed by itself, from what the needed stages left for that seed.
    reads : callable
        Build → checksums by name of what it reads besides.
    leaves : callable
        Build → files that it writes outside its folder.
    """

    name: str
    does: str
    run: Callable[[Cell], Figures]
    needs: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    each_seed: bool = False
    reads: Callable[[Build], dict[str, str]] = lambda _: {}
    leaves: Callable[[Build], tuple[Path, ...]] = lambda _: ()

    def seeds(self, build: Build) -> tuple[int | None, ...]:
        """A seed for each cell; the one cell of a stage that is done once has none."""
        return build.seeds if self.each_seed else (None,)

    def parts(self, build: Build, seed: int | None, inputs: dict[str, str]) -> Parts:
        """What decides a cell, as checksums and short texts, by kind and name. ``inputs`` are the needed stages' files."""
        code = list(reached(self.run.__module__, self.run.__name__))
        for function in (getattr(build.task, name) for name in self.calls):
            code += reached(function.__module__, function.__name__) if function is not None else ()
        return {
            "code": {self.run.__module__: _digest(sorted(set(code)))},
            "settings": {name: _told(_setting(build, seed, name)) for name in self.settings},
            "versions": dict(build.run.versions),
            "inputs": inputs | self.reads(build),
        }


@dataclass(frozen=True, slots=True)
class Kept:
    """What a cell left, as its ``done.json`` says."""

    parts: Parts
    files: dict[str, str]
    figures: Figures
    began: str
    seconds: float

    def changed(self, parts: Parts) -> tuple[str, ...]:
        """Name what is no longer as it was when the cell was done."""
        return tuple(
            f"{kind} {name}"
            for kind in parts
            for name in sorted({*parts[kind], *self.parts.get(kind, {})})
            if parts[kind].get(name) != self.parts.get(kind, {}).get(name)
        )

    def lost(self, place: Path) -> tuple[str, ...]:
        """Name files that are gone or no longer what was written."""
        return tuple(name for name, digest in self.files.items() if not _holds(place / name, digest))


def read(place: Path) -> Kept | None:
    """What was kept there; None where nothing was, or not to its end."""
    try:
        return Kept(**json.loads((place / DONE).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def begin(place: Path, recipe: str) -> Path:
    """Clear the place of a cell for a run by that recipe, and return where the run keeps what it could go on from."""
    place.mkdir(parents=True, exist_ok=True)
    unfinished = place / f"{UNFINISHED}{recipe[:12]}"
    (place / DONE).unlink(missing_ok=True)
    for path in place.iterdir():
        if path.is_dir() and path != unfinished:
            shutil.rmtree(path)
        elif path.is_file():
            path.unlink()
    return unfinished


def finish(cell: Cell, parts: Parts, figures: Figures, *, began: str, seconds: float, leaves: tuple[Path, ...] = ()) -> Kept:
    """Note that the cell is done; ``done.json`` appears whole or not at all."""
    shutil.rmtree(cell.unfinished, ignore_errors=True)
    inside = sorted(path for path in cell.place.rglob("*") if path.is_file())
    files = {path.relative_to(cell.place).as_posix(): checksum(path) for path in inside}
    files |= {str(path.resolve()): checksum(path) for path in leaves}
    kept = Kept(parts, files, figures, began, round(seconds, 1))
    partial = cell.place / f"{DONE}.partial"
    partial.write_text(json.dumps(asdict(kept), indent=1) + "\n", encoding="utf-8")
    partial.replace(cell.place / DONE)
    return kept


def digest_of(parts: Parts) -> str:
    """The recipe of a cell."""
    return _digest(parts)


def checksum(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _holds(path: Path, digest: str) -> bool:
    return path.is_file() and checksum(path) == digest


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _setting(build: Build, seed: int | None, name: str) -> object:
    if name == "seed":
        return build.seeds[0] if seed is None else seed
    return getattr(build if name in _OF_A_BUILD else build.task, name)


def _told(value: object) -> str:
    plain = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
    return json.dumps(dict(plain) if isinstance(plain, Mapping) else plain)
