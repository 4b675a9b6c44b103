"""The end of a containment: by hand and by time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infra_tests.response.world import ACCOUNT, HOUR_MS, NOW_MS, Killed, Site, verdict
from response.actions import CannotApply, CloudUnavailable, Plan, UndoResult
from response.containment import LONGEST_RUN_MS
from response.ends import Ended
from response.expiry import expire
from response.journal import JournalEntry, Step
from response.orders import BY_EXPIRY
from response.policy import AtEnd
from response.undoing import UnknownContainment
from shared_model.events import Telemetry

OPEN = {"eni-a": "open", "eni-b": "web"}


def stream_of(machine: str) -> str:
    return f"isolate#{ACCOUNT}/instance/{machine}"


def run_out(site: Site, *, since_ms: int | None = None) -> tuple[Ended, ...]:
    ended, errors = expire(
        policy=site.policy,
        actions=site.actions,
        journal=site.journal,
        now_ms=site.now_ms,
        notify=site.notices.append,
        since_ms=since_ms,
    )
    assert errors == ()
    return ended


def test_undo_restores_exactly_and_twice_is_once() -> None:
    site = Site()
    contained = site.contain("i-1").decisions[0].containment_id
    assert site.undo(contained).step is Step.UNDONE
    assert site.world["i-1"] == OPEN
    assert site.undo(contained).entries == ()
    assert site.steps("i-1")[-2:] == [Step.UNDOING, Step.UNDONE]


def test_undo_leaves_and_names_what_someone_changed_since() -> None:
    site = Site()
    contained = site.contain("i-1").decisions[0].containment_id
    site.world["i-1"]["eni-a"] = "forensics"
    ended = site.undo(contained)
    assert ended.left == ("eni-a",)
    assert site.world["i-1"] == {"eni-a": "forensics", "eni-b": "web"}
    assert "LEFT AS IT IS: eni-a" in site.notices[-1].text


def test_undo_killed_in_the_middle_is_finished_by_the_next_run() -> None:
    site = Site(at_end=AtEnd.UNDO)
    site.contain("i-1")
    site.now_ms = NOW_MS + 2 * HOUR_MS
    site.action.kill_after = 1
    with pytest.raises(Killed):
        run_out(site)
    site.action.kill_after = None
    assert run_out(site) == (), "whoever was killed might live, and still be at it"
    site.now_ms += 2 * LONGEST_RUN_MS
    assert [ended.step for ended in run_out(site)] == [Step.UNDONE]
    assert site.world["i-1"] == OPEN
    assert site.steps("i-1").count(Step.UNDOING) == 2


def test_by_default_the_end_asks_once_and_keeps_containing() -> None:
    site = Site()
    contained = site.contain("i-1").decisions[0].containment_id
    assert run_out(site) == ()
    site.now_ms = NOW_MS + HOUR_MS + 1
    assert [(ended.containment_id, ended.step) for ended in run_out(site)] == [(contained, Step.EXPIRY_DUE)]
    assert run_out(site) == ()
    assert site.world["i-1"] != OPEN
    assert site.undo(contained).step is Step.UNDONE


def test_what_gives_something_back_asks_whatever_the_policy_says() -> None:
    site = Site(at_end=AtEnd.UNDO)
    site.action.gives_back = "its networks to a machine"  # type: ignore[misc]
    contained = site.contain("i-1").decisions[0].containment_id
    site.now_ms = NOW_MS + HOUR_MS + 1
    assert [(ended.containment_id, ended.step) for ended in run_out(site)] == [(contained, Step.EXPIRY_DUE)]
    assert "gives back its networks to a machine" in site.notices[-1].text
    assert run_out(site) == ()
    assert site.world["i-1"] != OPEN
    assert site.undo(contained).step is Step.UNDONE


def test_undo_before_the_minimum_lifetime_is_refused_with_the_time() -> None:
    site = Site(at_end=AtEnd.UNDO)
    site.action.min_lifetime_s = 4 * 3600
    contained = site.contain("i-1").decisions[0].containment_id
    refused = site.undo(contained)
    assert refused.step is Step.REFUSED
    assert "2026-09-21T18:13:20+00:00" in refused.reason
    site.now_ms = NOW_MS + 2 * HOUR_MS  # the policy's time to live is over, the minimum is not
    assert run_out(site) == ()
    site.now_ms = NOW_MS + 4 * HOUR_MS + 1
    assert [ended.step for ended in run_out(site)] == [Step.UNDONE]
    assert site.journal.stream(refused.entries[0].stream)[-1].actor == BY_EXPIRY


def test_what_was_never_applied_cannot_be_undone() -> None:
    site = Site()
    with pytest.raises(UnknownContainment):
        site.undo("0" * 32)


def test_an_undo_waits_for_the_end_of_applying() -> None:
    site = Site()
    site.journal.kill_after = Step.APPLYING
    with pytest.raises(Killed):
        site.contain("i-1")
    contained = site.journal.stream("isolate#123456789012/instance/i-1")[-1].containment_id
    with pytest.raises(CloudUnavailable):
        site.undo(contained)


def stuck_half_way(site: Site) -> str:
    """Apply one of two locks and no more; return the containment's id."""
    site.action.kill_after = 1
    with pytest.raises(Killed):
        site.contain("i-1")
    site.action.kill_after = None
    assert site.world["i-1"] == {"eni-a": "locked", "eni-b": "web"}
    return site.journal.stream(stream_of("i-1"))[-1].containment_id


def test_what_is_stuck_half_applied_can_be_undone_and_the_same_verdict_does_not_begin_it_again() -> None:
    site = Site()
    contained = stuck_half_way(site)
    site.now_ms = NOW_MS + HOUR_MS // 4 + 1
    assert site.undo(contained).step is Step.UNDONE
    assert site.world["i-1"] == OPEN
    site.respond(verdict("i-1", "i-1-dns-1", Telemetry.DNS_LOGS))
    assert site.world["i-1"] == OPEN
    assert site.steps("i-1")[-2:] == [Step.UNDOING, Step.UNDONE]


@pytest.mark.parametrize("minutes", [0, 4, 6, 16])
@pytest.mark.parametrize("elapsed", [0, LONGEST_RUN_MS])
def test_while_someone_applies_nobody_undoes(minutes: int, elapsed: int) -> None:
    """Whenever the applier came, and as long as it may live: it takes up what is older only under a new APPLYING."""
    site = Site()
    contained = stuck_half_way(site)
    site.now_ms = NOW_MS + minutes * 60_000
    apply, tried = site.action.apply, []

    def a_person_undoes_meanwhile(plan: Plan) -> None:
        began = site.now_ms
        site.now_ms = began + elapsed
        for moment in (lambda: None, lambda: apply(plan)):
            moment()
            with pytest.raises(CloudUnavailable, match="still being applied"):
                site.undo(contained)
            tried.append(moment)
        site.now_ms = began

    site.action.apply = a_person_undoes_meanwhile  # type: ignore[method-assign]
    site.respond(verdict("i-1", "i-1-dns-1", Telemetry.DNS_LOGS))
    assert len(tried) == 2
    assert site.world["i-1"] == {"eni-a": "locked", "eni-b": "locked"}
    assert site.steps("i-1").count(Step.APPLYING) == 2
    site.now_ms += 2 * LONGEST_RUN_MS
    assert site.undo(contained).step is Step.UNDONE
    assert site.world["i-1"] == OPEN


def test_an_undo_that_begins_just_before_the_applier_takes_up_what_was_stuck_keeps_it_away() -> None:
    site = Site()
    contained = stuck_half_way(site)
    site.now_ms = NOW_MS + HOUR_MS // 4 + 1
    append = site.journal.append

    def undone_just_before(entry: JournalEntry) -> None:
        if entry.step is Step.APPLYING:
            site.journal.append = append  # type: ignore[method-assign]
            site.undo(contained)
        append(entry)

    site.journal.append = undone_just_before  # type: ignore[method-assign]
    site.respond(verdict("i-1", "i-1-dns-1", Telemetry.DNS_LOGS))
    assert site.world["i-1"] == OPEN
    assert site.steps("i-1")[-1] is Step.UNDONE


def test_a_refused_undo_does_not_settle_what_is_still_to_be_applied() -> None:
    site = Site()
    site.action.min_lifetime_s = 4 * 3600
    contained = stuck_half_way(site)
    site.now_ms = NOW_MS + HOUR_MS // 4 + 1
    assert site.undo(contained).step is Step.REFUSED
    decision = site.respond(verdict("i-1", "i-1-dns-1", Telemetry.DNS_LOGS)).decisions[0]
    assert (decision.step, decision.reason) == (Step.APPLIED, "")


@pytest.mark.parametrize("at_end", list(AtEnd))
def test_a_person_is_asked_once_about_what_is_stuck_and_again_when_it_holds_after_all(at_end: AtEnd) -> None:
    site = Site(at_end=at_end)
    contained = stuck_half_way(site)
    site.now_ms = NOW_MS + HOUR_MS + 1
    assert [(ended.containment_id, ended.step) for ended in run_out(site)] == [(contained, Step.EXPIRY_DUE)]
    assert "is stuck" in site.notices[-1].subject
    assert contained in site.notices[-1].text
    assert run_out(site) == ()
    site.respond(verdict("i-1", "i-1-dns-1", Telemetry.DNS_LOGS))
    site.now_ms += 2 * LONGEST_RUN_MS
    assert [ended.step for ended in run_out(site)] == [Step.EXPIRY_DUE if at_end is AtEnd.ASK else Step.UNDONE]


def test_after_an_undo_the_same_target_can_be_contained_again() -> None:
    site = Site()
    site.undo(site.contain("i-1").decisions[0].containment_id)
    site.now_ms += 1000
    site.contain("i-1", "2")
    assert site.steps("i-1").count(Step.APPLIED) == 2
    assert site.world["i-1"] == {"eni-a": "locked", "eni-b": "locked"}


@pytest.mark.parametrize("error", [CloudUnavailable("throttled"), CannotApply("no such group"), ValueError("no such plan")])
def test_one_that_cannot_be_ended_now_does_not_hold_up_the_others(error: Exception) -> None:
    site = Site(at_end=AtEnd.UNDO)
    site.contain("i-1")
    site.contain("i-2")
    site.now_ms = NOW_MS + 2 * HOUR_MS
    works = site.action.undo

    def fails_for_first(plan: Plan) -> UndoResult:
        if plan.target.id == "i-1":
            raise error
        return works(plan)

    site.action.undo = fails_for_first  # type: ignore[method-assign]
    ended, errors = expire(
        policy=site.policy, actions=site.actions, journal=site.journal, now_ms=site.now_ms, notify=site.notices.append
    )
    assert len(ended) == 1
    assert errors == (error,)
    assert site.world["i-2"] == {"eni-c": "open"}


@pytest.mark.parametrize("step", [Step.UNDOING, Step.UNDONE])
def test_an_undo_that_was_killed_after_its_entry_is_told_and_handed_out_when_it_is_asked_for_again(step: Step) -> None:
    site = Site()
    contained = site.contain("i-1").decisions[0].containment_id
    site.notices.clear()
    site.journal.kill_after = step
    with pytest.raises(Killed):
        site.undo(contained)
    assert site.notices == []
    for _ in range(2):
        ended = site.undo(contained)
        assert {entry.step for entry in (*ended.entries, *ended.earlier)} == {Step.UNDOING, Step.UNDONE}
    *_, undone = site.journal.stream(stream_of("i-1"))
    assert [notice.id for notice in site.notices] == [undone.id] * 2
    assert site.notices[0] == site.notices[1]


@pytest.mark.parametrize(("at_end", "step"), [(AtEnd.ASK, Step.EXPIRY_DUE), (AtEnd.UNDO, Step.UNDONE)])
def test_the_schedule_delivered_again_tells_and_hands_out_what_was_written_since_it_was_sent(at_end: AtEnd, step: Step) -> None:
    site = Site(at_end=at_end)
    site.contain("i-1")
    site.now_ms = sent_ms = NOW_MS + 2 * HOUR_MS
    site.notices.clear()
    site.journal.kill_after = step
    with pytest.raises(Killed):
        run_out(site)
    assert run_out(site) == (), "a schedule that is no second delivery repeats nothing"
    site.now_ms += 360_000
    last = site.journal.stream(stream_of("i-1"))[-1]
    (ended,) = run_out(site, since_ms=sent_ms)
    assert (ended.step, ended.entries, ended.earlier[-1]) == (step, (), last)
    assert [notice.id for notice in site.notices] == [last.id]
    assert run_out(site, since_ms=site.now_ms) == ()


def test_a_stream_that_cannot_be_read_does_not_hold_up_the_others() -> None:
    site = Site(at_end=AtEnd.UNDO)
    site.contain("i-1")
    site.contain("i-2")
    site.now_ms = NOW_MS + 2 * HOUR_MS
    first = next(entry for entry in site.journal.stream(stream_of("i-1")) if entry.step is Step.APPLYING)
    site.journal.append(replace(first, sequence=len(site.steps("i-1")) + 1, plan={"of": "another version"}))
    ended, errors = expire(
        policy=site.policy, actions=site.actions, journal=site.journal, now_ms=site.now_ms, notify=site.notices.append
    )
    assert [result.step for result in ended] == [Step.UNDONE]
    assert "not a plan" in str(errors[0])
    assert site.world["i-2"] == {"eni-c": "open"}
