"""What came of the end of a containment, and what people are told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from response.actions import Action, Overwriting
from response.containment import Containment, Stream
from response.journal import JournalEntry, Step
from response.notices import Notify, notice
from response.proposals import digest

#: Steps that the end of a containment consists of.
_ENDING = frozenset({Step.EXPIRY_DUE, Step.UNDOING, Step.UNDONE})
#: What is told of one whose time is over, by where it stands.
_DUE = {Step.APPLYING: "Containment is stuck", Step.UNDOING: "Undo that nobody asked for: NOT DONE"}
#: What is told of each part that an undo did not restore.
_AS_IT_IS, _STILL = "LEFT AS IT IS", "STILL CONTAINED"
#: How long the link of a notice leads to the undo of a containment.
_LINK_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of one request to end a containment.

    Attributes
    ----------
    containment_id, correlation_id : str
    step : Step
        UNDONE, REFUSED (``reason`` says when it may), EXPIRY_DUE (a person was asked) or LAPSED (nobody answered a proposal).
    reason : str
    left : tuple of str
        What was not restored because someone changed it since.
    entries : tuple of JournalEntry
        What this call wrote; empty when it had ended before.
    earlier : tuple of JournalEntry
        What an earlier delivery of this request wrote, and may not have kept anywhere else: keep it again.
    """

    containment_id: str
    correlation_id: str
    step: Step
    reason: str
    left: tuple[str, ...]
    entries: tuple[JournalEntry, ...]
    earlier: tuple[JournalEntry, ...] = ()


def ending(stream: Stream, containment: Containment) -> tuple[JournalEntry, ...]:
    """Return what the journal says of the end of a containment, oldest first."""
    believed = (entry for entry in stream.entries if entry.sequence not in stream.disbelieved)
    return tuple(entry for entry in believed if entry.containment_id == containment.id and entry.step in _ENDING)


def tell_of_end(actions: Mapping[str, Action], notify: Notify, entry: JournalEntry, containment: Containment) -> None:
    """Tell people of an entry about the end of a containment, or of an undo that was refused."""
    reason, detail = str(entry.detail.get("reason", "")), entry.detail
    match entry.step:
        case Step.EXPIRY_DUE:
            subject, lines = _DUE.get(containment.step, "Containment is due"), [reason]
        case Step.REFUSED:
            subject, lines = "Sign in to undo" if detail.get("sign_in") else "Undo refused", [reason]
        case Step.UNDONE:
            restored = [f"Restored: {item}" for item in detail.get("restored", ())]
            left = [f"{_STILL if item in entry.holds else _AS_IT_IS}: {item}" for item in detail.get("left", ())]
            changed = [f"Changed since: {item}" for item in detail.get("changed_since", ())]
            changed += [f"What was changed since cannot be seen: {reason}" for reason in (detail.get("not_compared"),) if reason]
            subject = ("Undone IN PART" if restored else "NOT undone") if entry.left_held else "Containment undone"
            lines = [_decided(entry), *restored, *left, *changed]
            if left and changed and isinstance(actions.get(containment.plan.action), Overwriting):
                lines.append(f"To have it as it was before all the same: breakwater undo {containment.id} --overwrite")
            if entry.left_held:
                again = f"breakwater undo {containment.id}"
                place = "It keeps its place in the budget's share for as long again as it was to live, or until"
                lines.append(f"It still holds. {place if containment.plan.kind else 'To give it back'}: {again}")
        case _:
            return
    target = containment.plan.target
    text = [f"Containment {containment.id}: {containment.plan.summary}", *lines]
    told = notice(entry.id, f"{subject}: {target.kind} {target.id}", text, containment.correlation_id)
    if entry.step is Step.EXPIRY_DUE or detail.get("sign_in"):
        until_ms = entry.time_ms + _LINK_MS
        told = replace(told, proposal_id=containment.id, plan=digest(containment.plan), until_ms=until_ms, undoes=True)
    notify(replace(told, case=containment.case))


def _decided(entry: JournalEntry) -> str:
    return f"Decided by {entry.actor}" + (": so the request said, nothing attests it" if entry.detail.get("unattested") else "")
