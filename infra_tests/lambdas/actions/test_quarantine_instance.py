"""Quarantine on moto: plan, apply, verify, undo, refusals, and exactly the calls that it declares."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra_tests.lambdas.account import ACCOUNT, Account
from infra_tests.lambdas.actions.quarantined import (
    plan_for,
    scaling_group,
)
from infra_tests.response.world import verdict
from lambdas.actions.population import Instances, Principals
from lambdas.actions.quarantine_groups import QuarantineGroups, group_name
from lambdas.actions.quarantine_instance import QuarantineInstance
from response.actions import CannotApply, CloudUnavailable, Plan, Verification
from shared_model.events import Entity, EntityKind, Telemetry


def fail(error: Exception) -> Callable[..., Any]:
    def call(*_: Any, **__: Any) -> Any:
        raise error

    return call


def managed_by_a_service(account: Account, monkeypatch: pytest.MonkeyPatch, instance: str, *, number: int) -> list[str]:
    """Let so many of the instance's interfaces be another service's; return them."""
    managed = [*account.groups_of(instance)][:number]
    ec2 = account.clients("ec2")
    describe = ec2.describe_network_interfaces

    def marked(**asked: Any) -> Any:
        answer = describe(**asked)
        for each in answer["NetworkInterfaces"]:
            each["RequesterManaged"] = each["NetworkInterfaceId"] in managed
        return answer

    monkeypatch.setattr(ec2, "describe_network_interfaces", marked)
    return managed


class TestQuarantine:
    def test_it_needs_exactly_the_permissions_it_declares(self, account: Account, calls: Callable[[], set[str]]) -> None:
        vpc = account.vpc()
        instance = account.instance(vpc, [account.group(vpc, "web")], interfaces=2)
        scaling_group(account, vpc, instance)
        account.clients("ec2").create_tags(Resources=[instance], Tags=[{"Key": "incident", "Value": "none"}])
        action = QuarantineInstance(account.clients, {"snapshots": True, "tags": {"incident": "{containment}", "hold": "yes"}})
        calls()
        plan = plan_for(action, instance)
        assert not any(name.startswith(("ec2:Modify", "ec2:Create", "ec2:Revoke")) for name in calls())
        plan = plan_for(action, instance)
        assert action.check(plan) == ""
        action.apply(plan)
        group = QuarantineGroups(account.clients).find(vpc)
        assert group is not None
        calls_of_apply = calls()
        account.clients("ec2").authorize_security_group_ingress(
            GroupId=group["GroupId"], IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0"
        )
        calls()
        assert action.verify(plan) is Verification.DRIFTED
        action.apply(plan)  # empties the group again
        assert action.verify(plan) is Verification.VERIFIED
        assert calls_of_apply | calls() | {"ec2:DescribeInstances"} == set(QuarantineInstance.permissions)
        action.compare(plan)
        action.undo(plan)
        assert calls() | {"ec2:DescribeInstances"} == set(QuarantineInstance.undo_permissions)  # asked where a state forbids it

    def test_a_contained_instance_is_a_no_op(self, account: Account) -> None:
        vpc = account.vpc()
        instance = account.instance(vpc, [account.group(vpc, "web")])
        action = QuarantineInstance(account.clients)
        plan = plan_for(action, instance)
        assert not plan.is_noop
        action.apply(plan)
        assert plan_for(action, instance).is_noop

    def test_a_plan_survives_the_journal(self, account: Account) -> None:
        vpc = account.vpc()
        instance = account.instance(vpc, [account.group(vpc, "web")], interfaces=2, tags={"Name": "web"})
        action = QuarantineInstance(account.clients)
        plan = plan_for(action, instance)
        again = Plan.from_json_value(json.loads(json.dumps(plan.to_json_value())))
        assert again == plan
        action.apply(again)
        assert action.verify(again) is Verification.VERIFIED

    def test_undo_leaves_an_interface_that_someone_changed(self, account: Account) -> None:
        vpc = account.vpc()
        web, forensics = account.group(vpc, "web"), account.group(vpc, "forensics")
        instance = account.instance(vpc, [web], interfaces=2)
        action = QuarantineInstance(account.clients)
        plan = plan_for(action, instance)
        action.apply(plan)
        changed, other = account.groups_of(instance)
        account.clients("ec2").modify_network_interface_attribute(NetworkInterfaceId=changed, Groups=[forensics])
        result = action.undo(plan)
        assert account.groups_of(instance) == {changed: [forensics], other: [web]}
        assert len(result.left) == 1
        assert changed in result.left[0]
        assert forensics in result.left[0]

    def test_an_interface_changed_after_the_plan_stops_the_apply(self, account: Account) -> None:
        vpc = account.vpc()
        instance = account.instance(vpc, [account.group(vpc, "web")])
        action = QuarantineInstance(account.clients)
        plan = plan_for(action, instance)
        (eni,) = account.groups_of(instance)
        account.clients("ec2").modify_network_interface_attribute(NetworkInterfaceId=eni, Groups=[account.group(vpc, "other")])
        assert eni in action.check(plan)

    def test_an_interface_attached_later_shows_as_drift(self, account: Account) -> None:
        vpc = account.vpc()
        web = account.group(vpc, "web")
        instance = account.instance(vpc, [web])
        action = QuarantineInstance(account.clients)
        plan = plan_for(action, instance)
        action.apply(plan)
        ec2 = account.clients("ec2")
        subnet = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["SubnetId"]
        eni = ec2.create_network_interface(SubnetId=subnet, Groups=[web])["NetworkInterface"]["NetworkInterfaceId"]
        ec2.attach_network_interface(NetworkInterfaceId=eni, InstanceId=instance, DeviceIndex=1)
        assert action.verify(plan) is Verification.DRIFTED

    def test_refusals_name_the_alternative(self, account: Account) -> None:
        vpc = account.vpc()
        action = QuarantineInstance(account.clients)
        assert "contain it where it runs" in plan_for(action, "i-00000000000000000").refusal
        gone = account.instance(vpc, [account.group(vpc, "web")])
        account.clients("ec2").terminate_instances(InstanceIds=[gone])
        assert "nothing left to isolate" in plan_for(action, gone).refusal

    def test_an_interface_that_a_service_manages_stays_and_the_machine_does_not_count_as_isolated(
        self, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        vpc = account.vpc()
        web = account.group(vpc, "web")
        instance = account.instance(vpc, [web], interfaces=2)
        (managed,) = managed_by_a_service(account, monkeypatch, instance, number=1)
        action = QuarantineInstance(account.clients)
        plan = plan_for(action, instance)
        assert any(f"{managed} stays on the network" in each for each in plan.touches)
        action.apply(plan)
        groups = account.groups_of(instance)
        assert groups.pop(managed) == [web]
        assert len(groups) == 1
        assert [web] not in groups.values()
        assert action.verify(plan) is Verification.DRIFTED
        action.undo(plan)
        assert [*account.groups_of(instance).values()] == [[web], [web]]

    def test_an_instance_all_of_whose_interfaces_a_service_manages_is_refused(
        self, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        vpc = account.vpc()
        instance = account.instance(vpc, [account.group(vpc, "web")])
        managed_by_a_service(account, monkeypatch, instance, number=1)
        assert "managed by another AWS service" in plan_for(QuarantineInstance(account.clients), instance).refusal

    def test_a_group_of_its_name_that_is_not_its_own_is_not_used(self, account: Account) -> None:
        vpc = account.vpc()
        account.group(vpc, group_name(vpc))
        with pytest.raises(CannotApply, match="without the tag"):
            QuarantineGroups(account.clients).ensure(vpc)

    @pytest.mark.parametrize("late", [1, 99])
    def test_a_group_that_ec2_shows_late_is_waited_for_and_never_taken_for_anothers(
        self, account: Account, monkeypatch: pytest.MonkeyPatch, late: int
    ) -> None:
        vpc, ec2, asked = account.vpc(), account.clients("ec2"), list[Any]()
        describe, create = ec2.describe_security_groups, ec2.create_security_group
        made = list[str]()

        def created(**wanted: Any) -> Any:
            answer = create(**wanted)
            made.append(answer["GroupId"])
            return answer

        def described(**wanted: Any) -> Any:
            asked.extend(made)
            return {"SecurityGroups": []} if len(asked) <= late else describe(**wanted)

        monkeypatch.setattr(ec2, "create_security_group", created)
        monkeypatch.setattr(ec2, "describe_security_groups", described)
        groups = QuarantineGroups(account.clients)
        if late == 1:
            assert groups.ensure(vpc) == made[0]
        else:
            with pytest.raises(CloudUnavailable, match="does not show it yet"):
                groups.ensure(vpc)
        assert len(made) == 1

    def test_tags_of_instance_and_groups_reach_the_guard(self, account: Account) -> None:
        vpc = account.vpc()
        group = account.group(vpc, "bastion", tags={"break-glass": "yes"})
        plan = plan_for(QuarantineInstance(account.clients), account.instance(vpc, [group], tags={"team": "web"}))
        assert plan.tags == {"break-glass": "yes", "team": "web"}
        assert group in plan.resources


def test_instances_are_counted_once_an_hour_and_without_those_that_are_gone(account: Account) -> None:
    vpc, now = account.vpc(), [0.0]
    group = account.group(vpc, "web")
    gone = account.instance(vpc, [group])
    account.clients("ec2").terminate_instances(InstanceIds=[gone])
    instances = Instances(account.clients, clock=lambda: now[0])
    account.instance(vpc, [group])
    assert instances.count() == 1
    account.instance(vpc, [group])
    assert instances.count() == 1
    now[0] += 3600
    assert instances.count() == 2


@pytest.mark.parametrize(
    ("call", "count"),
    [
        ("DescribeInstances", lambda clients: Instances(clients).count),
        ("GetAccountSummary", lambda clients: partial(Principals(clients).count, "Roles")),
    ],
)
def test_a_count_that_is_throttled_holds_up_nothing_and_is_asked_again(
    account: Account, call: str, count: Callable[[Any], Callable[[], int]]
) -> None:
    vpc = account.vpc()
    account.instance(vpc, [account.group(vpc, "web")])
    account.clients("iam").create_role(RoleName="worker", AssumeRolePolicyDocument="{}")
    counted = count(account.clients)
    with pytest.MonkeyPatch.context() as patch:
        throttled = ClientError({"Error": {"Code": "RequestLimitExceeded", "Message": "slow down"}}, call)
        patch.setattr("botocore.client.BaseClient._make_api_call", fail(throttled))
        assert counted() == 0
    assert counted() > 0


def test_a_quarantines_plan_says_where_the_instance_lies(account: Account) -> None:
    vpc = account.vpc()
    instance = Entity(EntityKind.INSTANCE, account.instance(vpc, [account.group(vpc, "web")]), ACCOUNT)
    plan = QuarantineInstance(account.clients).plan(instance, verdict("", "v", Telemetry.FLOW_LOGS, entity=instance))
    assert plan.population == 1
    assert plan.region == account.clients("ec2").meta.region_name
