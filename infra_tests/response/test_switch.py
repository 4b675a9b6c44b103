"""The master switch: off means that nothing is changed, whatever was decided before; undo stays possible."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infra_tests.response.world import HOUR_MS, NOW_MS, Killed, Site, verdict
from response.actions import Mode, Plan
from response.containment import LONGEST_RUN_MS
from response.ends import Ended
from response.expiry import expire
from response.journal import InProcessJournal, JournalEntry, Step
from response.policy import AtEnd
from response.switch import STREAM, Switch, read_switch, turn
from shared_model.errors import CloudUnavailable
from shared_model.events import Telemetry

ALICE = "arn:aws:iam::123456789012:user/alice"
OPEN, LOCKED = {"eni-a": "open", "eni-b": "web"}, {"eni-a": "locked", "eni-b": "locked"}


def disarm(site: Site, reason: str = "it contained the load balancer") -> Switch:
    return turn(site.journal, armed=False, by=ALICE, reason=reason, now_ms=site.now_ms)


def arm(site: Site) -> Switch:
    return turn(site.journal, armed=True, by=ALICE, reason="", now_ms=site.now_ms)


def run_schedule(site: Site) -> tuple[Ended, ...]:
    ended, errors = expire(
        policy=site.policy, actions=site.actions, journal=site.journal, now_ms=site.now_ms, notify=site.notices.append
    )
    assert errors == ()
    return ended


def test_disarmed_nothing_is_changed_and_the_refusal_says_who_and_why() -> None:
    site = Site()
    disarm(site)
    decision = site.contain("i-1").decisions[0]
    assert decision.step is Step.REFUSED
    assert ALICE in decision.reason
    assert "it contained the load balancer" in decision.reason
    assert site.world["i-1"] == OPEN


def test_a_refusal_for_the_switch_is_told_once_and_stays_when_it_is_armed_again() -> None:
    site = Site()
    disarm(site)
    site.contain("i-1")
    arm(site)
    told = {notice.id for notice in site.notices}
    site.contain("i-1")
    assert site.world["i-1"] == OPEN
    assert {notice.id for notice in site.notices} == told
    site.contain("i-1", "2")
    assert site.world["i-1"] == LOCKED


def test_a_disarmed_refusal_uses_no_budget() -> None:
    site = Site()
    site.policy = replace(site.policy, containments_per_hour=1)
    disarm(site)
    site.contain("i-1")
    arm(site)
    assert site.contain("i-2").decisions[0].step is Step.APPLIED


def test_observing_goes_on() -> None:
    site = Site(mode=Mode.OBSERVE)
    disarm(site)
    assert site.contain("i-1").decisions[0].step is Step.OBSERVED


def test_what_a_killed_function_left_is_not_finished_and_can_be_undone() -> None:
    site = Site()
    site.action.kill_after = 1
    with pytest.raises(Killed):
        site.contain("i-1")
    site.action.kill_after = None
    disarm(site)
    decision = site.respond(verdict("i-1", "i-1-dns-1", Telemetry.DNS_LOGS)).decisions[0]
    assert decision.step is Step.FAILED
    assert site.world["i-1"] == {"eni-a": "locked", "eni-b": "web"}
    site.now_ms += 2 * LONGEST_RUN_MS  # whoever began it may have lived until then
    site.undo(decision.containment_id)
    assert site.world["i-1"] == OPEN


def test_turned_off_after_the_decision_it_still_stops_the_change() -> None:
    site = Site()
    check = site.action.check

    def check_while_someone_disarms(plan: Plan) -> str:
        if site.steps(plan.target.id)[-1:] == [Step.APPLYING]:
            disarm(site)
        return check(plan)

    site.action.check = check_while_someone_disarms  # type: ignore[method-assign]
    assert site.contain("i-1").decisions[0].step is Step.FAILED
    assert site.world["i-1"] == OPEN


def test_what_would_end_by_itself_is_asked_about_and_ends_when_armed() -> None:
    site = Site(at_end=AtEnd.UNDO)
    site.contain("i-1")
    disarm(site)
    site.now_ms += HOUR_MS + 1
    assert [each.step for each in run_schedule(site)] == [Step.EXPIRY_DUE]
    assert run_schedule(site) == ()
    assert site.world["i-1"] == LOCKED
    arm(site)
    assert [each.step for each in run_schedule(site)] == [Step.UNDONE]
    assert site.world["i-1"] == OPEN


def test_an_end_by_time_that_was_begun_waits_and_a_person_can_finish_it() -> None:
    site = Site(at_end=AtEnd.UNDO)
    contained = site.contain("i-1").decisions[0].containment_id
    site.now_ms += HOUR_MS + 1
    site.journal.kill_after = Step.UNDOING
    with pytest.raises(Killed):
        run_schedule(site)
    disarm(site)
    assert run_schedule(site) == ()
    assert site.world["i-1"] == LOCKED
    site.undo(contained)
    assert site.world["i-1"] == OPEN


def test_a_switch_that_cannot_be_read_changes_nothing() -> None:
    class Unreadable(InProcessJournal):
        def stream(self, name: str) -> list[JournalEntry]:
            if name == STREAM:
                raise CloudUnavailable("journal: no answer")
            return super().stream(name)

    site = Site()
    site.journal = Unreadable()  # type: ignore[assignment]
    with pytest.raises(CloudUnavailable):
        site.contain("i-1")
    assert site.world["i-1"] == OPEN


def test_every_turn_stands_in_the_journal_once() -> None:
    site = Site()
    assert read_switch(site.journal) == Switch()
    for turn_it in (disarm, disarm, arm, arm):
        turn_it(site)
    entries = site.journal.stream(STREAM)
    assert [(entry.step, entry.actor) for entry in entries] == [(Step.DISARMED, ALICE), (Step.ARMED, ALICE)]


def test_who_turned_it_first_stays() -> None:
    site = Site()
    disarm(site, "first")
    assert disarm(site, "second").reason == "first"


def test_two_who_turn_it_at_once_leave_one_entry_each_number() -> None:
    class Contended(InProcessJournal):
        def append(self, entry: JournalEntry) -> None:
            if not self.stream(STREAM):
                super().append(replace(entry, actor="bob"))
            super().append(entry)

    journal = Contended()
    assert turn(journal, armed=False, by=ALICE, reason="why", now_ms=NOW_MS).by == "bob"
    assert len(journal.stream(STREAM)) == 1


@pytest.mark.parametrize(("by", "reason"), [("", "why"), (ALICE, " ")])
def test_nobody_disarms_without_a_name_and_a_reason(by: str, reason: str) -> None:
    with pytest.raises(ValueError, match="who turns the switch"):
        turn(InProcessJournal(), armed=False, by=by, reason=reason, now_ms=NOW_MS)
