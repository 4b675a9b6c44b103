"""What was run, on what, and what came out: ``run.json`` beside the detectors, and ``SHA256SUMS`` over all files."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from training.datasets import verify
from training.jobs.hyperparameters import JobError
from training.jobs.sources import digest
from training.jobs.surroundings import Surroundings

FORMAT = 1
RECORD, SUMS = "run.json", "SHA256SUMS"
#: What the bytes of a model depend on.
_PACKAGES = ("tensorflow", "tensorflow-cpu", "keras", "numpy", "ai-edge-litert")


@dataclass(frozen=True, slots=True)
class DataChecked:
    """Recorded data against the catalogue: how many files are as published, which are absent, and a digest of those present."""

    as_published: int
    absent: tuple[str, ...]
    digest: str


def check_data(root: Path | None) -> DataChecked:
    """Check every file of recorded data. Raises JobError where one is not what was published."""
    if root is None:
        return DataChecked(0, (), "")
    checked = verify(root)
    wrong = [item for item in checked if item.problem and not item.problem.startswith("absent")]
    if wrong:
        raise JobError(f"{wrong[0].file.dataset}/{wrong[0].file.name}: {wrong[0].problem}")
    present = [item.file for item in checked if not item.problem]
    total = hashlib.sha256("".join(f"{item.dataset}/{item.name} {item.sha256}\n" for item in present).encode())
    absent = tuple(f"{item.file.dataset}/{item.file.name}" for item in checked if item.problem)
    return DataChecked(len(present), absent, total.hexdigest())


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that are installed of those that decide."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True, slots=True)
class Run:
    """What a build is made of: a digest of the sources, the recorded data, versions of what the bytes depend on."""

    source: str
    data: DataChecked
    versions: dict[str, str]

    @classmethod
    def of(cls, root: Path | None) -> Run:
        """The sources as they are and the recorded data as it lies there. Raises JobError where that is not as published."""
        return cls(digest(), check_data(root), versions())

    def digest(self, settings: object) -> str:
        """Digest of what decides the outcome: checkpoints of one run may be continued by no other."""
        parts = [self.source, self.data.digest, settings, self.versions]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def write_record(
    surroundings: Surroundings, run: Run, *, began: str, ended: str, devices: list[str], stages: Mapping[str, object]
) -> dict[str, Any]:
    """Write run.json and SHA256SUMS into the model folder, over the detectors that lie there.

    ``stages`` is by detector what each stage of its build read, left and found.
    """
    folder = surroundings.model
    record = {
        "format": FORMAT,
        "service": surroundings.service,
        "job": surroundings.job,
        "hyperparameters": asdict(surroundings.hyperparameters),
        **asdict(run),
        "machine": {"processor": platform.machine(), "system": sys.platform, "devices": devices},
        "began": began,
        "ended": ended,
        "detectors": {
            name: {
                "model": json.loads((folder / name / "detector.json").read_text())["model"],
                "tests": {
                    title: {"windows": test["windows"], "entities": test["entities"]}
                    for title, test in json.loads((folder / name / "evaluation.json").read_text())["tests"].items()
                },
                "stages": stages[name],
            }
            for name in surroundings.hyperparameters.detectors()
        },
    }
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n")
    write_sums(folder)
    return record


def write_sums(folder: Path) -> None:
    """Write SHA256SUMS, in the form that ``sha256sum --check`` reads."""
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}" for name, path in files_of(folder)]
    (folder / SUMS).write_text("\n".join(lines) + "\n")


def files_of(folder: Path) -> list[tuple[str, Path]]:
    """Every file under the folder but SHA256SUMS, by its relative name, sorted."""
    return sorted(
        (path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if path.is_file() and path.name != SUMS
    )
