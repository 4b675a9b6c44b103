"""A cloud in a dict that can be slow to show what was written, and two actions on it.

Writes are conditional, as ETags make them on Azure: one that expected something else changes nothing. Reads may be stale.
What the core owes is then exact: whatever it does, a lock that somebody changed by hand keeps what that person gave it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from infra_tests.response.histories.history import MINUTE_MS, RESOURCES
from response.actions import CannotApply, Difference, Plan, UndoResult, Verification
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict

ABSENT = "absent"
#: The tag that the policy never touches.
TAG = "break-glass"
#: Machines and sessions are of one kind here, so that two actions share what may be contained of it.
KIND, POPULATION = "things", 4


@dataclass(frozen=True, slots=True)
class Write:
    """One change of a lock; ``by`` is ``""`` for a person's, else the verdict whose plan was being carried out."""

    resource: str
    lock: str
    old: str
    new: str
    by: str
    undoes: bool
    time_ms: int


@dataclass(slots=True)
class Cloud:
    """The state, every write that led to it, and whoever watches writes."""

    locks: dict[str, dict[str, str]] = field(
        default_factory=lambda: {name: {lock: f"{lock} as made" for lock in locks} for name, _, locks in RESOURCES}
    )
    tags: dict[str, dict[str, str]] = field(default_factory=lambda: {name: {} for name, _, _ in RESOURCES})
    writes: list[Write] = field(default_factory=list)
    now_ms: int = 0
    watch: Callable[[Write], None] = lambda write: None

    def read(self, resource: str, *, stale: bool = False) -> dict[str, str]:
        """Return the locks as they are; stale: as they were before the last minute's writes."""
        found = dict(self.locks[resource])
        for write in reversed(self.writes if stale else []):
            if write.resource == resource and self.now_ms - write.time_ms < MINUTE_MS:
                found[write.lock] = write.old
        return found

    def write(self, resource: str, lock: str, *, expects: str, new: str, by: str = "", undoes: bool = False) -> str:
        """Set a lock that stands as expected; return how it stood."""
        old = self.locks[resource].get(lock, ABSENT)
        if old == expects and old != new:
            write = Write(resource, lock, old, new, by, undoes, self.now_ms)
            self.watch(write)
            self.writes.append(write)
            self.locks[resource][lock] = new
        return old


class Reached:
    """The cloud as one function reaches it: every call is one that may fail. Implemented by the stage."""

    def read(self, resource: str) -> dict[str, str]:
        raise NotImplementedError

    def tags(self, resource: str) -> dict[str, str]:
        raise NotImplementedError

    def write(self, resource: str, lock: str, *, expects: str, new: str, by: str, undoes: bool = False) -> str:
        raise NotImplementedError

    def applies(self, plan: Plan) -> None:
        raise NotImplementedError


class _Locking:
    """An action that sets locks, each with one conditional call."""

    name: ClassVar[str]
    handles: ClassVar[frozenset[EntityKind]]
    gives_back: str = ""
    permissions: ClassVar[tuple[str, ...]] = ()
    undo_permissions: ClassVar[tuple[str, ...]] = ()
    group: ClassVar[Any] = None
    min_lifetime_s = 0

    def __init__(self, cloud: Reached) -> None:
        self.cloud = cloud

    def wanted(self, found: Mapping[str, str], verdict: Verdict) -> dict[str, str]:
        raise NotImplementedError

    def plan(self, target: Entity, verdict: Verdict) -> Plan:
        found = self.cloud.read(target.id)
        after = self.wanted(found, verdict)
        return Plan(
            action=self.name,
            target=target,
            before={lock: found.get(lock, ABSENT) for lock in after},
            after=after,
            touches=(),
            summary=verdict.id,
            tags=self.cloud.tags(target.id),
            min_lifetime_s=self.min_lifetime_s,
            resources=(target.id,),
            region="here",
            kind=KIND,
            population=POPULATION,
        )

    def covers(self, plan: Plan, verdict: Verdict) -> bool:
        return True

    def check(self, plan: Plan) -> str:
        now = self.cloud.read(plan.target.id)
        changed = [lock for lock, state in plan.before.items() if now.get(lock, ABSENT) not in (state, plan.after[lock])]
        return f"{', '.join(changed)} changed" if changed else ""

    def apply(self, plan: Plan) -> None:
        self.cloud.applies(plan)
        for lock, state in plan.before.items():
            stood = self.cloud.write(plan.target.id, lock, expects=state, new=plan.after[lock], by=plan.summary)
            if stood not in (state, plan.after[lock]):
                raise CannotApply(f"{lock} is {stood}, no longer {state}")

    def verify(self, plan: Plan) -> Verification:
        now = self.cloud.read(plan.target.id)
        so = all(now.get(lock, ABSENT) == state for lock, state in plan.after.items())
        return Verification.VERIFIED if so else Verification.DRIFTED

    def compare(self, plan: Plan) -> tuple[Difference, ...]:
        found = self.cloud.read(plan.target.id)
        now = {lock: found.get(lock, ABSENT) for lock in plan.before}
        return tuple(
            Difference(lock, state, plan.after[lock], now[lock], now[lock] not in (state, plan.after[lock]))
            for lock, state in plan.before.items()
        )

    def undo(self, plan: Plan) -> UndoResult:
        restored, left = [], []
        for lock, state in plan.before.items():
            stood = self.cloud.write(plan.target.id, lock, expects=plan.after[lock], new=state, by=plan.summary, undoes=True)
            (restored if stood in (state, plan.after[lock]) else left).append(lock)
        return UndoResult(tuple(restored), tuple(left))


class Isolate(_Locking):
    """Every lock of a machine is locked: whatever else it does then is contained."""

    name = "isolate"
    handles = frozenset({EntityKind.INSTANCE})

    def __init__(self, cloud: Reached, *, gives_back: bool = False) -> None:
        super().__init__(cloud)
        self.gives_back = "a machine's networks" if gives_back else ""

    def wanted(self, found: Mapping[str, str], verdict: Verdict) -> dict[str, str]:
        return dict.fromkeys(found, "locked")


class EndSession(_Locking):
    """A deny of its own for each containment, of tokens issued until the verdict's time; undone only when they are over."""

    name = "end_session"
    handles = frozenset({EntityKind.SESSION})
    min_lifetime_s = 2 * 3600

    def wanted(self, found: Mapping[str, str], verdict: Verdict) -> dict[str, str]:
        return {f"deny-{verdict.id}": f"until {verdict.time_ms}"}

    def covers(self, plan: Plan, verdict: Verdict) -> bool:
        return all(int(state.removeprefix("until ")) >= verdict.time_ms for state in plan.after.values())
