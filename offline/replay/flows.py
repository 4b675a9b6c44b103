"""Recorded flows as VPC Flow Log records of seeded machines, or generated ones where the recordings are not here."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from offline.aws.embedded import ACCOUNT, REGION
from offline.replay.replayed import ReplayedFlows
from offline.replay.traffic import Traffic, captured, guesses, quiet, site_start_ms
from offline.report.record import Provenance
from offline.seed import Instance, World
from offline.telemetry import moved_flow_log
from shared_model.events import Telemetry
from training.data_root import data_root
from training.scenarios import Layout, families, network_scenario
from training.scenarios.flow_log import FlowLog, write_flow_log
from training.scenarios.site import Host, Site


def recorded_capture(
    world: World, machine: Instance, at: datetime, *, capture: str, label: str, minutes: float, instead: str, held_out: bool
) -> ReplayedFlows:
    """Flows of an IoT-23 capture as the machine's own: see :func:`offline.replay.traffic.captured`.

    Parameters
    ----------
    world, machine, at, capture, label, minutes, held_out
    instead : str
        Scenario family that is told where the recording is absent.
    """
    root = data_root()
    if root is None:
        return _generated(machine, at, instead)
    site = _site(world, machine, random.Random(f"{capture}#{label}"), at)
    own = _host(site, machine)
    return _written(captured(root, site, own, at, capture=capture, label=label, minutes=minutes, held_out=held_out))


def guessing_outward(world: World, machine: Instance, target: Instance, at: datetime, *, rows: int = 120) -> ReplayedFlows:
    """SSH-Patator rows of CICIDS2017 from one machine to another, one guess after the other as the tool made them."""
    root = data_root()
    if root is None:
        return _generated(machine, at, "remote-desktop-hopping")
    site = _site(world, machine, random.Random("ssh-patator"), at)
    return _written(guesses(root, site, machine.private_address, target.private_address, at, rows=rows))


def ordinary_traffic(world: World, machine: Instance, at: datetime) -> ReplayedFlows:
    """Half an hour in which nobody attacks: benign flows of IoT-23 as the machine's, and web use of every machine."""
    site = _site(world, machine, random.Random("ordinary"), at)
    return _written(quiet(data_root(), site, _host(site, machine), at))


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
    by_address = {host.address: host for host in hosts}
    return Site(rng, site_start_ms(at), hosts, "10.20.0.2", world.vpc_id, ACCOUNT, REGION, None, by_address)


def _host(site: Site, machine: Instance) -> Host:
    return next(host for host in site.hosts if host.instance_id == machine.id)


def _written(traffic: Traffic) -> ReplayedFlows:
    log: FlowLog = write_flow_log(traffic.connections, traffic.site, layout=Layout.V5)
    return ReplayedFlows(log.encode(), len(log.lines) - 1, traffic.provenance, traffic.source)


def _generated(machine: Instance, at: datetime, name: str) -> ReplayedFlows:
    (family,) = (each for each in families(Telemetry.FLOW_LOGS) if each.name == f"network/{name}")
    log = network_scenario(family, 11, layout=Layout.V5).flow_log
    if log is None:
        raise ValueError(f"{family.name} is no story of flow logs")
    text = moved_flow_log(log.lines, log.labels, machine, at)
    source = f"{family.imitates}: generated (the recordings are not here)"
    return ReplayedFlows(text, text.count(b"\n") - 1, Provenance.GENERATED, source)
