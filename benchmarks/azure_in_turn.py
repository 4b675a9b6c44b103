"""Two or more states of the code in turn: what a change does to a warm invocation, on a machine that is never quiet.

Each folder is a deploy folder, as ``python -m azure_infra.package`` makes it of a checkout, with its own embedded Azure. Three
invocations of one stand between three of the next, so that whatever else the machine does meets all alike. Beside other work
under real-time scheduling: ``chrt -r 5 python -m benchmarks.azure_in_turn FOLDER FOLDER``
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from azure_infra.packaging.targets import CLOUD
from benchmarks.azure_host import Timing, activity_records, warm
from benchmarks.machine import describe
from benchmarks.wire import Wire
from cdk.packaging.interpreters import find_python
from offline.azure.embedded import EmbeddedAzure
from offline.azure.functions_host.worker_process import Interpreter
from offline.processes import on_one_core

_WARM_UP, _ROUNDS, _AT_ONCE = 40, 70, 3


def in_turn(apps: list[Path], python: Interpreter, folder: Path) -> list[list[Timing]]:
    """Return the timings of each app, invoked in turn."""
    records = activity_records()
    with ExitStack() as running:
        wire = running.enter_context(Wire.tap())
        azures = [
            running.enter_context(EmbeddedAzure.start(folder / str(number), app=app, python=python, way=wire.way))
            for number, app in enumerate(apps)
        ]
        on_one_core(*(azure.host.invoker.pid for azure in azures))
        for azure in azures:
            warm(azure, wire, records, _WARM_UP)
        timings: list[list[Timing]] = [[] for _ in azures]
        for _ in range(_ROUNDS):
            for own, azure in zip(timings, azures, strict=True):
                own.extend(warm(azure, wire, records, _AT_ONCE))
        return timings


def main() -> None:
    """Start, invoke, print."""
    apps, program = [Path(each).resolve() for each in sys.argv[1:]], find_python(CLOUD.python)
    if not apps or program is None:
        raise SystemExit(f"name deploy folders, on a machine that has Python {CLOUD.version}")
    print(describe())
    with tempfile.TemporaryDirectory() as name:
        timings = in_turn(apps, Interpreter(program, CLOUD.python), Path(name))
    for app, own in zip(apps, timings, strict=True):
        print(f"{app}: p50 of {len(own)} invocations")
        for said in ("own_ms", "function_ms", "services_ms", "empty_ms", "host_ms"):
            print(f"  {said.removesuffix('_ms'):9} {statistics.median(getattr(each, said) for each in own):6.2f} ms")


if __name__ == "__main__":
    main()
