"""load: which recordings, scenarios and sample a build is of, by their checksums."""

from __future__ import annotations

import hashlib
import json

from training.datasets import DataFile, catalogue
from training.evaluation_sample import FOLDER as SAMPLES
from training.evaluation_sample import read as read_sample
from training.recipe import told
from training.scenarios.library import scenarios_by_family
from training.splits import VALIDATION_WORKDAYS, WORKDAYS
from training.stages.stage import Build, Cell, Figures, Stage, checksum

#: Data sets that a detector learns from or is tested on.
RECORDINGS = {
    "network": ("zeek_iot23", "zeek_ctu_days", "cicids2017", "netflow_nf_bot_iot_v2"),
    "audit": ("cloudtrail_stratus", "panther", "cloudtrail_invictus", "system_logs"),
}
#: Of a data set that others read more of, the files that detectors read.
_OF_DETECTORS = {"cicids2017": frozenset(f"{name}.csv.xz" for name in (*WORKDAYS, *VALIDATION_WORKDAYS))}
LIST = "loaded.json"


def recordings(detector: str) -> tuple[DataFile, ...]:
    """Files of the catalogue that the detector's build reads."""
    return tuple(
        file
        for file in catalogue()
        if file.dataset in RECORDINGS[detector] and file.name in _OF_DETECTORS.get(file.dataset, (file.name,))
    )


def run(cell: Cell) -> Figures:
    """List what is there. A stored sample of other features is refused now, and not after the fit."""
    build = cell.build
    read_sample(build.task.name)
    files = recordings(build.task.name)
    absent = set(build.run.data.absent)
    there = [file for file in files if build.root is not None and f"{file.dataset}/{file.name}" not in absent]
    scenarios = {name: _digest(document) for name, document in told(build.task.name).items()}
    listed = {
        "recordings": {f"{file.dataset}/{file.name}": file.sha256 for file in there},
        "scenarios": scenarios,
        "look_like_attacks": _look_alikes(),
        "sample": checksum(SAMPLES / f"{build.task.name}.npz"),
    }
    (cell.place / LIST).write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
    build.progress(f"{len(there)} recorded files as published, {len(scenarios)} scenario files")
    return {
        "recorded_files": len(there),
        "absent": len(files) - len(there),
        "bytes": sum(file.bytes for file in there),
        "scenario_files": len(scenarios),
    }


def _reads(build: Build) -> dict[str, str]:
    """Recordings as they were checked when the build began; scenarios and the sample as they are."""
    return {
        "recordings": build.run.data.digest,
        "scenarios": _digest([told(build.task.name), _look_alikes()]),
        "sample": checksum(SAMPLES / f"{build.task.name}.npz"),
    }


def _look_alikes() -> list[str]:
    """Benign families that are left out where alerts are counted: words to people, but words that decide."""
    return sorted(family.name for family in scenarios_by_family() if family.looks_like)


def _digest(document: object) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True, default=str).encode()).hexdigest()


STAGE = Stage(
    "load", "recordings against the catalogue, scenarios, the stored sample", run, settings=("name", "features"), reads=_reads
)
