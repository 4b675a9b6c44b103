"""What the benchmarks of the flow paths have in common: each stage's share, memory of a fresh process, and the report."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TARGET = 300_000
DETECTOR = Path(__file__).resolve().parents[1] / "model_artifacts" / "network"
#: Name of a stage → the attributes (owner, name) that it is made of.
Stages = Mapping[str, Sequence[tuple[Any, str]]]


@dataclass(frozen=True, slots=True)
class Pass:
    """One object through the whole path; ``seconds`` are processor time."""

    seconds: float
    records: int
    flows: int
    entities: int
    rejected: int
    verdicts: int


def shares(stages: Stages, run: Callable[[], Pass]) -> dict[str, float]:
    """Share of the whole of each stage, from one more pass whose stages are timed, those within others apart from these."""
    spent: dict[str, float] = defaultdict(float)
    originals = [(owner, name, getattr(owner, name)) for parts in stages.values() for owner, name in parts]
    running: list[float] = []  # time spent in stages within the one that runs, for each that runs

    def timed(function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            running.append(0.0)
            began = time.process_time()
            try:
                return function(*arguments, **named)
            finally:
                whole = time.process_time() - began
                spent[stage] += whole - running.pop()
                if running:
                    running[-1] += whole

        return call

    for stage, parts in stages.items():
        for owner, name in parts:
            setattr(owner, name, timed(getattr(owner, name), stage))
    try:
        whole = run().seconds
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)
    spent["other"] = whole - sum(spent.values())
    return {stage: seconds / whole for stage, seconds in spent.items()}


def peak_megabytes(module: str, path: Path) -> tuple[float, float]:
    """(before, peak) resident memory of a fresh process of a benchmark's module that detects on the object."""
    done = subprocess.run([sys.executable, "-m", module, "--peak", str(path)], check=True, capture_output=True, text=True)
    before, peak = done.stdout.split()
    return float(before), float(peak)


def peak_so_far() -> float:
    """Largest resident size of this process so far, in MB. (``ru_maxrss`` would be its parent's where that was larger.)"""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def report(title: str, total: int, unit: str, best: Pass, each: Mapping[str, float], plain: float, baseline: str) -> None:
    """Print a path's speed, shares and baseline.

    Parameters
    ----------
    title : str
        What was read.
    total : int
        How many of the ``unit`` the best pass read.
    each : mapping
        Shares of the stages.
    plain : float
        Units per second of the ``baseline``.
    """
    speed = total / best.seconds
    judged = "reached" if speed >= TARGET else "NOT reached"
    print(
        f"{title}, {best.flows:,} flows of {best.entities:,} initiators, {best.rejected:,} rejected, {best.verdicts:,} verdicts\n"
        f"  {speed:,.0f} {unit}/s on one core (target {TARGET:,}: {judged})"
    )
    print("  " + ", ".join(f"{stage} {share:.0%}" for stage, share in each.items()))
    print(f"  baseline, {baseline}: {plain:,.0f} {unit}/s")
    print(f"  the whole path is {speed / plain:.1f} times as fast as that")
