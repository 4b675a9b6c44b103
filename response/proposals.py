"""A proposal: a plan that waits for a person's word, folded from its entries.

Its id is that of the containment that it becomes: one id leads from the question to the undo.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, replace

from response.actions import Plan
from response.journal import JournalEntry, Step

#: Steps that an answer, or its absence, consists of.
ANSWERS = frozenset({Step.APPROVED, Step.DENIED, Step.LAPSED})
#: ``detail`` of a proposal beyond the budget: ``question`` groups those of one hour and account; the first of them ``asks`` a
#: person, the others are only journalled (``told``).
ASKS, WITH_ANOTHER = "budget", "with the first one of this hour"
#: Fields with a default that have been in every digest from the first: none is to be added.
_ALWAYS_WRITTEN = frozenset({"refusal", "tags", "min_lifetime_s", "resources", "region", "population"})


@dataclass(frozen=True, slots=True)
class Proposal:
    """One proposal.

    Attributes
    ----------
    id, stream, verdict_id, correlation_id, actor : str
        ``actor`` is the rule by which it was made.
    plan : Plan
        As it was shown last: an answer names it by its :func:`digest`.
    step : Step
        PROPOSED while it is open; APPROVED (by as many as it needs), DENIED, LAPSED, or NOOP (overtaken by the facts).
    proposed_ms, expires_ms : int
    verdict : str
        The verdict, as JSON: it is planned again from here before anything is changed.
    question : str
        Id of the question that asks for all proposals beyond the budget of one hour and account, ``""`` where there is none.
    told : bool
        It was told to a person by itself.
    approvals : tuple of JournalEntry
        Of this very plan, oldest first.
    answer : JournalEntry or None
        What ended it.
    case : str
        The incident that it belongs to.
    """

    id: str
    stream: str
    verdict_id: str
    correlation_id: str
    actor: str
    plan: Plan
    step: Step
    proposed_ms: int
    expires_ms: int
    verdict: str
    question: str = ""
    told: bool = True
    approvals: tuple[JournalEntry, ...] = ()
    answer: JournalEntry | None = None
    case: str = ""

    def is_open(self, now_ms: int) -> bool:
        """Whether it can still be answered."""
        return self.step is Step.PROPOSED and now_ms < self.expires_ms

    def holds_denied(self, now_ms: int) -> bool:
        """Whether a person said no to it, which counts for as long as the proposal would have stood."""
        return self.step is Step.DENIED and now_ms < self.expires_ms


def digest(plan: Plan) -> str:
    """Return what names a plan in an answer (16 hex digits): who approves says which one was shown."""
    return fingerprint(plan)[:16]


def fingerprint(plan: Plan) -> str:
    """Return what no other plan has (64 hex digits).

    A field that a later version adds, with a default, leaves the fingerprints of what was proposed before as they are.
    """
    added = {each.name: each.default for each in fields(plan) if each.default is not MISSING and each.name not in _ALWAYS_WRITTEN}
    written = {
        name: value for name, value in plan.to_json_value().items() if name not in added or getattr(plan, name) != added[name]
    }
    text = json.dumps(written, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def changed_since(shown: Plan, now: Plan) -> str:
    """Return what a person who decided on ``shown`` did not see, ``""`` where the present plan is that one.

    The state after follows from the state before and the moment (a session is revoked up to now), so it is not compared:
    approved is what is found, who is hit and what it rests on.
    """
    found = []
    if dict(shown.before) != dict(now.before):
        found.append("the state that it changes")
    if set(shown.touches) != set(now.touches):
        found.append("whom it touches")
    if set(shown.resources) != set(now.resources):
        found.append("what it rests on")
    return f"{' and '.join(found)} changed since it was shown" if found else ""


def advance(proposals: Mapping[str, Proposal], entry: JournalEntry) -> dict[str, Proposal]:
    """Return the proposals of a stream after a further entry."""
    after = dict(proposals)
    known = after.get(entry.containment_id)
    if entry.step is Step.PROPOSED and entry.plan is not None:
        after[entry.containment_id] = _proposal(entry, known)
    elif known is not None and entry.step is Step.APPROVED:
        approved = replace(known, approvals=(*known.approvals, entry))
        after[known.id] = approved if entry.detail.get("missing") else replace(approved, step=entry.step, answer=entry)
    elif known is not None and known.step in (Step.PROPOSED, Step.APPROVED) and entry.step in (ANSWERS | {Step.NOOP}):
        after[known.id] = replace(known, step=entry.step, answer=entry)
    return after


def _proposal(entry: JournalEntry, before: Proposal | None) -> Proposal:
    return Proposal(
        id=entry.containment_id,
        stream=entry.stream,
        verdict_id=entry.verdict_id,
        correlation_id=entry.correlation_id,
        actor=before.actor if before else entry.actor,
        plan=Plan.from_json_value(entry.plan or {}),
        step=entry.step,
        proposed_ms=entry.time_ms,
        expires_ms=entry.expires_ms or entry.time_ms,
        verdict=entry.verdict or (before.verdict if before else ""),
        question=str(entry.detail.get("question", before.question if before else "")),
        told=not entry.detail.get("told"),
        case=entry.case,
    )
