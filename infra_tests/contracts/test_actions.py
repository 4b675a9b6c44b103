"""Actions: a plan writes nothing, a change may be made twice, undo restores exactly, and only declared calls are made."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from azure_functions.actions.catalogue import ACTIONS as AZURE_ACTIONS
from infra_tests.contracts import subjects
from infra_tests.contracts.subjects import Subject
from infra_tests.response.world import HOUR_MS, NOW_MS
from lambdas.actions.catalogue import ACTIONS as AWS_ACTIONS
from response.actions import CloudUnavailable, Overwriting, Plan, Verification
from response.guard import protection
from response.policy import parse_policy
from response.resources import form_of, in_one_spelling
from shared_model.events import EntityKind


def plan(subject: Subject) -> Plan:
    """The plan, as the journal gives it back."""
    made = subject.action.plan(subject.target, subject.verdict).to_json_value()
    return Plan.from_json_value(json.loads(json.dumps(made)))


def test_every_action_of_every_cloud_keeps_to_this() -> None:
    """A new action without a subject would be without a contract."""
    assert len(subjects.ON_AWS) == len(AWS_ACTIONS)
    assert len(subjects.ON_AZURE) == len(AZURE_ACTIONS) + 1  # block_address_in_waf writes two kinds of firewalls


def test_a_plan_changes_nothing_and_lives_through_the_journal(subject: Subject) -> None:
    before = subject.state()
    made = subject.action.plan(subject.target, subject.verdict)
    assert plan(subject).to_json_value() == made.to_json_value()
    assert subject.state() == before
    assert (made.action, made.target, made.refusal, made.is_noop) == (subject.action.name, subject.target, "", False)
    assert made.summary


def test_it_acts_on_what_it_says_it_handles(subject: Subject) -> None:
    assert subject.target.kind in subject.action.handles
    assert subject.action.handles <= set(EntityKind)


def test_a_plan_that_was_just_made_fits(subject: Subject) -> None:
    assert subject.action.check(plan(subject)) == ""


def test_the_change_is_made_once_however_often_it_is_applied(subject: Subject) -> None:
    before, made = subject.state(), plan(subject)
    subject.action.apply(made)
    after = subject.state()
    assert after != before
    assert subject.action.check(made) == "", "an applied plan fits: a function that was killed goes on with it"
    subject.action.apply(made)
    assert subject.state() == after
    assert subject.action.verify(made) is Verification.VERIFIED


#: What an action takes out of its work, by its name; the others take nothing of the account's out of its work.
KINDS = {
    "quarantine_instance": {"instances", "virtual machines"},
    "revoke_sessions": {"roles", "users"},
    "restrict_role": {"roles"},
    "tighten_trust_policy": {"roles"},
    "deactivate_access_keys": {"users"},
    "block_sign_in": {"users"},
    "remove_role_assignments": {"principals with roles"},
    "close_storage_account": {"storage accounts"},
}


def test_a_plan_says_of_which_kind_it_takes_one_and_how_many_there_are(subject: Subject) -> None:
    made = plan(subject)
    assert made.kind in KINDS.get(made.action, {""})
    assert (made.population > 0) is bool(made.kind)


def test_a_plan_carries_the_forms_that_its_action_declares(subject: Subject) -> None:
    """A never-touch list names a resource in one of them: of another form, nothing would be compared."""
    carries = getattr(subject.action, "carries", frozenset())
    told_of = {subject.target.id} if subject.action.name == "invoke_function" else set()  # whatever it is, it is not touched
    carried = {form_of(in_one_spelling(each)) for each in plan(subject).resources if each not in told_of} - {""}
    assert carried <= carries


@pytest.mark.parametrize("spelt", ["as it is", "with a star at its end"])
def test_whatever_a_plan_changes_may_be_listed_as_never_touched(subject: Subject, spelt: str) -> None:
    made = plan(subject)
    listable = [each for each in made.resources if form_of(in_one_spelling(each))]
    assert listable or not hasattr(subject.action, "carries")
    for each in listable:
        pattern = each if spelt == "as it is" or each.endswith(":root") else f"{each[:-1]}*"
        policy = parse_policy(json.dumps({"version": 1, "never_touch": {"resources": [pattern]}}))
        assert "never-touch list" in protection(made, policy.never_touch), pattern


def test_before_it_is_applied_it_is_not_verified(subject: Subject) -> None:
    assert subject.action.verify(plan(subject)) is not Verification.VERIFIED


@pytest.mark.parametrize("issued_ms", [None, NOW_MS - HOUR_MS], ids=["unknown token", "earlier token"])
def test_a_further_verdict_about_what_was_done_until_then_leads_to_nothing_new(subject: Subject, issued_ms: int | None) -> None:
    made = plan(subject)
    subject.action.apply(made)
    further = replace(subject.verdict, id="further", session_issued_ms=issued_ms)
    assert subject.action.covers(made, further) or subject.action.plan(subject.target, further).is_noop


def test_undo_restores_exactly_and_may_be_done_twice(subject: Subject) -> None:
    before, made = subject.state(), plan(subject)
    subject.action.apply(made)
    for _ in range(2):
        result = subject.action.undo(made)
        assert (subject.state() == before) is subject.returns
        assert (result.left == ()) is subject.returns, "what cannot be restored is named"
        assert result.held == (), "what no undo gives back is not held"


def test_what_the_cloud_does_not_let_it_give_back_is_held(subject: Subject) -> None:
    """What an undo says of it is what can be seen: its parts are as the action made them."""
    if subject.refuse is None:
        pytest.skip("nobody is there to refuse it")
    action, made = subject.action, plan(subject)
    action.apply(made)
    applied = subject.state()
    subject.refuse()
    result = action.undo(made)
    assert subject.state() == applied
    assert [part.what for part in action.compare(made) if part.now == part.applied != part.before]
    assert bool(result.held) is subject.returns, "a further undo may give it back"
    assert result.left
    assert set(result.held) <= set(result.left)


def test_undo_of_what_was_never_applied_changes_nothing(subject: Subject) -> None:
    before = subject.state()
    subject.action.undo(plan(subject))
    assert subject.state() == before


def test_after_an_undo_the_same_can_be_done_again(subject: Subject) -> None:
    if not subject.returns:
        pytest.skip("there is no way back from it")
    before, made = subject.state(), plan(subject)
    subject.action.apply(made)
    subject.action.undo(made)
    again = plan(subject)
    assert again.refusal == ""
    subject.action.apply(again)
    assert subject.action.verify(again) is Verification.VERIFIED
    subject.action.undo(again)
    assert subject.state() == before


def test_what_someone_changed_since_is_drift_and_is_left_as_it_is(subject: Subject) -> None:
    if subject.interfere is None:
        pytest.skip("nothing that it changed is someone else's to change")
    before, made = subject.state(), plan(subject)
    subject.action.apply(made)
    subject.interfere()
    interfered = subject.state()
    assert subject.action.verify(made) is Verification.DRIFTED
    result = subject.action.undo(made)
    assert result.left
    assert result.held == (), "what is somebody else's by now is not held"
    assert subject.state() not in (before, made.after)
    assert interfered != before


def test_a_target_that_is_not_there_is_refused_with_a_reason(subject: Subject) -> None:
    if subject.gone is None:
        pytest.skip("it knows of no target that is not there")
    before = subject.state()
    refused = subject.action.plan(subject.gone.entity, subject.gone)
    assert refused.refusal
    assert not refused.is_noop
    assert subject.state() == before


def test_another_of_the_same_name_is_not_what_was_planned_for(subject: Subject) -> None:
    if subject.renew is None:
        pytest.skip("its names are never used again")
    made = plan(subject)
    subject.renew()
    renewed = subject.state()
    assert subject.action.check(made)
    assert subject.state() == renewed


def test_what_somebody_else_is_changing_waits_until_that_is_over(subject: Subject) -> None:
    if subject.change is None:
        pytest.skip("its cloud says of nothing that it is being changed")
    made = plan(subject)
    subject.change()
    before = subject.state()
    with pytest.raises(CloudUnavailable, match="somebody else is changing it"):
        subject.action.check(made)
    assert subject.state() == before


def test_it_calls_what_it_declares_and_nothing_else(subject: Subject) -> None:
    action = subject.action
    subject.operations()
    made = plan(subject)
    action.check(made)
    action.apply(made)
    action.verify(made)
    applying, _ = subject.operations()
    action.undo(made)
    _, undoing = subject.operations()
    assert applying <= set(action.permissions)
    assert undoing <= set(action.undo_permissions)


def test_it_says_three_ways_what_it_changed(subject: Subject) -> None:
    action = subject.action
    made = plan(subject)
    unchanged = action.compare(made)
    assert unchanged
    assert all(part.before != part.applied and not part.is_changed for part in unchanged)
    action.apply(made)
    state, applied = subject.state(), action.compare(made)
    assert [(part.what, part.before) for part in applied] == [(part.what, part.before) for part in unchanged]
    assert all(part.now != was.now and not part.is_changed for part, was in zip(applied, unchanged, strict=True))
    assert subject.state() == state, "to compare changes nothing"
    if action.gives_back:  # what an undo leaves so takes its target out of its work: it keeps its place in the budget's share
        assert any(part.now == part.applied for part in applied)


def test_what_was_changed_since_is_compared_and_left(subject: Subject) -> None:
    action = subject.action
    if subject.interfere is None:
        pytest.skip("nothing that it changed is someone else's to change")
    made = plan(subject)
    action.apply(made)
    subject.interfere()
    found = action.compare(made)
    changed = [part.what for part in found if part.is_changed]
    # Of what a customer's function changed, only the function knows.
    assert changed or [part.now for part in found] == [part.before for part in found]
    assert all(part.is_changed is (part.now not in (part.before, part.applied)) for part in found)
    assert action.undo(made).left
    assert [part.what for part in action.compare(made) if part.is_changed] == changed


def test_what_was_changed_since_is_written_over_when_told(subject: Subject) -> None:
    """Of actions whose every part is one value; the others put nothing of anybody's out of its place."""
    action = subject.action
    if not isinstance(action, Overwriting) or subject.interfere is None:
        pytest.skip("takes out what it put in, beside what others put there")
    before, made = subject.state(), plan(subject)
    action.apply(made)
    subject.interfere()
    action.undo(made)
    assert action.overwrite(made).left == ()
    assert subject.state() == before
    assert not [part for part in action.compare(made) if part.is_changed]
