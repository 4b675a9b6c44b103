"""One verdict: what is decided, written, changed and told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infra_tests.response.world import ACCOUNT, HOUR_MS, NOW_MS, IsolateMachine, Killed, Site, verdict
from response.actions import CannotApply, CloudUnavailable, Mode, Plan
from response.containment import LONGEST_RUN_MS
from response.journal import InProcessJournal, JournalEntry, SequenceTaken, Step
from response.policy import Rule
from shared_model.events import Entity, EntityKind, Telemetry
from shared_model.verdicts import Verdict

LOCKED = {"eni-a": "locked", "eni-b": "locked"}
OPEN = {"eni-a": "open", "eni-b": "web"}


def test_one_signal_notifies_and_changes_nothing() -> None:
    site = Site()
    outcome = site.respond(verdict("i-1", "v1", Telemetry.FLOW_LOGS))
    assert outcome.decisions[0].step is Step.REFUSED
    assert "one signal (flow_logs)" in outcome.decisions[0].reason
    assert site.world["i-1"] == OPEN
    assert len(site.notices) == 1


def test_two_signals_of_the_same_telemetry_are_one() -> None:
    site = Site()
    site.respond(verdict("i-1", "v1", Telemetry.FLOW_LOGS))
    assert site.respond(verdict("i-1", "v2", Telemetry.FLOW_LOGS)).decisions[0].step is Step.REFUSED


def test_two_independent_signals_contain() -> None:
    site = Site()
    outcome = site.contain("i-1")
    assert site.world["i-1"] == LOCKED
    assert outcome.corroborated_by == "i-1-flow-1"
    assert site.steps("i-1") == [Step.REFUSED, Step.APPLYING, Step.APPLIED, Step.VERIFIED]
    applying = outcome.decisions[0].entries[0]
    assert applying.plan is not None
    assert applying.plan["before"] == OPEN


def test_signals_further_apart_than_the_window_do_not_corroborate() -> None:
    site = Site()
    site.respond(verdict("i-1", "v1", Telemetry.FLOW_LOGS, time_ms=NOW_MS - HOUR_MS - 1))
    assert site.respond(verdict("i-1", "v2", Telemetry.DNS_LOGS)).decisions[0].step is Step.REFUSED


@pytest.mark.parametrize(("completed_flow", "step"), [(True, Step.APPLIED), (False, Step.REFUSED)])
def test_an_address_lends_its_signal_only_after_a_completed_flow(completed_flow: bool, step: Step) -> None:
    site = Site()
    address = Entity(EntityKind.ADDRESS, "203.0.113.9", ACCOUNT)
    about_address = verdict("i-1", "v1", Telemetry.FLOW_LOGS, entity=address, completed_flow=completed_flow)
    site.respond(replace(about_address, related=()))
    named = verdict("i-1", "v2", Telemetry.DNS_LOGS, related=(address,), completed_flow=completed_flow)
    assert site.respond(named).decisions[0].step is step


def test_a_related_name_is_what_gets_contained() -> None:
    site = Site()
    machine = Entity(EntityKind.INSTANCE, "i-1", ACCOUNT)
    session = Entity(EntityKind.SESSION, "AROAEXAMPLEEXAMPLE12:i-1", ACCOUNT)
    site.respond(verdict("i-1", "v1", Telemetry.API_CALLS, entity=session, related=(machine,)))
    site.respond(verdict("i-1", "v2", Telemetry.FLOW_LOGS))
    assert site.world["i-1"] == LOCKED


def test_observe_says_what_would_be_done_and_uses_no_budget() -> None:
    site = Site(mode=Mode.OBSERVE)
    site.policy = replace(site.policy, containments_per_hour=0)
    assert site.contain("i-1").decisions[0].step is Step.OBSERVED
    assert site.world["i-1"] == OPEN
    assert site.notices[-1].subject.startswith("Would contain")


def test_delivered_again_nothing_is_written_and_what_is_told_has_the_same_id() -> None:
    site = Site()
    site.contain("i-1")
    steps, told = site.steps("i-1"), set(site.notices)
    assert site.contain("i-1").decisions[0].entries == ()
    assert (site.steps("i-1"), site.action.writes) == (steps, 2)
    assert {notice.id for notice in site.notices} == {notice.id for notice in told}
    assert len({notice.id for notice in told}) == len(told)


def test_a_further_verdict_about_a_contained_target_is_noted_only() -> None:
    site = Site()
    contained = site.contain("i-1").decisions[0].containment_id
    outcome = site.respond(verdict("i-1", "v9", Telemetry.API_CALLS))
    assert outcome.decisions[0].step is Step.NOOP
    assert contained in outcome.decisions[0].reason


@pytest.mark.parametrize("covering", [True, False])
def test_a_verdict_that_the_containment_in_force_does_not_cover_begins_another(covering: bool) -> None:
    site = Site()
    first = site.contain("i-1").decisions[0].containment_id
    site.world["i-1"]["eni-c"] = "open"  # opened since
    site.action.covering = covering
    decision = site.respond(verdict("i-1", "v9", Telemetry.API_CALLS)).decisions[0]
    assert decision.step is (Step.NOOP if covering else Step.APPLIED)
    assert (site.world["i-1"]["eni-c"] == "locked") is not covering
    assert decision.containment_id != first


def test_the_hourly_budget_stops_mass_action_and_is_new_in_the_next_hour() -> None:
    site = Site()
    site.policy = replace(site.policy, containments_per_hour=2)
    steps = [site.contain(machine).decisions[0].step for machine in ("i-1", "i-2", "i-3")]
    assert steps == [Step.APPLIED, Step.APPLIED, Step.PROPOSED]
    assert site.world["i-3"] == {"eni-d": "db"}
    site.now_ms += HOUR_MS
    site.contain("i-3", "2")
    assert site.world["i-3"] == {"eni-d": "locked"}


@pytest.mark.parametrize("value", ["true", "", "FALSE "])
def test_a_never_touch_tag_protects_unless_its_value_is_false(value: str) -> None:
    site = Site(tags=("break-glass",))
    site.action.tags = {"break-glass": value}
    expected = Step.APPLIED if value.strip().lower() == "false" else Step.REFUSED
    assert site.contain("i-1").decisions[0].step is expected


def test_killed_between_journal_and_change_the_journalled_plan_is_finished() -> None:
    site = Site()
    site.journal.kill_after = Step.APPLYING
    with pytest.raises(Killed):
        site.contain("i-1")
    assert site.world["i-1"] == OPEN
    site.respond(verdict("i-1", "i-1-dns-1", Telemetry.DNS_LOGS))
    assert site.world["i-1"] == LOCKED
    assert site.steps("i-1") == [Step.REFUSED, Step.APPLYING, Step.APPLYING, Step.APPLIED, Step.VERIFIED]


def test_killed_in_the_middle_of_the_change_the_state_before_is_still_the_one_that_undo_restores() -> None:
    site = Site()
    site.action.kill_after = 1
    with pytest.raises(Killed):
        site.contain("i-1")
    assert site.world["i-1"] == {"eni-a": "locked", "eni-b": "web"}
    site.action.kill_after = None
    contained = site.respond(verdict("i-1", "i-1-dns-1", Telemetry.DNS_LOGS)).decisions[0].containment_id
    assert site.world["i-1"] == LOCKED
    with pytest.raises(CloudUnavailable):  # the first one may live, and still be at it
        site.undo(contained)
    site.now_ms += 2 * LONGEST_RUN_MS
    site.undo(contained)
    assert site.world["i-1"] == OPEN


def test_another_verdict_finishes_what_a_killed_function_began() -> None:
    site = Site()
    site.journal.kill_after = Step.APPLYING
    with pytest.raises(Killed):
        site.contain("i-1")
    site.respond(verdict("i-1", "v9", Telemetry.API_CALLS))
    assert site.steps("i-1")[-3:] == [Step.APPLIED, Step.VERIFIED, Step.NOOP]


def test_someone_else_changed_it_before_the_crash_was_mended() -> None:
    site = Site()
    site.journal.kill_after = Step.APPLYING
    with pytest.raises(Killed):
        site.contain("i-1")
    site.world["i-1"]["eni-a"] = "forensics"
    outcome = site.respond(verdict("i-1", "i-1-dns-1", Telemetry.DNS_LOGS))
    assert outcome.decisions[0].step is Step.FAILED
    assert site.world["i-1"]["eni-a"] == "forensics"


def test_what_changes_between_plan_and_check_is_planned_again_on_the_next_delivery() -> None:
    site = Site()
    check, site.action.check = site.action.check, lambda plan: "changed"  # type: ignore[method-assign]
    with pytest.raises(CloudUnavailable):
        site.contain("i-1")
    assert site.world["i-1"] == OPEN
    site.action.check = check  # type: ignore[method-assign]
    site.contain("i-1")
    assert site.world["i-1"] == LOCKED


def test_a_change_that_cannot_be_made_is_kept_as_failed_and_does_not_block_the_next() -> None:
    site = Site()

    def refuse(plan: Plan) -> None:
        raise CannotApply("quota used up: raise it")

    allowed, site.action.apply = site.action.apply, refuse  # type: ignore[method-assign]
    assert site.contain("i-1").decisions[0].step is Step.FAILED
    site.action.apply = allowed  # type: ignore[method-assign]
    site.contain("i-1", "2")
    assert site.world["i-1"] == LOCKED


def test_what_cannot_be_decided_now_does_not_keep_the_other_rules_of_a_verdict_from_their_turn() -> None:
    """A service may be down for hours; what another one can contain must not wait for it."""
    site = Site()

    class Unreachable(IsolateMachine):
        name = "unreachable"

        def plan(self, target: Entity, verdict: Verdict) -> Plan:
            raise CloudUnavailable("the service does not answer")

    site.actions = {"unreachable": Unreachable(site.world), **site.actions}
    enforced = site.policy.of("isolate")
    first = Rule("first", "unreachable", EntityKind.INSTANCE)
    site.policy = replace(site.policy, rules=(first, *site.policy.rules), actions={"isolate": enforced, "unreachable": enforced})
    for telemetry in (Telemetry.FLOW_LOGS, Telemetry.API_CALLS):
        with pytest.raises(CloudUnavailable, match="does not answer"):
            site.respond(verdict("i-1", f"v-{telemetry}", telemetry))
    assert site.steps("i-1")[-2:] == [Step.APPLIED, Step.VERIFIED]
    assert site.world["i-1"] == LOCKED


class Contended(InProcessJournal):
    """Another writer takes each of the first numbers, just before us."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def append(self, entry: JournalEntry) -> None:
        if self.times:
            self.times -= 1
            other = replace(entry, verdict_id=f"other-{self.times}", step=Step.NOOP, plan=None)
            super().append(other)
        super().append(entry)


def test_losing_a_number_means_deciding_anew() -> None:
    site = Site()
    site.journal = Contended(3)  # type: ignore[assignment]
    assert site.contain("i-1").decisions[0].step is Step.APPLIED
    assert site.action.writes == 2


def test_losing_for_ever_leaves_the_verdict_for_later() -> None:
    site = Site()
    site.journal = Contended(100)  # type: ignore[assignment]
    with pytest.raises(CloudUnavailable):
        site.contain("i-1")
    assert site.world["i-1"] == OPEN


def test_the_in_process_journal_takes_each_number_once() -> None:
    site = Site()
    site.contain("i-1")
    first = site.journal.stream(f"isolate#{ACCOUNT}/instance/i-1")[0]
    with pytest.raises(SequenceTaken):
        site.journal.append(replace(first, verdict_id="another"))


def test_a_verdict_that_no_rule_matches_is_told() -> None:
    site = Site()
    site.policy = replace(site.policy, rules=())
    for _ in range(2):
        assert site.respond(verdict("i-1", "v1", Telemetry.FLOW_LOGS)).decisions == ()
    assert {(notice.id, notice.subject) for notice in site.notices} == {("verdict/v1", "Signal: scans its network")}
