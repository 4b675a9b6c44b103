"""Generated API calls of one cloud, for trials of the audit detector and of networks like it."""

from __future__ import annotations

from shared_model.events import Telemetry
from training.audit_data import stories_of
from training.scenarios import Split, families, generate
from training.sequences import Story

CLOUDS = ("aws", "azure")
#: Times that an attack family is told, and a benign one.
_ATTACKS, _BENIGN = 10, 20


def stories(cloud: str, split: Split, *, seed: int) -> list[Story]:
    """Stories of every family of API calls of that cloud and split."""
    told: list[Story] = []
    for family in families(Telemetry.API_CALLS, split, cloud=cloud):
        for scenario in generate(seed, only=(family,), repeats=_ATTACKS if family.is_attack else _BENIGN):
            told += stories_of(scenario)
    return told
