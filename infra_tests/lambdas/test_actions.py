"""The two actions on moto: plan, apply, verify, undo, refusals, and exactly the calls that they declare."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from infra_tests.lambdas.account import ACCOUNT, NOW_MS, Account
from infra_tests.response.world import verdict
from lambdas.actions.catalogue import ACTIONS
from lambdas.actions.population import Instances
from lambdas.actions.quarantine_groups import QuarantineGroups, group_name
from lambdas.actions.quarantine_instance import QuarantineInstance
from lambdas.actions.revoke_sessions import RevokeSessions
from response.actions import CannotApply, CloudUnavailable, Plan, Verification
from shared_model.events import Entity, EntityKind, Telemetry

#: What a call needs where the permission is named otherwise, or needs more than its own.
_ALSO = {"ec2:CreateSecurityGroup": ("ec2:CreateTags",)}
#: A policy that somebody else put on a role.
_OWN = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}]}'


@pytest.fixture
def calls(account: Account) -> Callable[[], set[str]]:
    """Say which permissions the calls since then needed."""
    made: set[str] = set()

    def record(model: Any, **_: Any) -> None:
        name = f"{model.service_model.signing_name}:{model.name}"
        made.update((name, *_ALSO.get(name, ())))

    for service in ("ec2", "iam", "autoscaling"):
        account.clients(service).meta.events.register("before-call", record)

    def taken() -> set[str]:
        permissions = set(made)
        made.clear()
        return permissions

    return taken


def plan_for(action: QuarantineInstance, instance: str) -> Plan:
    return action.plan(Entity(EntityKind.INSTANCE, instance, ACCOUNT), verdict(instance, "v", Telemetry.FLOW_LOGS))


def scaling_group(account: Account, vpc: str, instance: str) -> None:
    scaling, ec2 = account.clients("autoscaling"), account.clients("ec2")
    subnet = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["SubnetId"]
    image = ec2.describe_images()["Images"][0]["ImageId"]
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


class TestQuarantine:
    def test_it_needs_exactly_the_permissions_it_declares(self, account: Account, calls: Callable[[], set[str]]) -> None:
        vpc = account.vpc()
        instance = account.instance(vpc, [account.group(vpc, "web")], interfaces=2)
        scaling_group(account, vpc, instance)
        action = QuarantineInstance(account.clients)
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

    def test_a_requester_managed_interface_is_left_alone(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        vpc = account.vpc()
        instance = account.instance(vpc, [account.group(vpc, "web")])
        ec2 = account.clients("ec2")
        answer = ec2.describe_network_interfaces(Filters=[{"Name": "attachment.instance-id", "Values": [instance]}])
        answer["NetworkInterfaces"][0]["RequesterManaged"] = True
        monkeypatch.setattr(ec2, "describe_network_interfaces", lambda **_: answer)
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


def role(account: Account, name: str, *, path: str = "/", hours: int = 1) -> tuple[Entity, Entity]:
    """Make a role; return it as principal, and a session of it."""
    made = account.clients("iam").create_role(
        RoleName=name, Path=path, AssumeRolePolicyDocument="{}", MaxSessionDuration=hours * 3600
    )["Role"]
    return (
        Entity(EntityKind.PRINCIPAL, made["Arn"], ACCOUNT),
        Entity(EntityKind.SESSION, f"{made['RoleId']}:alice@example.com", ACCOUNT),
    )


def revoke(account: Account) -> RevokeSessions:
    return RevokeSessions(account.clients, clock=lambda: NOW_MS / 1000)


def plan_session(action: RevokeSessions, principal: Entity, session: Entity) -> Plan:
    return action.plan(session, verdict("i-1", "v", Telemetry.API_CALLS, entity=session, related=(principal,)))


def plan_role(action: RevokeSessions, principal: Entity) -> Plan:
    return action.plan(principal, verdict("i-1", "v", Telemetry.API_CALLS, entity=principal))


def policies(account: Account, name: str) -> list[str]:
    found: list[str] = account.clients("iam").list_role_policies(RoleName=name)["PolicyNames"]
    return found


class TestRevoke:
    def test_one_session_is_denied_what_was_issued_until_now(self, account: Account, calls: Callable[[], set[str]]) -> None:
        principal, session = role(account, "web", hours=4)
        action = revoke(account)
        calls()
        plan = plan_session(action, principal, session)
        assert action.check(plan) == ""
        action.apply(plan)
        assert action.verify(plan) is Verification.VERIFIED
        assert calls() == set(RevokeSessions.permissions)
        (name,) = policies(account, "web")
        document = account.clients("iam").get_role_policy(RoleName="web", PolicyName=name)["PolicyDocument"]
        (statement,) = document["Statement"]
        assert (statement["Effect"], statement["Action"], statement["Resource"]) == ("Deny", "*", "*")
        assert statement["Condition"] == {
            "StringEquals": {"aws:userid": session.id},
            "DateLessThanEquals": {"aws:TokenIssueTime": "2026-09-21T14:13:20Z"},
        }
        assert plan.min_lifetime_s == 4 * 3600
        calls()
        assert action.undo(plan).left == ()
        assert policies(account, "web") == []
        assert calls() - {"iam:ListRolePolicies"} == set(RevokeSessions.undo_permissions)

    def test_a_role_is_denied_for_all_its_users_and_says_so(self, account: Account) -> None:
        principal, _ = role(account, "web")
        action = revoke(account)
        plan = plan_role(action, principal)
        assert list(plan.after["document"]["Statement"][0]["Condition"]) == ["DateLessThanEquals"]
        assert "every user and workload" in plan.touches[0]

    @pytest.mark.parametrize("seen_in", ["", "999999999999"])
    def test_a_role_of_another_account_is_not_its_namesake_in_this_one(self, account: Account, seen_in: str) -> None:
        own, session = role(account, "web")
        foreign = Entity(EntityKind.PRINCIPAL, own.id.replace(ACCOUNT, "999999999999"), seen_in)
        for target in (foreign, replace(session, account=seen_in)):
            about = verdict("i-1", "v", Telemetry.API_CALLS, entity=target, related=(foreign,))
            assert "is not in this account" in revoke(account).plan(target, about).refusal
        assert revoke(account).plan(replace(own, account=""), verdict("i-1", "v", Telemetry.API_CALLS, entity=own)).refusal == ""

    def test_sessions_of_one_role_are_revoked_and_restored_apart(self, account: Account) -> None:
        principal, alice = role(account, "web")
        bob = Entity(EntityKind.SESSION, alice.id.replace("alice", "bob"), ACCOUNT)
        account.clients("iam").put_role_policy(RoleName="web", PolicyName="own", PolicyDocument=_OWN)
        action = revoke(account)
        plans = [plan_session(action, principal, session) for session in (alice, bob)]
        for plan in plans:
            action.apply(plan)
        assert len(policies(account, "web")) == 3
        action.undo(plans[0])
        assert action.verify(plans[1]) is Verification.VERIFIED
        action.undo(plans[1])
        assert policies(account, "web") == ["own"]

    def test_undo_leaves_a_policy_that_someone_changed(self, account: Account) -> None:
        principal, session = role(account, "web")
        action = revoke(account)
        plan = plan_session(action, principal, session)
        action.apply(plan)
        (name,) = policies(account, "web")
        account.clients("iam").put_role_policy(RoleName="web", PolicyName=name, PolicyDocument=_OWN)
        assert action.verify(plan) is Verification.DRIFTED
        assert "changed since" in action.undo(plan).left[0]
        assert policies(account, "web") == [name]

    @pytest.mark.parametrize(
        ("name", "path", "why"),
        [
            ("AWSReservedSSO_Admin_0123456789abcdef", "/aws-reserved/sso.amazonaws.com/", "Identity Center"),
            ("AWSServiceRoleForSupport", "/aws-service-role/support.amazonaws.com/", "service-linked"),
        ],
    )
    def test_roles_managed_elsewhere_are_refused(self, account: Account, name: str, path: str, why: str) -> None:
        principal, session = role(account, name, path=path)
        assert why in plan_session(revoke(account), principal, session).refusal
        assert why in plan_role(revoke(account), principal).refusal

    def test_a_role_named_without_its_path_is_guarded_by_its_own_name(self, account: Account) -> None:
        principal, session = role(account, "fire", path="/emergency/")
        pathless = replace(principal, id=f"arn:aws:iam::{ACCOUNT}:role/fire")
        action = revoke(account)
        for plan in (plan_role(action, pathless), plan_session(action, pathless, session)):
            assert plan.refusal == ""
            assert plan.resources == (principal.id,)
            assert any(principal.id in touched for touched in plan.touches)
        stale = plan_session(action, pathless, replace(session, id="AROAOLDOLDOLDOLDOLD1:alice"))
        assert stale.resources == (principal.id,)

    def test_a_role_managed_elsewhere_is_refused_when_named_without_its_path(self, account: Account) -> None:
        principal, _ = role(account, "Support", path="/aws-service-role/support.amazonaws.com/")
        pathless = replace(principal, id=f"arn:aws:iam::{ACCOUNT}:role/Support")
        assert "service-linked" in plan_role(revoke(account), pathless).refusal

    @pytest.mark.parametrize(
        ("principal", "why"),
        [
            (f"arn:aws:iam::{ACCOUNT}:user/alice", "deactivate its access keys"),
            (f"arn:aws:iam::{ACCOUNT}:root", "change its password"),
            (f"arn:aws:iam::{ACCOUNT}:role/gone", "was deleted"),
            ("arn:aws:iam::210987654321:role/theirs", "belongs to account 210987654321"),
            ("cloudformation.amazonaws.com", "names no role"),
        ],
    )
    def test_what_has_no_sessions_here_is_refused_with_the_alternative(self, account: Account, principal: str, why: str) -> None:
        assert why in plan_role(revoke(account), Entity(EntityKind.PRINCIPAL, principal, ACCOUNT)).refusal

    def test_a_session_of_a_role_that_was_made_anew_is_refused(self, account: Account) -> None:
        principal, _ = role(account, "web")
        stale = Entity(EntityKind.SESSION, "AROAOLDOLDOLDOLDOLD1:alice", ACCOUNT)
        assert "no session of the role" in plan_session(revoke(account), principal, stale).refusal

    def test_a_wildcard_in_a_session_name_is_refused(self, account: Account) -> None:
        principal, session = role(account, "web")
        wild = Entity(EntityKind.SESSION, f"{session.id}*", ACCOUNT)
        assert plan_session(revoke(account), principal, wild).refusal

    def test_a_used_up_quota_names_the_alternative(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        from botocore.exceptions import ClientError

        principal, session = role(account, "web")
        action = revoke(account)
        plan = plan_session(action, principal, session)

        def refuse(**_: Any) -> None:
            raise ClientError({"Error": {"Code": "LimitExceeded", "Message": "maximum policy size"}}, "PutRolePolicy")

        monkeypatch.setattr(account.clients("iam"), "put_role_policy", refuse)
        with pytest.raises(CannotApply, match="at their quota: remove one, attach a managed deny"):
            action.apply(plan)


def test_no_action_may_delete_more_than_what_undo_takes_away() -> None:
    declared = {name for action in ACTIONS for name in (*action.permissions, *action.undo_permissions)}
    assert {name for name in declared if ":Delete" in name or "*" in name} == {"iam:DeleteRolePolicy"}


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
