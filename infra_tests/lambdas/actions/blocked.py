"""Networks in which an address is denied, and what can be seen of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

import pytest

from infra_tests.lambdas.account import ACCOUNT, Account
from infra_tests.response.world import verdict
from lambdas.actions.block_address import BlockAddress
from lambdas.actions.network_acls import BAND
from response.actions import Plan
from shared_model.events import Entity, EntityKind, Telemetry
from shared_model.verdicts import Verdict

ATTACKER, ATTACKER_6 = "198.51.100.7", "2001:db8:bad::7"
_KINDS = {"eni": EntityKind.INTERFACE, "i": EntityKind.INSTANCE}


def seen_at(*places: str, address: str = ATTACKER, identifier: str = "v") -> Verdict:
    """A verdict about an address that these interfaces and instances answered."""
    reached = tuple(Entity(_KINDS[place.partition("-")[0]], place, ACCOUNT) for place in places)
    target = Entity(EntityKind.ADDRESS, address, ACCOUNT)
    return verdict("", identifier, Telemetry.FLOW_LOGS, entity=target, reached=reached, completed_flow=True)


def plan(action: BlockAddress, about: Verdict) -> Plan:
    made = action.plan(about.entity, about)
    return Plan.from_json_value(json.loads(json.dumps(made.to_json_value())))


class Network:
    """A VPC with both versions of IP, and what is written into its ACLs."""

    def __init__(self, account: Account) -> None:
        self.account, self.ec2 = account, account.clients("ec2")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]["VpcId"]
        self.web = account.group(self.vpc, "web")
        self.acl = self.default_acl()
        for egress in (False, True):  # as EC2 adds it to the default ACL of a VPC with IPv6
            self.entry(self.acl, 101, "allow", "::/0", egress=egress)

    def default_acl(self) -> str:
        filters = [{"Name": "vpc-id", "Values": [self.vpc]}, {"Name": "default", "Values": ["true"]}]
        return str(self.ec2.describe_network_acls(Filters=filters)["NetworkAcls"][0]["NetworkAclId"])

    def instance(self, **options: Any) -> str:
        return self.account.instance(self.vpc, [self.web], **options)

    def interfaces(self, instance: str) -> list[Mapping[str, Any]]:
        filters = [{"Name": "attachment.instance-id", "Values": [instance]}]
        found: list[Mapping[str, Any]] = self.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
        return found

    def own_acl(self, instance: str) -> str:
        """Give the subnet of an instance an ACL of its own, with the entries of a careful customer."""
        acl = self.ec2.create_network_acl(VpcId=self.vpc)["NetworkAcl"]["NetworkAclId"]
        subnet = self.interfaces(instance)[0]["SubnetId"]
        found = self.ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])
        (association,) = [a for each in found["NetworkAcls"] for a in each["Associations"] if a["SubnetId"] == subnet]
        self.ec2.replace_network_acl_association(AssociationId=association["NetworkAclAssociationId"], NetworkAclId=acl)
        for egress in (False, True):
            self.entry(acl, 110, "deny", "192.0.2.0/24", egress=egress)
            self.entry(acl, 120, "allow", "0.0.0.0/0", egress=egress, protocol="6", ports=(443, 443))
            self.entry(acl, 130, "allow", "0.0.0.0/0", egress=egress, protocol="6", ports=(1024, 65535))
            self.entry(acl, 140, "allow", "::/0", egress=egress)
        return str(acl)

    def entry(
        self,
        acl: str,
        number: int,
        verb: str,
        block: str,
        *,
        egress: bool = False,
        protocol: str = "-1",
        ports: tuple[int, int] | None = None,
    ) -> None:
        key = "CidrBlock" if ip_network(block).version == 4 else "Ipv6CidrBlock"
        optional = {"PortRange": {"From": ports[0], "To": ports[1]}} if ports else {}
        self.ec2.create_network_acl_entry(
            NetworkAclId=acl, RuleNumber=number, Protocol=protocol, RuleAction=verb, Egress=egress, **{key: block}, **optional
        )

    def entries(self, acl: str | None = None) -> list[str]:
        found = self.ec2.describe_network_acls(NetworkAclIds=[acl or self.acl])["NetworkAcls"][0]["Entries"]
        return sorted(json.dumps(entry, sort_keys=True) for entry in found)

    def denies(self, acl: str | None = None) -> list[tuple[bool, str]]:
        """(is egress, block) of the entries in the band."""
        found = [json.loads(entry) for entry in self.entries(acl)]
        ours = [entry for entry in found if entry["RuleNumber"] in BAND and entry["RuleAction"] == "deny"]
        return sorted((entry["Egress"], entry.get("CidrBlock") or entry["Ipv6CidrBlock"]) for entry in ours)


@pytest.fixture
def network(account: Account) -> Network:
    return Network(account)


@pytest.fixture
def action(account: Account) -> BlockAddress:
    return BlockAddress(account.clients)
