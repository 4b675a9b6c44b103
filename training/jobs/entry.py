"""``python -m training.jobs.entry``: what a job runs, on SageMaker, on Azure ML or here.

It reads what the service says (:mod:`training.jobs.surroundings`), runs the stages of ``training.build`` for each detector, and
leaves in the model folder what :mod:`training.promote` takes back: the detectors' folders, run.json and SHA256SUMS. What stages
leave lies in the folder for checkpoints, so that a job whose machine was taken away runs no finished stage again.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import NoReturn

from training.jobs import surroundings as job_surroundings
from training.jobs.hyperparameters import JobError
from training.jobs.run_record import Run, write_record
from training.jobs.surroundings import Surroundings


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None) -> int:
    """Run the job; 0 when the model folder is complete, 1 with the reason where it cannot be."""
    environment = os.environ if environment is None else environment
    # As process 1 of a container Python would not hear SIGTERM at all, and a reclaimed machine would be killed later.
    signal.signal(signal.SIGTERM, _stop)
    try:
        run_job(job_surroundings.read(sys.argv[1:] if arguments is None else arguments, environment))
    except JobError as error:
        print(f"The job cannot run: {error}", file=sys.stderr, flush=True)
        _leave_reason(environment, str(error))
        return 1
    except Exception as error:
        _leave_reason(environment, f"{type(error).__name__}: {error} (the log holds the traceback)")
        raise
    return 0


def run_job(told: Surroundings) -> None:
    """Build every detector that is asked for, then write the record."""
    began = _now()
    told.model.mkdir(parents=True, exist_ok=True)
    run = Run.of(told.data)
    say = _told_to(told)
    say(f"{told.service} job {told.job}: sources {run.source[:12]}, {run.data.as_published} files of recorded data as published")
    say(", ".join(f"{name} {version}" for name, version in run.versions.items()))
    with tempfile.TemporaryDirectory() as temporary:
        stages = _build(told, run, told.checkpoints or Path(temporary), say)
    write_record(told, run, began=began, ended=_now(), devices=_devices(), stages=stages)
    say("complete")


def _build(told: Surroundings, run: Run, folder: Path, say: Callable[[str], None]) -> dict[str, object]:
    """Run every stage of every detector; what each stage read, left and found, by detector."""
    from training.recipe import REPEATS
    from training.stages.chain import record_of, run_chain
    from training.stages.stage import Build
    from training.tasks import TASKS

    wanted = told.hyperparameters
    records: dict[str, object] = {}
    for name in wanted.detectors():
        build = Build(
            task=TASKS[name](),
            root=told.data,
            seeds=tuple(range(wanted.seed, wanted.seed + wanted.seeds)),
            repeats=wanted.repeats or REPEATS[name],
            epochs=wanted.epochs,
            folder=folder / name,
            out=told.model / name,
            run=run,
            command=f"python -m training.build {name}",
            progress=say,
        )
        run_chain(build)
        records[name] = record_of(build)
    return records


def _leave_reason(environment: Mapping[str, str], text: str) -> None:
    """Say why where SageMaker looks for it; it shows the first 1,024 characters."""
    failure = job_surroundings.failure_file(environment)
    if failure is not None:
        failure.parent.mkdir(parents=True, exist_ok=True)
        failure.write_text(text[:1024])


def _told_to(told: Surroundings) -> Callable[[str], None]:
    """Progress lines for the service's log, and into the output folder where there is one."""
    start = time.monotonic()
    log = None
    if told.output is not None:
        told.output.mkdir(parents=True, exist_ok=True)
        log = told.output / "log.txt"

    def say(text: str) -> None:
        line = f"{time.monotonic() - start:7.1f} s  {text}"
        print(line, flush=True)
        if log is not None:
            with log.open("a") as file:
                file.write(line + "\n")

    return say


def _devices() -> list[str]:
    import tensorflow as tf

    return [device.name for device in tf.config.list_physical_devices()]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    print("Told to stop: what stages and whole epochs left is kept, the same job goes on from there.", flush=True)
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
