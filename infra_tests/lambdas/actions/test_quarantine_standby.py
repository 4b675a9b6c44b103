"""A quarantined instance and its auto-scaling group: out of it first, where that may be, and back."""

from __future__ import annotations

import json

import pytest

from infra_tests.lambdas.account import Account
from infra_tests.lambdas.actions.quarantined import (
    denied,
    is_isolated,
    lifecycle,
    plan_for,
    scaling_group,
)
from lambdas.actions.quarantine_instance import QuarantineInstance
from response.actions import CloudUnavailable, Verification
from response.guard import protection
from response.policy import parse_policy


def in_state(account: Account, monkeypatch: pytest.MonkeyPatch, instance: str, state: str) -> None:
    """Let the instance be in a state of its group that moto does not have."""
    answer = {"AutoScalingInstances": [{"InstanceId": instance, "AutoScalingGroupName": "web", "LifecycleState": state}]}
    monkeypatch.setattr(account.clients("autoscaling"), "describe_auto_scaling_instances", lambda **_: answer)


def in_a_group(account: Account) -> str:
    vpc = account.vpc()
    instance = account.instance(vpc, [account.group(vpc, "web")])
    scaling_group(account, vpc, instance)
    return instance


def test_out_of_its_scaling_group_and_back(account: Account) -> None:
    vpc = account.vpc()
    instance = account.instance(vpc, [account.group(vpc, "web")])
    scaling_group(account, vpc, instance)
    action = QuarantineInstance(account.clients)
    plan = plan_for(action, instance)
    action.apply(plan)
    action.apply(plan)
    assert lifecycle(account, instance) == "Standby"
    before = account.groups_of(instance)
    assert action.undo(plan).left == ()
    assert lifecycle(account, instance) == "InService"
    assert account.groups_of(instance) != before
    assert action.undo(plan).left == ()


@pytest.mark.parametrize(("listed", "is_protected"), [("web", True), ("w*", True), ("payroll-*", False)])
def test_an_auto_scaling_group_can_be_listed_as_never_touched(account: Account, listed: str, is_protected: bool) -> None:
    plan = plan_for(QuarantineInstance(account.clients), in_a_group(account))
    pattern = f"arn:*:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/{listed}"
    policy = parse_policy(json.dumps({"version": 1, "never_touch": {"resources": [pattern]}}))
    assert ("never-touch list" in protection(plan, policy.never_touch)) is is_protected


def test_an_instance_found_in_standby_stays_there_after_the_undo(account: Account) -> None:
    vpc = account.vpc()
    instance = account.instance(vpc, [account.group(vpc, "web")])
    scaling_group(account, vpc, instance)
    account.clients("autoscaling").enter_standby(
        InstanceIds=[instance], AutoScalingGroupName="web", ShouldDecrementDesiredCapacity=True
    )
    action = QuarantineInstance(account.clients)
    plan = plan_for(action, instance)
    assert not any("standby" in touched for touched in plan.touches)
    action.apply(plan)
    assert action.undo(plan).left == ()
    assert lifecycle(account, instance) == "Standby"


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("Terminating:Wait", "nothing left to isolate"),
        ("Detaching", "when it is out of it"),
        ("Detached", "when it is out of it"),
        ("Warmed:Stopped", "warm pool of web"),
        ("Quarantined", "detach it"),
    ],
)
def test_what_cannot_enter_standby_is_refused(account: Account, monkeypatch: pytest.MonkeyPatch, state: str, why: str) -> None:
    vpc = account.vpc()
    instance = account.instance(vpc, [account.group(vpc, "web")])
    in_state(account, monkeypatch, instance, state)
    refusal = plan_for(QuarantineInstance(account.clients), instance).refusal
    assert why in refusal
    assert state in refusal


def test_one_that_is_still_starting_is_asked_for_again(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    vpc = account.vpc()
    instance = account.instance(vpc, [account.group(vpc, "web")])
    in_state(account, monkeypatch, instance, "Pending:Wait")
    with pytest.raises(CloudUnavailable, match="when it is in service"):
        plan_for(QuarantineInstance(account.clients), instance)


@pytest.mark.parametrize("code", ["AccessDenied", "ValidationError", "ResourceContention"])
def test_an_instance_that_may_not_leave_its_group_is_isolated_all_the_same(
    account: Account, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    instance = in_a_group(account)
    action = QuarantineInstance(account.clients)
    plan = plan_for(action, instance)
    assert any("the group may replace or terminate it" in touched for touched in plan.touches)
    denied(account, monkeypatch, "enter_standby", code, service="autoscaling")
    action.apply(plan)
    assert is_isolated(account, plan)
    assert "its auto-scaling group may replace or terminate it" in caplog.text
    assert lifecycle(account, instance) == "InService"
    assert action.verify(plan) is Verification.DRIFTED
    (place,) = [part for part in action.compare(plan) if part.what.startswith("place of")]
    assert (place.before, place.applied, place.now) == ("web (InService)", "web (Standby)", "web (InService)")
    assert action.undo(plan).left == ()


def test_a_standby_that_is_throttled_is_asked_for_again_after_the_isolation(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = in_a_group(account)
    action = QuarantineInstance(account.clients)
    plan = plan_for(action, instance)
    with monkeypatch.context() as throttled:
        denied(account, throttled, "enter_standby", "Throttling", service="autoscaling")
        with pytest.raises(CloudUnavailable, match="Throttling"):
            action.apply(plan)
        assert is_isolated(account, plan)
    action.apply(plan)
    assert lifecycle(account, instance) == "Standby"
    assert action.verify(plan) is Verification.VERIFIED


def test_a_standby_that_may_not_be_ended_is_left_and_all_else_is_given_back(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = in_a_group(account)
    before = account.groups_of(instance)
    action = QuarantineInstance(account.clients)
    plan = plan_for(action, instance)
    action.apply(plan)
    denied(account, monkeypatch, "exit_standby", "AccessDenied", service="autoscaling")
    (left,) = action.undo(plan).left
    assert "stays in standby in web" in left
    assert account.groups_of(instance) == before


def test_what_becomes_of_its_place_in_the_group_is_said_three_ways(account: Account) -> None:
    instance = in_a_group(account)
    action = QuarantineInstance(account.clients)
    plan = plan_for(action, instance)
    action.apply(plan)

    def place() -> tuple[str, bool]:
        (found,) = [part for part in action.compare(plan) if part.what == f"place of {instance}"]
        return found.now, found.is_changed

    assert place() == ("web (Standby)", False)
    account.clients("autoscaling").detach_instances(
        InstanceIds=[instance], AutoScalingGroupName="web", ShouldDecrementDesiredCapacity=True
    )
    assert place() == ("in no group", True)
