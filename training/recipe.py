"""What decides a fit besides code and recordings, as one checksum: the scenarios as they are told, and the settings.

A detector carries it and a test holds it against the files as they are now, so that no scenario changes and leaves the shipped
model behind unnoticed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

import yaml

from training.scenarios.library import FOLDER
from training.tasks import HONEST_DAYS, Task

#: Stories of each attack family of the shipped models; benign ones are told more often (see the stories' modules).
REPEATS = {"network": 16, "audit": 12}
#: At most; a fit stops earlier when validation no longer improves.
EPOCHS = {"network": 20, "audit": 12}
#: Files (patterns under ``training/scenarios``) that tell what a detector learns.
_TOLD = {
    "network": ("benign/network-*.yaml", "attacks/network-*.yaml"),
    "audit": ("benign/audit-*.yaml", "benign/system-*.yaml", "attacks/audit-*.yaml", "attacks/system-*.yaml", "catalogue_*.yaml"),
}
#: What a scenario says to people and leaves its records as they are.
_WORDS = frozenset({"about", "imitates", "looks_like"})


def recipe(task: Task, *, repeats: int, epochs: int) -> str:
    """Checksum (16 hex digits) of the task's scenarios and settings. Wording, comments and order in a file do not count."""
    settings: dict[str, Any] = {
        "repeats": repeats, "epochs": epochs, "benign": task.benign, "enough": task.enough, "classes": task.classes,
        "alerts_per_entity_day": task.alerts_per_entity_day, "sizes": asdict(task.sizes), "features": task.features,
    }  # fmt: skip
    if task.honest:
        settings |= {"honest": [task.honest, HONEST_DAYS]}
    return hashlib.sha256(json.dumps([settings, told(task.name)], sort_keys=True, default=str).encode()).hexdigest()[:16]


def told(detector: str) -> dict[str, Any]:
    """Scenario files of a detector's telemetry as they are told, by path; wording, comments and order in a file do not count."""
    return {
        path.relative_to(FOLDER).as_posix(): _said(yaml.safe_load(path.read_text(encoding="utf-8")))
        for pattern in _TOLD[detector]
        for path in sorted(FOLDER.glob(pattern))
    }


def _said(document: Any) -> Any:
    return {key: value for key, value in document.items() if key not in _WORDS} if isinstance(document, dict) else document
