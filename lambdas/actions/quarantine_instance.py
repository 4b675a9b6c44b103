"""Quarantine an EC2 instance: every network interface gets the VPC's quarantine group and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lambdas.actions.auto_scaling import STANDBY, AutoScaling, Membership, cannot_leave
from lambdas.actions.consistency import verified_in_time
from lambdas.actions.forensics import CONTAINMENT_TAG, Forensics, read_forensics
from lambdas.actions.instance_protection import WANTED, InstanceProtection, touched
from lambdas.actions.pages import interfaces_with
from lambdas.actions.population import Instances
from lambdas.actions.quarantine_groups import QuarantineGroups, allows_nothing
from lambdas.actions.safekeeping import Safekeeping
from lambdas.clients import Clients
from lambdas.cloud_errors import CloudRefusal, WrongState, in_core_words
from lambdas.registry import Group
from response.actions import CannotApply, CloudUnavailable, Difference, Plan, UndoResult, Verification
from response.containment import containment_id
from response.resources import AUTO_SCALING_GROUP, INSTANCE, NETWORK_INTERFACE, SECURITY_GROUP
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict

#: Stands in a plan for the group of a VPC that has none yet.
_TO_BE_MADE = "quarantine:"
_GONE = frozenset({"terminated", "shutting-down"})
_TRACKED = (
    "connections that are open now and tracked by the security groups live on (TCP: up to 5 days idle): "
    "stop the instance, or block_address the other side, to cut them"
)
_IN_MEMORY = "memory and instance store are in no snapshot, and are lost when it stops"


class QuarantineInstance:
    """Protected from being ended, out of its auto-scaling group (which would end it as unhealthy), then off the network.

    Only the last is never given up: where one of the others is denied, it is isolated all the same.
    """

    name: ClassVar[str] = "quarantine_instance"
    group: ClassVar[Group] = Group.NETWORK
    handles: ClassVar[frozenset[EntityKind]] = frozenset({EntityKind.INSTANCE})
    carries: ClassVar[frozenset[str]] = frozenset({AUTO_SCALING_GROUP, INSTANCE, NETWORK_INTERFACE, SECURITY_GROUP})
    gives_back: ClassVar[str] = "its networks to a machine that was isolated"
    permissions: ClassVar[tuple[str, ...]] = (
        "autoscaling:DescribeAutoScalingInstances",
        "autoscaling:EnterStandby",
        "ec2:CreateSecurityGroup",
        "ec2:CreateSnapshots",
        "ec2:CreateTags",  # also of what CreateSecurityGroup and CreateSnapshots make
        "ec2:DescribeInstanceAttribute",
        "ec2:DescribeInstances",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSnapshots",
        "ec2:ModifyInstanceAttribute",
        "ec2:ModifyNetworkInterfaceAttribute",
        "ec2:RevokeSecurityGroupEgress",
        "ec2:RevokeSecurityGroupIngress",
    )
    undo_permissions: ClassVar[tuple[str, ...]] = (
        "autoscaling:DescribeAutoScalingInstances",
        "autoscaling:ExitStandby",
        "ec2:CreateTags",
        "ec2:DeleteTags",
        "ec2:DescribeInstanceAttribute",
        "ec2:DescribeInstances",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSnapshots",
        "ec2:DescribeTags",
        "ec2:ModifyInstanceAttribute",
        "ec2:ModifyNetworkInterfaceAttribute",
    )

    def __init__(self, clients: Clients, settings: Mapping[str, Any] | None = None) -> None:
        self._clients = clients
        self._protection = InstanceProtection(clients)
        self._safekeeping = Safekeeping(clients)
        self._forensics = read_forensics(settings or {})
        self._groups = QuarantineGroups(clients)
        self._auto_scaling = AutoScaling(clients)
        self._instances = Instances(clients)

    @staticmethod
    def read_settings(settings: Mapping[str, Any]) -> Forensics:
        """Read what the policy says of it. Raises ValueError."""
        return read_forensics(settings)

    def plan(self, target: Entity, verdict: Verdict) -> Plan:
        instance = self._instance(target.id)
        if instance is None:
            return _refused(target, f"there is no instance {target.id} in this account and region: contain it where it runs")
        if instance["State"]["Name"] in _GONE:
            return _refused(target, f"{target.id} is {instance['State']['Name']}: there is nothing left to isolate")
        attached = self._interfaces(target.id)
        interfaces = [i for i in attached if not i.get("RequesterManaged")]
        services = sorted(i["NetworkInterfaceId"] for i in attached if i.get("RequesterManaged"))
        if services and not interfaces:
            return _refused(
                target, f"{', '.join(services)} is managed by another AWS service: isolate it there, or use block_address"
            )
        quarantine = {vpc: self._quarantine_group(vpc) for vpc in sorted({i["VpcId"] for i in interfaces})}
        before = {i["NetworkInterfaceId"]: {"vpc": i["VpcId"], "groups": _groups(i)} for i in interfaces}
        after = {eni: {"vpc": state["vpc"], "groups": [quarantine[state["vpc"]]]} for eni, state in before.items()}
        scaling, protection = self._auto_scaling.membership(target.id), self._protection.read(instance)
        containment = containment_id(self.name, target, verdict.id)
        tags = {key: value.replace("{containment}", containment) for key, value in self._forensics.tags.items()}
        had = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", ())}
        evidence = f"a snapshot of each volume, with the tag {CONTAINMENT_TAG}={containment}; {_IN_MEMORY}"
        state = {
            "interfaces": before,
            "auto_scaling": _scaling(scaling),
            "protection": protection,
            "tags": {key: had.get(key) for key in tags},
            "snapshots": None,
        }
        wanted = {
            "interfaces": after,
            "auto_scaling": _scaling(scaling, out=True),
            "protection": {name: WANTED[name] for name in protection},
            "tags": tags,
            "snapshots": containment if self._forensics.snapshots else None,
        }
        return Plan(
            action=self.name,
            target=target,
            before=state,
            # Of one that is isolated already, a second containment would only give back the quarantine.
            after=state if before and before == after else wanted,
            touches=(
                *_touched(before, scaling),
                *(f"{eni} stays on the network, another AWS service manages it: isolate it there" for eni in services),
                *touched(protection),
                *((evidence,) if self._forensics.snapshots else ()),
                _TRACKED,
            ),
            summary=f"isolate {target.id}: {len(before)} interfaces into a security group that allows nothing",
            refusal=cannot_leave(target.id, scaling) if scaling else "",
            tags=self._tags(instance, interfaces),
            resources=(
                target.id,
                *before,
                *sorted({group for state in before.values() for group in state["groups"]}),
                *((self._auto_scaling.arn(target.account, scaling.group),) if scaling else ()),
            ),
            region=str(self._clients("ec2").meta.region_name),
            kind="instances",
            population=self._instances.count(),
        )

    def covers(self, plan: Plan, verdict: Verdict) -> bool:
        """Whatever the instance does: it is off the network."""
        return True

    def check(self, plan: Plan) -> str:
        now = {i["NetworkInterfaceId"]: _groups(i) for i in self._interfaces(plan.target.id)}
        if not now:
            return f"{plan.target.id} has no network interfaces any more"
        for eni, state in plan.before["interfaces"].items():
            if eni in now and now[eni] != state["groups"] and not self._is_quarantined(state["vpc"], now[eni]):
                return f"the groups of {eni} are {', '.join(now[eni])} now, no longer {', '.join(state['groups'])}: plan again"
        return ""

    def apply(self, plan: Plan) -> None:
        undone = self._safekeeping.begin(plan)
        now = {i["NetworkInterfaceId"]: _groups(i) for i in self._interfaces(plan.target.id)}
        try:
            for eni, state in plan.before["interfaces"].items():
                group = self._groups.ensure(state["vpc"])
                if eni in now and now[eni] != [group]:
                    self._set_groups(eni, [group])
        except CloudRefusal as refusal:
            raise CannotApply(str(refusal)) from refusal
        except WrongState as error:
            if state := self._ended(plan.target.id):
                raise CannotApply(f"{plan.target.id} {state} since: there is nothing left to isolate") from error
            raise
        # Last: whoever is in the machine is cut off first.
        self._safekeeping.complete(plan, undone)

    def verify(self, plan: Plan) -> Verification:
        return verified_in_time(lambda: self._look(plan))

    def _look(self, plan: Plan) -> Verification:
        try:
            interfaces = self._interfaces(plan.target.id)
            # Also those that only another service can isolate: whose machine is on the network by one is not off it.
            isolated = all(self._is_quarantined(i["VpcId"], _groups(i), strictly=True) for i in interfaces)
            kept = self._safekeeping.holds(plan)
        except (CloudUnavailable, CloudRefusal):
            return Verification.UNREACHABLE
        return Verification.VERIFIED if interfaces and isolated and kept else Verification.DRIFTED

    def compare(self, plan: Plan) -> tuple[Difference, ...]:
        now = {i["NetworkInterfaceId"]: _groups(i) for i in self._interfaces(plan.target.id)}
        interfaces = []
        quarantine = {vpc: self._quarantine_group(vpc) for vpc in {each["vpc"] for each in plan.before["interfaces"].values()}}
        for eni, state in plan.before["interfaces"].items():
            before, applied = ", ".join(state["groups"]), quarantine[state["vpc"]]
            there = ", ".join(now[eni]) if eni in now else f"no longer attached to {plan.target.id}"
            interfaces.append(Difference(eni, before, applied, there, is_changed=there not in (before, applied)))
        return (*interfaces, *self._safekeeping.compare(plan))

    def undo(self, plan: Plan) -> UndoResult:
        return self._restore(plan, overwrite=False)

    def overwrite(self, plan: Plan) -> UndoResult:
        return self._restore(plan, overwrite=True)

    def _restore(self, plan: Plan, *, overwrite: bool) -> UndoResult:
        result = UndoResult()
        now = {i["NetworkInterfaceId"]: _groups(i) for i in self._interfaces(plan.target.id)}
        for eni, state in plan.before["interfaces"].items():
            wanted = ", ".join(state["groups"])
            if eni not in now:
                result += UndoResult.leaving(f"{eni} is no longer attached to {plan.target.id}")
            elif now[eni] == state["groups"]:
                result += UndoResult((f"{eni}: {wanted}",))
            elif not overwrite and not self._is_quarantined(state["vpc"], now[eni]):
                reason = f"{eni} has the groups {', '.join(now[eni])}: someone changed it since; it had {wanted}"
                result += UndoResult.leaving(reason)
            else:
                result += self._give_back(plan.target.id, eni, state["groups"], now[eni])
        return result + self._safekeeping.release(plan, overwrite=overwrite)

    def _give_back(self, instance_id: str, eni: str, groups: list[str], now: list[str]) -> UndoResult:
        wanted = ", ".join(groups)
        try:
            self._set_groups(eni, groups)
        except (CloudRefusal, WrongState) as refusal:
            reason = f"{eni} stays as it is ({', '.join(now)}), its groups {wanted} cannot be set: {refusal}"
            if isinstance(refusal, CloudRefusal):
                return UndoResult.holding(reason, refusal=refusal)
            if not self._ended(instance_id):
                raise  # its state passes; until then it keeps its protection as well
            return UndoResult.leaving(reason)
        return UndoResult((f"{eni}: {wanted}",))

    def _instance(self, instance_id: str) -> dict[str, Any] | None:
        try:
            with in_core_words("DescribeInstances"):
                found = self._clients("ec2").describe_instances(InstanceIds=[instance_id])
        except CloudRefusal as refusal:
            if "InvalidInstanceID" in refusal.code:
                return None
            raise CloudUnavailable(str(refusal)) from refusal
        return next((i for reservation in found["Reservations"] for i in reservation["Instances"]), None)

    def _ended(self, instance_id: str) -> str:
        """Say that the instance has ended, or is about to; ``""`` where it has not."""
        instance = self._instance(instance_id)
        state = "gone" if instance is None else str(instance["State"]["Name"])
        return f"is {state}" if instance is None or state in _GONE else ""

    def _interfaces(self, instance_id: str) -> list[dict[str, Any]]:
        found = interfaces_with(self._clients, "attachment.instance-id", instance_id)
        return sorted(found, key=lambda interface: str(interface["NetworkInterfaceId"]))

    def _quarantine_group(self, vpc: str) -> str:
        group = self._groups.find(vpc)
        return str(group["GroupId"]) if group else f"{_TO_BE_MADE}{vpc}"

    def _is_quarantined(self, vpc: str, groups: list[str], *, strictly: bool = False) -> bool:
        group = self._groups.find(vpc)
        return group is not None and groups == [group["GroupId"]] and (not strictly or allows_nothing(group))

    def _set_groups(self, eni: str, groups: list[str]) -> None:
        with in_core_words("ModifyNetworkInterfaceAttribute"):
            self._clients("ec2").modify_network_interface_attribute(NetworkInterfaceId=eni, Groups=groups)

    def _tags(self, instance: Mapping[str, Any], interfaces: list[dict[str, Any]]) -> dict[str, str]:
        """Tags of the instance, its interfaces and their groups: a never-touch tag on any of them protects it."""
        ids = sorted({group for interface in interfaces for group in _groups(interface)})
        with in_core_words("DescribeSecurityGroups"):
            groups = self._clients("ec2").describe_security_groups(GroupIds=ids)["SecurityGroups"] if ids else []
        tagged = [group.get("Tags", []) for group in groups] + [i.get("TagSet", []) for i in interfaces]
        return {tag["Key"]: tag["Value"] for tags in (*tagged, instance.get("Tags", [])) for tag in tags}


def _groups(interface: Mapping[str, Any]) -> list[str]:
    return sorted(group["GroupId"] for group in interface["Groups"])


def _scaling(membership: Membership | None, *, out: bool = False) -> dict[str, str] | None:
    return {"group": membership.group, "state": STANDBY if out else membership.state} if membership else None


def _touched(before: Mapping[str, Any], scaling: Membership | None) -> tuple[str, ...]:
    interfaces = tuple(f"{eni}, now in {', '.join(state['groups'])}" for eni, state in before.items())
    if scaling is None or scaling.state == STANDBY:
        return interfaces
    return (
        *interfaces,
        f"auto-scaling group {scaling.group}: the instance enters standby, a replacement is started; where that is denied it is "
        "isolated all the same, reads DRIFTED, and the group may replace or terminate it",
    )


def _refused(target: Entity, reason: str) -> Plan:
    return Plan.refused(
        action=QuarantineInstance.name,
        target=target,
        summary=f"isolate {target.id}",
        refusal=reason,
        resources=(target.id,),
    )
