"""Recorded logs that no training sees: the Invictus account, and OpenSSH and Linux system logs."""

from __future__ import annotations

import io
import re
from pathlib import Path

from shared_model.events import Rejected, SystemEvent
from shared_model.parsers.cloudtrail import parse_cloudtrail
from shared_model.parsers.system_logs import read_system_logs
from training.audit_data import CLASS_INDEX, record_stories, system_stories
from training.loaders.cloudtrail_logs import PRELUDE, operation, read_invictus
from training.loaders.compressed import read_xz
from training.scenarios.audit_story import LabelledRecord
from training.scenarios.family import BENIGN
from training.sequences import Story

#: 2026-01-01: the year that lines without one are read in. Only distances in time matter here.
_REFERENCE_MS = 1_767_225_600_000
#: Lines of a piece of a system log.
PIECE = 64
#: What an OpenSSH line says when somebody guesses: the log's own words are its labels.
_GUESSING = re.compile(
    r"Failed (password|none)|[Ii]nvalid user|authentication failure|POSSIBLE BREAK-IN|user unknown"
    r"|Too many authentication|max retries",
    re.ASCII,
)


def invictus_stories(root: Path) -> list[Story]:
    """Principals of the attacked account; marked as attack is what the tool did under its own name, less its preparations.

    Terraform, which prepared the attacks under the same user, is benign here: it is what infrastructure as code does all day.
    The class of an attack event is not known; ``discovery`` stands for "some attack", and classes are not scored.
    """
    return record_stories(_invictus_records(root), "invictus")


def invictus_calls(root: Path) -> list[tuple[str, str, bool]]:
    """Entity, call and whether it is of the attack, for every record of :func:`invictus_stories`."""
    return [
        ((call.session or call.principal).key, operation(line.record), line.label != BENIGN)
        for line in _invictus_records(root)
        for call in parse_cloudtrail(line.record, source="invictus")
        if not isinstance(call, Rejected)
    ]


def _invictus_records(root: Path) -> list[LabelledRecord]:
    told = [
        LabelledRecord(item, "discovery" if marked and operation(item) not in PRELUDE else BENIGN)
        for item, marked in read_invictus(root)
    ]
    return [line for line in told if line.record["userIdentity"].get("type") not in ("AWSService", None)]


def system_log_stories(root: Path) -> list[Story]:
    """OpenSSH guessing (one host under attack for hours) and an ordinary Linux host, cut into pieces of :data:`PIECE` lines.

    A piece of the Linux log in which somebody guesses too is labelled by the same words, not by the file it stands in.
    """
    stories: list[Story] = []
    for name in ("OpenSSH_2k", "Linux_2k"):
        content = read_xz(root / "system_logs" / f"{name}.log.xz")
        events = [
            event
            for event in read_system_logs(io.BytesIO(content), source=name, now_ms=_REFERENCE_MS)
            if not isinstance(event, Rejected)
        ]
        for begin in range(0, len(events), PIECE):
            part = events[begin : begin + PIECE]
            guesses = [_is_guess(event) for event in part]
            labels = [CLASS_INDEX["brute_force"] if guess and sum(guesses) >= 4 else 0 for guess in guesses]
            stories += system_stories(part, labels, f"logs/{name}")
    return stories


def _is_guess(event: SystemEvent) -> bool:
    return _GUESSING.search(event.message) is not None
