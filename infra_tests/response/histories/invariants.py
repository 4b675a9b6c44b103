"""What must hold at every step of every history, and at its end. Written down without the code that it judges.

The journal's steps are judged as they are appended and the cloud's changes as they are made, so that a violation names the
very call. Nothing here folds a stream or asks the guard.
"""

from __future__ import annotations

from collections import defaultdict

from infra_tests.response.histories.asked import Asked, covers
from infra_tests.response.histories.cloud import ABSENT, KIND, POPULATION, Write
from infra_tests.response.histories.faulty import Watching
from infra_tests.response.histories.history import MINUTE_MS, RESOURCES
from infra_tests.response.histories.stage import Stage
from infra_tests.response.histories.turns import Running
from infra_tests.response.histories.undone import Undone
from infra_tests.response.histories.violation import must
from response.actions import Mode, Plan
from response.budget import HOUR_MS, Limits, contain, line_for
from response.containment import containment_id
from response.journal import JournalEntry, Step
from response.orders import BY_EXPIRY, Book, standing
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict

_PROGRESS = {Step.APPLYING, Step.APPLIED, Step.FAILED, Step.UNDOING, Step.UNDONE}
#: Steps that a verdict's delivery writes; a refusal that has no plan is an undo's.
_RESPONDED = _PROGRESS - {Step.UNDOING, Step.UNDONE} | {
    *(Step.REFUSED, Step.NOOP, Step.OBSERVED, Step.VERIFIED, Step.DRIFTED),
    *(Step.PROPOSED, Step.APPROVED, Step.DENIED),
}
_IN_FORCE = {Step.APPLYING, Step.APPLIED}
#: The latest that one function's clock is behind another's.
_CLOCKS_MS = 15 * MINUTE_MS
_ACCOUNTS = {name: account for name, account, _ in RESOURCES}


class Invariants(Watching):
    """Judges one history while it is played."""

    def __init__(self) -> None:
        self.stage: Stage
        self.asked_people: Asked
        self.undone_before: Undone
        self.step: dict[str, Step] = {}
        self.plan: dict[str, Plan] = {}
        self.begun_ms: dict[str, int] = {}
        self.expires_ms: dict[str, int] = {}
        #: Orders by their id: for which containment.
        self.ordered: dict[str, str] = {}
        self.begun: defaultdict[str, list[int]] = defaultdict(list)
        self.asked: defaultdict[str, list[int]] = defaultdict(list)

    def judge(self, stage: Stage) -> None:
        """Begin to watch this stage."""
        self.stage = stage
        self.asked_people = Asked(stage.history.setting.four_eyes, stage.answers)
        self.undone_before = Undone(stage, self.step, self.plan, self.begun_ms)
        stage.cloud.watch = self.writes

    # --- while it is played -----------------------------------------------------------------------------------------------

    def appends(self, entry: JournalEntry, by: Running | None) -> None:
        """One entry was written."""
        before = self.step.get(entry.containment_id)
        self.asked_people.appends(entry, self._known_verdict(entry))
        self.undone_before.appends(entry, self._known_verdict(entry))
        match entry.step:
            case Step.APPLYING if before is None:
                self._begins(entry, by)
            case Step.APPLYING:
                must(before is Step.APPLYING, f"what is {before} is applied again: {entry.id}")
            case Step.APPLIED:
                must(before is Step.APPLYING, f"APPLIED follows {before}: {entry.id}")
                self._is_whole(entry)
            case Step.FAILED:
                must(before is Step.APPLYING, f"FAILED follows {before}: {entry.id}")
            case Step.UNDOING:
                self._begins_to_undo(entry, before)
            case Step.UNDONE:
                must(before is Step.UNDOING, f"UNDONE follows {before}: {entry.id}")
                self._is_undone(entry)
            case Step.NOOP if entry.detail.get("reason") == "already so":
                self._is_so_already(entry)
            case Step.NOOP if "heard_ms" in entry.detail:
                self._is_corroborated(entry)
                must(self._mode(entry) is not Mode.OBSERVE, f"what only observes was heard: {entry.id}")
            case Step.EXTENDED:
                self._is_extended(entry)
            case Step.OBSERVED:
                must(self._mode(entry) is Mode.OBSERVE, f"mode {self._mode(entry)}, and only observed: {entry.id}")
            case Step.PROPOSED if "instead_of" not in entry.detail:
                self._is_proposed(entry)
        if entry.step is Step.ORDERED:
            self.ordered[entry.id] = str(entry.detail["containment"])
        if entry.step in _PROGRESS:
            self.step[entry.containment_id] = entry.step

    def applies(self, plan: Plan, by: Running | None) -> None:
        """An action begins to carry out a plan."""
        must(
            by is None or by.armed_at_last_look is True, f"{plan.target.id} is changed by who has not just seen the switch armed"
        )

    def writes(self, write: Write) -> None:
        """The cloud is about to be changed."""
        if not write.by:
            return
        what = f"{write.lock} of {write.resource} for {write.by}"
        one = self._of(write)
        last = next((w for w in reversed(self.stage.cloud.writes) if (w.resource, w.lock) == (write.resource, write.lock)), None)
        if write.undoes:
            must(self.step.get(one) is Step.UNDOING, f"{what} is undone while its journal says {self.step.get(one)}")
            must(write.new == self.plan[one].before[write.lock], f"{what} is given back as {write.new}")
            for other in self._others(one, write):
                must(self.step[other] not in _IN_FORCE, f"{what} is undone while {other} contains it")
            return
        # Of two that apply the same plan, one may end it while the other is still at it; an undo must not have begun.
        applied = self.step.get(one) in (Step.APPLYING, Step.APPLIED, Step.FAILED)
        must(applied, f"{what} is changed while its journal says {self.step.get(one)}")
        twice = last is not None and last.by == write.by and not last.undoes
        must(not twice, f"{what} is changed twice")
        running = self.stage.turns.running
        protected = running is not None and write.resource in running.protected_at_start
        must(not protected, f"{what}: never-touch is touched")
        for other in self._others(one, write):
            must(self.step[other] is not Step.UNDOING, f"{what} is changed while {other} is being undone")

    # --- at its end -------------------------------------------------------------------------------------------------------

    def settled(self, nothing_is_owed: bool) -> None:
        """No fault came for an hour."""
        stage = self.stage
        must(
            nothing_is_owed,
            f"after an hour without faults the queues still owe {[*stage.owed.values(), *stage.owed_undos, *stage.owed_answers]}",
        )
        for number in stage.handled_ms:
            self._has_an_end(stage.verdicts[number])
        kept = [e for e in stage.journal.written if e.step in _RESPONDED and (e.plan or e.step is not Step.REFUSED)]
        lost = [entry.id for entry in kept if entry.id not in stage.handed_out]
        must(not lost, f"no delivery handed these out to the lake: {lost}")
        left_open = [one for one, step in self.step.items() if step is Step.UNDOING and stage.journal.armed]
        must(not left_open, f"an undo that has begun was never finished: {left_open}")
        days = {entry.stream for entry in stage.journal.written if entry.step is Step.ORDERED}
        open_orders = [order for day in days for order in standing(stage.journal.entries(day)) if stage.journal.armed]
        must(not open_orders, f"an undo that was decided on was never done: {open_orders}")
        self._nobody_waits_in_vain()

    def undone(self) -> None:
        """Everything was undone by hand: what people did stands, what Breakwater did does not."""
        cloud = self.stage.cloud
        for name, _, made in RESOURCES:
            foreign = {lock: f"{lock} as made" for lock in made}
            foreign |= {write.lock: write.new for write in cloud.writes if write.resource == name and not write.by}
            for lock, state in cloud.locks[name].items():
                must(
                    state == foreign.get(lock, ABSENT), f"in the end {lock} of {name} is {state}, not {foreign.get(lock, ABSENT)}"
                )
        left = {one: step for one, step in self.step.items() if step is not Step.UNDONE}
        must(not left, f"these could not be undone: {left}")
        book, names = Book(self.stage.journal), {entry.stream for entry in self.stage.journal.written}
        doubted = {name: book.without_order(self.stage.journal.entries(name)) for name in names}
        must(not any(doubted.values()), f"who undoes is not believed: {doubted}")
        self._nothing_is_counted()

    def _nothing_is_counted(self) -> None:
        """An hour after everything was undone, the whole budget is there again, for all that anybody took for nothing."""
        now_ms = self.stage.now_ms + 2 * HOUR_MS
        for name, account, _ in RESOURCES:
            plan = Plan("isolate", Entity(EntityKind.INSTANCE, name, account), {}, {}, (), "", kind=KIND, population=POPULATION)
            line = line_for("another", "isolate#another", plan, now_ms)
            short = contain(self.stage.budget, self.stage.journal, plan, line, Limits(1, 25), now_ms=now_ms)
            must(not short, f"nothing is contained, and {short}")

    # --- details ----------------------------------------------------------------------------------------------------------

    def _begins(self, entry: JournalEntry, by: Running | None) -> None:
        assert entry.plan is not None
        plan, said = Plan.from_json_value(entry.plan), self.stage.history.setting
        account, others = plan.target.account, self._standing(plan.target.account, entry.time_ms)
        self.begun[account].append(entry.time_ms)
        self.expires_ms[entry.containment_id] = entry.expires_ms or 0
        self.plan[entry.containment_id], self.begun_ms[entry.containment_id] = plan, entry.time_ms
        approved = "approved_by" in entry.detail
        mode, lives_s = said.terms(self._verdict(entry).telemetry)
        must(mode is Mode.ENFORCE or (approved and mode is not Mode.OBSERVE), f"mode {mode}, and applied: {entry.id}")
        ends_ms = entry.time_ms + max(lives_s, plan.min_lifetime_s) * 1000
        must(entry.expires_ms == ends_ms, f"it lasts as long as its rule says, and no other: {entry.id}")
        self.asked_people.begins(entry, self._verdict(entry))
        protected = by is not None and plan.target.id in by.protected_at_start
        must(not protected, f"never-touch is begun: {entry.id}")
        if not approved:  # else its proposal was
            self._is_corroborated(entry)
            self.undone_before.is_new(entry, self._verdict(entry))
        if "beyond" in entry.detail:
            return
        for end in (ms for ms in self.begun[account] if entry.time_ms <= ms < entry.time_ms + HOUR_MS):
            within = sum(end - HOUR_MS < ms <= end for ms in self.begun[account])
            must(within <= said.per_hour, f"beyond the budget: {entry.id}")
        most = max(1, POPULATION * said.percent // 100)
        beyond = said.percent < 100 and plan.target.id not in others and len(others) >= most
        must(not beyond, f"beyond the account's share: {entry.id}")

    def _standing(self, account: str, now_ms: int) -> set[str]:
        """Targets that are contained, or perhaps in part. Clocks differ: what failed may end a little early."""
        return {
            self.plan[one].target.id
            for one, step in self.step.items()
            if self.plan[one].target.account == account
            and (step in (*_IN_FORCE, Step.UNDOING) or (step is Step.FAILED and now_ms + _CLOCKS_MS < self.expires_ms[one]))
        }

    def _is_extended(self, entry: JournalEntry) -> None:
        one, verdict = entry.containment_id, self._verdict(entry)
        mode, lives_s = self.stage.history.setting.terms(verdict.telemetry)
        must(mode is Mode.ENFORCE, f"mode {mode}, and extended: {entry.id}")
        self._is_corroborated(entry)
        until_ms = entry.time_ms + max(lives_s, self.plan[one].min_lifetime_s) * 1000
        must(self.expires_ms[one] < (entry.expires_ms or 0) == until_ms, f"longer or shorter than its rule says: {entry.id}")
        self.expires_ms[one] = entry.expires_ms or 0

    def _is_proposed(self, entry: JournalEntry) -> None:
        self._is_corroborated(entry)
        must(self._mode(entry) is not Mode.OBSERVE, f"what only observes asks: {entry.id}")
        self.undone_before.is_new(entry, self._verdict(entry))
        if "asks" in entry.detail:
            asked = self.asked[entry.stream.partition("#")[2].partition("/")[0]]
            near = [ms for ms in asked if abs(ms - entry.time_ms) < HOUR_MS]
            must(not near, f"a second question in one hour: {entry.id}")
            asked.append(entry.time_ms)

    def _is_corroborated(self, entry: JournalEntry) -> None:
        verdict = self._verdict(entry)
        must(entry.time_ms - verdict.time_ms <= HOUR_MS, f"a verdict that is too old acted: {entry.id}")
        second = str(entry.detail.get("corroborated_by", ""))
        if not second:
            must(self.stage.history.setting.alone, f"one signal contained: {entry.id}")
            return
        other = next(each for each in self.stage.verdicts if each.id == second)
        must(_independent(verdict, other), f"{second} is no independent second signal: {entry.id}")

    def _is_whole(self, entry: JournalEntry) -> None:
        plan, cloud = self.plan[entry.containment_id], self.stage.cloud
        for lock, state in plan.after.items():
            touched = [w for w in cloud.writes if (w.resource, w.lock) == (plan.target.id, lock)]
            by_hand = bool(touched) and not touched[-1].by and touched[-1].time_ms >= self.begun_ms[entry.containment_id]
            now = cloud.locks[plan.target.id].get(lock, ABSENT)
            must(now == state or by_hand, f"APPLIED, and {lock} is {now}: {entry.id}")

    def _begins_to_undo(self, entry: JournalEntry, before: Step | None) -> None:
        one = entry.containment_id
        must(before in (Step.APPLYING, Step.APPLIED, Step.FAILED, Step.UNDOING), f"UNDOING follows {before}: {entry.id}")
        lives_s = self.plan[one].min_lifetime_s
        early = lives_s > 0 and entry.time_ms < self.begun_ms[one] + lives_s * 1000
        must(not early, f"undone before its tokens are over: {entry.id}")
        must(one in self.ordered.values(), f"an undo is begun that nobody has written down as decided on: {entry.id}")
        if entry.actor == BY_EXPIRY:
            running = self.stage.turns.running
            must(running is None or running.armed_at_last_look is True, f"undone by time while disarmed: {entry.id}")
            must(entry.time_ms >= self.expires_ms[one], f"undone by time before its time, as last extended: {entry.id}")
            given = self.stage.history.setting.gives_back and self.plan[one].action == "isolate"
            must(not given, f"given back by time alone: {entry.id}")

    def _is_undone(self, entry: JournalEntry) -> None:
        plan, cloud = self.plan[entry.containment_id], self.stage.cloud
        restored, left = set(entry.detail["restored"]), set(entry.detail["left"])
        must(restored | left == set(plan.before) and not restored & left, f"restored or left, each once: {entry.id}")
        must(not entry.left_held, f"somebody changed it, and it is said to be held: {entry.id}")
        order = self.ordered.get(str(entry.detail["order"]))
        must(order == entry.containment_id, f"undone by an order that is for {order}: {entry.id}")
        for lock in plan.before:
            touched = [w for w in cloud.writes if (w.resource, w.lock) == (plan.target.id, lock)]
            ours = bool(touched) and touched[-1].by == plan.summary and not touched[-1].undoes
            must(not ours, f"UNDONE, and {lock} is as the containment left it: {entry.id}")
        for lock in left:
            must(
                any(not w.by and (w.resource, w.lock) == (plan.target.id, lock) for w in cloud.writes),
                f"left for nothing: {entry.id}",
            )

    def _is_so_already(self, entry: JournalEntry) -> None:
        verdict, resource = self._verdict(entry), entry.stream.rpartition("/")[2]
        now = self.stage.cloud.locks[resource]
        wanted = {f"deny-{verdict.id}"} if resource.startswith("s-") else set(now)
        must(
            all(now.get(lock, ABSENT) != ABSENT and "as made" not in now.get(lock, "") for lock in wanted), f"not so: {entry.id}"
        )

    def _has_an_end(self, verdict: Verdict) -> None:
        """Every stream that it leads to says what came of it."""
        for target in _targets(verdict):
            entries = [e for e in self.stage.journal.entries(target) if e.verdict_id == verdict.id]
            must(bool(entries), f"{verdict.id} was handled, and {target} says nothing")
            one = entries[0].containment_id
            begun_and_left = self.step.get(one) is Step.APPLYING
            must(not begun_and_left, f"{verdict.id} was handled, and {target} stands at APPLYING")

    def _nobody_waits_in_vain(self) -> None:
        """Of two signals that corroborate each other, none is left refused for want of the other."""
        stage = self.stage
        for number, verdict in enumerate(stage.verdicts):
            for other_number, other in enumerate(stage.verdicts):
                if number not in stage.handled_ms or other_number not in stage.handled_ms or not _independent(verdict, other):
                    continue
                later = max(stage.handled_ms[number], stage.handled_ms[other_number])
                if later - verdict.time_ms > HOUR_MS:
                    continue
                for target in _targets(verdict):
                    self._does_not_wait(verdict, target)

    def _does_not_wait(self, verdict: Verdict, target: str) -> None:
        entries = self.stage.journal.entries(target)
        own = [index for index, entry in enumerate(entries) if entry.verdict_id == verdict.id]
        last = entries[own[-1]]
        waits = last.step is Step.REFUSED and last.detail.get("wants") == "corroboration"
        # What speaks against one verdict about a target is not said again of each; nor does what was undone begin again.
        against = {Step.DENIED, Step.FAILED, Step.UNDOING, Step.UNDONE}  # a person has looked, or is asked to
        mode = self._mode(last)
        # Observing, the one that would have been done says it for all. Those of other rules speak for themselves.
        against |= {Step.OBSERVED} if mode is Mode.OBSERVE else set()
        alike = [e for e in entries if mode is not Mode.ENFORCE or self._mode(e) is mode]
        asked = [e for e in alike if e.step is Step.PROPOSED]
        answered = any(e.step in against for e in entries[own[0] :]) or any(
            e.step is Step.PROPOSED or (e.step is Step.REFUSED and "wants" not in e.detail and self._mode(e) is mode)
            for e in alike
            if e.sequence > own[0]
        )
        held = [self.plan[one] for one, step in self.step.items() if step in _IN_FORCE and self.plan[one].target.id in target]
        # A question about what contains it too is as good.
        held += [Plan.from_json_value(entry.plan) for entry in asked if entry.plan]
        must(
            not waits or answered or any(covers(plan, verdict) for plan in held),
            f"{verdict.id} waits for a second signal that came: {last.id}",
        )

    def _of(self, write: Write) -> str:
        action = "end_session" if write.resource.startswith("s-") else "isolate"
        target = next(each.target for each in self.plan.values() if each.target.id == write.resource) if self.plan else None
        must(target is not None, f"{write} has no plan in the journal")
        assert target is not None
        return containment_id(action, target, write.by)

    def _others(self, one: str, write: Write) -> list[str]:
        return [
            other
            for other, plan in self.plan.items()
            if other != one and plan.target.id == write.resource and write.lock in plan.before
        ]

    def _mode(self, entry: JournalEntry) -> Mode:
        return self.stage.history.setting.terms(self._verdict(entry).telemetry)[0]

    def _known_verdict(self, entry: JournalEntry) -> Verdict | None:
        return next((each for each in self.stage.verdicts if each.id == entry.verdict_id), None)

    def _verdict(self, entry: JournalEntry) -> Verdict:
        known = self._known_verdict(entry)
        assert known is not None
        return known


def _targets(verdict: Verdict) -> list[str]:
    """Streams that the rules of every setting lead it to: the first machine and the first session that it names."""
    found: dict[str, str] = {}
    for entity in (verdict.entity, *verdict.related):
        action = "end_session" if entity.id.startswith("s-") else "isolate"
        found.setdefault(action, f"{action}#{entity.key}")
    return list(found.values())


def _independent(one: Verdict, other: Verdict) -> bool:
    names = [{entity.key for entity in (each.entity, *each.related)} for each in (one, other)]
    near = abs(one.time_ms - other.time_ms) <= HOUR_MS
    return one.telemetry is not other.telemetry and bool(names[0] & names[1]) and near
