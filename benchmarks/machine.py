"""The machine and the versions that a figure was measured on: printed beside every figure."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("numpy", "ai-edge-litert", "tflite-runtime", "boto3")


def describe() -> str:
    """One line: processor, cores, load, Python and packages."""
    found = []
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    load = os.getloadavg()[0]
    python = f"Python {platform.python_version()}"
    return f"{_processor()}, {os.cpu_count()} cores, load {load:.1f} before the run; {python}, {', '.join(found)}"


def _processor() -> str:
    """Model name where the system tells it, else the architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return f"{name} ({platform.machine()})" if name else platform.machine()


if __name__ == "__main__":
    print(describe())
