"""An account worth defending: network, machines, identities, as they are before anything happens.

Made through the AWS APIs, so that it looks to Breakwater as a customer's account does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from offline.aws.embedded import ACCOUNT, EmbeddedAws

#: Roles with the longest session that each allows, in seconds.
_SESSIONS = {"web": 3600, "admin": 43200, "break-glass": 3600}
_IDENTITY_CENTER = "AWSReservedSSO_PowerUser_0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Instance:
    """A machine. ``interfaces`` lists its network interfaces, the primary one first."""

    name: str
    id: str
    interfaces: tuple[str, ...]
    private_address: str


@dataclass(frozen=True, slots=True)
class Role:
    """An IAM role. ``id`` is its unique id (``AROA…``), as it stands in session principals."""

    name: str
    arn: str
    id: str


@dataclass(frozen=True, slots=True)
class World:
    """What :func:`seed` made.

    Attributes
    ----------
    vpc_id : str
    subnets : tuple of str
    groups : mapping
        Security groups by name: ``default``, ``web``, ``database``, ``management``.
    instances : mapping
        By name: ``web-1`` (three interfaces in two subnets), ``web-2`` (in the auto-scaling group), ``database``, ``bastion``
        (tagged break-glass).
    roles : mapping
        By short name: ``web``, ``admin``, ``break-glass``, ``identity-center``.
    auto_scaling_group : str
    """

    vpc_id: str
    subnets: tuple[str, ...]
    groups: Mapping[str, str]
    instances: Mapping[str, Instance]
    roles: Mapping[str, Role]
    auto_scaling_group: str


def seed(aws: EmbeddedAws) -> World:
    """Make the account's network, machines and identities; once per embedded AWS."""
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16", TagSpecifications=_tags("vpc", "shop"))["Vpc"]["VpcId"]
    zones = (("10.20.1.0/24", "us-east-1a"), ("10.20.2.0/24", "us-east-1b"))
    subnets = tuple(
        ec2.create_subnet(VpcId=vpc, CidrBlock=block, AvailabilityZone=zone)["Subnet"]["SubnetId"] for block, zone in zones
    )
    groups = {name: _group(ec2, vpc, name, port) for name, port in (("web", 443), ("database", 5432), ("management", 22))}
    filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
    groups["default"] = ec2.describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"]
    roles = _roles(aws.client("iam"))
    web, database, management = ([groups[name]] for name in ("web", "database", "management"))
    scaling = _auto_scaling(aws, subnets, groups["web"])
    instances = {
        "web-1": launch(aws, "web-1", subnets, [[*web, *management], web, management]),
        "web-2": _scaled_instance(aws, scaling),
        "database": launch(aws, "database", subnets, [database]),
        "bastion": launch(aws, "bastion", subnets, [management], tags={"break-glass": "true"}),
    }
    return World(vpc, subnets, groups, instances, roles, scaling)


def launch(
    aws: EmbeddedAws,
    name: str,
    subnets: tuple[str, ...],
    groups: list[list[str]],
    *,
    tags: Mapping[str, str] | None = None,
) -> Instance:
    """Start a machine with one interface for each list of security groups, in the subnets in turn."""
    ec2 = aws.client("ec2")
    made = ec2.run_instances(
        ImageId=_image(ec2),
        InstanceType="t4g.small",
        MinCount=1,
        MaxCount=1,
        SubnetId=subnets[0],
        SecurityGroupIds=groups[0],
        TagSpecifications=_tags("instance", name, tags),
    )["Instances"][0]
    for position, wanted in enumerate(groups[1:], 1):
        interface = ec2.create_network_interface(SubnetId=subnets[position % len(subnets)], Groups=wanted)["NetworkInterface"]
        ec2.attach_network_interface(
            NetworkInterfaceId=interface["NetworkInterfaceId"], InstanceId=made["InstanceId"], DeviceIndex=position
        )
    return read_instance(aws, made["InstanceId"], name)


def read_instance(aws: EmbeddedAws, instance_id: str, name: str = "") -> Instance:
    """Read a machine with its interfaces as they are now."""
    found = aws.client("ec2").describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
    interfaces = sorted(found["NetworkInterfaces"], key=lambda interface: interface["Attachment"]["DeviceIndex"])
    ids = tuple(interface["NetworkInterfaceId"] for interface in interfaces)
    return Instance(name, instance_id, ids, found["PrivateIpAddress"])


def groups_of(aws: EmbeddedAws, instance: Instance) -> dict[str, list[str]]:
    """Security groups of each interface of a machine, as they are now."""
    found = aws.client("ec2").describe_network_interfaces(NetworkInterfaceIds=list(instance.interfaces))["NetworkInterfaces"]
    return {each["NetworkInterfaceId"]: sorted(group["GroupId"] for group in each["Groups"]) for each in found}


def _group(ec2: Any, vpc: str, name: str, port: int) -> str:
    group: str = ec2.create_security_group(GroupName=name, Description=f"{name} servers", VpcId=vpc)["GroupId"]
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "10.20.0.0/16"}]}],
    )
    return group


def _roles(iam: Any) -> dict[str, Role]:
    roles = {name: make_role(iam, f"shop-{name}", seconds) for name, seconds in _SESSIONS.items()}
    iam.attach_role_policy(RoleName="shop-admin", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    reading = _document({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::shop/*"})
    iam.put_role_policy(RoleName="shop-web", PolicyName="read-shop", PolicyDocument=reading)
    iam.create_instance_profile(InstanceProfileName="shop-web")
    iam.add_role_to_instance_profile(InstanceProfileName="shop-web", RoleName="shop-web")
    roles["identity-center"] = make_role(iam, _IDENTITY_CENTER, 3600, path="/aws-reserved/sso.amazonaws.com/")
    return roles


def make_role(iam: Any, name: str, session_s: int, path: str = "/") -> Role:
    """Make a role of the account, with the longest session that it allows."""
    trust = _document({"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"})
    made = iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=trust, MaxSessionDuration=session_s)["Role"]
    return Role(name, made["Arn"], made["RoleId"])


def _document(statement: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _auto_scaling(aws: EmbeddedAws, subnets: tuple[str, ...], group: str) -> str:
    ec2, name = aws.client("ec2"), "shop-web"
    template = {"ImageId": _image(ec2), "InstanceType": "t4g.small", "SecurityGroupIds": [group]}
    ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=template)
    aws.client("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchTemplate={"LaunchTemplateName": name, "Version": "$Latest"},
        MinSize=0,
        MaxSize=3,
        DesiredCapacity=1,
        VPCZoneIdentifier=",".join(subnets),
    )
    return name


def _scaled_instance(aws: EmbeddedAws, group: str) -> Instance:
    found = aws.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"][0]
    return read_instance(aws, found["Instances"][0]["InstanceId"], "web-2")


def _image(ec2: Any) -> str:
    own = ec2.describe_images(Owners=["self"])["Images"]
    return str(own[0]["ImageId"] if own else ec2.register_image(Name="shop", Architecture="arm64")["ImageId"])


def _tags(kind: str, name: str, more: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    tags = {"Name": name, **(more or {})}
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]
