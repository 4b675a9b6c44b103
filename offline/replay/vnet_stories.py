"""The recordings as traffic of machines on Azure; generated stories of the same classes where the recordings are not here."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from offline.replay.traffic import Traffic, captured, guesses, neighbours, quiet, traffic
from offline.report.record import Provenance
from shared_model.events import Telemetry
from training.data_root import data_root
from training.scenarios import connections_of, families
from training.scenarios.family import BENIGN
from training.scenarios.site import Host, Site


def capture(
    site: Site, machine: Host, at: datetime, *, capture: str, label: str, minutes: float, instead: str, held_out: bool
) -> Traffic:
    """Flows of an IoT-23 capture as the machine's own: see :func:`offline.replay.traffic.captured`.

    ``instead`` is the scenario family that is told where the recording is absent.
    """
    root = data_root()
    if root is None:
        return _told(site, machine, at, instead)
    return captured(root, site, machine, at, capture=capture, label=label, minutes=minutes, held_out=held_out)


def guessing(site: Site, machine: Host, target: Host, at: datetime, *, rows: int = 120) -> Traffic:
    """SSH-Patator rows of CICIDS2017, from one machine to another."""
    return _guesses(site, machine.address, target, at, rows, instead="database-guessing")


def guessed_at(site: Site, machine: Host, outside: str, at: datetime, *, rows: int = 120) -> Traffic:
    """SSH-Patator rows of CICIDS2017, from an address outside to a machine."""
    return _guesses(site, outside, machine, at, rows, instead="ssh-guessing")


def ordinary(site: Site, machine: Host, at: datetime) -> Traffic:
    """Half an hour in which nobody attacks."""
    return quiet(data_root(), site, machine, at)


def _guesses(site: Site, guesser: str, target: Host, at: datetime, rows: int, *, instead: str) -> Traffic:
    root = data_root()
    if root is not None:
        return guesses(root, site, guesser, target.address, at, rows=rows)
    told = _told(site, target, at, instead)
    moved = (
        each if each.label == BENIGN else replace(each, source=guesser, destination=target.address) for each in told.connections
    )
    return replace(told, connections=tuple(moved))


def _told(site: Site, machine: Host, at: datetime, name: str) -> Traffic:
    """A story of the scenario generator about this machine, moved so that its last attack ends now."""
    (family,) = (each for each in families(Telemetry.FLOW_LOGS) if each.name == f"network/{name}")
    told = list(connections_of(family, replace(site, victim=machine)))
    shift = int(at.timestamp() * 1000) - 1000 - max(each.start_ms + each.duration_ms for each in told)
    moved = [replace(each, start_ms=each.start_ms + shift) for each in told]
    source = f"{family.imitates}: generated (the recordings are not here)"
    return traffic([*moved, *neighbours(site, 30)], site, at, Provenance.GENERATED, source)
