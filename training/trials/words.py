"""Held-out techniques that training never saw by name, but may have seen by word.

The audit encoder reads no names: of which operation a call was, it keeps service, verb, object and what is granted. An operation
of another name can have the same words, and where training told these of an attack, the held-out technique is new in name alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared_model.encoders.audit import ROW, encode_api_calls
from shared_model.events import ApiCall, Telemetry
from shared_model.parsers.cloudtrail import parse_cloudtrail
from training.audit_data import recorded, recorded_stories, stories_of
from training.loaders.cloudtrail_logs import RecordedAttack, operation
from training.scenarios import Split, families, generate
from training.sequences import Story

Words = tuple[int, int, int, int]
#: As ``make train`` tells them: its first seed, its repeats, and one history (what stands before changes no word).
_SEED, _REPEATS, _HISTORIES = 1, 12, (14,)
#: Stories of a held-out family, as a build tells them.
_TOLD = 6


def told_before(attack: RecordedAttack, root: Path) -> bool:
    """Whether training tells an attack in the very words of one of the calls that make up this technique."""
    calls = [
        call
        for record in attack.records
        if operation(record) in attack.key_operations
        for call in parse_cloudtrail(record, source=attack.name)
        if isinstance(call, ApiCall)
    ]
    return not _told_as_attack(root).isdisjoint(_words(encode_api_calls(calls)))


def words_of_families(root: Path) -> dict[str, list[int]]:
    """How many of the words of its attack calls training tells of an attack, of how many: for each held-out family of API calls.

    Words are those of stories as a build tests them; calls of the same words count once.
    """
    told = _told_as_attack(root)
    found: dict[str, list[int]] = {}
    for family in families(Telemetry.API_CALLS, Split.TEST):
        if family.is_attack:
            stories = (story for scenario in generate(_SEED + 2, only=(family,), repeats=_TOLD) for story in stories_of(scenario))
            words = frozenset(_hostile(stories))
            found[family.name] = [len(words & told), len(words)]
    return found


@cache
def _told_as_attack(root: Path) -> frozenset[Words]:
    """The words of every attack call of API-call families and recorded attacks in training."""
    told: set[Words] = set()
    for family in families(Telemetry.API_CALLS, Split.TRAIN):
        if family.is_attack:
            repeats = _REPEATS * (3 if "any-" in family.name else 1)
            for scenario in generate(_SEED, only=(family,), repeats=repeats):
                told.update(_hostile(stories_of(scenario)))
    told.update(_hostile(recorded_stories(recorded(root).train, Split.TRAIN, seed=_SEED, histories=_HISTORIES)))
    return frozenset(told)


def _hostile(stories: Iterable[Story]) -> Iterable[Words]:
    for story in stories:
        yield from _words(story.rows[story.labels > 0])


def _words(rows: NDArray[np.uint8]) -> list[Words]:
    """Service, verb, object and grant of each row, shape (n, bytes of a row)."""
    read = np.ascontiguousarray(rows).view(ROW).reshape(-1)
    return [(int(row["service"]), int(row["verb"]), int(row["object"]), int(row["grant"])) for row in read]
