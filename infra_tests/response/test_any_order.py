"""Whatever happens in whatever order, with a kill at any point: never lost, never twice, undo restores."""

from __future__ import annotations

import contextlib

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from infra_tests.response.world import HOUR_MS, Killed, Site, verdict
from response.actions import CloudUnavailable
from response.containment import fold
from response.expiry import expire
from response.journal import Step
from response.policy import AtEnd
from response.switch import read_switch, turn
from shared_model.events import Telemetry

MACHINES = st.sampled_from(["i-1", "i-2"])
TELEMETRY = st.sampled_from([Telemetry.FLOW_LOGS, Telemetry.DNS_LOGS])
KILLS = st.one_of(
    st.none(),
    st.tuples(st.sampled_from(["before", "after"]), st.sampled_from([Step.APPLYING, Step.APPLIED, Step.UNDOING, Step.UNDONE])),
    st.tuples(st.just("write"), st.integers(0, 2)),
)


class Response(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.site = Site(at_end=AtEnd.UNDO)
        self.original = {machine: dict(locks) for machine, locks in self.site.world.items()}

    def arm(self, kill: tuple[str, object] | None) -> None:
        self.site.journal.kill_before = self.site.journal.kill_after = self.site.action.kill_after = None
        match kill:
            case ("before", Step() as step):
                self.site.journal.kill_before = step
            case ("after", Step() as step):
                self.site.journal.kill_after = step
            case ("write", int(number)):
                self.site.action.kill_after = number

    @rule(machine=MACHINES, telemetry=TELEMETRY, number=st.integers(0, 2), kill=KILLS)
    def deliver(self, machine: str, telemetry: Telemetry, number: int, kill: tuple[str, object] | None) -> None:
        self.arm(kill)
        writes = self.site.action.writes
        with contextlib.suppress(Killed, CloudUnavailable):
            self.site.respond(verdict(machine, f"{machine}-{telemetry}-{number}", telemetry, time_ms=self.site.now_ms))
        self.arm(None)
        assert read_switch(self.site.journal).armed or self.site.action.writes == writes

    @rule(kill=KILLS, hours=st.integers(0, 2))
    def time_passes(self, kill: tuple[str, object] | None, hours: int) -> None:
        self.site.now_ms += hours * HOUR_MS
        self.arm(kill)
        site = self.site
        with contextlib.suppress(Killed):
            expire(policy=site.policy, actions=site.actions, journal=site.journal, now_ms=site.now_ms, notify=site.notices.append)
        self.arm(None)

    @rule(armed=st.booleans())
    def somebody_turns_the_master_switch(self, armed: bool) -> None:
        turn(self.site.journal, armed=armed, by="on-call", reason="drill", now_ms=self.site.now_ms)

    def containments(self, machine: str) -> list[tuple[str, Step]]:
        name = f"isolate#123456789012/instance/{machine}"
        stream = fold(name, self.site.journal.stream(name))
        return [(containment.id, containment.step) for containment in stream.containments.values()]

    @precondition(lambda self: any(self.containments(machine) for machine in self.original))
    @rule(machine=MACHINES, kill=KILLS)
    def undo_by_hand(self, machine: str, kill: tuple[str, object] | None) -> None:
        for containment_id, _ in self.containments(machine)[-1:]:
            self.arm(kill)
            with contextlib.suppress(Killed, CloudUnavailable):
                self.site.undo(containment_id)
            self.arm(None)

    @invariant()
    def nothing_is_changed_without_a_journalled_plan(self) -> None:
        for machine, locks in self.site.world.items():
            changed = locks != self.original[machine]
            running = [step for _, step in self.containments(machine) if step is not Step.UNDONE] if machine != "i-3" else []
            assert not changed or running, f"{machine} is {locks} and the journal knows of nothing"

    @invariant()
    def every_journalled_plan_holds_the_original_state(self) -> None:
        for machine in ("i-1", "i-2"):
            for entry in self.site.journal.stream(f"isolate#123456789012/instance/{machine}"):
                if entry.step is Step.APPLYING:
                    assert entry.plan is not None
                    assert entry.plan["before"] == self.original[machine]

    @invariant()
    def at_most_one_containment_of_a_target_runs(self) -> None:
        for machine in ("i-1", "i-2"):
            running = [step for _, step in self.containments(machine) if step not in (Step.UNDONE, Step.FAILED)]
            assert len(running) <= 1

    def teardown(self) -> None:
        """After all kills: finish, end everything, and the world is as it was."""
        self.arm(None)
        self.site.now_ms += HOUR_MS  # whoever was killed might have lived until then
        for machine in ("i-1", "i-2"):
            for containment_id, step in self.containments(machine):
                if step is Step.APPLYING:
                    late = verdict(machine, f"{machine}-late", Telemetry.API_CALLS, time_ms=self.site.now_ms)
                    self.site.respond(late)
                    self.site.now_ms += HOUR_MS
                self.site.undo(containment_id)
        assert self.site.world == self.original


TestResponse = Response.TestCase
TestResponse.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
