"""``python -m training.build [network|audit|all] [STAGE ...]``: build the deployed detectors, stage by stage.

Without a stage all run, in order. Each can be run alone, once those before it have run, and goes on where it was stopped; one
that is done is not run again while its code, settings, data and the stages before it are what they were. What stages leave lies
in ``build/train``, with ``run.json``: what each of them read, took and found.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from training.artifact import ARTIFACTS
from training.benchmarks import ledger
from training.data_root import data_root
from training.jobs.hyperparameters import JobError
from training.jobs.run_record import Run
from training.progress import CellsDone
from training.recipe import EPOCHS, REPEATS
from training.stages.chain import STAGES, StageMissing, run_chain
from training.stages.stage import Build
from training.tasks import TASKS

#: What stages leave, a folder for each detector and its settings.
WORK = Path(__file__).resolve().parents[1] / "build" / "train"
_ALL = "all"


def progress_since(start: float) -> Callable[[str], None]:
    """Print lines with the seconds since ``start``."""
    return lambda text: print(f"{time.monotonic() - start:7.1f} s  {text}", flush=True)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    stages = "\n".join(f"  {stage.name:9} {stage.does}" for stage in STAGES.values())
    made = argparse.ArgumentParser(
        prog="python -m training.build", formatter_class=argparse.RawDescriptionHelpFormatter,
        description=f"{__doc__}\nstages:\n{stages}",
    )  # fmt: skip
    made.add_argument(
        "what",
        nargs="*",
        metavar="DETECTOR|STAGE",
        choices=[[], _ALL, *TASKS, *STAGES],
        help="default: all detectors, all stages",
    )
    made.add_argument("--seed", type=int, default=1, help="seed of the shipped model")
    made.add_argument("--seeds", type=int, default=3, help="how many seeds the figures are taken over, from --seed on")
    made.add_argument(
        "--repeats", type=int, default=0, help="stories of each attack family (default: those of the shipped models)"
    )
    made.add_argument("--epochs", type=int, default=0, help="at most (default: those of the shipped models)")
    made.add_argument("--out", type=Path, default=ARTIFACTS, help="folder of the detectors' folders")
    made.add_argument("--anew", action="store_true", help="run stages again although nothing has changed")
    return made


def builds(arguments: argparse.Namespace, root: Path | None, run: Run, progress: Callable[[str], None]) -> list[Build]:
    """One build for each detector that is asked for."""
    flags = "".join(
        f" --{name} {value}"
        for name in ("seed", "seeds", "repeats", "epochs", "out")
        if (value := getattr(arguments, name)) != parser().get_default(name)
    )
    seeds = tuple(range(arguments.seed, arguments.seed + arguments.seeds))
    found = []
    for name in [each for each in TASKS if each in arguments.what] or list(TASKS):
        repeats, epochs = arguments.repeats or REPEATS[name], arguments.epochs or EPOCHS[name]
        found.append(
            Build(
                task=TASKS[name](),
                root=root,
                seeds=seeds,
                repeats=repeats,
                epochs=epochs,
                folder=WORK / f"{name}-seed{seeds[0]}-repeats{repeats}-epochs{epochs}",
                out=arguments.out / name,
                run=run,
                command=f"python -m training.build{flags} {name}",
                looks=ledger.LEDGER,
                progress=progress,
            )
        )
    return found


def main(given: Sequence[str] | None = None) -> int:
    """Run the stages that are asked for, detector by detector; 1 with the reason where they cannot be run."""
    arguments = parser().parse_args(given)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    root = data_root()
    try:
        run = Run.of(root)
    except JobError as error:
        parser().error(f"recorded data is not as published: {error}")
    wanted = [name for name in STAGES if name in arguments.what] or list(STAGES)
    every = builds(arguments, root, run, progress_since(time.monotonic()))
    cells = sum(len(STAGES[name].seeds(build)) for build in every for name in wanted)
    columns = (TextColumn("{task.description:28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, disable=not sys.stderr.isatty(), console=Console(stderr=True)) as bar:
        done = CellsDone(bar, cells)
        for build in every:
            try:
                run_chain(replace(build, stepped=done.stepped), wanted, anew=arguments.anew, bar=done)
            except StageMissing as error:
                print(error, file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
