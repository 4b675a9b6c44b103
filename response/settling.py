"""One verdict on one stream: plan → guard → mode → APPLYING → apply → APPLIED → verify.

The rules that keep a containment from being lost or made twice:

* ``APPLYING``, with the whole plan and the state before, is in the journal before anything is changed.
* Whoever comes to a stream whose last containment stands at ``APPLYING`` (the same verdict delivered again, or the next one)
  finishes it with the plan that is written there; ``apply`` is idempotent.
* Nobody applies and undoes at the same time. An ``APPLYING`` keeps every undo away for longer than its writer can live; who
  resumes an old one renews it first, and an undo that has begun meanwhile has taken the number that the renewal needs.
* An append that loses its sequence number to another writer starts over from the stream as it now is.
* A verdict that the containment in force does not cover (a session whose token is newer than the deny) begins another.
* Nothing is changed while the master switch is off: it is read right before each change, also of what is being finished.
* A verdict that is settled in the stream is settled: delivered again it changes nothing. Only a refusal for want of a
  second signal is decided again, when that has come.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from response import guard
from response.actions import Action, CannotApply, CloudUnavailable, Mode, Plan, Verification
from response.containment import Containment, Stream, containment_id, fold, stream_name
from response.journal import CORROBORATION, Journal, JournalEntry, SequenceTaken, Step
from response.notices import Notify, notice
from response.policy import Policy, Rule
from response.signals import Signal, kept
from response.switch import read_switch
from shared_model.events import Entity
from shared_model.verdicts import Verdict

#: Writers that meet on one stream settle within a few rounds; more means that something else is wrong.
_ROUNDS = 8
#: Details of what is refused beyond the budget: the first of an hour asks a person, the others are only journalled.
ASKS, WITH_ANOTHER = "budget", "with the first refusal of this hour"
#: Steps of a containment that also another verdict's delivery may write, and those that only the verdict's own does.
_FINISHING = frozenset({Step.APPLYING, Step.APPLIED, Step.FAILED, Step.VERIFIED, Step.DRIFTED, Step.UNREACHABLE})
_DECIDING = _FINISHING | {Step.REFUSED, Step.NOOP, Step.OBSERVED}


@dataclass(frozen=True, slots=True)
class Decision:
    """What came of one rule for one verdict.

    Attributes
    ----------
    verdict_id, rule, action : str
    target : Entity
    step : Step
        Where it ended.
    reason : str
    containment_id : str
    entries : tuple of JournalEntry
        What this call wrote; empty for a verdict that was settled before.
    """

    verdict_id: str
    rule: str
    action: str
    target: Entity
    step: Step
    reason: str
    containment_id: str
    entries: tuple[JournalEntry, ...]


@dataclass(frozen=True, slots=True)
class Room:
    """What every step of one response needs.

    Attributes
    ----------
    verdict : Verdict
    partners : tuple of Signal
        Independent second signals, newest first.
    look_again : callable
        Looks for those that came meanwhile.
    policy, journal, budget, now_ms, notify
    earlier : list of JournalEntry
        Collects what an earlier delivery wrote.
    """

    verdict: Verdict
    partners: tuple[Signal, ...]
    look_again: Callable[[], tuple[Signal, ...]]
    policy: Policy
    journal: Journal
    budget: guard.Budget
    now_ms: int
    notify: Notify
    earlier: list[JournalEntry] = field(default_factory=list)

    @property
    def partner(self) -> Signal | None:
        """The newest second signal, None where there is none."""
        return next(iter(self.partners), None)

    def among(self, partners: tuple[Signal, ...], rule: Rule) -> Room:
        """Return the room with those of these second signals that count for the rule."""
        return replace(self, partners=tuple(each for each in partners if rule.takes(each.telemetry)))


def settle(room: Room, rule: Rule, action: Action, target: Entity) -> Decision:
    """Bring the verdict of the room to its end on one stream. Raises CloudUnavailable: deliver it again."""
    name = stream_name(rule.action, target)
    desk = _Desk(room.among(room.partners, rule), rule, action)
    for _ in range(_ROUNDS):
        stream = fold(name, room.journal.stream(name))
        try:
            if stream.current is not None:
                stream = desk.finish(stream, stream.current)
            waiting = room.verdict.id in stream.waiting
            corroborated_now = waiting and desk.room.partner is not None and not is_covered(stream, action, room.verdict)
            if room.verdict.id not in stream.decided or corroborated_now:
                stream = desk.decide(stream, target)
        except SequenceTaken:
            continue
        settled = stream.decided[room.verdict.id]
        # Who recorded the second signal may have read this stream just before the refusal stood in it.
        if desk.room.partner is None and settled.awaits_corroboration:
            desk.room = room.among(room.look_again(), rule)
            if desk.room.partner is not None:
                continue
        return Decision(
            verdict_id=room.verdict.id,
            rule=rule.name,
            action=action.name,
            target=target,
            step=settled.step,
            reason=settled.detail.get("reason", ""),
            containment_id=settled.containment_id,
            entries=tuple(desk.written),
        )
    raise CloudUnavailable(f"{name}: lost its place to other writers {_ROUNDS} times")


def is_covered(stream: Stream, action: Action, verdict: Verdict) -> bool:
    """Whether this verdict would change nothing: its target is contained already, or said to be contained if it were enforced."""
    current = stream.current
    if current is not None:
        return current.step is Step.APPLIED and action.covers(current.plan, verdict)
    observed = [entry for entry in stream.entries[-1:] if entry.step is Step.OBSERVED and entry.plan is not None]
    return any(action.covers(Plan.from_json_value(entry.plan), verdict) for entry in observed if entry.plan is not None)


def repeat(room: Room, stream: Stream, *, after: int = 0) -> None:
    """Tell again, and collect, what an earlier delivery may have written into this stream without telling anyone.

    That is what stands there about the verdict, and any containment that it may have found unfinished. A refused undo
    (it has no plan) is no work of the responder.
    """
    verdict = room.verdict
    for entry in stream.entries[after:]:
        own = entry.verdict_id == verdict.id and entry.step in _DECIDING and (entry.plan or entry.step is not Step.REFUSED)
        finished = entry.step in _FINISHING and entry.time_ms >= verdict.time_ms
        if (own or finished) and entry not in room.earlier:
            room.earlier.append(entry)
            tell(room, stream, entry)


def tell(room: Room, stream: Stream, entry: JournalEntry) -> None:
    """Tell a person of an entry that one should know of."""
    found = _words(room, entry)
    plan = _plan_of(stream, entry)
    if found is None or plan is None:
        return
    subject, why = found
    lines = [*about(room), f"Change: {plan.summary}", *(f"Touches: {touched}" for touched in plan.touches), why]
    room.notify(notice(entry.id, f"{subject}: {plan.target.kind} {plan.target.id}", lines, room.verdict.correlation_id))


def about(room: Room) -> list[str]:
    """Say what the verdict says."""
    verdict = room.verdict
    return [
        f"{verdict.title} ({verdict.entity.kind} {verdict.entity.id}, account {verdict.entity.account})",
        f"{verdict.detector}: probability {verdict.probability:.2f}, threshold {verdict.threshold:.2f}, {verdict.technique}",
        f"Second signal: {room.partner.detector} from {room.partner.telemetry}" if room.partner else "",
        *(f"Evidence: {evidence.summary}" for evidence in verdict.evidence),
    ]


def _words(room: Room, entry: JournalEntry) -> tuple[str, str] | None:
    reason = str(entry.detail.get("reason", ""))
    match entry.step:
        case Step.REFUSED if entry.detail.get("told") == WITH_ANOTHER:
            return None
        case Step.REFUSED if entry.detail.get("asks") == ASKS:
            return "BUDGET USED UP, is this meant?", f"{reason}. {_QUESTION}"
        case Step.REFUSED:
            return "Not contained", reason
        case Step.OBSERVED:
            return "Would contain", f"{entry.stream.partition('#')[0]} is in mode observe"
        case Step.APPLIED:
            return "Contained", f"To undo it: breakwater undo {entry.containment_id}"
        case Step.FAILED:
            return "FAILED to contain", f"{reason}. What was done can be undone: {entry.containment_id}"
        case Step.DRIFTED | Step.UNREACHABLE:
            return f"Containment {entry.step}", "Look at the target: the change could not be read back as made."
    return None


def _wanting(room: Room, rule: Rule) -> str:
    """Say what is wanted of a second signal."""
    policy, verdict = room.policy, room.verdict
    age_ms, window, fresh = room.now_ms - verdict.time_ms, policy.window_ms // 60_000, policy.fresh_ms // 60_000
    if age_ms > policy.fresh_ms:
        late = f"this signal ({verdict.telemetry}) is {age_ms // 60_000} minutes old"
        return f"{late}: nothing is changed unless an independent second one is newer than {fresh}; look whether it goes on"
    drawn = f", drawn from {' or '.join(sorted(rule.corroborate))}," if rule.corroborate else ""
    needed = f"a containment needs an independent second one{drawn} within {window} minutes"
    return f"one signal ({verdict.telemetry}): {needed}"


def _plan_of(stream: Stream, entry: JournalEntry) -> Plan | None:
    if entry.plan is not None:
        return Plan.from_json_value(entry.plan)
    containment = stream.containments.get(entry.containment_id)
    return containment.plan if containment else None


_QUESTION = (
    "Whatever follows within this hour is refused too, stands in the journal, and is not told one by one. If it is a mistake: "
    "breakwater disarm --reason … . If it is an attack: contain by hand, or raise the policy's budget"
)


class _Desk:
    """One settling in progress: what it has written, and which plan it has applied itself."""

    def __init__(self, room: Room, rule: Rule, action: Action) -> None:
        self.room = room
        self.rule = rule
        self.action = action
        self.written: list[JournalEntry] = []
        self._applied = ""

    def decide(self, stream: Stream, target: Entity) -> Stream:
        """Begin a containment, or say why there is none."""
        current = stream.current
        if current is not None and current.step is Step.UNDOING:
            raise CloudUnavailable(f"containment {current.id} is being undone: this verdict is looked at after that")
        if current is None or not self.action.covers(current.plan, self.room.verdict):
            return self._begin(stream, self.action.plan(target, self.room.verdict))
        return self._already_contained(stream, current)

    def finish(self, stream: Stream, containment: Containment) -> Stream:
        """Carry the current containment through apply and verify, from wherever its entries stop."""
        if not containment.is_under_way:
            return stream
        now_ms = self.room.now_ms
        if containment.step is Step.APPLYING:
            try:
                stream = self._apply(stream, containment)
            except CannotApply as error:
                return self._append(stream, stream.entry(Step.FAILED, containment, now_ms=now_ms, detail={"reason": str(error)}))
            stream = self._append(stream, stream.entry(Step.APPLIED, containment, now_ms=now_ms, expires=True))
        return self._verify(stream, containment)

    def _apply(self, stream: Stream, containment: Containment) -> Stream:
        if self._applied == containment.id:  # and lost the number of its APPLIED
            return stream
        if containment.is_old(self.room.now_ms):
            detail = {"reason": "taken up again"}
            renewal = stream.entry(Step.APPLYING, containment, now_ms=self.room.now_ms, plan=True, detail=detail, expires=True)
            stream = self._append(stream, renewal)
        if reason := self.action.check(containment.plan):
            raise CannotApply(reason)
        # The last word before every change. What a killed function left half made is for a person to end.
        if reason := read_switch(self.room.journal).objection:
            raise CannotApply(reason)
        self.action.apply(containment.plan)
        self._applied = containment.id
        return stream

    def _begin(self, stream: Stream, plan: Plan) -> Stream:
        room, verdict, action_policy = self.room, self.room.verdict, self.room.policy.of(self.action.name)
        lifetime_s = max(action_policy.time_to_live_s, plan.min_lifetime_s)
        draft = Containment(
            id=containment_id(self.action.name, plan.target, verdict.id),
            stream=stream.name,
            verdict_id=verdict.id,
            correlation_id=verdict.correlation_id,
            actor=self.rule.actor,
            plan=plan,
            step=Step.APPLYING,
            applied_ms=room.now_ms,
            expires_ms=room.now_ms + lifetime_s * 1000,
        )
        if plan.is_noop:
            return self._append(stream, stream.entry(Step.NOOP, draft, now_ms=room.now_ms, detail={"reason": "already so"}))
        enforcing = action_policy.mode is Mode.ENFORCE
        if detail := self._against(draft, enforcing=enforcing):
            entry = stream.entry(Step.REFUSED, draft, now_ms=room.now_ms, plan=True, detail=detail)
            return self._append(stream, replace(entry, verdict=kept(verdict)) if entry.awaits_corroboration else entry)
        detail = {"corroborated_by": room.partner.verdict_id if room.partner else ""}
        step = Step.APPLYING if enforcing else Step.OBSERVED
        entry = stream.entry(step, draft, now_ms=room.now_ms, plan=True, detail=detail, expires=enforcing)
        stream = self._append(stream, entry)
        return self.finish(stream, draft) if enforcing else stream

    def _against(self, draft: Containment, *, enforcing: bool) -> dict[str, str]:
        """Return the detail of a refusal, empty when nothing speaks against the plan."""
        room = self.room
        if reason := guard.refusal(draft.plan, room.verdict, room.policy.never_touch):
            return {"reason": reason}
        if reason := self.action.check(
            draft.plan
        ):  # changed since the plan was made: not the target's fault, so plan again later
            raise CloudUnavailable(reason)
        fresh = room.now_ms - room.verdict.time_ms <= room.policy.fresh_ms
        if room.partner is None and not (self.rule.alone and fresh):
            return {"reason": _wanting(room, self.rule), "wants": CORROBORATION}
        if enforcing and (reason := read_switch(room.journal).objection):
            return {"reason": reason}
        # Last, because it is the only check that uses something up; observing uses nothing up.
        return self._beyond_budget(draft) if enforcing else {}

    def _beyond_budget(self, draft: Containment) -> dict[str, str]:
        """Take from the budget; return the detail of a refusal where it is used up. Of a burst, one asks for all."""
        room, plan = self.room, draft.plan
        take, account, limit = room.budget.take, plan.target.account, room.policy.containments_per_hour
        most = guard.share(plan, room.policy.percent_a_day)
        if not take(account, draft.id, limit=limit, now_ms=room.now_ms):
            used_up = f"the budget of {limit} containments an hour is used up in account {account}"
        # By target and day: what is contained again after an undo is none more.
        elif most is not None and not take(
            f"{account}/{plan.action}", plan.target.key, limit=most, now_ms=room.now_ms, period_ms=guard.DAY_MS
        ):
            of_all = f"{room.policy.percent_a_day} % of {plan.population}"
            used_up = f"{plan.action} has reached {most} targets today, the most for account {account} ({of_all})"
        else:
            return {}
        asks = take(f"{account}/question", draft.id, limit=1, now_ms=room.now_ms)
        return {"reason": f"{used_up}: look, then contain by hand", **({"asks": ASKS} if asks else {"told": WITH_ANOTHER})}

    def _verify(self, stream: Stream, containment: Containment) -> Stream:
        try:
            found = self.action.verify(containment.plan)
        except CloudUnavailable:
            found = Verification.UNREACHABLE
        return self._append(stream, stream.entry(Step(found), containment, now_ms=self.room.now_ms))

    def _already_contained(self, stream: Stream, containment: Containment) -> Stream:
        """A further verdict that the containment in force covers: written down, and nothing else."""
        verdict = self.room.verdict
        further = replace(
            containment,
            id=containment_id(containment.plan.action, containment.plan.target, verdict.id),
            verdict_id=verdict.id,
            correlation_id=verdict.correlation_id,
            actor=self.rule.actor,
        )
        detail = {"reason": f"already contained by {containment.id}"}
        return self._append(stream, stream.entry(Step.NOOP, further, now_ms=self.room.now_ms, detail=detail))

    def _append(self, stream: Stream, entry: JournalEntry) -> Stream:
        self.room.journal.append(entry)
        self.written.append(entry)
        stream = stream.followed_by(entry)
        tell(self.room, stream, entry)
        return stream
