"""Labelled stories of principals and hosts for the audit detector, through the real parsers and encoder."""

from __future__ import annotations

import io
import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared_model.encoders.audit import ROW, encode_api_calls, encode_system_events, tell_firsts
from shared_model.events import ApiCall, Entity, Rejected, SystemEvent, Telemetry
from shared_model.habits import FIRSTS
from shared_model.parsers.azure_audit import parse_audit_records
from shared_model.parsers.cloudtrail import parse_cloudtrail
from shared_model.parsers.system_logs import read_system_logs
from training.loaders.cloudtrail_logs import RecordedAttack, embed, read_panther, read_stratus
from training.scenarios import AUDIT_CLASSES, BENIGN, Family, Scenario, Split, families, generate
from training.scenarios.audit_story import LabelledRecord, attack_story, benign_days
from training.scenarios.held_out import HELD_OUT_OPERATIONS
from training.scenarios.principals import owner_of
from training.sequences import WINDOW, Story, Windows, cut_stories, serving_ends
from training.splits import HELD_OUT_PANTHER, HELD_OUT_STRATUS

CLASS_INDEX = {name: index for index, name in enumerate(AUDIT_CLASSES)}
#: Lengths of benign history in front of a recorded attack. None is empty: an attack without a past would be told by that.
HISTORIES = (2, 4, 14, 22, 30)
#: What makes an honest call look like an intruder's: a service dealt with as never before, or an effect that was never had.
_TELLING = sum(1 << FIRSTS.index(name) for name in ("dealing", "effect"))


class GeneratedRecordRejected(Exception):
    """A record that this project wrote itself was refused by its own parser: generator or parser is wrong."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event that belongs to an entity, with its label."""

    entity: str
    time_ms: int
    row: NDArray[np.uint8]
    label: int


def scenario_stories(split: Split, *, seed: int, repeats: int, progress: Callable[[str], None] = lambda _: None) -> list[Story]:
    """Stories of every audit and system-log family of the split, told ``repeats`` times, and of each API attack its control.

    Benign families are told three times as often, families that are drawn anew each time three times as often.
    """
    stories: list[Story] = []
    chosen = [family for family in families(split=split) if family.telemetry != Telemetry.FLOW_LOGS]
    for number, family in enumerate(chosen):
        times = repeats * (3 if "any-" in family.name else 1) * (1 if family.is_attack else 3)
        for scenario in generate(seed, only=(family,), repeats=times):
            stories += stories_of(scenario)
            if family.is_attack and family.telemetry == Telemetry.API_CALLS:
                stories += record_stories(attack_story(family, scenario.seed, control=True), f"control of {family.name}")
        if (number + 1) % 12 == 0:
            progress(f"{number + 1}/{len(chosen)} families")
    return stories


def watched_stories(split: Split, *, seed: int, entity_days: int, days: int = 12, calls_a_day: int = 30) -> list[Story]:
    """Benign principals of the split, each watched for days: what alerts per entity-day are counted on.

    About ``entity_days`` in all, spread evenly over the split's benign families. One principal is one entity here, also where
    its records name a session and a directory besides. Families that look like an attack (an announced test, a team that takes
    projects down) are left out: an operator knows of them and names them; what they raise is told family by family.
    """
    chosen = [each for each in benign_families(split) if each.telemetry == Telemetry.API_CALLS and not each.looks_like]
    stories = []
    for turn in range(-(-entity_days // (days * len(chosen)))):
        for family in chosen:
            told = record_stories(benign_days(family, seed * 100_003 + turn, days=days, calls_a_day=calls_a_day), family.name)
            longest = max(told, key=lambda story: len(story.labels))
            stories.append(replace(longest, days=float(days)))
    return stories


def first_times(stories: Iterable[Story]) -> Windows:
    """Of the windows that serving would score, those in which a service is dealt with as never before or an effect is new."""
    kept, ends = [], {}
    for story in stories:
        telling = (story.rows.view(ROW)[:, 0]["novel"] & _TELLING) > 0
        every, so_far = serving_ends(len(telling)), np.concatenate([[0], np.cumsum(telling)])
        chosen = every[so_far[every + 1] > so_far[np.maximum(every + 1 - WINDOW, 0)]]
        if len(chosen):
            ends[len(kept)] = chosen
            kept.append(story)
    return cut_stories(kept, ends)


def stories_of(scenario: Scenario) -> list[Story]:
    """One story for each principal, session or host of the scenario."""
    if scenario.log is not None:
        return _log_stories(json.dumps(scenario.log).encode(), scenario.labels, scenario.family.name)
    told = (LabelledRecord(*line, scenario.past) for line in zip(scenario.records, scenario.labels, strict=True))
    return record_stories(told, scenario.family.name)


def record_stories(told: Iterable[LabelledRecord], family: str) -> list[Story]:
    """Parse and encode audit records of either cloud, one story an entity. Raises GeneratedRecordRejected for one refused."""
    calls: list[ApiCall] = []
    labels: list[int] = []
    pasts: dict[Entity, bytes] = {}
    for line in told:
        parse = parse_cloudtrail if "eventSource" in line.record else parse_audit_records
        for call in parse(line.record, source=family):
            if isinstance(call, Rejected):
                raise GeneratedRecordRejected(f"{family}: {call.field}: {call.reason}: {call.raw[:200]}")
            calls.append(call)
            labels.append(CLASS_INDEX[line.label])
            pasts.setdefault(call.principal, line.past)
    rows = encode_api_calls(calls)
    numbers = {principal: number for number, principal in enumerate(pasts)}
    tell_firsts(rows, calls, np.array([numbers[call.principal] for call in calls], np.intp), list(pasts.values()))
    entities = [(call.session or call.principal).key for call in calls]
    return _stories(zip(entities, [call.time_ms for call in calls], rows, labels, strict=True), family)


def _log_stories(document: bytes, labels: tuple[str, ...], family: str) -> list[Story]:
    events: list[SystemEvent] = []
    for event in read_system_logs(io.BytesIO(document), source=family, now_ms=0):
        if isinstance(event, Rejected):
            raise GeneratedRecordRejected(f"{family}: {event.field}: {event.reason}: {event.raw[:200]}")
        events.append(event)
    codes = [CLASS_INDEX[label] for label in labels]
    return system_stories(events, codes, family)


def system_stories(events: list[SystemEvent], labels: list[int], family: str) -> list[Story]:
    """Encode system events, one story for each host."""
    rows = encode_system_events(events)
    return _stories(
        zip([event.host.key for event in events], [event.time_ms for event in events], rows, labels, strict=True), family
    )


def _stories(events: Iterable[tuple[str, int, NDArray[np.uint8], int]], family: str) -> list[Story]:
    by_entity: dict[str, list[tuple[int, int, NDArray[np.uint8], int]]] = defaultdict(list)
    for number, (entity, time, row, label) in enumerate(events):
        by_entity[entity].append((time, number, row, label))
    stories = []
    for entity, kept in by_entity.items():
        kept.sort(key=lambda item: item[:2])
        labels = np.array([item[3] for item in kept], np.int64)
        days = max(kept[-1][0] - kept[0][0], 3_600_000) / 86_400_000
        rows, times = np.stack([item[2] for item in kept]), np.array([item[0] for item in kept], np.int64)
        stories.append(Story(rows, labels, family, bool(labels.any()), days, entity, times))
    return stories


@dataclass(frozen=True, slots=True)
class Recorded:
    """Recorded attacks by what may see them."""

    train: tuple[RecordedAttack, ...]
    held_out: tuple[RecordedAttack, ...]


def recorded(root: Path) -> Recorded:
    """Split Stratus techniques and Panther cases: held out by name, and wherever a held-out call occurs in another case."""
    every = read_stratus(root) + read_panther(root)
    unseen = HELD_OUT_STRATUS | HELD_OUT_PANTHER
    train = [attack for attack in every if attack.name not in unseen and not attack.key_operations & HELD_OUT_OPERATIONS]
    return Recorded(tuple(train), tuple(attack for attack in every if attack.name in unseen))


def recorded_stories(
    attacks: Iterable[RecordedAttack], split: Split, *, seed: int, histories: tuple[int, ...] = HISTORIES
) -> Iterator[Story]:
    """Each recorded attack behind histories of several lengths, and its control behind the same.

    The histories are those of the split's profiles.
    """
    for attack in attacks:
        for turn, calls in enumerate(histories):
            profile = owner_of(split, "aws", random.Random(f"{attack.name}#{seed}#{turn}"))
            name = f"{attack.source}/{attack.name}"
            attacked = record_stories(embed(attack, profile, seed, calls=calls), name)
            yield from (story for story in attacked if story.attack)
            yield from record_stories(embed(attack, profile, seed, calls=calls, control=True), f"control of {name}")


def class_counts(stories: Iterable[Story]) -> dict[str, int]:
    """How many stories of each class there are, by the class of their first attack event."""
    names = list(AUDIT_CLASSES)
    return dict(Counter(names[int(story.labels[story.labels > 0][0])] if story.attack else BENIGN for story in stories))


def benign_families(split: Split) -> tuple[Family, ...]:
    return tuple(family for family in families(split=split) if family.telemetry != Telemetry.FLOW_LOGS and not family.is_attack)
