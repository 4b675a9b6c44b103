"""How long each function takes to start: the Lambda runtime client and the handler's imports, as Lambda's init phase.

Each start is a process of its own over the function's packaged folder and the runtime's, with nothing else on the path.
The baseline is the same start with a handler that imports nothing. ``python -m benchmarks.function_init``
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

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
    """Start of one function: median and worst milliseconds, modules that its handler imports, the heavy ones among them."""

    name: str
    median_ms: float
    worst_ms: float
    modules: int
    heavy: tuple[str, ...]


def measure(name: str, module: str, folder: Path) -> Init:
    """Start it several times; the first, which compiles, is not counted."""
    cache = ROOT / "build" / "benchmark-pycache"
    command = [
        getattr(sys, "_base_executable", sys.executable), "-I", "-S", "-X", f"pycache_prefix={cache}", "-c", _START,
        str(folder), str(runtime_folder()), module,
    ]  # fmt: skip
    times = []
    answer = {}
    for _ in range(_REPEATS + 1):
        started = time.perf_counter()
        answer = json.loads(subprocess.run(command, check=True, capture_output=True, cwd=folder).stdout)
        times.append((time.perf_counter() - started) * 1000)
    return Init(name, statistics.median(times[1:]), max(times[1:]), answer["modules"], tuple(answer["heavy"]))


def main() -> None:
    """Print one line per function."""
    subprocess.run([sys.executable, "-m", "cdk.package", "--for", "local"], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    empty = measure("(empty handler)", "", ROOT / "build" / "local" / "respond")
    print(f"{'function':22s} {'median':>9s} {'worst':>9s} {'x empty':>8s} {'modules':>8s}  heavy ones   (limit {LIMIT_MS} ms)")
    print(f"{empty.name:22s} {empty.median_ms:6.0f} ms {empty.worst_ms:6.0f} ms {1:8.2f} {0:8d}")
    for spec in FUNCTIONS:
        init = measure(spec.name, f"lambdas.{spec.name}", ROOT / "build" / "local" / spec.name)
        ratio = init.median_ms / empty.median_ms
        print(
            f"{init.name:22s} {init.median_ms:6.0f} ms {init.worst_ms:6.0f} ms {ratio:8.2f} {init.modules:8d}  "
            f"{', '.join(init.heavy) or '-'}{'   OVER' if init.median_ms > LIMIT_MS else ''}"
        )


if __name__ == "__main__":
    main()
