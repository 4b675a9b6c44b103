"""Block an address: deny entries in the network ACLs of the subnets in which it was seen.

A network ACL looks at every packet by itself: a deny cuts the connections that are open, which a security group cannot. It is
the subnet's, though: everything in the subnet is cut off from the address, and what stays within the subnet never passes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lambdas.actions.consistency import verified_in_time
from lambdas.actions.network_acls import BAND, Acl, Direction, NetworkAcls, fits, is_denied, place
from lambdas.actions.own_networks import OwnNetworks
from lambdas.actions.places import Interface, Places, named_targets, tags_of
from lambdas.clients import Clients
from lambdas.cloud_errors import CloudRefusal
from lambdas.registry import Group
from response.actions import CannotApply, CloudUnavailable, Difference, Plan, UndoResult, Verification
from response.addresses import Address, address_of, read_address
from response.containment import containment_id
from response.resources import INSTANCE, NETWORK_ACL, NETWORK_INTERFACE, SECURITY_GROUP, SUBNET
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict

_NOT_FILTERED = "not what stays within one subnet, nor Amazon's own DNS, DHCP, time and metadata: no network ACL sees these"


class BlockAddress:
    """Entries of its own, one in each direction of each ACL: nobody's entry is rewritten."""

    name: ClassVar[str] = "block_address"
    group: ClassVar[Group] = Group.NETWORK
    handles: ClassVar[frozenset[EntityKind]] = frozenset({EntityKind.ADDRESS})
    carries: ClassVar[frozenset[str]] = frozenset({INSTANCE, NETWORK_ACL, NETWORK_INTERFACE, SECURITY_GROUP, SUBNET})
    gives_back: ClassVar[str] = ""
    permissions: ClassVar[tuple[str, ...]] = (
        "ec2:CreateNetworkAclEntry",
        "ec2:DescribeInstances",
        "ec2:DescribeNetworkAcls",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeVpcPeeringConnections",
        "ec2:DescribeVpcs",
    )
    undo_permissions: ClassVar[tuple[str, ...]] = ("ec2:DeleteNetworkAclEntry", "ec2:DescribeNetworkAcls")

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._acls = NetworkAcls(clients)
        self._own = OwnNetworks(clients)
        self._places = Places(clients)

    def plan(self, target: Entity, verdict: Verdict) -> Plan:
        address = read_address(target.id)
        if address is None:
            return _refused(target, f"{target.id} is no IP address: contain what it stands for")
        named = named_targets(verdict)
        if not named:
            reason = (
                f"the verdict names no interface or instance that the address talked to: deny {address} by hand where it came in"
            )
            return _refused(target, reason)
        interfaces = self._places.interfaces(named)
        instances = self._places.instances(interfaces)
        resources = (*named, *_resources(interfaces, instances))
        if not interfaces:
            gone = f"{', '.join(named)} is not in this account and region (any more): contain it where it runs"
            return _refused(target, gone, resources=resources)
        if reason := self._own.owner_of(address):
            return _refused(target, f"{address} is {reason}", resources=resources)
        subnets = sorted({str(interface["SubnetId"]) for interface in interfaces})
        of_subnet = self._acls.of_subnets(subnets)
        acls = {acl["NetworkAclId"]: acl for acl in of_subnet.values()}
        containment = containment_id(self.name, target, verdict.id)
        places = {name: {way: place(acl, address, way, containment) for way in Direction} for name, acl in acls.items()}
        reasons = [f"{way}: {found.reason}" for ways in places.values() for way, found in ways.items() if found.reason]
        reasons += [f"the network ACL of {subnet} is another account's" for subnet in subnets if subnet not in of_subnet]
        needed = {
            name: {str(way): list(found.numbers) for way, found in ways.items() if found.numbers} for name, ways in places.items()
        }
        needed = {name: ways for name, ways in needed.items() if ways}
        state = {
            "address": str(address),
            "named": list(named),
            "interfaces": [interface["NetworkInterfaceId"] for interface in interfaces],
            "subnets": {subnet: acl["NetworkAclId"] for subnet, acl in of_subnet.items()},
        }
        return Plan(
            action=self.name,
            target=target,
            before={**state, "entries": {name: dict.fromkeys(ways) for name, ways in needed.items()}},
            after={**state, "entries": needed},
            touches=(*(_touched(acls[name]) for name in needed), _NOT_FILTERED),
            summary=f"deny {address} in {len(needed)} network ACLs, in and out, of {len(subnets)} subnets",
            refusal=_defeated(address, reasons),
            tags=tags_of(*acls.values(), *interfaces, *instances),
            resources=tuple(dict.fromkeys((*resources, *subnets, *acls))),
            region=str(self._clients("ec2").meta.region_name),
        )

    def covers(self, plan: Plan, verdict: Verdict) -> bool:
        """Whether the verdict names only interfaces and instances that this plan covers."""
        named = named_targets(verdict)
        return bool(named) and set(named) <= {*plan.after["named"], *plan.after["interfaces"]}

    def check(self, plan: Plan) -> str:
        address, now = address_of(plan), self._acls.of_subnets(plan.after["subnets"])
        for subnet, name in plan.after["subnets"].items():
            if subnet not in now:
                return f"{subnet} has gone: plan again"
            acl, entries = now[subnet], plan.after["entries"].get(name, {})
            if acl["NetworkAclId"] != name:
                return f"another network ACL is in force in {subnet} by now: plan again"
            for way in Direction:
                if not fits(acl, address, way, entries.get(way, ())):
                    return f"the {way} entries of {name} changed, and the address must be denied elsewhere by now: plan again"
        return ""

    def apply(self, plan: Plan) -> None:
        address = address_of(plan)
        try:
            for name, ways in plan.after["entries"].items():
                acl = self._acls.by_id(name)
                if acl is None:
                    raise CannotApply(f"{name} is gone: quarantine the instance")
                for way, numbers in ways.items():
                    self._acls.deny(acl, address, Direction(way), numbers)
        except CloudRefusal as refusal:
            raise CannotApply(f"{refusal}. Join entries of the ACL, or quarantine the instance") from refusal

    def verify(self, plan: Plan) -> Verification:
        return verified_in_time(lambda: self._look(plan))

    def _look(self, plan: Plan) -> Verification:
        address = address_of(plan)
        try:
            now = self._acls.of_subnets(plan.after["subnets"])
        except (CloudUnavailable, CloudRefusal):
            return Verification.UNREACHABLE
        denied = all(is_denied(acl, address, way) for acl in now.values() for way in Direction)
        return Verification.VERIFIED if denied and now.keys() == plan.after["subnets"].keys() else Verification.DRIFTED

    def compare(self, plan: Plan) -> tuple[Difference, ...]:
        address = address_of(plan)
        found = {name: self._acls.by_id(name) for name in plan.after["entries"]}
        return tuple(
            self._acls.compare(found[name], name, address, Direction(way), numbers)
            for name, ways in plan.after["entries"].items()
            for way, numbers in ways.items()
        )

    def undo(self, plan: Plan) -> UndoResult:
        address = address_of(plan)
        result = UndoResult()
        for name, ways in plan.after["entries"].items():
            acl = self._acls.by_id(name)
            if acl is None:
                result += UndoResult((f"{name} is gone, and its entries with it",))
                continue
            for way, numbers in ways.items():
                result += self._acls.allow_again(acl, address, Direction(way), numbers)
        return result


def _resources(interfaces: list[Interface], instances: list[Mapping[str, Any]]) -> tuple[str, ...]:
    """Whatever protects an interface, its groups or its instance keeps their subnet as it is."""
    groups = (group["GroupId"] for interface in interfaces for group in interface["Groups"])
    return (*(i["NetworkInterfaceId"] for i in interfaces), *(i["InstanceId"] for i in instances), *groups)


def _defeated(address: Address, reasons: list[str]) -> str:
    if not reasons:
        return ""
    return (
        f"a deny of {address} would not take effect: {'; '.join(reasons)}. Give your own entries numbers above {BAND[-1]}, "
        "join some, or use quarantine_instance"
    )


def _touched(acl: Acl) -> str:
    subnets = sorted({each["SubnetId"] for each in acl["Associations"]})
    return f"everything in the subnets of {acl['NetworkAclId']}: {', '.join(subnets)}; connections that are open are cut"


def _refused(target: Entity, reason: str, *, resources: tuple[str, ...] = ()) -> Plan:
    return Plan.refused(
        action=BlockAddress.name,
        target=target,
        summary=f"deny {target.id}",
        refusal=reason,
        resources=resources,
    )
