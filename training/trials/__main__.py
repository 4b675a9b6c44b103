"""``python -m training.trials [STAGE ...]``: ask the questions of the sequence models, from recorded data to stored answers.

Every stage can be run alone and goes on where it was stopped. ``--within MINUTES`` starts no cell after that time;
``--write`` computes nothing and writes the documents from what is there.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from training.data_root import data_root
from training.trials.stages import STAGES


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m training.trials", description=__doc__)
    parser.add_argument("stage", nargs="*", choices=[[], *STAGES], help="default: all, in order")
    parser.add_argument("--within", type=float, default=float("inf"), metavar="MINUTES")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    root = data_root()
    if root is None:
        parser.error("there is no recorded data: set BREAKWATER_DATA to a folder that `python -m training.datasets take` filled")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    chosen = [STAGES[name] for name in arguments.stage or STAGES]
    begun = time.monotonic()
    columns = (TextColumn("{task.description:60}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("trials", total=sum(len(stage.cells()) for stage in chosen))
        for stage in chosen:
            for key in () if arguments.write else stage.cells():
                if stage.kept(key) is None:
                    if time.monotonic() - begun > 60 * arguments.within:
                        break
                    progress.update(bar, description=f"{stage.question}: {key}")
                    started = time.process_time()
                    stage.compute(key, root)
                    print(f"{stage.name} {key}: {time.process_time() - started:.0f} s of CPU", flush=True)
                progress.advance(bar)
            stage.write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
