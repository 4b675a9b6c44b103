"""Runs the stages of a build in their order, each only where what it left no longer stands, and writes the run record."""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from training.jobs.run_record import FORMAT, RECORD
from training.progress import CellsDone
from training.stages import card, clean, encode, evaluate, export, load, train, tune
from training.stages.stage import Build, Cell, Kept, Stage, begin, digest_of, finish, read
from training.stages.standing import Standing

STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        load.STAGE, clean.STAGE, encode.STAGE, train.STAGE, tune.STAGE, evaluate.STAGE, export.STAGE, card.STAGE
    )
}  # fmt: skip


class StageMissing(Exception):
    """Stages cannot run before others. Names these, why they do not stand, and the command that runs them."""


def run_chain(build: Build, chosen: Iterable[str] = STAGES, *, anew: bool = False, bar: CellsDone | None = None) -> None:
    """Run the chosen stages that do not stand; with ``anew`` also those that do. Raises StageMissing."""
    wanted = tuple(name for name in STAGES if name in set(chosen))
    standing = Standing(build, STAGES)
    if missing := standing.missing(wanted):
        raise _missing(build, wanted, missing)
    for stage in (STAGES[name] for name in wanted):
        for seed in stage.seeds(build):
            title = f"{build.task.name} {stage.name}" + ("" if seed is None else f", seed {seed}")
            if bar is not None:
                bar.begin(title)
            kept, why = (None, "wanted anew") if anew else standing.of(stage, seed)
            if kept is not None:
                build.progress(f"{title}: not run again, nothing changed since {kept.began} ({kept.seconds:.0f} s then)")
            else:
                build.progress(f"{title}: {stage.does} ({why})")
                standing.take(stage, seed, _compute(standing, stage, seed, wanted))
            write_record(build)
            if bar is not None:
                bar.end()


def _compute(standing: Standing, stage: Stage, seed: int | None, wanted: tuple[str, ...]) -> Kept:
    build = standing.build
    inputs, why = standing.inputs(stage, seed)
    if inputs is None:
        raise _missing(build, wanted, {stage.needs[-1]: why})
    parts = stage.parts(build, seed, inputs)
    recipe, place = digest_of(parts), build.place(stage.name, seed)
    cell = Cell(build, place, begin(place, recipe), seed, recipe)
    began, clock = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    figures = stage.run(cell)
    return finish(cell, parts, figures, began=began, seconds=time.monotonic() - clock, leaves=stage.leaves(build))


def _missing(build: Build, wanted: tuple[str, ...], missing: dict[str, str]) -> StageMissing:
    first, *others = missing
    names = [name for name in STAGES if name in missing or name in wanted]
    after = f" ({', '.join(others)} after it)" if others else ""
    return StageMissing(
        f"{build.task.name}: {wanted[-1]} needs {first}, which {missing[first]}{after}: {build.command} {' '.join(names)}"
    )


def write_record(build: Build) -> None:
    """Write run.json into the folder of the build: what was asked for, on what, and what each stage read, left and found."""
    record = {
        "format": FORMAT,
        "detector": build.task.name,
        "seeds": build.seeds,
        "repeats": build.repeats,
        "epochs": build.epochs,
        **asdict(build.run),
        "machine": {"processor": platform.machine(), "system": sys.platform},
        "stages": record_of(build),
    }
    build.folder.mkdir(parents=True, exist_ok=True)
    (build.folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def record_of(build: Build) -> dict[str, Any]:
    """What each stage left so far, by its place (``train/seed-1``)."""
    return {
        build.place(stage.name, seed).relative_to(build.folder).as_posix(): {"recipe": digest_of(kept.parts), **asdict(kept)}
        for stage in STAGES.values()
        for seed in stage.seeds(build)
        if (kept := read(build.place(stage.name, seed))) is not None
    }
