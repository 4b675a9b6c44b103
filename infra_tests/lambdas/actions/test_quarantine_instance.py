"""Quarantine on moto: plan, apply, verify, undo, refusals, and exactly the calls that it declares."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from moto.ec2.models import ec2_backends

from infra_tests.lambdas.account import ACCOUNT, Account, some_image
from infra_tests.response.world import verdict
from lambdas.actions.forensics import CONTAINMENT_TAG, Evidence, read_forensics
from lambdas.actions.population import Instances
from lambdas.actions.quarantine_groups import QuarantineGroups, group_name
from lambdas.actions.quarantine_instance import QuarantineInstance
from response.actions import CannotApply, CloudUnavailable, Plan, Verification
from shared_model.events import Entity, EntityKind, Telemetry


def plan_for(action: QuarantineInstance, instance: str) -> Plan:
    return action.plan(Entity(EntityKind.INSTANCE, instance, ACCOUNT), verdict(instance, "v", Telemetry.FLOW_LOGS))


def scaling_group(account: Account, vpc: str, instance: str) -> None:
    scaling, ec2 = account.clients("autoscaling"), account.clients("ec2")
    subnet = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["SubnetId"]
    image = some_image(ec2)
    scaling.create_launch_configuration(LaunchConfigurationName="web", ImageId=image, InstanceType="t3.micro")
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="web",
        LaunchConfigurationName="web",
        MinSize=0,
        MaxSize=4,
        DesiredCapacity=0,
        VPCZoneIdentifier=subnet,
    )
    scaling.attach_instances(InstanceIds=[instance], AutoScalingGroupName="web")


def lifecycle(account: Account, instance: str) -> str:
    found = account.clients("autoscaling").describe_auto_scaling_instances(InstanceIds=[instance])["AutoScalingInstances"]
    return str(found[0]["LifecycleState"])


def in_state(account: Account, monkeypatch: pytest.MonkeyPatch, instance: str, state: str) -> None:
    """Let the instance be in a state of its group that moto does not have."""
    answer = {"AutoScalingInstances": [{"InstanceId": instance, "AutoScalingGroupName": "web", "LifecycleState": state}]}
    monkeypatch.setattr(account.clients("autoscaling"), "describe_auto_scaling_instances", lambda **_: answer)


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
        assert calls() == set(QuarantineInstance.undo_permissions)

    def test_out_of_its_scaling_group_and_back(self, account: Account) -> None:
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

    def test_an_instance_found_in_standby_stays_there_after_the_undo(self, account: Account) -> None:
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
    def test_what_cannot_enter_standby_is_refused(
        self, account: Account, monkeypatch: pytest.MonkeyPatch, state: str, why: str
    ) -> None:
        vpc = account.vpc()
        instance = account.instance(vpc, [account.group(vpc, "web")])
        in_state(account, monkeypatch, instance, state)
        refusal = plan_for(QuarantineInstance(account.clients), instance).refusal
        assert why in refusal
        assert state in refusal

    def test_one_that_is_still_starting_is_asked_for_again(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        vpc = account.vpc()
        instance = account.instance(vpc, [account.group(vpc, "web")])
        in_state(account, monkeypatch, instance, "Pending:Wait")
        with pytest.raises(CloudUnavailable, match="when it is in service"):
            plan_for(QuarantineInstance(account.clients), instance)

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


def test_a_quarantines_plan_says_where_the_instance_lies(account: Account) -> None:
    vpc = account.vpc()
    instance = Entity(EntityKind.INSTANCE, account.instance(vpc, [account.group(vpc, "web")]), ACCOUNT)
    plan = QuarantineInstance(account.clients).plan(instance, verdict("", "v", Telemetry.FLOW_LOGS, entity=instance))
    assert plan.population == 1
    assert plan.region == account.clients("ec2").meta.region_name


def attribute(account: Account, instance: str, name: str) -> object:
    found = account.clients("ec2").describe_instance_attribute(InstanceId=instance, Attribute=name)
    return found[name[0].upper() + name[1:]]["Value"]


def tags(account: Account, instance: str) -> dict[str, str]:
    found = account.clients("ec2").describe_tags(Filters=[{"Name": "resource-id", "Values": [instance]}])["Tags"]
    return {tag["Key"]: tag["Value"] for tag in found}


def single(account: Account, **tagged: str) -> str:
    vpc = account.vpc()
    return account.instance(vpc, [account.group(vpc, "web")], tags=tagged)


#: What stays so until somebody changes a right or a state, in EC2's words.
DENIALS = ("UnsupportedOperation", "UnauthorizedOperation", "IncorrectInstanceState", "OperationNotPermitted")


def denied(account: Account, monkeypatch: pytest.MonkeyPatch, call: str, code: str) -> None:
    """Let EC2 answer a call with an error."""

    def answer(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, call)

    for once in (False, True):
        monkeypatch.setattr(account.clients("ec2", once=once), call, answer)


def is_isolated(account: Account, plan: Plan) -> bool:
    (vpc,) = {state["vpc"] for state in plan.before["interfaces"].values()}
    group = QuarantineGroups(account.clients).find(vpc)
    return group is not None and [*account.groups_of(plan.target.id).values()] == [[group["GroupId"]]]


class TestProtection:
    @pytest.mark.parametrize("protected", [False, True])
    def test_it_cannot_be_ended_while_it_is_contained_and_then_as_before(self, account: Account, protected: bool) -> None:
        ec2, instance = account.clients("ec2"), single(account)
        ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": protected})
        ec2.modify_instance_attribute(InstanceId=instance, Attribute="instanceInitiatedShutdownBehavior", Value="terminate")
        action = QuarantineInstance(account.clients)
        plan = plan_for(action, instance)
        assert ("termination protection on" in plan.touches) is not protected
        assert "behaviour at shutdown from inside stop" in plan.touches
        action.apply(plan)
        assert attribute(account, instance, "disableApiTermination") is True
        assert attribute(account, instance, "instanceInitiatedShutdownBehavior") == "stop"
        assert action.verify(plan) is Verification.VERIFIED
        assert action.undo(plan).left == ()
        assert attribute(account, instance, "disableApiTermination") is protected
        assert attribute(account, instance, "instanceInitiatedShutdownBehavior") == "terminate"

    def test_protection_comes_first_of_all_writes(self, account: Account) -> None:
        instance, made = single(account), list[str]()
        action = QuarantineInstance(account.clients)
        plan = plan_for(action, instance)

        def record(model: Any, **_: Any) -> None:
            made.append(model.name)

        account.clients.listen("before-call", record)
        action.apply(plan)
        assert next(name for name in made if not name.startswith("Describe")) == "ModifyInstanceAttribute"

    def test_whoever_takes_the_protection_away_is_seen(self, account: Account) -> None:
        ec2, instance = account.clients("ec2"), single(account)
        action = QuarantineInstance(account.clients)
        plan = plan_for(action, instance)
        action.apply(plan)
        ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": False})
        assert action.verify(plan) is Verification.DRIFTED
        (changed,) = [part for part in action.compare(plan) if part.what.startswith("termination protection")]
        assert (changed.before, changed.applied, changed.now, changed.is_changed) == ("False", "True", "False", False)
        assert action.undo(plan).left == ()

    def test_a_spot_instance_is_isolated_all_the_same(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        instance = single(account)
        ec2 = account.clients("ec2")
        found = ec2.describe_instances(InstanceIds=[instance])
        found["Reservations"][0]["Instances"][0]["InstanceLifecycle"] = "spot"
        monkeypatch.setattr(ec2, "describe_instances", lambda **_: found)
        monkeypatch.setattr(ec2, "modify_instance_attribute", None)
        action = QuarantineInstance(account.clients)
        plan = plan_for(action, instance)
        assert any(text.startswith("a spot instance") for text in plan.touches)
        action.apply(plan)
        assert action.verify(plan) is Verification.VERIFIED
        assert action.undo(plan).left == ()

    @pytest.mark.parametrize("code", DENIALS)
    def test_a_machine_whose_protection_is_denied_is_isolated_all_the_same_and_shows_as_drift(
        self, account: Account, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: str
    ) -> None:
        instance = single(account)
        action = QuarantineInstance(account.clients)
        plan = plan_for(action, instance)
        denied(account, monkeypatch, "modify_instance_attribute", code)
        action.apply(plan)
        assert is_isolated(account, plan)
        assert action.verify(plan) is Verification.DRIFTED
        assert f"{instance} is isolated, but it is not protected from being ended" in caplog.text
        assert code in caplog.text

    def test_a_protection_that_is_throttled_is_asked_for_again_after_the_isolation(
        self, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        action = QuarantineInstance(account.clients, {"tags": {"hold": "yes"}})
        plan = plan_for(action, instance := single(account))
        with monkeypatch.context() as throttled:
            denied(account, throttled, "modify_instance_attribute", "RequestLimitExceeded")
            with pytest.raises(CloudUnavailable, match="RequestLimitExceeded"):
                action.apply(plan)
        assert is_isolated(account, plan)
        assert tags(account, instance) == {"hold": "yes"}
        action.apply(plan)
        assert action.verify(plan) is Verification.VERIFIED

    def test_the_isolation_waits_for_one_attempt_at_protection_only(self, account: Account) -> None:
        action, sent = QuarantineInstance(account.clients), list[str]()
        plan = plan_for(action, single(account))

        def no_answer(request: Any, **_: Any) -> None:
            if not is_isolated(account, plan):
                sent.append(request.url)
                raise ReadTimeoutError(endpoint_url=request.url)

        account.clients.listen("before-send.ec2.ModifyInstanceAttribute", no_answer)
        action.apply(plan)
        assert len(sent) == 1
        assert action.verify(plan) is Verification.VERIFIED

    def test_protection_that_cannot_be_given_back_is_left_and_named(
        self, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        instance = single(account)
        action = QuarantineInstance(account.clients, {"tags": {"hold": "yes"}})
        plan = plan_for(action, instance)
        action.apply(plan)
        denied(account, monkeypatch, "modify_instance_attribute", "UnauthorizedOperation")
        (left,) = action.undo(plan).left
        assert left.startswith(f"{instance} keeps its protection")
        assert tags(account, instance) == {}

    def test_a_plan_of_before_there_was_any_protection_is_still_undone(self, account: Account) -> None:
        instance = single(account)
        action = QuarantineInstance(account.clients)
        plan = plan_for(action, instance)
        keys = ("interfaces", "auto_scaling")
        earlier = replace(plan, before={k: plan.before[k] for k in keys}, after={k: plan.after[k] for k in keys})
        action.apply(earlier)
        assert attribute(account, instance, "disableApiTermination") is False
        assert action.verify(earlier) is Verification.VERIFIED
        assert action.undo(earlier).left == ()


class TestForensics:
    SETTINGS: ClassVar = {"snapshots": True, "tags": {"incident": "{containment}", "hold": "yes"}}

    def test_tags_come_and_go_and_snapshots_stay_and_are_named(self, account: Account) -> None:
        instance = single(account, incident="none", team="shop")
        action = QuarantineInstance(account.clients, self.SETTINGS)
        plan = plan_for(action, instance)
        containment = plan.after["snapshots"]
        assert any(f"{CONTAINMENT_TAG}={containment}" in text for text in plan.touches)
        for _ in range(2):
            action.apply(plan)
        assert tags(account, instance) == {"incident": containment, "hold": "yes", "team": "shop"}
        own = account.clients("ec2").describe_snapshots(OwnerIds=["self"])["Snapshots"]
        (snapshot,) = [each for each in own if {"Key": CONTAINMENT_TAG, "Value": containment} in each.get("Tags", [])]
        result = action.undo(plan)
        assert result.left == ()
        assert f"{snapshot['SnapshotId']} is kept" in result.restored
        assert tags(account, instance) == {"incident": "none", "team": "shop"}
        account.clients("ec2").describe_snapshots(SnapshotIds=[snapshot["SnapshotId"]])

    def test_a_snapshot_that_somebody_deleted_is_drift(self, account: Account) -> None:
        action = QuarantineInstance(account.clients, {"snapshots": True})
        plan = plan_for(action, single(account))
        action.apply(plan)
        assert action.verify(plan) is Verification.VERIFIED
        for snapshot in Evidence(account.clients).snapshots(plan.after["snapshots"]):
            account.clients("ec2").delete_snapshot(SnapshotId=snapshot)
        assert action.verify(plan) is Verification.DRIFTED

    def test_a_tag_that_somebody_changed_since_is_left_unless_told(self, account: Account) -> None:
        instance = single(account, incident="none")
        action = QuarantineInstance(account.clients, {"tags": {"incident": "4711"}})
        plan = plan_for(action, instance)
        action.apply(plan)
        account.clients("ec2").create_tags(Resources=[instance], Tags=[{"Key": "incident", "Value": "theirs"}])
        assert action.undo(plan).left == (f"{instance} has the tag incident=theirs: someone changed it since; it had none",)
        assert tags(account, instance) == {"incident": "theirs"}
        assert action.overwrite(plan).left == ()
        assert tags(account, instance) == {"incident": "none"}

    @pytest.mark.parametrize("call", ["create_tags", "create_snapshots"])
    @pytest.mark.parametrize("code", ["SnapshotLimitExceeded", *DENIALS])
    def test_evidence_that_ec2_denies_shows_as_drift_of_an_isolated_machine(
        self, account: Account, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, call: str, code: str
    ) -> None:
        action = QuarantineInstance(account.clients, self.SETTINGS)
        plan = plan_for(action, single(account))
        denied(account, monkeypatch, call, code)
        action.apply(plan)
        assert is_isolated(account, plan)
        assert action.verify(plan) is Verification.DRIFTED
        assert code in caplog.text
        done = {"create_tags": Evidence(account.clients).snapshots(plan.after["snapshots"]), "create_snapshots": True}
        assert done[call], "one that is denied holds up no other"

    def test_tags_whose_keys_are_no_longer_granted_are_left_and_all_else_is_given_back(
        self, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        instance = single(account)
        before = account.groups_of(instance)
        action = QuarantineInstance(account.clients, self.SETTINGS)
        plan = plan_for(action, instance)
        action.apply(plan)
        denied(account, monkeypatch, "delete_tags", "UnauthorizedOperation")
        result = action.undo(plan)
        assert [left.partition(" (")[0] for left in result.left] == [f"{instance} keeps its tags"]
        assert any("is kept" in restored for restored in result.restored)
        assert account.groups_of(instance) == before
        assert attribute(account, instance, "disableApiTermination") is False

    def test_an_isolated_machine_is_a_no_op_whatever_the_settings(self, account: Account) -> None:
        instance = single(account)
        action = QuarantineInstance(account.clients)
        action.apply(plan_for(action, instance))
        assert plan_for(QuarantineInstance(account.clients, self.SETTINGS), instance).is_noop

    def test_snapshots_that_were_not_answered_for_are_not_asked_for_again_at_once(self, account: Account) -> None:
        action, sent = QuarantineInstance(account.clients, {"snapshots": True}), list[str]()
        plan = plan_for(action, single(account))

        def no_answer(request: Any, **_: Any) -> None:
            sent.append(request.url)
            raise ReadTimeoutError(endpoint_url=request.url)

        account.clients.listen("before-send.ec2.CreateSnapshots", no_answer)
        with pytest.raises(CloudUnavailable):
            action.apply(plan)
        assert len(sent) == 1

    def test_a_snapshot_that_failed_is_no_evidence_and_is_taken_again(self, account: Account) -> None:
        action = QuarantineInstance(account.clients, {"snapshots": True})
        plan = plan_for(action, single(account))
        action.apply(plan)
        (snapshot,) = Evidence(account.clients).snapshots(plan.after["snapshots"])
        backend = ec2_backends[ACCOUNT][account.clients("ec2").meta.region_name]
        backend.snapshots[snapshot].status = "error"
        assert action.verify(plan) is Verification.DRIFTED
        action.apply(plan)
        assert action.verify(plan) is Verification.VERIFIED

    def test_a_snapshot_of_another_volume_is_no_evidence(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        ec2, action = account.clients("ec2"), QuarantineInstance(account.clients, {"snapshots": True})
        plan = plan_for(action, single(account))
        denied(account, monkeypatch, "create_snapshots", "UnauthorizedOperation")
        action.apply(plan)
        volume = ec2.create_volume(AvailabilityZone=f"{ec2.meta.region_name}a", Size=8)["VolumeId"]
        tagged = [{"Key": CONTAINMENT_TAG, "Value": plan.after["snapshots"]}]
        ec2.create_snapshot(VolumeId=volume, TagSpecifications=[{"ResourceType": "snapshot", "Tags": tagged}])
        assert action.verify(plan) is Verification.DRIFTED

    def test_a_tag_that_somebody_took_away_is_drift(self, account: Account) -> None:
        action = QuarantineInstance(account.clients, {"tags": {"hold": "yes"}})
        plan = plan_for(action, instance := single(account))
        action.apply(plan)
        assert action.verify(plan) is Verification.VERIFIED
        account.clients("ec2").delete_tags(Resources=[instance], Tags=[{"Key": "hold"}])
        assert action.verify(plan) is Verification.DRIFTED

    def test_without_settings_nothing_of_it_is_done(self, account: Account) -> None:
        action = QuarantineInstance(account.clients)
        plan = plan_for(action, single(account, team="shop"))
        assert (plan.after["tags"], plan.after["snapshots"]) == ({}, None)

    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"snapshots": "yes"}, "snapshots: give true or false"),
            ({"tags": ["a"]}, "tags: give at most 10 tags"),
            ({"tags": {"aws:a": "b"}}, "tags.aws:a: give a key that AWS takes"),
            ({"tags": {"a": 1}}, "tags.a: give a key"),
            ({"snapshot": True}, "snapshot: there is no such setting"),
        ],
    )
    def test_settings_that_do_not_fit_say_what_does(self, settings: dict[str, Any], said: str) -> None:
        with pytest.raises(ValueError, match=r"snapshot|tags") as error:
            read_forensics(settings)
        assert said in str(error.value)
