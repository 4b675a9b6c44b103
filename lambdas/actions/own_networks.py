"""Which addresses are the account's own: those of its networks, of networks peered with them, and its public ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Any

from lambdas.actions.pages import interfaces_with
from lambdas.clients import Clients
from lambdas.cloud_errors import in_core_words
from response.addresses import Address, not_of_another_host


class OwnNetworks:
    """Asks EC2 in this region. Networks behind a VPN or a transit gateway are not known there."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def owner_of(self, address: Address) -> str:
        """Say what of the account's own an address is, ``""`` where it is nothing known."""
        if reason := not_of_another_host(address):
            return reason
        for name, block in self._blocks():
            if address in ip_network(block):
                return f"within {name} ({block}): quarantine what has it"
        if interface := self._public(address):
            return f"the public address of {interface}: contain what that belongs to"
        return ""

    def _blocks(self) -> Iterator[tuple[str, str]]:
        with in_core_words("DescribeVpcs"):
            pages = self._clients("ec2").get_paginator("describe_vpcs").paginate()
            vpcs = [vpc for page in pages for vpc in page["Vpcs"]]
        for vpc in vpcs:
            for each in (*vpc.get("CidrBlockAssociationSet", ()), *vpc.get("Ipv6CidrBlockAssociationSet", ())):
                yield vpc["VpcId"], each.get("CidrBlock") or each["Ipv6CidrBlock"]
        with in_core_words("DescribeVpcPeeringConnections"):
            pages = self._clients("ec2").get_paginator("describe_vpc_peering_connections").paginate()
            peerings = [peering for page in pages for peering in page["VpcPeeringConnections"]]
        for peering in peerings:
            if peering["Status"]["Code"] == "active":
                for side in ("RequesterVpcInfo", "AccepterVpcInfo"):
                    yield from ((f"{peering['VpcPeeringConnectionId']}'s networks", block) for block in _sides(peering[side]))

    def _public(self, address: Address) -> str:
        if address.version == 6:
            return ""  # what an interface has of version 6 lies within its network's blocks
        found = interfaces_with(self._clients, "association.public-ip", str(address))
        return next((str(interface["NetworkInterfaceId"]) for interface in found), "")


def _sides(side: Mapping[str, Any]) -> list[str]:
    blocks = [each["CidrBlock"] for each in side.get("CidrBlockSet", ())] or [side.get("CidrBlock", "")]
    return [block for block in (*blocks, *(each["Ipv6CidrBlock"] for each in side.get("Ipv6CidrBlockSet", ()))) if block]
