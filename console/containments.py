"""The commands about containments. They know no cloud."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime

from console import switch
from console.deployment import Deployment, Print
from response.containment import Containment, fold
from response.journal import JournalEntry


def status(where: Deployment, options: argparse.Namespace, out: Print) -> int:
    """List containments: those in force, or all of them."""
    shown = 0
    for name in where.streams():
        for containment in fold(name, where.journal.stream(name)).containments.values():
            if options.all or containment.step != "UNDONE":
                out(_line(containment))
                shown += 1
    if not shown:
        out(f"nothing is contained ({where.where})")
    switch.warn(where, out)
    return 0


def show(where: Deployment, options: argparse.Namespace, out: Print) -> int:
    """Print a containment's journal with its change."""
    entries = _entries(where, options.containment, out)
    for entry in entries:
        out(_entry(entry))
    return 0 if entries else 1


def undo(where: Deployment, options: argparse.Namespace, out: Print) -> int:
    """Ask for the undo of a containment, in the name of whoever runs this."""
    if not _entries(where, options.containment, out):
        return 1
    by = where.operator()
    where.ask_for_undo(json.dumps({"undo": options.containment, "approved_by": by}))
    out(f"asked for, as {by}; see: breakwater show {options.containment}")
    return 0


def _entries(where: Deployment, containment_id: str, out: Print) -> list[JournalEntry]:
    """The containment's entries; says so where it has none."""
    name = where.journal.find(containment_id)
    # A function that was killed may have left the index without the entry.
    entries = [each for each in where.journal.stream(name) if each.containment_id == containment_id] if name is not None else []
    if not entries:
        out(f"the journal has no containment {containment_id} ({where.where})")
    return entries


def _line(containment: Containment) -> str:
    ends = f"until {_time(containment.expires_ms)}" if containment.expires_ms else ""
    return (
        f"{containment.id}  {containment.step:<8}  {_time(containment.applied_ms)}  {containment.plan.summary}  {ends}".rstrip()
    )


def _entry(entry: JournalEntry) -> str:
    lines = [f"{_time(entry.time_ms)}  {entry.step}  by {entry.actor}"]
    lines += [f"    {key}: {value}" for key, value in entry.detail.items() if value]
    if entry.plan is not None:
        lines += [f"    {entry.plan['summary']}"]
        lines += [f"    {side}: {json.dumps(entry.plan[side], sort_keys=True)}" for side in ("before", "after")]
        lines += [f"    touches {touched}" for touched in entry.plan["touches"]]
    return "\n".join(lines)


def _time(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
