"""Effective security rules of an interface: the rules of its subnet's and its own group, with tags of the network expanded.

Format: ``EffectiveNetworkSecurityGroupListResult`` of the network provider. Service tags other than ``VirtualNetwork`` stay
names, as their address ranges are the platform's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from offline.azure.resource_manager.errors import bad_request
from offline.azure.resource_manager.interfaces import machine_of
from offline.azure.resource_manager.kinds import reference
from offline.azure.resource_manager.machines import power_state
from offline.azure.resource_manager.security_groups import SecurityGroups
from offline.azure.resource_manager.store import Resource, Store

#: The platform's own address (DNS, health probes) counts as part of every virtual network.
PLATFORM_ADDRESS = "168.63.129.16/32"
_ANY = ("0.0.0.0/0", "0.0.0.0/0")


def effective_groups(interface: Resource, store: Store) -> dict[str, Any]:
    """The answer for one interface.

    Raises
    ------
    ArmError
        Where it is not attached to a running machine: nothing is in effect there. Code and message are as Azure recorded them.
    """
    machine = machine_of(interface["id"], store)
    if machine is None or power_state(machine) != "running":
        raise bad_request(
            "NicMustBeAttachedToRunningVmToGetEffectiveSecurityGroups",
            "A network interface must be attached to a running virtual machine to get effective security groups. "
            f"The network interface {interface['id']} is not attached to a running virtual machine.",
        )
    network = _network_of(interface, store)
    found = []
    for association, group_id in _groups_of(interface, network):
        group = store.get(group_id)
        if group:
            shown = SecurityGroups().show(group, store)
            rules = [*_named("securityRules", shown), *_named("defaultSecurityRules", shown)]
            rules.sort(key=lambda rule: (rule[1]["properties"]["direction"], rule[1]["properties"]["priority"]))
            effective = [_effective(name, rule["properties"], network) for name, rule in rules]
            found.append(
                {"networkSecurityGroup": {"id": group["id"]}, "association": association, "effectiveSecurityRules": effective}
            )
    return {"value": found}


def _network_of(interface: Resource, store: Store) -> Resource | None:
    subnet = reference(interface["properties"]["ipConfigurations"][0]["properties"], "subnet")
    return store.get(subnet.rpartition("/subnets/")[0])


def _groups_of(interface: Resource, network: Resource | None) -> Iterator[tuple[dict[str, Any], str]]:
    seen: set[str] = set()
    for configuration in interface["properties"]["ipConfigurations"]:
        wanted = reference(configuration["properties"], "subnet").lower()
        for subnet in network["properties"]["subnets"] if network else []:
            group = reference(subnet["properties"], "networkSecurityGroup")
            if subnet["id"].lower() == wanted and group and wanted not in seen:
                seen.add(wanted)
                yield {"subnet": {"id": subnet["id"]}}, group
    if own := reference(interface["properties"], "networkSecurityGroup"):
        yield {"networkInterface": {"id": interface["id"]}}, own


def _named(member: str, group: Resource) -> list[tuple[str, Resource]]:
    return [(f"{member}/{rule['name']}", rule) for rule in group["properties"][member]]


def _effective(name: str, rule: Mapping[str, Any], network: Resource | None) -> dict[str, Any]:
    answer: dict[str, Any] = {"name": name, "protocol": "All" if rule["protocol"] == "*" else rule["protocol"]}
    for side in ("source", "destination"):
        ports = [_range(text) for text in _either(rule, f"{side}PortRange", f"{side}PortRanges")]
        answer[f"{side}PortRange"], answer[f"{side}PortRanges"] = ports[0], ports
        title = side.capitalize()
        prefixes = _either(rule, f"{side}AddressPrefix", f"{side}AddressPrefixes")
        written = [text for prefix in prefixes for text in (_ANY if prefix == "*" else (prefix,))]
        answer[f"{side}AddressPrefix"] = written[0] if written else "0.0.0.0/32"
        answer[f"{side}AddressPrefixes"] = written
        if "VirtualNetwork" in prefixes and network:
            answer[f"expanded{title}AddressPrefix"] = [
                *network["properties"]["addressSpace"]["addressPrefixes"],
                PLATFORM_ADDRESS,
            ]
    return answer | {name: rule[name] for name in ("access", "priority", "direction")}


def _either(rule: Mapping[str, Any], single: str, several: str) -> list[str]:
    return [rule[single]] if rule.get(single) else list(rule.get(several) or [])


def _range(text: str) -> str:
    if text == "*":
        return "0-65535"
    return text if "-" in text else f"{text}-{text}"
