"""Instances to be quarantined in moto, and what can be seen of them."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra_tests.lambdas.account import ACCOUNT, Account, some_image
from infra_tests.response.world import verdict
from lambdas.actions.quarantine_groups import QuarantineGroups
from lambdas.actions.quarantine_instance import QuarantineInstance
from response.actions import Plan
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


def denied(account: Account, monkeypatch: pytest.MonkeyPatch, call: str, code: str, *, service: str = "ec2") -> None:
    """Let a service answer a call with an error."""

    def answer(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, call)

    for once in (False, True):
        monkeypatch.setattr(account.clients(service, once=once), call, answer)


def is_isolated(account: Account, plan: Plan) -> bool:
    (vpc,) = {state["vpc"] for state in plan.before["interfaces"].values()}
    group = QuarantineGroups(account.clients).find(vpc)
    return group is not None and [*account.groups_of(plan.target.id).values()] == [[group["GroupId"]]]
