"""The quarantine security group of a VPC: allows nothing, made when it is first needed, found again by its tag."""

from __future__ import annotations

from typing import Any

from lambdas.actions.consistency import seen_in_time
from lambdas.clients import Clients
from lambdas.cloud_errors import CloudRefusal, in_core_words
from response.actions import CannotApply, CloudUnavailable

TAG_KEY, TAG_VALUE = "breakwater:role", "quarantine"


def group_name(vpc_id: str) -> str:
    """Return the name of the VPC's quarantine group."""
    return f"breakwater-quarantine-{vpc_id}"


class QuarantineGroups:
    """Finds, makes and empties quarantine groups."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def find(self, vpc_id: str) -> dict[str, Any] | None:
        """Return the VPC's quarantine group as EC2 describes it, None where there is none."""
        filters = [
            {"Name": "vpc-id", "Values": [vpc_id]},
            {"Name": "group-name", "Values": [group_name(vpc_id)]},
            {"Name": f"tag:{TAG_KEY}", "Values": [TAG_VALUE]},
        ]
        with in_core_words("DescribeSecurityGroups"):
            groups = self._clients("ec2").describe_security_groups(Filters=filters)["SecurityGroups"]
        return groups[0] if groups else None

    def ensure(self, vpc_id: str) -> str:
        """Return the id of a group that allows nothing, making or emptying it as needed.

        Raises
        ------
        CannotApply
            None can be made, or one of its name is not Breakwater's.
        CloudUnavailable
            It was made a moment ago, and does not show yet.
        """
        group = self.find(vpc_id) or self._make(vpc_id)
        ec2, group_id = self._clients("ec2"), group["GroupId"]
        with in_core_words("RevokeSecurityGroupIngress"):
            if group["IpPermissions"]:
                ec2.revoke_security_group_ingress(GroupId=group_id, IpPermissions=group["IpPermissions"])
        with in_core_words("RevokeSecurityGroupEgress"):
            if group["IpPermissionsEgress"]:
                ec2.revoke_security_group_egress(GroupId=group_id, IpPermissions=group["IpPermissionsEgress"])
        return str(group_id)

    def _make(self, vpc_id: str) -> dict[str, Any]:
        tags = [{"Key": TAG_KEY, "Value": TAG_VALUE}, {"Key": "Name", "Value": group_name(vpc_id)}]
        made = ""
        try:
            with in_core_words("CreateSecurityGroup"):
                answer = self._clients("ec2").create_security_group(
                    GroupName=group_name(vpc_id),
                    Description="Breakwater quarantine: allows nothing. Do not add rules.",
                    VpcId=vpc_id,
                    TagSpecifications=[{"ResourceType": "security-group", "Tags": tags}],
                )
            made = str(answer["GroupId"])
        except CloudRefusal as refusal:
            if "Duplicate" not in refusal.code:  # a duplicate was made by another response just now
                raise CannotApply(f"no quarantine group in {vpc_id}: {refusal}") from refusal
        if group := seen_in_time(lambda: self.find(vpc_id)):
            return group
        if made:
            raise CloudUnavailable(f"{made} was made for {vpc_id}, and EC2 does not show it yet")
        raise CannotApply(
            f"{vpc_id} has a security group {group_name(vpc_id)} without the tag {TAG_KEY}={TAG_VALUE}: "
            "rename it, or tag it when it is Breakwater's"
        )


def allows_nothing(group: dict[str, Any]) -> bool:
    """Say whether a described group has no rule at all."""
    return not group["IpPermissions"] and not group["IpPermissionsEgress"]
