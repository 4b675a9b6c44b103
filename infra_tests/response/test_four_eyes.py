"""Who may answer: nobody whom the verdict is about, and two people where the policy wants two."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infra_tests.response.test_approval import OPEN, asking, refused
from infra_tests.response.world import ACCOUNT, Site, verdict
from response.actions import Mode
from response.journal import Step
from response.people import Person
from response.policy import ActionPolicy, FourEyes
from shared_model.events import Entity, EntityKind, Telemetry


def test_two_people_are_needed_and_one_does_not_count_twice() -> None:
    site = asking(FourEyes.TWO)
    assert site.answer("i-1", "alice").step is Step.APPROVED
    assert site.world["i-1"] == OPEN
    assert site.notices[-1].subject.startswith("One more approval")
    assert refused(site, site.answer("i-1", "alice"), "a second person")
    assert refused(site, site.answer("i-1", Person("alice, as somebody else", "id-of-alice")), "a second person")
    assert site.answer("i-1", "bob").step is Step.APPLIED
    applying = next(entry for entry in site.stream("i-1").entries if entry.step is Step.APPLYING)
    assert applying.detail["approved_by"] == ["alice", "bob"]


def test_two_people_must_be_attested() -> None:
    site = asking(FourEyes.TWO)
    assert refused(site, site.answer("i-1", Person("alice")), "attests")


def test_an_approval_of_one_plan_does_not_count_for_another() -> None:
    site = asking(FourEyes.TWO)
    site.answer("i-1", "alice")
    site.world["i-1"]["eni-b"] = "db"
    assert site.answer("i-1", "bob").step is Step.PROPOSED
    assert site.answer("i-1", "bob").step is Step.APPROVED
    assert site.answer("i-1", "alice").step is Step.APPLIED


@pytest.mark.parametrize("approves", [True, False])
def test_whom_the_verdict_is_about_answers_nothing(approves: bool) -> None:
    site = Site(mode=Mode.APPROVE)
    role, session = f"arn:aws:iam::{ACCOUNT}:role/on-call", "AROAEXAMPLEEXAMPLE12:mallory"
    about = (Entity(EntityKind.SESSION, session, ACCOUNT), Entity(EntityKind.PRINCIPAL, role, ACCOUNT))
    site.respond(verdict("i-1", "v1", Telemetry.FLOW_LOGS, related=about))
    site.respond(verdict("i-1", "v2", Telemetry.API_CALLS, related=about))
    mallory = Person("mallory's ARN", session, shared_names=(role,))
    assert refused(site, site.answer("i-1", mallory, approves=approves), "someone else must answer")
    alice = Person("alice's ARN", "AROAEXAMPLEEXAMPLE12:alice", shared_names=(role,))
    assert site.answer("i-1", alice, approves=approves).step is (Step.APPLIED if approves else Step.DENIED)


def test_a_verdict_about_a_role_is_about_all_who_act_under_it() -> None:
    site = Site(mode=Mode.APPROVE)
    role = Entity(EntityKind.PRINCIPAL, f"arn:aws:iam::{ACCOUNT}:role/on-call", ACCOUNT)
    machine = (Entity(EntityKind.INSTANCE, "i-1", ACCOUNT),)
    site.respond(verdict("", "v1", Telemetry.FLOW_LOGS, entity=role, related=machine))
    site.respond(verdict("", "v2", Telemetry.API_CALLS, entity=role, related=machine))
    alice = Person("alice", "AROAEXAMPLEEXAMPLE12:alice", shared_names=(role.id,))
    assert refused(site, site.answer("i-1", alice), "someone else must answer")


def test_without_four_eyes_anyone_may_answer_who_may_at_all() -> None:
    site = Site(mode=Mode.APPROVE)
    site.policy = replace(site.policy, actions={"isolate": ActionPolicy(Mode.APPROVE, four_eyes=FourEyes.NONE)})
    about = (Entity(EntityKind.PRINCIPAL, "mallory", ACCOUNT),)
    site.respond(verdict("i-1", "v1", Telemetry.FLOW_LOGS, related=about))
    site.respond(verdict("i-1", "v2", Telemetry.API_CALLS, related=about))
    assert site.answer("i-1", Person("mallory")).step is Step.APPLIED
