"""Recorded CloudTrail logs of attacks as calls of a session of a seeded role, behind benign calls of the same session."""

from __future__ import annotations

import random
from datetime import datetime

from offline.replay.replayed import ReplayedCalls
from offline.report.record import Provenance
from offline.seed import Role
from offline.telemetry import moved_records
from training.data_root import data_root
from training.loaders.cloudtrail_logs import embed, read_stratus
from training.scenarios import generate, named
from training.scenarios.family import BENIGN
from training.scenarios.principals import principal_of
from training.splits import HELD_OUT_STRATUS

#: What the role's honest owner is: an application on an instance.
_OWNER = "audit/application"


def stratus(technique: str, role: Role, session: str, at: datetime, *, instead: str, calls: int = 24) -> ReplayedCalls:
    """A technique of Stratus Red Team's logs, made by one session of a role.

    Account, principal, session and event ids become the seeded account's, all times move by one amount. The tool's name is
    masked, as in training: it would give the attack away.

    Parameters
    ----------
    technique : str
        E.g. ``aws.exfiltration.rds-share-snapshot``.
    role, session
        Who makes all the calls; the session of an instance's role is named for the instance.
    at : datetime
        When the last call is made.
    instead : str
        Scenario family that is told where the recording is absent.
    calls : int
        Benign calls before the attack.
    """
    root = data_root()
    if root is None:
        return _generated(role, session, at, instead)
    recorded = next(each for each in read_stratus(root) if each.name == technique)
    owner = principal_of(named(_OWNER), random.Random(_OWNER))
    told = embed(recorded, owner, 7, calls=calls)
    records, labels = [line.record for line in told], [line.label for line in told]
    held = "held out from training" if technique in HELD_OUT_STRATUS else "seen in training"
    source = f"Stratus Red Team log {technique} ({held}), as a session of {role.name}; its benign history generated"
    return _split(moved_records(records, labels, role, session, at), labels, Provenance.RECORDED_MOVED, source)


def ordinary_calls(role: Role, session: str, at: datetime) -> ReplayedCalls:
    """What an application does all day, generated."""
    (scenario,) = generate(3, only=(named(_OWNER),))
    whose = ["its own", *scenario.labels[1:]]  # somebody has to be moved onto the session
    moved = moved_records(scenario.records, whose, role, session, at)
    return _split(moved, scenario.labels, Provenance.GENERATED, f"an application's calls as a session of {role.name}, generated")


def _generated(role: Role, session: str, at: datetime, name: str) -> ReplayedCalls:
    family = named(f"audit/{name}")
    (scenario,) = generate(5, only=(family,))
    moved = moved_records(scenario.records, scenario.labels, role, session, at)
    source = f"{family.imitates}: generated (the recordings are not here)"
    return _split(moved, scenario.labels, Provenance.GENERATED, source)


def _split(
    records: list[dict[str, object]], labels: tuple[str, ...] | list[str], provenance: Provenance, source: str
) -> ReplayedCalls:
    first = next((number for number, label in enumerate(labels) if label != BENIGN), len(labels))
    return ReplayedCalls(tuple(records[:first]), tuple(records[first:]), provenance, source)
