"""How long each function takes to start: the Lambda runtime client and the handler's imports, as Lambda's init phase.

Each start is a process of its own over the function's packaged folder and the runtime's, with nothing else on the path.
The baseline is the same start with a handler that imports nothing. The folders carry no bytecode, so the first start of
an execution environment compiles what it imports: that is the column "cold". ``python -m benchmarks.function_init``
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambdas.registry import FUNCTIONS
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
    """Start of one function: median milliseconds, compiled and not; modules that its handler imports, the heavy ones apart."""

    name: str
    compiled_ms: float
    cold_ms: float
    modules: int
    heavy: tuple[str, ...]


def measure(name: str, module: str, folder: Path) -> Init:
    """Start it several times over a kept folder of compiled modules, and as often over one that knows the runtime only."""
    with tempfile.TemporaryDirectory() as kept:
        _start(folder, module, Path(kept))
        compiled = [_start(folder, module, Path(kept))[0] for _ in range(_REPEATS)]
    cold, answer = [], {}
    for _ in range(_REPEATS):
        with tempfile.TemporaryDirectory() as emptied:
            _start(folder, "", Path(emptied))  # the runtime's own modules are compiled on Lambda too
            took, answer = _start(folder, module, Path(emptied))
            cold.append(took)
    heavy = tuple(answer["heavy"])
    return Init(name, statistics.median(compiled), statistics.median(cold), answer["modules"], heavy)


def _start(folder: Path, module: str, compiled: Path) -> tuple[float, dict[str, Any]]:
    """Milliseconds of one start, and what was imported."""
    python = [getattr(sys, "_base_executable", sys.executable), "-I", "-S", "-X", f"pycache_prefix={compiled}"]
    command = [*python, "-c", _START, str(folder), str(runtime_folder()), module]
    started = time.perf_counter()
    answer = subprocess.run(command, check=True, capture_output=True, cwd=folder).stdout
    return (time.perf_counter() - started) * 1000, json.loads(answer)


def main() -> None:
    """Print one line per function."""
    subprocess.run([sys.executable, "-m", "cdk.package", "--for", "local"], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    empty = measure("(empty handler)", "", ROOT / "build" / "local" / "respond")
    print(f"{'function':22s} {'compiled':>9s} {'cold':>9s} {'x empty':>8s} {'modules':>8s}  heavy ones   (limit {LIMIT_MS} ms)")
    for init in (
        empty,
        *(measure(each.name, f"lambdas.{each.name}", ROOT / "build" / "local" / each.name) for each in FUNCTIONS),
    ):
        ratio = init.compiled_ms / empty.compiled_ms
        over = "   OVER" if init.compiled_ms > LIMIT_MS else ""
        times = f"{init.compiled_ms:6.0f} ms {init.cold_ms:6.0f} ms {ratio:8.2f}"
        print(f"{init.name:22s} {times} {init.modules:8d}  {', '.join(init.heavy) or '-'}{over}")


if __name__ == "__main__":
    main()
