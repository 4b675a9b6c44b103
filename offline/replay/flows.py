"""Recorded flows as VPC Flow Log records of seeded machines, among the benign traffic of their neighbours.

IoT-23 has flows with true times: order and gaps are kept, all times move by one amount, and the captured device's address becomes
the machine's. CICIDS2017 has rows without times or hosts: they get generated ones.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from offline.aws.embedded import ACCOUNT, REGION
from offline.replay.replayed import ReplayedFlows
from offline.report.record import Provenance
from offline.seed import Instance, World
from offline.telemetry import moved_flow_log
from shared_model.events import Telemetry
from training.data_root import data_root
from training.loaders.single_flows import read_cicids
from training.loaders.zeek import iot23_connections
from training.scenarios import Layout, families, network_scenario
from training.scenarios.connections import Connection
from training.scenarios.flow_log import FlowLog, write_flow_log
from training.scenarios.network_benign import browse
from training.scenarios.site import Host, Site

_MINUTE = 60_000
#: Day file of CICIDS2017 with the SSH-Patator rows.
_PATATOR = "tuesday_patator"
#: Held-out capture, and a minute of it from which on the infected device makes none of its calls home for a while.
_QUIET, _QUIET_FROM = "21-1", 420


def recorded_capture(
    world: World, machine: Instance, at: datetime, *, capture: str, label: str, minutes: float, instead: str, held_out: bool
) -> ReplayedFlows:
    """Flows of an IoT-23 capture as the machine's own.

    Parameters
    ----------
    world, machine
        Whose traffic it becomes; the other seeded machines have benign traffic meanwhile.
    at : datetime
        When the last of the flows ends.
    capture, label : str
        E.g. ``8-1``; the slice begins just before the first flow of that class.
    minutes : float
        Length of the slice, in the capture's own time.
    instead : str
        Scenario family that is told where the recording is absent.
    held_out : bool
        Whether the detector has never seen this capture; only said in ``source``.
    """
    root = data_root()
    if root is None:
        return _generated(machine, at, instead)
    connections = iot23_connections(root, capture)
    first = next(each.start_ms for each in connections if each.label == label)
    begin, end = first - 2 * _MINUTE, first + minutes * _MINUTE
    piece = [each for each in connections if begin <= each.start_ms < end]
    own = _as_own([replace(each, duration_ms=min(each.duration_ms, int(minutes * _MINUTE))) for each in piece], machine, at)
    rng = random.Random(f"{capture}#{label}")
    site = _site(world, machine, rng, at)
    seen = "which the detector has never seen" if held_out else "which the detector was trained on"
    source = (
        f"{len(piece):,} timed flows of IoT-23 capture {capture}, {seen}, as {machine.name}'s; benign traffic around generated"
    )
    return _written([*own, *_neighbours(site, minutes)], site, at, Provenance.RECORDED_MOVED, source)


def guessing_outward(world: World, machine: Instance, target: Instance, at: datetime, *, rows: int = 120) -> ReplayedFlows:
    """SSH-Patator rows of CICIDS2017 from one machine to another, one guess after the other as the tool made them."""
    root = data_root()
    if root is None:
        return _generated(machine, at, "remote-desktop-hopping")
    rng = random.Random("ssh-patator")
    shapes = read_cicids(root, _PATATOR)
    moment, guesses = 0.0, []
    for shape in [each for each in shapes if each.label == "brute_force" and each.port == 22][:rows]:
        guesses.append(shape.at(rng, moment, machine.private_address, target.private_address))
        moment += 1000 * rng.lognormvariate(0.7, 0.5)
    site = _site(world, machine, rng, at)
    source = f"{len(guesses)} SSH-Patator rows of CICIDS2017 on generated hosts and times; benign traffic around generated"
    return _written([*_moved(guesses, at), *_neighbours(site, 15)], site, at, Provenance.RECORDED_REHOSTED, source)


def ordinary_traffic(world: World, machine: Instance, at: datetime, *, minutes: float = 25) -> ReplayedFlows:
    """Half an hour in which nobody attacks: benign flows of IoT-23 as the machine's, and web use of every machine."""
    rng = random.Random("ordinary")
    site = _site(world, machine, rng, at)
    root = data_root()
    if root is None:
        return _written(_neighbours(site, 30), site, at, Provenance.GENERATED, "web use of every machine, generated")
    connections = iot23_connections(root, _QUIET)
    begin = connections[0].start_ms + _QUIET_FROM * _MINUTE
    piece = [each for each in connections if begin <= each.start_ms < begin + minutes * _MINUTE]
    own = _as_own(piece, machine, at)
    source = (
        f"{len(piece)} benign timed flows of IoT-23 capture {_QUIET}, which the detector has never seen,"
        f" as {machine.name}'s; web use of all machines generated"
    )
    return _written([*own, *_neighbours(site, 30)], site, at, Provenance.RECORDED_MOVED, source)


def with_broken_lines(flows: ReplayedFlows, broken: Sequence[str]) -> ReplayedFlows:
    """The same object with lines in it that are no records."""
    lines = flows.text.decode().splitlines()
    for number, line in enumerate(broken):
        lines.insert(2 + 3 * number, line)
    return replace(flows, text=("\n".join(lines) + "\n").encode(), records=flows.records + len(broken))


def _site(world: World, machine: Instance, rng: random.Random, at: datetime) -> Site:
    """The seeded network, as the writer of flow logs knows it."""
    machines = {each.id: each for each in (*world.instances.values(), machine)}.values()
    hosts = tuple(Host(each.name, each.private_address, each.interfaces[0], each.id) for each in machines)
    start_ms = int(at.timestamp() * 1000) - 35 * _MINUTE
    by_address = {host.address: host for host in hosts}
    return Site(rng, start_ms, hosts, "10.20.0.2", world.vpc_id, ACCOUNT, REGION, None, by_address)


def _neighbours(site: Site, minutes: float) -> Iterable[Connection]:
    span = min(minutes, 30)
    for host in site.hosts:
        yield from browse(site, host, minutes=span, per_minute=1, begin_ms=site.start_ms + (30 - span) * _MINUTE)


def _moved(connections: Sequence[Connection], at: datetime) -> list[Connection]:
    """Move all times by one amount, so that the last flow ends a little before ``at``."""
    shift = int(at.timestamp() * 1000) - 1000 - max(each.start_ms + each.duration_ms for each in connections)
    return [replace(each, start_ms=each.start_ms + shift) for each in connections]


def _as_own(connections: Sequence[Connection], machine: Instance, at: datetime) -> list[Connection]:
    """The captured device, which started most of the flows, becomes the machine."""
    ((device, _),) = Counter(each.source for each in connections).most_common(1)
    return [_readdressed(each, device, machine.private_address) for each in _moved(connections, at)]


def _readdressed(connection: Connection, old: str, new: str) -> Connection:
    source, destination = (new if address == old else address for address in (connection.source, connection.destination))
    return replace(connection, source=source, destination=destination)


def _written(connections: Iterable[Connection], site: Site, at: datetime, provenance: Provenance, source: str) -> ReplayedFlows:
    now_ms = int(at.timestamp() * 1000)
    happened = [each for each in connections if each.start_ms + each.duration_ms <= now_ms]
    log: FlowLog = write_flow_log(sorted(happened, key=lambda each: each.start_ms), site, layout=Layout.V5)
    return ReplayedFlows(log.encode(), len(log.lines) - 1, provenance, source)


def _generated(machine: Instance, at: datetime, name: str) -> ReplayedFlows:
    (family,) = (each for each in families(Telemetry.FLOW_LOGS) if each.name == f"network/{name}")
    log = network_scenario(family, 11, layout=Layout.V5).flow_log
    if log is None:
        raise ValueError(f"{family.name} is no story of flow logs")
    text = moved_flow_log(log.lines, log.labels, machine, at)
    source = f"{family.imitates}: generated (the recordings are not here)"
    return ReplayedFlows(text, text.count(b"\n") - 1, Provenance.GENERATED, source)
