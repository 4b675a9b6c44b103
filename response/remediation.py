"""A journal entry as OCSF Remediation Activity 7001: what leaves the system about a containment, on either cloud."""

from __future__ import annotations

from typing import Any

from response.journal import JournalEntry, Step
from shared_model.events import Entity
from shared_model.ocsf import of_remediation

#: What a step says about the success of the change; the others say nothing.
_SUCCEEDED = {
    Step.APPLIED: True,
    Step.EXTENDED: True,
    Step.VERIFIED: True,
    Step.UNDONE: True,
    Step.REFUSED: False,
    Step.FAILED: False,
    Step.DRIFTED: False,
}


def is_remediation(entry: JournalEntry) -> bool:
    """Whether the entry is about a containment: the master switch, anchors and orders are not."""
    return entry.step not in (Step.ARMED, Step.DISARMED, Step.ANCHORED, Step.ORDERED, Step.SETTLED)


def of_entry(entry: JournalEntry) -> dict[str, Any]:
    """Return the entry as an OCSF object."""
    action, _, target = entry.stream.partition("#")
    event = of_remediation(
        containment_id=entry.containment_id,
        action=action,
        target=Entity.from_key(target),
        step=entry.step,
        time_ms=entry.time_ms,
        verdict_id=entry.verdict_id,
        correlation_id=entry.correlation_id,
        actor=entry.actor,
        undone=entry.step in (Step.UNDOING, Step.UNDONE),
        succeeded=_SUCCEEDED.get(entry.step) and not entry.left_held,
        detail=entry.detail,
    )
    if entry.case:
        event["unmapped"]["case"] = entry.case
    return event
