"""What an undo would find, before anybody decides on it: as it was, as the action made it, and as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from response.actions import Action, Difference
from response.containment import fold
from response.ends import Ended
from response.journal import Journal, Step
from response.notices import Notify, notice
from response.turns import with_turns
from response.undoing import UnknownContainment
from shared_model.errors import RefusedByCloud


def compare(
    containment_id: str, *, asked_by: str, actions: Mapping[str, Action], journal: Journal, now_ms: int, notify: Notify
) -> Ended:
    """Compare what a containment changed with what is there now; write it down for whoever asked, and change nothing.

    Raises
    ------
    UnknownContainment
        There is nothing of that id to undo.
    CloudUnavailable
        Try again later.
    """
    name = journal.find(containment_id)
    if name is None:
        raise UnknownContainment(f"the journal has no containment {containment_id}")

    def attempt() -> Ended:
        stream = fold(name, journal.stream(name))
        containment = stream.containments.get(containment_id)
        if containment is None:
            raise UnknownContainment(f"{containment_id} was observed or refused, never applied: there is nothing to undo")
        action = actions.get(containment.plan.action)
        if action is None:
            raise ValueError(
                f"this function has no action {containment.plan.action}: deploy the version that applied {containment_id}"
            )
        parts, reason = tuple[Difference, ...](), ""
        try:
            parts = action.compare(containment.plan)
        except RefusedByCloud as refusal:  # an answer too: who asked may undo it all the same
            reason = f"what was changed since cannot be seen ({refusal}); an undo without --overwrite goes on all the same"
        changed = [part for part in parts if part.is_changed]
        reason = reason or (
            f"{len(changed)} of {len(parts)} parts were changed since" if changed else "nothing was changed since"
        )
        said = [f"{part}{'  CHANGED SINCE' if part.is_changed else ''}" for part in parts]
        detail = {"reason": reason, "parts": said}
        entry = stream.entry(Step.COMPARED, containment, now_ms=now_ms, actor=asked_by, detail=detail)
        journal.append(entry)
        target = containment.plan.target
        lines = [f"Containment {containment.id}: {containment.plan.summary}", reason, *said]
        told = notice(entry.id, f"Before an undo: {target.kind} {target.id}", lines, containment.correlation_id)
        notify(replace(told, case=containment.case))
        return Ended(containment.id, containment.correlation_id, Step.COMPARED, reason, (), (entry,))

    return with_turns(name, attempt)
