"""Mode approve: a person is asked, and what an answer leads to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from infra_tests.response.world import HOUR_MS, Killed, Site, verdict
from response.actions import Mode
from response.approval import Answered, UnknownProposal
from response.expiry import expire
from response.journal import Step
from response.lapsing import BY_TIME
from response.policy import ActionPolicy, AtEnd, FourEyes
from response.proposals import digest
from response.switch import turn
from response.telling import span
from shared_model.events import Telemetry

OPEN, LOCKED = {"eni-a": "open", "eni-b": "web"}, {"eni-a": "locked", "eni-b": "locked"}
TO_THE_END = [Step.APPROVED, Step.APPLYING, Step.APPLIED, Step.VERIFIED]


def asking(four_eyes: FourEyes = FourEyes.OTHER, **never: Any) -> Site:
    """A site where a plan about i-1 waits for an answer."""
    site = Site(mode=Mode.APPROVE, **never)
    site.policy = replace(site.policy, actions={"isolate": ActionPolicy(Mode.APPROVE, 3600, four_eyes=four_eyes)})
    assert site.contain("i-1").decisions[0].step is Step.PROPOSED
    return site


def lapse(site: Site) -> list[Step]:
    ended, errors = expire(
        policy=site.policy, actions=site.actions, journal=site.journal, now_ms=site.now_ms, notify=site.notices.append
    )
    assert errors == ()
    return [each.step for each in ended]


def refused(site: Site, answered: Answered, why: str) -> bool:
    last = site.stream("i-1").entries[-1]
    return answered.step is Step.REFUSED and why in answered.reason and (last.step, last.plan) == (Step.REFUSED, None)


def test_two_signals_ask_a_person_and_change_nothing() -> None:
    site = asking()
    assert site.world["i-1"] == OPEN
    told = site.notices[-1]
    (proposal,) = site.stream("i-1").proposals.values()
    assert told.subject.startswith("Approve?")
    assert f"breakwater approve {proposal.id}" in told.text
    assert "A yes contains for 1h; then a person is asked." in told.text
    assert (told.proposal_id, told.until_ms) == (proposal.id, site.now_ms + 4 * HOUR_MS)


def test_approved_it_is_contained_in_the_name_of_who_approved() -> None:
    site = asking()
    answered = site.answer("i-1", reason="it scans")
    assert answered.step is Step.APPLIED
    assert site.world["i-1"] == LOCKED
    assert site.steps("i-1")[-4:] == TO_THE_END
    approved, applying, *_ = site.stream("i-1").entries[-4:]
    assert (approved.actor, approved.detail["attested"], approved.detail["reason"]) == ("alice", "id-of-alice", "it scans")
    assert (applying.actor, applying.containment_id) == ("alice", answered.proposal_id)
    assert site.undo(answered.proposal_id).step is Step.UNDONE
    assert site.world["i-1"] == OPEN


@pytest.mark.parametrize(
    ("at_end", "rule_s", "least_s", "said"),
    [
        (AtEnd.ASK, 1800, 0, "for 30m; then a person is asked"),
        (AtEnd.UNDO, 2 * 3600, 0, "for 1h; then it is undone"),
        (AtEnd.UNDO, None, 12 * 3600, "for 12h; then it is undone"),
    ],
)
def test_a_question_says_for_how_long_a_yes_contains_and_so_it_does(
    at_end: AtEnd, rule_s: int | None, least_s: int, said: str
) -> None:
    site = Site(mode=Mode.APPROVE, at_end=at_end)
    (rule,) = site.policy.rules
    site.policy = replace(site.policy, rules=(replace(rule, time_to_live_s=rule_s),))
    site.action.min_lifetime_s = least_s
    site.contain("i-1")
    assert f"A yes contains {said}." in site.notices[-1].text
    site.answer("i-1")
    (containment,) = site.stream("i-1").containments.values()
    lives_s = ((containment.expires_ms or 0) - site.now_ms) // 1000
    assert said.startswith(f"for {span(lives_s)};")


def test_the_time_to_live_counts_from_the_approval() -> None:
    site = asking()
    site.now_ms += 2 * HOUR_MS
    site.answer("i-1")
    assert site.stream("i-1").containments.popitem()[1].expires_ms == site.now_ms + 3600_000  # type: ignore[attr-defined]


def test_denied_nothing_is_changed_and_nobody_is_asked_again_while_it_would_have_stood() -> None:
    site = asking()
    assert site.answer("i-1", approves=False, reason="a scanner of ours").step is Step.DENIED
    told = len(site.notices)
    decision = site.contain("i-1", "2").decisions[0]
    assert decision.step is Step.REFUSED
    assert "alice denied it (a scanner of ours)" in decision.reason
    assert site.notices[told:] == []
    site.now_ms += 4 * HOUR_MS
    assert site.contain("i-1", "3").decisions[0].step is Step.PROPOSED


def test_what_one_denied_the_policy_does_not_enforce_either() -> None:
    site = asking()
    site.answer("i-1", approves=False)
    site.policy = replace(site.policy, actions={"isolate": ActionPolicy(Mode.ENFORCE)})
    assert site.contain("i-1", "2").decisions[0].step is Step.REFUSED
    assert site.world["i-1"] == OPEN


def test_a_denial_needs_a_reason() -> None:
    with pytest.raises(ValueError, match="say why"):
        asking().answer("i-1", approves=False, reason=" ")


def test_a_further_verdict_asks_nothing_again() -> None:
    site = asking()
    decision = site.respond(verdict("i-1", "v9", Telemetry.API_CALLS)).decisions[0]
    assert (decision.step, len(site.stream("i-1").proposals)) == (Step.NOOP, 1)
    assert "already proposed" in decision.reason


def test_a_verdict_that_the_proposal_does_not_cover_asks_again() -> None:
    site = asking()
    site.action.covering = False
    decision = site.respond(verdict("i-1", "v9", Telemetry.API_CALLS)).decisions[0]
    assert (decision.step, decision.verdict_id) == (Step.PROPOSED, "v9")


@pytest.mark.parametrize("approves", [True, False])
def test_a_second_answer_is_refused_with_the_first(approves: bool) -> None:
    site = asking()
    site.answer("i-1", approves=approves)
    world = dict(site.world["i-1"])
    for again in (True, False):
        answered = site.answer("i-1", "bob", approves=again)
        assert refused(site, answered, "approved already, by alice" if approves else "denied by alice")
    assert site.world["i-1"] == world


@pytest.mark.parametrize("lapsed", [True, False], ids=["written down", "not yet written down"])
def test_an_answer_that_comes_too_late_is_refused(lapsed: bool) -> None:
    site = asking()
    site.now_ms += 4 * HOUR_MS + 1
    if lapsed:
        assert lapse(site) == [Step.LAPSED]
    assert site.answer("i-1").step is Step.REFUSED
    assert site.world["i-1"] == OPEN


def test_nobody_answers_and_that_is_written_down_once_and_told() -> None:
    site = asking()
    site.now_ms += 4 * HOUR_MS - 1
    assert lapse(site) == []
    site.now_ms += 2
    assert (lapse(site), lapse(site)) == ([Step.LAPSED], [])
    assert site.stream("i-1").entries[-1].actor == BY_TIME
    assert site.notices[-1].subject.startswith("Nobody answered")
    assert site.contain("i-1", "2").decisions[0].step is Step.PROPOSED


def test_changed_since_it_was_shown_the_present_plan_is_proposed_instead() -> None:
    site = asking()
    site.world["i-1"]["eni-b"] = "db"
    answered = site.answer("i-1")
    assert (answered.step, answered.plan.before) == (Step.PROPOSED, {"eni-a": "open", "eni-b": "db"})
    assert "changed since it was shown" in answered.reason
    assert site.notices[-1].subject.startswith("Changed since it was shown")
    assert site.world["i-1"]["eni-a"] == "open"
    assert site.answer("i-1").step is Step.APPLIED


def test_an_approval_of_the_plan_before_does_not_count_for_the_present_one() -> None:
    site = asking()
    shown = digest(next(iter(site.stream("i-1").proposals.values())).plan)
    site.world["i-1"]["eni-b"] = "db"
    site.answer("i-1")
    assert refused(site, site.answer("i-1", "bob", plan=shown), "not what is proposed now")
    assert refused(site, site.answer("i-1", "carol", plan=""), "not what is proposed now")


def test_what_is_so_already_or_contained_otherwise_is_overtaken() -> None:
    site = asking()
    site.world["i-1"] = dict(LOCKED)
    assert site.answer("i-1").step is Step.NOOP
    other = asking()
    other.policy = replace(other.policy, actions={"isolate": ActionPolicy(Mode.ENFORCE)})
    other.contain("i-1", "2")
    (contained,) = other.stream("i-1").containments
    answered = other.answer("i-1")
    assert (answered.step, answered.reason) == (Step.NOOP, f"already contained by {contained}")
    assert other.action.writes == 2


def test_the_never_touch_list_counts_when_it_is_approved() -> None:
    site = asking(tags=("break-glass",))
    site.action.tags = {"break-glass": ""}
    assert refused(site, site.answer("i-1"), "never touches")
    site.action.tags = {}
    assert site.answer("i-1").step is Step.APPLIED


def test_the_switch_counts_when_it_is_approved_and_asking_goes_on() -> None:
    site = asking()
    turn(site.journal, armed=False, by="carol", reason="drill", now_ms=site.now_ms)
    assert refused(site, site.answer("i-1"), "disarmed by carol")
    assert site.contain("i-2").decisions[0].step is Step.PROPOSED
    turn(site.journal, armed=True, by="carol", reason="", now_ms=site.now_ms)
    assert site.answer("i-1").step is Step.APPLIED


def test_the_budget_counts_when_it_is_approved_and_a_person_may_go_beyond_it_in_so_many_words() -> None:
    site = asking()
    site.policy = replace(site.policy, containments_per_hour=1)
    site.contain("i-2")
    assert site.answer("i-1").step is Step.APPLIED
    assert site.answer("i-2").step is Step.REFUSED
    assert site.answer("i-2", beyond_budget=True).step is Step.APPLIED
    assert "budget of 1" in site.stream("i-2").entries[-3].detail["beyond"]


def test_what_came_beyond_the_budget_can_be_approved_one_by_one() -> None:
    site = Site()
    site.policy = replace(site.policy, containments_per_hour=0)
    assert [site.contain(machine).decisions[0].step for machine in ("i-1", "i-2", "i-3")] == [Step.PROPOSED] * 3
    asked = {notice.id for notice in site.notices if notice.proposal_id}
    assert len(asked) == 1
    assert site.answer("i-2").step is Step.REFUSED
    assert site.answer("i-2", beyond_budget=True).step is Step.APPLIED
    assert (site.world["i-1"], site.world["i-2"]) == (OPEN, {"eni-c": "locked"})
    site.now_ms += 4 * HOUR_MS + 1
    told = len(site.notices)
    assert lapse(site).count(Step.LAPSED) == 2
    lapsed = [notice.subject for notice in site.notices[told:] if "Nobody" in notice.subject]
    assert len(lapsed) == 1  # the one that asked for all


def test_questions_of_mode_approve_do_not_come_by_the_dozen_either() -> None:
    site = Site(mode=Mode.APPROVE)
    site.world |= {f"m-{number}": {"eni": "open"} for number in range(20)}
    site.policy = replace(site.policy, containments_per_hour=2)
    for number in range(20):
        assert site.contain(f"m-{number}").decisions[0].step is Step.PROPOSED
    subjects = [notice.subject.partition(":")[0] for notice in site.notices if notice.proposal_id]
    assert subjects == ["Approve?", "Approve?", "BUDGET USED UP, is this meant?"]


def test_an_action_that_is_only_observed_by_now_is_not_applied() -> None:
    site = asking()
    site.policy = replace(site.policy, actions={"isolate": ActionPolicy(Mode.OBSERVE)})
    assert refused(site, site.answer("i-1"), "mode observe")


def test_changed_between_a_kill_after_the_approval_and_its_redelivery_it_is_asked_again() -> None:
    site = asking()
    site.journal.kill_after = Step.APPROVED
    with pytest.raises(Killed):
        site.answer("i-1", request="r")
    site.world["i-1"]["eni-b"] = "db"
    assert site.answer("i-1", request="r").step is Step.PROPOSED
    assert site.world["i-1"]["eni-a"] == "open"


@pytest.mark.parametrize("identifier", ["nobody", "enforced"])
def test_what_was_never_proposed_cannot_be_answered(identifier: str) -> None:
    site = asking()
    site.policy = replace(site.policy, actions={"isolate": ActionPolicy(Mode.ENFORCE)})
    contained = site.contain("i-2").decisions[0].containment_id
    with pytest.raises(UnknownProposal):
        site.answer("i-1", proposal_id=contained if identifier == "enforced" else identifier)
