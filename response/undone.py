"""What belongs to a containment that was undone: it begins nothing anew.

A verdict's id says that it is the same cause (docs/decisions/114). A batch of single messages that comes again in pieces gives
verdicts of other ids about the same events, and so does an earlier event that comes late. Time tells them: whatever happened
before a containment last heard of its target is part of what was contained, and its undo, by a person or by time, has settled
that. What happens afterwards is new, and is contained anew: nobody is let go for having waited.
"""

from __future__ import annotations

from response.containment import Containment, Stream
from response.journal import Step
from response.telling import moment
from shared_model.verdicts import Verdict


def undone_with(stream: Stream, verdict: Verdict) -> Containment | None:
    """Return the undone containment of this target that whatever the verdict rests on belongs to, None where there is none."""
    undone = (each for each in reversed(list(stream.containments.values())) if each.step is Step.UNDONE)
    return next((each for each in undone if verdict.time_ms <= each.heard_ms), None)


def begins_nothing(undone: Containment) -> str:
    """Say why a verdict that belongs to it begins nothing."""
    return (
        f"all that it rests on happened before {moment(undone.heard_ms)}, and belongs to containment {undone.id}, which "
        f"{undone.undo_actor} has undone: look whether it is the same; what happens after that decides for itself"
    )
