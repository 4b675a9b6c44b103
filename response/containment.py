"""What a journal stream says: which containment is open, how far it got, and what was decided about a verdict.

The journal's entries are the only state. Every decision reads the stream, folds it, and appends the next number; whoever
loses the number reads again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from response.actions import Plan
from response.journal import BELONGS_TO, HEARD_MS, JournalEntry, Step, link
from response.proposals import Proposal, advance
from shared_model.events import Entity

_CHECKED = frozenset({Step.VERIFIED, Step.DRIFTED, Step.UNREACHABLE})
#: Steps that settle what a verdict leads to. APPLYING does not: it is resumed.
#: UNDONE does: what a person undid while it was stuck at APPLYING is not begun again by the same verdict.
#: PROPOSED does: the rest is for a person's answer.
_SETTLED = frozenset(
    {Step.OBSERVED, Step.REFUSED, Step.NOOP, Step.PROPOSED, Step.APPLIED, Step.EXTENDED, Step.FAILED, Step.UNDONE}
)
#: After these, somebody has looked, or is asked to: what was refused before is not begun again.
_LOOKED_AT = frozenset({Step.FAILED, Step.UNDONE, Step.DENIED})
#: Whoever wrote APPLYING (or UNDOING) this long ago applies (or undoes) no more. What stands there for longer is stuck.
AT_WORK_MS = 15 * 60_000
#: What of that is for clocks that differ.
_CLOCKS_MS = 5 * 60_000
#: What that leaves: the longest time that a function that responds may run.
LONGEST_RUN_MS = AT_WORK_MS - _CLOCKS_MS
#: What another message began less than this ago is left to it: a change takes less, and what is older was left behind.
_COURTESY_MS = 60_000
#: How long a cloud's answers may not yet show a change that was made.
_UNSETTLED_MS = 2 * 60_000


@dataclass(frozen=True, slots=True)
class Containment:
    """One containment, folded from its entries.

    Attributes
    ----------
    id, stream, verdict_id, correlation_id, actor : str
        ``actor`` is who or what decided on it.
    plan : Plan
        As it stands in the journal: apply, verify and undo use this one, never a new one.
    step : Step
        The last of APPLYING, APPLIED, FAILED, UNDOING and UNDONE.
    applied_ms : int
        When the change was made, or was about to be: the latest that any entry says.
    expires_ms : int or None
    checked, asked : bool
        The effective state was read back; a person was asked about the end.
    undo_actor : str
        Who or what decided to undo it.
    case : str
        The incident that it belongs to.
    is_held : bool
        It was undone, and that left its target as the action had made it, in part at least: it can be undone once more.
    holds : tuple of str
        Each part that was left so, and why.
    taken_up_ms, undo_taken_up_ms : int
        When somebody last began to apply it, and to undo it; 0 for never.
    appliers, undoers : mapping of str to int
        Who may be at it, and since when: the message that each handles (or the entry). Whoever takes up what another began
        writes APPLYING (UNDOING) first; whoever ends says so with APPLIED (UNDONE). A message that is delivered again says
        that its earlier delivery is over; of two messages, both may be at it at once.
    heard_ms : int
        When a verdict was last found to belong to it that could have begun it: by which it began, was extended, or which it
        noted.
    """

    id: str
    stream: str
    verdict_id: str
    correlation_id: str
    actor: str
    plan: Plan
    step: Step
    applied_ms: int
    expires_ms: int | None
    checked: bool = False
    asked: bool = False
    undo_actor: str = ""
    case: str = ""
    is_held: bool = False
    holds: tuple[str, ...] = ()
    taken_up_ms: int = 0
    undo_taken_up_ms: int = 0
    appliers: Mapping[str, int] = field(default_factory=dict)
    undoers: Mapping[str, int] = field(default_factory=dict)
    heard_ms: int = 0

    @property
    def earliest_undo_ms(self) -> int:
        """Undoing before this time would revive what was contained."""
        return self.applied_ms + self.plan.min_lifetime_s * 1000

    @property
    def may_hold(self) -> bool:
        """Whether its target may be, in part at least, as it made it: only an undo that left nothing so is the end of that."""
        return self.step is not Step.UNDONE or self.is_held

    @property
    def is_under_way(self) -> bool:
        """Whether it is still to be applied or read back."""
        return self.step is Step.APPLYING or (self.step is Step.APPLIED and not self.checked)

    def is_stuck(self, now_ms: int) -> bool:
        """Whether it stands at APPLYING for longer than whoever began to apply it can have lived."""
        return self.step is Step.APPLYING and now_ms > self.taken_up_ms + AT_WORK_MS

    def may_be_being_applied(self, now_ms: int) -> bool:
        """Whether somebody may be inside ``apply`` with its plan."""
        return any(now_ms <= since_ms + AT_WORK_MS for since_ms in self.appliers.values())

    def was_begun_by_another_just_now(self, now_ms: int, delivery: str) -> bool:
        """Whether another message's handling has most likely not ended yet: to join it would help nobody."""
        other = bool(delivery) and delivery not in self.appliers
        return self.step is Step.APPLYING and other and now_ms <= self.taken_up_ms + _COURTESY_MS

    def may_be_being_undone(self, now_ms: int, *, but_by: str = "") -> bool:
        """Whether somebody, other than who handles this message, may be inside ``undo`` with its plan."""
        return any(now_ms <= since_ms + AT_WORK_MS for who, since_ms in self.undoers.items() if who != but_by)

    def was_undone_just_now(self, now_ms: int) -> bool:
        """Whether the cloud may still show it as in force."""
        return self.step is Step.UNDONE and now_ms <= self.undo_taken_up_ms + _UNSETTLED_MS


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream, folded.

    Attributes
    ----------
    name : str
    last : int
        The highest sequence number, 0 for an empty stream.
    containments : mapping of containment id to Containment
        In the order in which they began.
    decided : mapping of verdict id to JournalEntry
        The entry that settled what this verdict leads to; for one that is waiting, until the second signal comes.
    waiting : mapping of verdict id to JournalEntry
        Refusals for want of a second signal. Once a containment of this target failed, was undone or denied, what was refused
        before is not decided again: someone has looked, or is asked to.
    proposals : mapping of proposal id to Proposal
        In the order in which they were first made.
    entries : tuple of JournalEntry
    disbelieved : mapping of int to str
        Numbers of entries that say that something was undone, of which none of the above takes notice, and why
        (:class:`response.orders.Book`).
    """

    name: str
    last: int
    containments: Mapping[str, Containment]
    decided: Mapping[str, JournalEntry]
    waiting: Mapping[str, JournalEntry]
    proposals: Mapping[str, Proposal]
    entries: tuple[JournalEntry, ...]
    disbelieved: Mapping[int, str] = field(default_factory=dict)

    @property
    def current(self) -> Containment | None:
        """The containment that is being made, is in force, or is being undone.

        A failed one is none of these: it can be undone by its id, and does not stand in the way of the next.
        """
        running = (Step.APPLYING, Step.APPLIED, Step.UNDOING)
        return next((c for c in reversed(list(self.containments.values())) if c.step in running), None)

    def being_applied(self, now_ms: int) -> str:
        """Return which containment somebody may be applying, in words; ``""`` where nobody can be."""
        found = next((each.id for each in self.containments.values() if each.may_be_being_applied(now_ms)), "")
        return f"containment {found} is still being applied" if found else ""

    def being_undone(self, now_ms: int) -> str:
        """Return which containment somebody may be undoing, in words; ``""`` where nobody can be."""
        current = self.current
        stands = current.id if current is not None and current.step is Step.UNDOING else ""
        found = stands or next((each.id for each in self.containments.values() if each.may_be_being_undone(now_ms)), "")
        return f"containment {found} is being undone" if found else ""

    def just_undone(self, now_ms: int) -> str:
        """Return why what reads as contained may not be so; ``""`` where nothing was undone lately."""
        found = any(each.was_undone_just_now(now_ms) for each in self.containments.values())
        return f"{self.name} was undone just now, and reads as if it were contained: look again later" if found else ""

    def followed_by(self, entry: JournalEntry) -> Stream:
        """Return the stream with this entry appended."""
        return fold(self.name, (*self.entries, entry), self.disbelieved)

    def entry(
        self,
        step: Step,
        containment: Containment | Proposal,
        *,
        now_ms: int,
        actor: str = "",
        plan: bool = False,
        detail: Mapping[str, Any] | None = None,
        expires: bool = False,
    ) -> JournalEntry:
        """Return the next entry of this stream about a containment, or about a proposal."""
        return JournalEntry(
            stream=self.name,
            sequence=self.last + 1,
            containment_id=containment.id,
            step=step,
            time_ms=now_ms,
            correlation_id=containment.correlation_id,
            verdict_id=containment.verdict_id,
            actor=actor or containment.actor,
            plan=containment.plan.to_json_value() if plan else None,
            detail=detail or {},
            expires_ms=containment.expires_ms if expires else None,
            case=containment.case,
            previous=link(self.name, self.entries),
        )


def containment_id(action: str, target: Entity, verdict_id: str) -> str:
    """Deterministic id (32 hex digits): the same verdict about the same target is the same containment."""
    return hashlib.sha256("\n".join((action, target.key, verdict_id)).encode()).hexdigest()[:32]


def stream_name(action: str, target: Entity) -> str:
    """Return the journal stream of an action on a target: ``<action>#<entity key>``."""
    return f"{action}#{target.key}"


def fold(name: str, entries: Sequence[JournalEntry], disbelieved: Mapping[int, str] | None = None) -> Stream:
    """Fold a stream's entries, in order, into what they say; those of the numbers that are not believed say nothing."""
    without = disbelieved or {}
    containments: dict[str, Containment] = {}
    decided: dict[str, JournalEntry] = {}
    waiting: dict[str, JournalEntry] = {}
    proposals: dict[str, Proposal] = {}
    for entry in (each for each in entries if each.sequence not in without):
        proposals = advance(proposals, entry)
        undo_refused = entry.step is Step.REFUSED and entry.containment_id in containments
        if entry.step in _SETTLED and not undo_refused and (entry.verdict_id not in decided or entry.verdict_id in waiting):
            decided[entry.verdict_id] = entry
            waiting.pop(entry.verdict_id, None)
        if entry.awaits_corroboration:
            waiting[entry.verdict_id] = entry
        elif entry.step in _LOOKED_AT:
            waiting.clear()
        if entry.step is Step.APPLYING and entry.plan is not None:
            known, plan = containments.get(entry.containment_id), Plan.from_json_value(entry.plan)
            containments[entry.containment_id] = Containment(
                id=entry.containment_id,
                stream=name,
                verdict_id=entry.verdict_id,
                correlation_id=entry.correlation_id,
                actor=entry.actor,
                # Whoever takes it up goes on with the plan that it was begun with: a later entry cannot put another in its place.
                plan=known.plan if known else plan,
                step=entry.step,
                applied_ms=max(known.applied_ms, entry.time_ms) if known else entry.time_ms,
                expires_ms=entry.expires_ms,
                case=entry.case,
                taken_up_ms=entry.time_ms,
                appliers={**(known.appliers if known else {}), _who(entry): entry.time_ms},
                heard_ms=known.heard_ms if known else entry.time_ms,
            )
        elif entry.step is Step.NOOP and (holder := containments.get(str(entry.detail.get(BELONGS_TO, "")))) is not None:
            containments[holder.id] = replace(holder, heard_ms=max(holder.heard_ms, int(entry.detail.get(HEARD_MS, 0))))
        elif entry.containment_id in containments:
            containments[entry.containment_id] = _advance(containments[entry.containment_id], entry)
    last = entries[-1].sequence if entries else 0
    return Stream(name, last, containments, decided, waiting, proposals, tuple(entries), without)


def _who(entry: JournalEntry) -> str:
    """Return who wrote it: the message that it says was being handled, or it alone."""
    return str(entry.detail.get("delivery") or entry.id)


def _without(those: Mapping[str, int], entry: JournalEntry) -> dict[str, int]:
    """Return those that may still be at it when the writer of this entry is not; entries that name nobody end a single one."""
    # Of those who were killed long ago none can be at it any more, whoever it is that ends.
    those = {who: since_ms for who, since_ms in those.items() if entry.time_ms <= since_ms + AT_WORK_MS}
    if len(those) == 1 and not entry.detail.get("delivery"):
        return {}
    return {who: since_ms for who, since_ms in those.items() if who != _who(entry)}


def _advance(containment: Containment, entry: JournalEntry) -> Containment:
    if entry.step is Step.UNDOING:
        return replace(
            containment,
            step=entry.step,
            undo_actor=entry.actor,
            undo_taken_up_ms=entry.time_ms,
            undoers={**containment.undoers, _who(entry): entry.time_ms},
        )
    if entry.step in (Step.APPLIED, Step.FAILED):
        containment = replace(containment, step=entry.step, appliers=_without(containment.appliers, entry))
    if entry.step is Step.APPLIED:
        applied_ms = max(containment.applied_ms, entry.time_ms)
        return replace(containment, applied_ms=applied_ms, expires_ms=entry.expires_ms, asked=False)
    if entry.step is Step.UNDONE:
        undoers = _without(containment.undoers, entry)
        return replace(containment, step=entry.step, is_held=entry.left_held, holds=entry.holds, undoers=undoers)
    if entry.step is Step.EXTENDED:
        heard_ms = max(containment.heard_ms, entry.time_ms)  # clocks differ
        return replace(containment, expires_ms=entry.expires_ms, asked=False, heard_ms=heard_ms)
    if entry.step in _CHECKED:
        return replace(containment, checked=True)
    if entry.step is Step.EXPIRY_DUE:
        return replace(containment, asked=True)
    return containment
