"""An answer that is delivered again after a kill, and two at once: it counts once, and is carried out once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infra_tests.response.test_approval import LOCKED, OPEN, TO_THE_END, asking, lapse, refused
from infra_tests.response.world import HOUR_MS, Killed
from response.actions import CloudUnavailable, Mode
from response.containment import LONGEST_RUN_MS
from response.journal import Step
from response.policy import ActionPolicy
from response.proposals import digest


@pytest.mark.parametrize("step", TO_THE_END)
@pytest.mark.parametrize("moment", ["kill_before", "kill_after"])
def test_killed_at_any_step_the_same_answer_delivered_again_ends_it(moment: str, step: Step) -> None:
    site = asking()
    setattr(site.journal, moment, step)
    with pytest.raises(Killed):
        site.answer("i-1", request="r")
    proposal = next(iter(site.stream("i-1").proposals.values()))
    assert site.answer("i-1", request="r", plan=digest(proposal.plan)).step is Step.APPLIED
    assert list(dict.fromkeys(site.steps("i-1")))[-4:] == TO_THE_END
    assert (site.world["i-1"], site.action.writes) == (LOCKED, 2)


def test_killed_in_the_middle_of_the_change_the_next_delivery_goes_on() -> None:
    site = asking()
    site.action.kill_after = 1
    with pytest.raises(Killed):
        site.answer("i-1", request="r")
    site.action.kill_after = None
    assert site.answer("i-1", request="r").step is Step.APPLIED
    contained = next(iter(site.stream("i-1").containments))
    site.now_ms += 2 * LONGEST_RUN_MS
    site.undo(contained)
    assert site.world["i-1"] == OPEN


def test_another_person_may_take_up_what_was_approved_and_not_begun_and_is_named() -> None:
    site = asking()
    site.journal.kill_after = Step.APPROVED
    with pytest.raises(Killed):
        site.answer("i-1", request="r")
    assert site.answer("i-1", "bob").step is Step.APPLIED
    applying = next(entry for entry in site.stream("i-1").entries if entry.step is Step.APPLYING)
    assert (applying.actor, applying.detail["approved_by"], applying.detail["begun_for"]) == ("alice", ["alice"], "bob")


def test_who_took_it_up_and_was_killed_finishes_it_and_hands_out_what_it_wrote() -> None:
    site = asking()
    site.journal.kill_after = Step.APPROVED
    with pytest.raises(Killed):
        site.answer("i-1", request="r")
    site.journal.kill_after = Step.APPLYING
    with pytest.raises(Killed):
        site.answer("i-1", "bob", request="q")
    again = site.answer("i-1", "bob", request="q")
    assert again.step is Step.APPLIED
    assert [entry.step for entry in (*again.earlier, *again.entries)] == [Step.APPLYING, *TO_THE_END[1:]]
    assert (site.world["i-1"], site.action.writes) == (LOCKED, 2)


def test_approved_and_never_begun_it_lapses_too() -> None:
    site = asking()
    site.journal.kill_after = Step.APPROVED
    with pytest.raises(Killed):
        site.answer("i-1", request="r")
    site.now_ms += 4 * HOUR_MS + 1
    assert lapse(site) == [Step.LAPSED]
    assert site.answer("i-1", "bob").step is Step.REFUSED
    assert site.world["i-1"] == OPEN


def test_the_same_answer_delivered_again_writes_nothing_and_tells_the_same() -> None:
    site = asking()
    site.answer("i-1", request="r")
    steps, told = site.steps("i-1"), {notice.id for notice in site.notices}
    again = site.answer("i-1", request="r")
    assert (again.step, again.entries, site.steps("i-1")) == (Step.APPLIED, (), steps)
    assert [entry.step for entry in again.earlier] == TO_THE_END
    assert {notice.id for notice in site.notices} == told


def test_what_is_being_undone_is_answered_after_that() -> None:
    site = asking()
    site.policy = replace(site.policy, actions={"isolate": ActionPolicy(Mode.ENFORCE)})
    site.contain("i-1", "2")
    (contained,) = site.stream("i-1").containments
    site.journal.kill_after = Step.UNDOING
    with pytest.raises(Killed):
        site.undo(contained)
    with pytest.raises(CloudUnavailable):
        site.answer("i-1")


def test_of_two_answers_at_once_one_counts() -> None:
    site = asking()
    append = site.journal.append

    def bob_first(entry: object) -> None:
        site.journal.append = append  # type: ignore[method-assign]
        site.answer("i-1", "bob", approves=False)
        append(entry)  # type: ignore[arg-type]

    site.journal.append = bob_first  # type: ignore[method-assign]
    assert refused(site, site.answer("i-1", "alice"), "denied by bob")
    assert site.world["i-1"] == OPEN
