"""A cloud in a dict, an action on it that can be killed at any point, and what a response needs around it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from response.actions import Action, Difference, Mode, Plan, UndoResult, Verification
from response.answers import Answer
from response.approval import Answered, settle_answer
from response.budget import InProcessLedgers
from response.containment import Stream, fold
from response.ends import Ended
from response.journal import InProcessJournal, JournalEntry, Step
from response.notices import Notice
from response.people import Person
from response.policy import ActionPolicy, AtEnd, NeverTouch, Policy, Rule
from response.proposals import digest
from response.responder import Outcome, respond
from response.signals import InProcessSignals
from response.undoing import undo
from shared_model.events import Entity, EntityKind, Telemetry
from shared_model.verdicts import Verdict

ACCOUNT = "123456789012"
#: Keys of tags as a policy lists them, and as somebody has written them on a resource.
SCRIPTS = (("не-трогать", "Не-Трогать"), ("触れないで", "触れないで"), ("berühren", "BERÜHREN"))
NOW_MS = 1_790_000_000_000
HOUR_MS = 3_600_000


class Killed(BaseException):
    """The function was killed here. No code under test may catch it."""


class IsolateMachine:
    """Puts every lock of a machine on. The world maps machine → lock → state."""

    name: ClassVar[str] = "isolate"
    handles: ClassVar[frozenset[EntityKind]] = frozenset({EntityKind.INSTANCE})
    gives_back: ClassVar[str] = ""
    permissions: ClassVar[tuple[str, ...]] = ()
    undo_permissions: ClassVar[tuple[str, ...]] = ()

    def __init__(self, world: dict[str, dict[str, str]]) -> None:
        self.world = world
        self.kill_after: int | None = None
        self.tags: dict[str, str] = {}
        self.min_lifetime_s = 0
        self.covering = True
        self.writes = 0

    def plan(self, target: Entity, verdict: Verdict) -> Plan:
        before = dict(self.world[target.id])
        after = dict.fromkeys(before, "locked")
        return Plan(self.name, target, before, after, (), f"lock {target.id}", tags=self.tags, min_lifetime_s=self.min_lifetime_s)

    def covers(self, plan: Plan, verdict: Verdict) -> bool:
        return self.covering

    def check(self, plan: Plan) -> str:
        now = self.world[plan.target.id]
        changed = [lock for lock, state in plan.before.items() if now[lock] not in (state, "locked")]
        return f"{changed} changed" if changed else ""

    def apply(self, plan: Plan) -> None:
        for lock in plan.before:
            self._write(plan.target.id, lock, "locked")

    def verify(self, plan: Plan) -> Verification:
        return Verification.VERIFIED if self.world[plan.target.id] == dict(plan.after) else Verification.DRIFTED

    def compare(self, plan: Plan) -> tuple[Difference, ...]:
        now = self.world[plan.target.id]
        return tuple(
            Difference(lock, state, "locked", now[lock], now[lock] not in (state, "locked"))
            for lock, state in plan.before.items()
        )

    def undo(self, plan: Plan) -> UndoResult:
        left = []
        for lock, state in plan.before.items():
            if self.world[plan.target.id][lock] == "locked":
                self._write(plan.target.id, lock, state)
            elif self.world[plan.target.id][lock] != state:
                left.append(lock)
        return UndoResult(tuple(lock for lock in plan.before if lock not in left), tuple(left))

    def _write(self, machine: str, lock: str, state: str) -> None:
        if self.kill_after == 0:
            raise Killed
        self.kill_after = None if self.kill_after is None else self.kill_after - 1
        if self.world[machine][lock] != state:
            self.world[machine][lock] = state
            self.writes += 1


class MortalJournal(InProcessJournal):
    """The journal, with a function that may be killed right before or right after an append."""

    def __init__(self) -> None:
        super().__init__()
        self.kill_before: Step | None = None
        self.kill_after: Step | None = None

    def append(self, entry: JournalEntry) -> None:
        if entry.step is self.kill_before:
            self.kill_before = None
            raise Killed
        super().append(entry)
        if entry.step is self.kill_after:
            self.kill_after = None
            raise Killed


class Site:
    """One account: a world, the policy and everything that a response keeps."""

    def __init__(self, *, mode: Mode = Mode.ENFORCE, at_end: AtEnd = AtEnd.ASK, **never: Any) -> None:
        self.world = {"i-1": {"eni-a": "open", "eni-b": "web"}, "i-2": {"eni-c": "open"}, "i-3": {"eni-d": "db"}}
        self.action = IsolateMachine(self.world)
        self.actions: Mapping[str, Action] = {"isolate": self.action}
        self.journal = MortalJournal()
        self.signals = InProcessSignals()
        self.budget = InProcessLedgers()
        self.notices: list[Notice] = []
        self.now_ms = NOW_MS
        self.policy = Policy(
            rules=(Rule("isolate-machine", "isolate", EntityKind.INSTANCE),),
            actions={"isolate": ActionPolicy(mode, 3600, at_end)},
            window_ms=HOUR_MS,
            never_touch=NeverTouch(**never),
        )

    def respond(self, verdict: Verdict, *, delivery: str = "") -> Outcome:
        return respond(
            verdict,
            policy=self.policy,
            actions=self.actions,
            journal=self.journal,
            signals=self.signals,
            budget=self.budget,
            now_ms=self.now_ms,
            notify=self.notices.append,
            delivery=delivery,
        )

    def contain(self, machine: str, number: str = "1") -> Outcome:
        """Bring two independent signals about a machine; return what the second one led to."""
        self.respond(verdict(machine, f"{machine}-flow-{number}", Telemetry.FLOW_LOGS, time_ms=self.now_ms))
        return self.respond(verdict(machine, f"{machine}-dns-{number}", Telemetry.DNS_LOGS, time_ms=self.now_ms))

    def undo(self, containment_id: str, by: Person | None = None) -> Ended:
        return undo(
            containment_id,
            approved_by=by or Person(f"arn:aws:iam::{ACCOUNT}:role/on-call"),
            actions=self.actions,
            journal=self.journal,
            now_ms=self.now_ms,
            notify=self.notices.append,
        )

    def answer(
        self, machine: str, by: Person | str = "alice", *, approves: bool = True, request: str = "", **changes: Any
    ) -> Answered:
        """Answer the last proposal about a machine, as somebody to whom its plan was just shown."""
        stream = self.stream(machine)
        proposal = list(stream.proposals.values())[-1]
        person = Person(by, f"id-of-{by}") if isinstance(by, str) else by
        fields: dict[str, Any] = {
            "proposal_id": proposal.id,
            "approves": approves,
            "by": person,
            "request": request or f"request-{stream.last}-{person.name}",
            "reason": "seen it",
            "plan": digest(proposal.plan),
        }
        return settle_answer(
            Answer(**(fields | changes)),
            policy=self.policy,
            actions=self.actions,
            journal=self.journal,
            budget=self.budget,
            now_ms=self.now_ms,
            notify=self.notices.append,
        )

    def stream(self, machine: str) -> Stream:
        name = f"isolate#{ACCOUNT}/instance/{machine}"
        return fold(name, self.journal.stream(name))

    def steps(self, machine: str) -> list[Step]:
        return [entry.step for entry in self.journal.stream(f"isolate#{ACCOUNT}/instance/{machine}")]


def verdict(
    machine: str,
    identifier: str,
    telemetry: Telemetry,
    *,
    time_ms: int = NOW_MS,
    related: tuple[Entity, ...] = (),
    **changes: Any,
) -> Verdict:
    fields: dict[str, Any] = {
        "id": identifier,
        "correlation_id": f"event-{identifier}",
        "detector": "network",
        "detector_version": "1",
        "telemetry": telemetry,
        "entity": Entity(EntityKind.INSTANCE, machine, ACCOUNT),
        "related": related,
        "time_ms": time_ms,
        "probability": 0.99,
        "threshold": 0.9,
        "technique": "T1046",
        "title": "scans its network",
    }
    return Verdict(**(fields | changes))
