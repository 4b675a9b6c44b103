"""Names that scenario files refer to, as published: ATT&CK and Stratus techniques, types of GuardDuty and Defender for Cloud."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_FILE = Path(__file__).with_name("published.yaml")


@dataclass(frozen=True, slots=True)
class Technique:
    """A technique of MITRE ATT&CK and the tactics that it serves."""

    name: str
    tactics: tuple[str, ...]


def _read() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(_FILE.read_text())
    return document


_PUBLISHED = _read()
#: By id. Cloud techniques (platforms IaaS and Identity Provider), and those of hosts and networks that a scenario shows.
TECHNIQUES: dict[str, Technique] = {
    name: Technique(str(value[0]), tuple(value[1:])) for name, value in _PUBLISHED["attack"]["techniques"].items()
}
STRATUS: frozenset[str] = frozenset(_PUBLISHED["stratus"]["techniques"])
FINDINGS: frozenset[str] = frozenset(_PUBLISHED["guardduty"]["findings"])
ALERTS: frozenset[str] = frozenset(_PUBLISHED["defender"]["alerts"])
