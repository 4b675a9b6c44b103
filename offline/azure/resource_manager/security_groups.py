"""Network security groups and their rules: a PUT of the group replaces all rules, a PUT of one rule does not."""

from __future__ import annotations

import copy
import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from offline.azure.endpoint import Link
from offline.azure.resource_manager import interfaces as interface_types
from offline.azure.resource_manager.errors import bad_request
from offline.azure.resource_manager.kinds import Kind, only_known, reference
from offline.azure.resource_manager.store import Resource, Store

TYPE = "Microsoft.Network/networkSecurityGroups"
MOST_RULES = 1000

_PLURALS = ("sourcePortRanges", "destinationPortRanges", "sourceAddressPrefixes", "destinationAddressPrefixes")
_GROUPS = ("sourceApplicationSecurityGroups", "destinationApplicationSecurityGroups")
_ORDER = (
    "provisioningState",
    "description",
    "protocol",
    "sourcePortRange",
    "destinationPortRange",
    "sourceAddressPrefix",
    "destinationAddressPrefix",
    "access",
    "priority",
    "direction",
    *_PLURALS,
    *_GROUPS,
)
_RULE_MEMBERS = frozenset(_ORDER)
_GROUP_MEMBERS = frozenset(
    {"securityRules", "defaultSecurityRules", "flushConnection", "networkInterfaces", "subnets", "flowLogs"}
    | {"resourceGuid", "provisioningState"}
)
_PROTOCOLS = {name.lower(): name for name in ("*", "Tcp", "Udp", "Icmp", "Esp", "Ah")}
_SERVICE_TAG = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*\Z")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,78}[A-Za-z0-9_])?\Z")

_DEFAULTS = (
    (
        "AllowVnetInBound",
        "Allow inbound traffic from all VMs in VNET",
        "VirtualNetwork",
        "VirtualNetwork",
        "Allow",
        65000,
        "Inbound",
    ),
    (
        "AllowAzureLoadBalancerInBound",
        "Allow inbound traffic from azure load balancer",
        "AzureLoadBalancer",
        "*",
        "Allow",
        65001,
        "Inbound",
    ),
    ("DenyAllInBound", "Deny all inbound traffic", "*", "*", "Deny", 65500, "Inbound"),
    (
        "AllowVnetOutBound",
        "Allow outbound traffic from all VMs to all VMs in VNET",
        "VirtualNetwork",
        "VirtualNetwork",
        "Allow",
        65000,
        "Outbound",
    ),
    ("AllowInternetOutBound", "Allow outbound traffic from all VMs to Internet", "*", "Internet", "Allow", 65001, "Outbound"),
    ("DenyAllOutBound", "Deny all outbound traffic", "*", "*", "Deny", 65500, "Outbound"),
)


class SecurityGroups(Kind):
    """``Microsoft.Network/networkSecurityGroups``."""

    nested: ClassVar[Mapping[str, str]] = {"securityRules": "securityRules", "defaultSecurityRules": "defaultSecurityRules"}
    has_guid: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__(TYPE)

    def accept(self, resource: Resource, before: Resource | None, store: Store) -> Resource:
        resource = super().accept(resource, before, store)
        sent = resource["properties"]
        only_known(sent, _GROUP_MEMBERS, "NetworkSecurityGroup")
        rules = [_accepted(rule, resource["id"]) for rule in sent.get("securityRules") or []]
        _refuse_conflicts(rules)
        resource["properties"] = {"resourceGuid": sent["resourceGuid"], "securityRules": rules}
        if sent.get("flushConnection") is not None:
            resource["properties"]["flushConnection"] = bool(sent["flushConnection"])
        return resource

    def show(self, resource: Resource, store: Store) -> Resource:
        shown = copy.deepcopy(resource)
        properties = shown["properties"]
        for rule in properties["securityRules"]:
            rule["etag"] = shown["etag"]
            rule["properties"] = {"provisioningState": properties["provisioningState"], **rule["properties"]}
        properties["defaultSecurityRules"] = [_default(shown, *default) for default in _DEFAULTS]
        users = _users(shown["id"], store)
        properties |= {name: [{"id": user} for user in found] for name, found in users.items() if found}
        return shown

    def links(self, resource: Resource) -> Iterator[Link]:
        for rule in (resource.get("properties") or {}).get("securityRules") or []:
            yield from rule_links(rule)

    def check_delete(self, resource: Resource, store: Store) -> None:
        users = [user for found in _users(resource["id"], store).values() for user in found]
        if users:
            raise bad_request(
                "InUseNetworkSecurityGroupCannotBeDeleted",
                f"Network security group {resource['id']} cannot be deleted because it is in use by the following resources: "
                f"{', '.join(users)}. In order to delete it, remove the association with the resource(s).",
            )


def rule_links(rule: Mapping[str, Any]) -> Iterator[Link]:
    """What the write of a rule needs on the application security groups that it names."""
    for member in _GROUPS:
        for group in (rule.get("properties") or {}).get(member) or []:
            yield Link("Microsoft.Network/applicationSecurityGroups/joinNetworkSecurityRule/action", group["id"])


def _users(group_id: str, store: Store) -> dict[str, list[str]]:
    """The interfaces and subnets that a group is put on."""
    wanted = group_id.lower()
    interfaces = [
        str(interface["id"])
        for type_name in (interface_types.TYPE, interface_types.SCALE_SET_TYPE)
        for interface in store.of_type(type_name)
        if reference(interface["properties"], "networkSecurityGroup").lower() == wanted
    ]
    subnets = [
        f"{network['id']}/subnets/{subnet['name']}"
        for network in store.of_type("Microsoft.Network/virtualNetworks")
        for subnet in network["properties"]["subnets"]
        if reference(subnet["properties"], "networkSecurityGroup").lower() == wanted
    ]
    return {"networkInterfaces": interfaces, "subnets": subnets}


def _accepted(rule: Mapping[str, Any], group_id: str) -> Resource:
    name = str(rule.get("name") or "")
    if not _NAME.match(name):
        raise bad_request("InvalidResourceName", f"Resource name {name} is invalid. The name can be up to 80 characters long.")
    sent = {key: value for key, value in (rule.get("properties") or {}).items() if value is not None}
    only_known(sent, _RULE_MEMBERS, "SecurityRule")
    sent.pop("provisioningState", None)
    for member in _PLURALS:
        sent.setdefault(member, [])
    _check(name, sent)
    return {
        "name": name,
        "id": f"{group_id}/securityRules/{name}",
        "etag": "",
        "type": f"{TYPE}/securityRules",
        "properties": {member: sent[member] for member in _ORDER if member in sent},
    }


def _check(name: str, rule: dict[str, Any]) -> None:
    priority = rule.get("priority")
    if not isinstance(priority, int) or not 100 <= priority <= 4096:
        raise bad_request(
            "SecurityRuleInvalidPriority",
            f"Security rule has invalid Priority. Value provided: {priority} Allowed range 100-4096. (rule {name})",
        )
    for member, allowed in (("direction", ("Inbound", "Outbound")), ("access", ("Allow", "Deny"))):
        rule[member] = _one_of(name, member, rule.get(member), {value.lower(): value for value in allowed})
    _one_of(name, "protocol", rule.get("protocol"), _PROTOCOLS)  # which is kept in the letter case that it was sent in
    families: set[int] = set()
    for side in ("source", "destination"):
        _check_ports(name, side, rule)
        families |= _check_addresses(name, side, rule)
    if len(families) > 1:
        raise bad_request(
            "SecurityRuleAddressFamilyMismatch",
            f"Security rule {name} mixes IPv4 and IPv6 address prefixes, which is not supported.",
        )


def _one_of(name: str, member: str, value: object, allowed: Mapping[str, str]) -> str:
    found = allowed.get(str(value).lower())
    if found is None:
        raise bad_request(
            "InvalidRequestFormat", f"Security rule {name}: {member} is {value}; allowed are {', '.join(allowed.values())}."
        )
    return found


def _check_ports(name: str, side: str, rule: Mapping[str, Any]) -> None:
    ranges = [rule[f"{side}PortRange"]] if rule.get(f"{side}PortRange") else list(rule[f"{side}PortRanges"])
    if not ranges or (rule.get(f"{side}PortRange") and rule[f"{side}PortRanges"]):
        raise bad_request("SecurityRuleInvalidPortRange", f"Security rule {name} must name its {side} port ranges exactly once.")
    for text in ranges:
        low, dash, high = str(text).partition("-")
        whole = text == "*" and len(ranges) == 1
        if not whole and not (low.isdigit() and (not dash or high.isdigit()) and int(low) <= int(high or low) <= 65535):
            raise bad_request(
                "SecurityRuleInvalidPortRange",
                f"Security rule has invalid Port range. Value provided: {text}. Value should be an integer OR integer range with "
                "'-' delimiter. Valid range 0-65535.",
            )


def _check_addresses(name: str, side: str, rule: Mapping[str, Any]) -> set[int]:
    """Check one side's addresses; return the address families that it names."""
    single, several = rule.get(f"{side}AddressPrefix"), rule[f"{side}AddressPrefixes"]
    groups = rule.get(f"{side}ApplicationSecurityGroups") or []
    if sum(map(bool, (single, several, groups))) != 1:
        raise bad_request(
            "SecurityRuleInvalidAddressPrefix",
            f"Security rule {name} must name its {side} (prefix, prefixes or groups) exactly once.",
        )
    families: set[int] = set()
    for text in [single] if single else several:
        if text == "*" and single:
            continue
        try:
            families.add(ipaddress.ip_network(text, strict=False).version)
        except ValueError:
            if not _SERVICE_TAG.match(str(text)):
                raise bad_request(
                    "SecurityRuleInvalidAddressPrefix",
                    f"Security rule has invalid Address prefix. Value provided: {text} (rule {name})",
                ) from None
    return families


def _refuse_conflicts(rules: list[Resource]) -> None:
    if len(rules) > MOST_RULES:
        raise bad_request(
            "SecurityRuleCountLimitReached", f"Cannot create more than {MOST_RULES} security rules for a network security group."
        )
    taken: dict[tuple[int, str], str] = {}
    names: set[str] = set()
    for rule in rules:
        slot = (rule["properties"]["priority"], rule["properties"]["direction"])
        if slot in taken:
            raise bad_request(
                "SecurityRuleConflict",
                f"Security rule {rule['name']} conflicts with rule {taken[slot]}. Rules cannot have the same Priority and "
                "Direction. To fix this, update one of the values (Priority, Direction).",
            )
        if rule["name"].lower() in names:
            raise bad_request("DuplicateResourceName", f"Resource has two child resources with the same name ({rule['name']}).")
        taken[slot] = rule["name"]
        names.add(rule["name"].lower())


def _default(
    group: Resource, name: str, description: str, source: str, destination: str, access: str, priority: int, direction: str
) -> Resource:
    return {
        "name": name,
        "id": f"{group['id']}/defaultSecurityRules/{name}",
        "etag": group["etag"],
        "type": f"{TYPE}/defaultSecurityRules",
        "properties": {
            "provisioningState": "Succeeded",
            "description": description,
            "protocol": "*",
            "sourcePortRange": "*",
            "destinationPortRange": "*",
            "sourceAddressPrefix": source,
            "destinationAddressPrefix": destination,
            "access": access,
            "priority": priority,
            "direction": direction,
            **{member: [] for member in _PLURALS},
        },
    }
