"""What a scenario family is: its label, technique, what it imitates, and which split owns it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shared_model.events import Telemetry

BENIGN = "benign"


class Split(StrEnum):
    """Which part of the work may see a family. A family belongs to exactly one."""

    TRAIN = "train"
    VALIDATION = "validation"  # early stopping and the alert threshold
    TEST = "test"  # figures only


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of behaviour, generated many times with different seeds.

    Attributes
    ----------
    name : str
        Unique, ``<telemetry>/<what>``.
    telemetry : Telemetry
        What it is written as.
    verdict : str
        Class that the detector must name for it; ``benign`` where there must be no verdict.
    technique : str
        MITRE ATT&CK technique, ``""`` for benign families.
    imitates : str
        Real behaviour behind it, in words.
    split : Split
        Who may see it.
    cloud : str
        ``aws`` or ``azure`` of API calls; ``""`` of flows and system logs, which either cloud's format can carry.
    chain : tuple of (tactic, technique)
        MITRE ATT&CK for Cloud, in order.
    looks_like : str
        The attack that a benign family resembles, if it does.
    """

    name: str
    telemetry: Telemetry
    verdict: str
    technique: str
    imitates: str
    split: Split
    cloud: str = ""
    chain: tuple[tuple[str, str], ...] = ()
    looks_like: str = ""

    @property
    def is_attack(self) -> bool:
        return self.verdict != BENIGN
