"""Recorded flows as connections of seeded machines, among the benign traffic of their neighbours; the same for either cloud.

IoT-23 has flows with true times: order and gaps are kept, all times move by one amount, and the captured device's address becomes
the machine's. CICIDS2017 has rows without times or hosts: they get generated ones. What is returned was not written yet in the
form of any cloud's flow log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from offline.report.record import Provenance
from training.loaders.single_flows import read_cicids
from training.loaders.zeek import iot23_connections
from training.scenarios.connections import Connection
from training.scenarios.network_story import browse
from training.scenarios.site import Host, Site

_MINUTE = 60_000
#: Day file of CICIDS2017 with the SSH-Patator rows.
_PATATOR = "tuesday_patator"
#: Held-out capture, and a minute of it from which on the infected device makes none of its calls home for a while.
_QUIET, _QUIET_FROM = "21-1", 420


@dataclass(frozen=True, slots=True)
class Traffic:
    """Connections of a network up to a moment, in order of their beginning.

    Attributes
    ----------
    connections : tuple of Connection
    site : Site
        Whose they are.
    provenance : Provenance
    source : str
        Where they come from, in words for a person.
    """

    connections: tuple[Connection, ...]
    site: Site
    provenance: Provenance
    source: str


def captured(
    root: Path, site: Site, machine: Host, at: datetime, *, capture: str, label: str, minutes: float, held_out: bool
) -> Traffic:
    """Flows of an IoT-23 capture as the machine's own.

    Parameters
    ----------
    root : Path
        Of the recordings.
    site, machine
        Whose traffic it becomes; the other machines have benign traffic meanwhile.
    at : datetime
        When the last of the flows ends.
    capture, label : str
        E.g. ``8-1``; the slice begins just before the first flow of that class.
    minutes : float
        Length of the slice, in the capture's own time.
    held_out : bool
        Whether the detector has never seen this capture; only said in ``source``.
    """
    connections = iot23_connections(root, capture)
    first = next(each.start_ms for each in connections if each.label == label)
    begin, end = first - 2 * _MINUTE, first + minutes * _MINUTE
    piece = [each for each in connections if begin <= each.start_ms < end]
    own = _as_own([replace(each, duration_ms=min(each.duration_ms, int(minutes * _MINUTE))) for each in piece], machine, at)
    seen = "which the detector has never seen" if held_out else "which the detector was trained on"
    source = (
        f"{len(piece):,} timed flows of IoT-23 capture {capture}, {seen}, as {machine.name}'s; benign traffic around generated"
    )
    return traffic([*own, *neighbours(site, minutes)], site, at, Provenance.RECORDED_MOVED, source)


def guesses(root: Path, site: Site, guesser: str, target: str, at: datetime, *, rows: int) -> Traffic:
    """SSH-Patator rows of CICIDS2017 from one address to another, one guess after the other as the tool made them."""
    rng = site.rng
    shapes = read_cicids(root, _PATATOR)
    moment, made = 0.0, []
    for shape in [each for each in shapes if each.label == "brute_force" and each.port == 22][:rows]:
        made.append(shape.at(rng, moment, guesser, target))
        moment += 1000 * rng.lognormvariate(0.7, 0.5)
    source = f"{len(made)} SSH-Patator rows of CICIDS2017 on generated hosts and times; benign traffic around generated"
    return traffic([*_moved(made, at), *neighbours(site, 15)], site, at, Provenance.RECORDED_REHOSTED, source)


def quiet(root: Path | None, site: Site, machine: Host, at: datetime, *, minutes: float = 25) -> Traffic:
    """Half an hour in which nobody attacks: benign flows of IoT-23 as the machine's, and web use of every machine."""
    if root is None:
        return traffic(neighbours(site, 30), site, at, Provenance.GENERATED, "web use of every machine, generated")
    connections = iot23_connections(root, _QUIET)
    begin = connections[0].start_ms + _QUIET_FROM * _MINUTE
    piece = [each for each in connections if begin <= each.start_ms < begin + minutes * _MINUTE]
    own = _as_own(piece, machine, at)
    source = (
        f"{len(piece)} benign timed flows of IoT-23 capture {_QUIET}, which the detector has never seen,"
        f" as {machine.name}'s; web use of all machines generated"
    )
    return traffic([*own, *neighbours(site, 30)], site, at, Provenance.RECORDED_MOVED, source)


def neighbours(site: Site, minutes: float) -> Iterable[Connection]:
    """Web use of every machine of the site."""
    span = min(minutes, 30)
    for host in site.hosts:
        yield from browse(site, host, minutes=span, per_minute=1, begin_ms=site.start_ms + (30 - span) * _MINUTE)


def traffic(connections: Iterable[Connection], site: Site, at: datetime, provenance: Provenance, source: str) -> Traffic:
    """What of these connections has happened by a moment."""
    now_ms = int(at.timestamp() * 1000)
    happened = [each for each in connections if each.start_ms + each.duration_ms <= now_ms]
    return Traffic(tuple(sorted(happened, key=lambda each: each.start_ms)), site, provenance, source)


def site_start_ms(at: datetime) -> int:
    """When the story of a site begins, so that half an hour of it has happened by ``at``."""
    return int(at.timestamp() * 1000) - 35 * _MINUTE


def _moved(connections: Sequence[Connection], at: datetime) -> list[Connection]:
    """Move all times by one amount, so that the last flow ends a little before ``at``."""
    shift = int(at.timestamp() * 1000) - 1000 - max(each.start_ms + each.duration_ms for each in connections)
    return [replace(each, start_ms=each.start_ms + shift) for each in connections]


def _as_own(connections: Sequence[Connection], machine: Host, at: datetime) -> list[Connection]:
    """The captured device, which started most of the flows, becomes the machine."""
    ((device, _),) = Counter(each.source for each in connections).most_common(1)
    return [_readdressed(each, device, machine.address) for each in _moved(connections, at)]


def _readdressed(connection: Connection, old: str, new: str) -> Connection:
    source, destination = (new if address == old else address for address in (connection.source, connection.destination))
    return replace(connection, source=source, destination=destination)
