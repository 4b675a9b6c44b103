"""Labelled stories of initiators for the network detector, through the real parser, pairing and encoder."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared_model.encoders.network import encode, entity_of, expand
from shared_model.events import FlowBatch
from shared_model.flow_records import FlowRead
from shared_model.parsers import vnet_flow_logs
from shared_model.parsers.vpc_flow_logs import read_flows
from training.loaders.single_flows import read_cicids, read_netflow, workday
from training.loaders.zeek import Capture, iot23_connections, monitored_site, read_ctu_day
from training.scenarios import (
    BENIGN,
    NETWORK_CLASSES,
    Scenario,
    Split,
    connections_of,
    families,
    generate,
    network_traffic,
    seeds,
)
from training.scenarios.connections import Connection
from training.scenarios.flow_log import FlowLog, Layout, write_flow_log
from training.scenarios.site import Site, around, build_site, internet_address
from training.scenarios.vnet_flow_log import GENERATED, MINUTE_MS, document, on_azure, write_records
from training.sequences import Story
from training.splits import WORKDAYS

CLASS_INDEX = {name: index for index, name in enumerate(NETWORK_CLASSES)}
#: How flows are written: layouts of VPC Flow Logs; None: as VNet flow logs.
FORMS: tuple[Layout | None, ...] = (*Layout, None)


class GeneratedLineRejected(Exception):
    """A flow-log line that this project wrote itself was refused by its own parser: writer or parser is wrong."""


def scenario_stories(split: Split, *, seed: int, repeats: int, progress: Callable[[str], None] = lambda _: None) -> list[Story]:
    """Stories of every network family of the split, told ``repeats`` times (benign families twice as often)."""
    stories: list[Story] = []
    chosen = [family for family in families(split=split) if family.name.startswith("network/")]
    for number, family in enumerate(chosen):
        for scenario in generate(seed, only=(family,), repeats=repeats if family.is_attack else 2 * repeats):
            stories += stories_of(scenario)
        if (number + 1) % 12 == 0:
            progress(f"{number + 1}/{len(chosen)} families")
    return stories


def vnet_scenario_stories(split: Split, *, seed: int, repeats: int) -> list[Story]:
    """As :func:`scenario_stories` with the same seed, the same traffic written as VNet flow logs."""
    return [
        story
        for family in families(split=split)
        if family.name.startswith("network/")
        for each in seeds(seed, repeats if family.is_attack else 2 * repeats)
        for story in vnet_stories(*network_traffic(family, each), family.name)
    ]


def stories_of(scenario: Scenario) -> list[Story]:
    """One story for each initiator of the scenario; benign initiators of an attack scenario are named so."""
    if scenario.flow_log is None:
        raise ValueError(f"{scenario.family.name} is no network scenario")
    return flow_stories(scenario.flow_log, scenario.family.name)


def flow_stories(flow_log: FlowLog, name: str) -> list[Story]:
    """Parse, pair and encode a flow log, one story for each initiator."""
    stories: list[Story] = []
    for read in read_flows(io.BytesIO(flow_log.encode()), source=name, block=1 << 22):
        _accepted(read, name)
        labels = np.array([CLASS_INDEX[label] for label in flow_log.labels], np.int64)[read.batch.record - 1]
        stories += list(_batch_stories(read.batch, labels, name))
    return stories


def vnet_stories(connections: Iterable[Connection], site: Site, name: str) -> list[Story]:
    """Write connections as a VNet flow log, read it as it grows, some minutes at a time, and encode it.

    Mostly a minute at a time, as the functions are woken; seldom ten, or an hour, as after a standstill.
    """
    records = write_records(connections, on_azure(site), GENERATED)
    at_once = random.Random(f"{name}#{site.start_ms}").choice((1, 1, 10, 60)) * MINUTE_MS
    batches, labels = [], []
    for _, group in groupby(records, key=lambda record: (record.time_ms - 1) // at_once):
        part = list(group)
        for read in vnet_flow_logs.read_flows(io.BytesIO(document(part)), source=name, block=1 << 22):
            _accepted(read, name)
            classes = np.array([CLASS_INDEX[label] for record in part for label in record.labels], np.int64)
            labels.append(classes[read.batch.record - 1])
            batches.append(read.batch)
    return list(_batch_stories(_joined(batches), np.concatenate(labels), name)) if batches else []


def _accepted(read: FlowRead, name: str) -> None:
    if read.rejected:
        refused = read.rejected[0]
        raise GeneratedLineRejected(f"{name}, line {refused.record}: {refused.field}: {refused.reason}: {refused.raw[:200]}")


def _joined(batches: list[FlowBatch]) -> FlowBatch:
    """Several batches as one, in their order."""
    begins = np.cumsum([0, *(len(batch.interfaces) for batch in batches)])
    columns = {
        field.name: np.concatenate([getattr(batch, field.name) for batch in batches])
        for field in fields(FlowBatch)
        if field.name not in ("interface", "interfaces", "origin")
    }
    interface = np.concatenate([batch.interface + begin for batch, begin in zip(batches, begins, strict=False)]).astype(np.int32)
    interfaces = tuple(interface for batch in batches for interface in batch.interfaces)
    return FlowBatch(**columns, interface=interface, interfaces=interfaces, origin=batches[0].origin)


def _batch_stories(batch: FlowBatch, labels: NDArray[np.int64], name: str) -> Iterator[Story]:
    events = encode(batch)
    order = np.lexsort((np.arange(len(events)), events.times_ms, events.entity))
    entity, times = events.entity[order], events.times_ms[order]
    first = np.ones(len(order), bool)
    first[1:] = entity[1:] != entity[:-1]
    dense = expand(events.rows[order], times, first)
    begins = np.flatnonzero(first)
    for begin, end in zip(begins, [*begins[1:], len(order)], strict=True):
        own = labels[order[begin:end]]
        attack = bool(own.any())
        days = max(int(times[end - 1] - times[begin]), 3_600_000) / 86_400_000
        yield Story(
            dense[begin:end], own, name if attack else name + " (benign)", attack, days, entity_of(batch, int(order[begin])).id
        )


def capture_stories(capture: Capture) -> list[Story]:
    """Stories of a recorded capture. Long ones stay whole: an infected device is one entity."""
    return flow_stories(capture.flow_log, f"zeek/{capture.name}")


def recorded_stories(root: Path, names: Iterable[str], *, forms: tuple[Layout | None, ...] = (Layout.V5,)) -> list[Story]:
    """Stories of IoT-23 captures, written once in each form."""
    stories: list[Story] = []
    for name in names:
        connections = iot23_connections(root, name)
        for form in forms:
            stories += told_stories(connections, monitored_site(name, connections), f"zeek/{name}", form)
    return stories


def told_stories(connections: Iterable[Connection], site: Site, name: str, form: Layout | None) -> list[Story]:
    """Stories of connections that are written and read in that form (:data:`FORMS`)."""
    if form is None:
        return vnet_stories(connections, site, name)
    return flow_stories(write_flow_log(connections, site, layout=form), name)


def grafted_stories(root: Path, names: Iterable[str], split: Split, *, seed: int, repeats: int) -> list[Story]:
    """Attack families of the split, acted out by recorded devices in the midst of their own benign traffic.

    And the same traffic without the attack: recorded traffic differs from generated traffic in a hundred small ways. Were it
    mostly attack, or mostly benign, a model would learn those instead of the attack.
    """
    stories: list[Story] = []
    attacks = [family for family in families(split=split) if family.name.startswith("network/") and family.is_attack]
    for name in names:
        calm = [connection for connection in iot23_connections(root, name) if connection.label == BENIGN]
        device = max(
            monitored_site(name, calm).hosts, key=lambda host: sum(connection.source == host.address for connection in calm)
        )
        for family in attacks:
            for turn in range(repeats):
                rng = random.Random(f"{family.name} in {name}#{seed}#{turn}")
                begin = rng.randrange(max(1, len(calm) - 200))
                part = calm[begin : begin + rng.randrange(60, 260)]
                site = around(rng, device, part[0].start_ms + rng.randrange(1 + (part[-1].start_ms - part[0].start_ms)))
                form = rng.choice(FORMS)
                for connections, kind in ((part + list(connections_of(family, site)), "in"), (part, "without")):
                    stories += told_stories(connections, site, f"{family.name} {kind} zeek/{name}", form)
    return stories


def workday_stories(root: Path, names: Iterable[str], split: Split, *, seed: int, count: int) -> list[Story]:
    """Hosts whose flows have the shapes of CICIDS2017's benign rows, at generated times.

    A quarter of them also act out an attack of the split, a quarter suffer guessing, which has the shapes of the Patator rows
    where the day has such.
    """
    stories: list[Story] = []
    attacks = [family for family in families(split=split) if family.name.startswith("network/") and family.is_attack]
    for name in names:
        shapes = read_cicids(root, name)
        calm = [shape for shape in shapes if shape.label == BENIGN]
        guesses = [shape for shape in shapes if shape.label == "brute_force"]
        for turn in range(count):
            rng = random.Random(f"{name}#{split}#{seed}#{turn}")
            site = build_site(rng)
            host = site.hosts[0]
            begin = rng.randrange(max(1, len(calm) - 200))
            servers = [internet_address(rng) for _ in range(rng.randrange(4, 50))]
            connections = list(workday(calm[begin : begin + rng.randrange(40, 200)], rng, host.address, site.start_ms, servers))
            title = "calm"
            if turn % 4 == 0:
                family = rng.choice(attacks)
                title = family.name
                connections += connections_of(family, around(rng, host, site.start_ms))
            elif turn % 4 == 1 and guesses:
                title, at, guesser, pause = "guessing", float(site.start_ms), internet_address(rng), rng.lognormvariate(7.3, 1.2)
                for shape in rng.choices(guesses, k=rng.randrange(20, 80)):
                    connections.append(shape.at(rng, at, guesser, host.address))
                    at += rng.expovariate(1 / pause)
            stories += told_stories(connections, site, f"{title} in cicids2017/{name}", rng.choice(FORMS))
    return stories


def single_events(root: Path, *, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Features (n, F) and classes (n,) of single flows of CICIDS2017 and NF-BoT-IoT-v2, each the only one of its entity."""
    rng = random.Random(seed)
    shapes = [shape for name in WORKDAYS for shape in read_cicids(root, name)] + read_netflow(root)
    rng.shuffle(shapes)
    site = build_site(rng, hosts=24)
    connections = [
        shape.at(
            rng,
            site.start_ms + 61_000 * number,
            *((host.address, peer) if shape.label == BENIGN or rng.random() < 0.5 else (peer, host.address)),
        )
        for number, shape in enumerate(shapes)
        for host, peer in [(site.host(), internet_address(rng))]
    ]
    rows, classes = [], []
    flow_log = write_flow_log(connections, site)
    for read in read_flows(io.BytesIO(flow_log.encode()), source="single flows", block=1 << 22):
        labels = np.array([CLASS_INDEX[label] for label in flow_log.labels], np.int64)[read.batch.record - 1]
        events = encode(read.batch)
        rows.append(expand(events.rows, events.times_ms, np.ones(len(events), bool)))
        classes.append(labels)
    return np.concatenate(rows), np.concatenate(classes)


def ctu_stories(root: Path, names: Iterable[str], *, least: int = 4) -> list[Story]:
    """Stories of CTU days: evaluation only.

    Their labels call a stranger's single probe an attack. Background radiation is none here, so strangers with fewer than
    ``least`` flows are left out.
    """
    every = [story for name in names for story in capture_stories(read_ctu_day(root, name))]
    return [story for story in every if not story.attack or len(story.labels) >= least]


def pieces(stories: Iterable[Story], *, length: int, most: int, seed: int) -> list[Story]:
    """Cut long stories into consecutive pieces of that many events, and keep at most ``most`` pieces of each story.

    So that a day of one infected device does not outweigh a thousand scenarios.
    """
    rng = random.Random(seed)
    kept: list[Story] = []
    for story in stories:
        count = len(story.labels)
        begins = list(range(0, count, length))
        for begin in sorted(rng.sample(begins, min(most, len(begins)))):
            labels = story.labels[begin : begin + length]
            attack = bool(labels.any())
            kept.append(
                Story(
                    story.rows[begin : begin + length],
                    labels,
                    story.family,
                    attack,
                    story.days * len(labels) / count,
                    story.entity,
                )
            )
    return kept
