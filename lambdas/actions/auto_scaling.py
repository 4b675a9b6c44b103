"""Taking an instance out of its auto-scaling group, and putting it back."""

from __future__ import annotations

from dataclasses import dataclass

from lambdas.clients import Clients
from lambdas.cloud_errors import CloudRefusal, in_core_words
from response.actions import CloudUnavailable, Difference, UndoResult

IN_SERVICE, STANDBY = "InService", "Standby"
#: States on the way to another one: ask again later.
_PASSING = frozenset({"Pending", "Pending:Wait", "Pending:Proceed", "EnteringStandby"})


@dataclass(frozen=True, slots=True)
class Membership:
    """An instance's place in an auto-scaling group."""

    group: str
    state: str


class AutoScaling:
    """Standby rather than detach: the group then neither replaces nor terminates it, and still knows it is its own.

    The desired capacity stays, so that the group starts a replacement and its users are served; after the undo it has one
    instance more and scales in by its own rules.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def membership(self, instance_id: str) -> Membership | None:
        """Return the group and lifecycle state of an instance, None where it is in no group."""
        with in_core_words("DescribeAutoScalingInstances"):
            found = self._clients("autoscaling").describe_auto_scaling_instances(InstanceIds=[instance_id])
        instances = found["AutoScalingInstances"]
        return Membership(instances[0]["AutoScalingGroupName"], instances[0]["LifecycleState"]) if instances else None

    def arn(self, account: str, group: str) -> str:
        """Return the ARN of a group of this region, as a never-touch list and IAM policies name it: with any id."""
        where = self._clients("autoscaling").meta
        return f"arn:{where.partition}:autoscaling:{where.region_name}:{account}:autoScalingGroup:*:autoScalingGroupName/{group}"

    def take_out(self, instance_id: str, group: str, *, once: bool = False) -> None:
        """Enter standby, with ``once`` without retries. Idempotent. Raises CloudRefusal and CloudUnavailable."""
        now = self.membership(instance_id)
        if now is None or now.group != group or now.state == STANDBY or now.state == "EnteringStandby":
            return
        if now.state in _PASSING:
            raise CloudUnavailable(f"{instance_id} is {now.state} in {group}: it cannot enter standby yet")
        with in_core_words("EnterStandby"):
            self._clients("autoscaling", once=once).enter_standby(
                InstanceIds=[instance_id], AutoScalingGroupName=group, ShouldDecrementDesiredCapacity=False
            )

    def holds(self, instance_id: str, group: str) -> bool:
        """Say whether this group can neither replace nor terminate the instance."""
        now = self.membership(instance_id)
        return now is None or now.group != group or now.state in (STANDBY, "EnteringStandby")

    def compare(self, instance_id: str, group: str, state: str) -> Difference:
        """Say where the instance is now, that was in this group and state and went into standby."""
        now = self.membership(instance_id)
        there = f"{now.group} ({now.state})" if now else "in no group"
        known = now is not None and now.group == group and now.state in (state, IN_SERVICE, STANDBY, *_PASSING)
        return Difference(f"place of {instance_id}", f"{group} ({state})", f"{group} ({STANDBY})", there, not known)

    def put_back(self, instance_id: str, group: str) -> UndoResult:
        """Exit standby; nothing to do where it was never out."""
        now = self.membership(instance_id)
        if now is None or now.group != group:
            return UndoResult.leaving(f"{instance_id} is no longer in {group}")
        if now.state == "EnteringStandby":
            raise CloudUnavailable(f"{instance_id} is still entering standby in {group}")
        is_back = UndoResult((f"{instance_id} in auto-scaling group {group}",))
        if now.state in (IN_SERVICE, "Pending"):
            return is_back
        if now.state != STANDBY:
            return UndoResult.leaving(f"{instance_id} is {now.state} in {group}")
        try:
            with in_core_words("ExitStandby"):
                self._clients("autoscaling").exit_standby(InstanceIds=[instance_id], AutoScalingGroupName=group)
        except CloudRefusal as refusal:
            return UndoResult.holding(f"{instance_id} stays in standby in {group}: {refusal}; raise the group's maximum size")
        return is_back


def cannot_leave(instance_id: str, membership: Membership) -> str:
    """Return why this instance can never enter standby from where it is, ``""`` where it can.

    Raises
    ------
    CloudUnavailable
        It is on the way into a state in which it can.
    """
    state, group = membership.state, membership.group
    if state in (IN_SERVICE, STANDBY):
        return ""
    if state in _PASSING:
        raise CloudUnavailable(f"{instance_id} is {state} in {group}: it can be taken out when it is in service")
    if state.startswith("Terminat"):
        return f"{instance_id} is being terminated by its auto-scaling group {group} ({state}): there is nothing left to isolate"
    if state.startswith("Detach"):
        return f"{instance_id} is leaving its auto-scaling group {group} ({state}): isolate it by hand when it is out of it"
    if state.startswith("Warmed:"):
        return f"{instance_id} is in the warm pool of {group} ({state}) and serves nobody: terminate it there"
    return f"{instance_id} is {state} in {group}, from where nothing enters standby: detach it, then isolate it by hand"
