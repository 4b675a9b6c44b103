"""``python -m training.benchmarks [jobs|tune|report|page]``: NSL-KDD and CICIDS2017, from files to docs/model-report.md.

Stages can be run alone and go on where they were stopped; without a name, all but ``page`` run in order.
``page`` writes docs/model-report.md from the stored documents and measures nothing. ``--within MINUTES`` starts no job
after that time: the report then says how many seeds each figure is of.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from training.benchmarks import jobs
from training.data_root import data_root

STAGES = ("jobs", "tune", "report")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m training.benchmarks", description=__doc__)
    parser.add_argument("stage", nargs="?", choices=(*STAGES, "page"), help="default: all but page, in order")
    parser.add_argument("--within", type=float, default=None, metavar="MINUTES", help="start no further job after that long")
    parser.add_argument("--protocol", nargs="+", default=None, metavar="NAME", help="run the jobs of these protocols only")
    parser.add_argument("--model", nargs="+", default=None, metavar="NAME", help="run the jobs of these models only")
    arguments = parser.parse_args()
    if arguments.stage == "page":
        from training.benchmarks.report import write_page

        write_page()
        return 0
    root = data_root()
    if root is None:
        parser.error("there is no recorded data: set BREAKWATER_DATA to a folder that `python -m training.datasets take` filled")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    stages = (arguments.stage,) if arguments.stage else STAGES
    if "jobs" in stages:
        chosen = [
            job
            for job in jobs.jobs()
            if (arguments.protocol is None or job.protocol in arguments.protocol)
            and (arguments.model is None or job.model in arguments.model)
        ]
        run_jobs(root, chosen, arguments.within)
    if "tune" in stages:
        from training.benchmarks.tuning import tune

        tune(root)
    if "report" in stages:
        from training.benchmarks.report import write_report

        write_report(root)
    return 0


def run_jobs(root: Path, chosen: list[jobs.Job], within: float | None) -> None:
    """Run every job of these whose result is not there yet."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    begun = time.monotonic()
    columns = (TextColumn("{task.description:60}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("benchmarks", total=len(chosen))
        for job in chosen:
            name = f"{job.protocol} {job.model} seed {job.seed}"
            if jobs.done(job):
                progress.advance(bar)
                continue
            if within is not None and time.monotonic() - begun > 60 * within:
                print(f"{within:g} minutes are over: the report will have fewer seeds than {len(jobs.SEEDS)}")
                return
            progress.update(bar, description=name)
            started = time.process_time()
            jobs.run(job, root, lambda said: progress.update(bar, description=said))
            progress.advance(bar)
            print(f"{name}: {time.process_time() - started:.0f} s of CPU", flush=True)


if __name__ == "__main__":
    sys.exit(main())
