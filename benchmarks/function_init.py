"""How long each function takes to start: the Lambda runtime client and the handler's imports, as Lambda's init phase.

Each start is a process of its own over the function's packaged folder and the runtime's, with nothing else on the path.
The baseline is the same start with a handler that imports nothing. Bytecode is what the folder brings and, as on Lambda, none
is written; the column "without" shows the same start with none, as of a folder for a Python that the building machine has not.
``python -m benchmarks.function_init``
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import describe
from lambdas.registry import FUNCTIONS, PAGE
from offline.aws.emulator_binary import runtime_folder

ROOT = Path(__file__).resolve().parents[1]
LIMIT_MS = 400
_REPEATS = 7
_START = """
import sys, json
folder, runtime, module = sys.argv[1:]
sys.path[:0] = [folder]
sys.path.append(runtime)
import awslambdaric.bootstrap
before = len(sys.modules)
if module:
    __import__(module)
heavy = {"boto3", "botocore", "numpy", "pydantic", "drain3", "ai_edge_litert"} & set(sys.modules)
print(json.dumps({"modules": len(sys.modules) - before, "heavy": sorted(heavy)}))
"""


@dataclass(frozen=True, slots=True)
class Init:
    """Start of one function: median milliseconds, with the folder's bytecode and without; modules its handler imports."""

    name: str
    packaged_ms: float
    without_ms: float
    modules: int
    heavy: tuple[str, ...]


def measure(name: str, module: str, folder: Path) -> Init:
    """Start it several times as packaged, and as often with every module compiled anew."""
    packaged = [_start(folder, module)[0] for _ in range(_REPEATS)]
    without, answer = [], {}
    for _ in range(_REPEATS):
        with tempfile.TemporaryDirectory() as emptied:
            _start(folder, "", emptied)  # the runtime's own modules are compiled on Lambda too
            took, answer = _start(folder, module, emptied)
            without.append(took)
    return Init(name, statistics.median(packaged), statistics.median(without), answer["modules"], tuple(answer["heavy"]))


def _start(folder: Path, module: str, bytecode: str = "") -> tuple[float, dict[str, Any]]:
    """Milliseconds of one start, and what was imported. Bytecode is the folder's, or written into another."""
    python = [getattr(sys, "_base_executable", sys.executable), "-I", "-S"]
    python += ["-X", f"pycache_prefix={bytecode}"] if bytecode else ["-B"]
    command = [*python, "-c", _START, str(folder), str(runtime_folder()), module]
    started = time.perf_counter()
    answer = subprocess.run(command, check=True, capture_output=True, cwd=folder, env={"PATH": os.environ["PATH"]}).stdout
    return (time.perf_counter() - started) * 1000, json.loads(answer)


def main() -> None:
    """Print one line per function."""
    subprocess.run([sys.executable, "-m", "cdk.package", "--for", "local"], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    print(describe())
    empty = measure("(empty handler)", "", ROOT / "build" / "local" / "respond")
    print(
        f"{'function':22s} {'packaged':>9s} {'without':>9s} {'x empty':>8s} {'modules':>8s}  heavy ones   (limit {LIMIT_MS} ms)"
    )
    for init in (
        empty,
        *(measure(each.name, f"lambdas.{each.name}", ROOT / "build" / "local" / each.name) for each in (*FUNCTIONS, PAGE)),
    ):
        ratio = init.packaged_ms / empty.packaged_ms
        over = "   OVER" if init.packaged_ms > LIMIT_MS else ""
        times = f"{init.packaged_ms:6.0f} ms {init.without_ms:6.0f} ms {ratio:8.2f}"
        print(f"{init.name:22s} {times} {init.modules:8d}  {', '.join(init.heavy) or '-'}{over}")


if __name__ == "__main__":
    main()
