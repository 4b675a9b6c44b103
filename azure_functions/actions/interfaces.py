"""Network interfaces as containment sees them: their addresses, and the security groups that traffic must pass.

Inbound traffic passes the subnet's group first and then the interface's own, outbound the other way round: both must
allow it, so that a Deny in either is enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from azure_functions.actions.prefixes import Place
from azure_functions.actions.resource_manager import Resource, ResourceId, ResourceManager
from azure_functions.actions.security_rules import Direction, Passage, SecurityRule, Traffic, passages

_INTERFACE = "microsoft.network/networkinterfaces"
_MACHINE = "microsoft.compute/virtualmachines"
_SCALE_SET = "microsoft.compute/virtualmachinescalesets"


@dataclass(frozen=True, slots=True)
class Position:
    """One address of an interface, and the security group of its subnet (``""`` where it has none)."""

    place: Place
    subnet_group: str


@dataclass(frozen=True, slots=True)
class Wiring:
    """One interface.

    Attributes
    ----------
    id, machine, group : str
        Ids of the interface, its virtual machine and its own security group, lower case; ``""`` where it has none.
    positions_all : tuple of Position
        One for each of its addresses.
    tags : mapping of str to str
    """

    id: str
    machine: str
    group: str
    positions_all: tuple[Position, ...]
    tags: Mapping[str, str]

    @property
    def groups(self) -> tuple[str, ...]:
        """The security groups in force, its own first: it touches fewer others than the subnet's."""
        subnets = dict.fromkeys(position.subnet_group for position in self.positions_all)
        return tuple(group for group in (self.group, *subnets) if group)

    def positions(self, remote: str) -> tuple[Position, ...]:
        """Return the addresses of the interface that a remote address can talk to: those of the same version of IP."""
        version = ip_address(remote).version
        return tuple(position for position in self.positions_all if ip_address(position.place.address).version == version)

    def guards(self, remote: str) -> tuple[str, ...]:
        """Return the security groups that everything between a remote address and this interface must pass."""
        subnets = {position.subnet_group for position in self.positions(remote)}
        return tuple(group for group in self.groups if group == self.group or subnets == {group})


class Interfaces:
    """Reads the wiring of interfaces; networks that several share are read once."""

    def __init__(self, arm: ResourceManager) -> None:
        self._arm = arm
        self._networks: dict[str, Resource | None] = {}

    def read(self, interface_id: str) -> Wiring | None:
        """Return the wiring of one interface, None where there is none."""
        found = self._arm.interface(interface_id)
        return None if found is None else self.wiring(found)

    def wiring(self, interface: Resource) -> Wiring:
        """Return the wiring of an interface that was read already."""
        properties = interface["properties"]
        return Wiring(
            id=interface["id"].lower(),
            machine=_id(properties.get("virtualMachine")),
            group=_id(properties.get("networkSecurityGroup")),
            positions_all=tuple(
                self._position(configuration["properties"])
                for configuration in properties.get("ipConfigurations") or ()
                if configuration["properties"].get("privateIPAddress")
            ),
            tags=interface.get("tags") or {},
        )

    def _position(self, configuration: Mapping[str, Any]) -> Position:
        subnet_id = _id(configuration.get("subnet"))
        network = self._network(subnet_id)
        subnets = (network or {}).get("properties", {}).get("subnets") or ()
        subnet: Resource = next((s for s in subnets if s["id"].lower() == subnet_id), {})
        place = Place(
            address=configuration["privateIPAddress"],
            groups=frozenset(group["id"].lower() for group in configuration.get("applicationSecurityGroups") or ()),
            network=_spaces(network),
        )
        return Position(place, _id((subnet.get("properties") or {}).get("networkSecurityGroup")))

    def _network(self, subnet_id: str) -> Resource | None:
        network_id = subnet_id.rpartition("/subnets/")[0]
        if network_id and network_id not in self._networks:
            self._networks[network_id] = self._arm.virtual_network(network_id)
        return self._networks.get(network_id)


def passing(wiring: Wiring, rules: Iterable[SecurityRule], direction: Direction, remote: str) -> tuple[Passage, ...]:
    """Return what of a remote address's traffic with an interface passes a security group that has these rules."""
    known = tuple(rules)
    return tuple(
        passage
        for position in wiring.positions(remote)
        for passage in passages(known, Traffic(direction, remote, position.place))
    )


def interface_ids(machine: Resource) -> list[str]:
    """Return the ids of a virtual machine's interfaces, in order."""
    profile = machine["properties"].get("networkProfile") or {}
    return sorted(str(reference["id"]) for reference in profile.get("networkInterfaces") or ())


def is_interface(resource_id: str) -> bool:
    """Say whether this is the id of an interface that stands for itself (a scale set's are parts of the set)."""
    return _is(resource_id, _INTERFACE)


def is_machine(resource_id: str) -> bool:
    """Say whether this is the id of a virtual machine that stands for itself."""
    return _is(resource_id, _MACHINE)


def in_scale_set(resource_id: str) -> bool:
    """Say whether this is a part of a scale set in Uniform mode, whose machines and interfaces are no resources of their own."""
    try:
        return ResourceId.parse(resource_id).type == _SCALE_SET
    except ValueError:
        return False


def merged_tags(*tags: Mapping[str, str]) -> dict[str, str]:
    """Join the tags of several resources: one that protects any of them is not hidden by another's ``false``.

    Keys become lower case: to Azure ``Break-Glass`` and ``break-glass`` are one key, in whichever case it was written.
    """
    merged: dict[str, str] = {}
    for key, value in ((key.lower(), value) for each in tags for key, value in each.items()):
        if merged.get(key, "false").strip().lower() == "false":
            merged[key] = value
    return merged


def managed_elsewhere(resource: Resource) -> str:
    """Return which service manages a machine or an interface, ``""`` where its owner does."""
    properties, tags = resource["properties"], resource.get("tags") or {}
    if properties.get("privateEndpoint") or properties.get("privateLinkService"):
        return "a private endpoint"
    if ResourceId.parse(resource["id"]).group.lower().startswith("mc_") or any(k.lower().startswith("aks-managed") for k in tags):
        return "Azure Kubernetes Service"
    if properties.get("hostedWorkloads"):
        return f"the workload {', '.join(properties['hostedWorkloads'])}"
    return f"{resource['managedBy']}" if resource.get("managedBy") else ""


def _is(resource_id: str, wanted: str) -> bool:
    try:
        parsed = ResourceId.parse(resource_id)
    except ValueError:
        return False
    return parsed.type == wanted and not parsed.child


def _id(reference: Mapping[str, Any] | None) -> str:
    return str((reference or {}).get("id") or "").lower()


def _spaces(network: Resource | None) -> tuple[str, ...]:
    """Return the address spaces of a network and of those peered with it."""
    properties = (network or {}).get("properties") or {}
    spaces = [*((properties.get("addressSpace") or {}).get("addressPrefixes") or ())]
    for peering in properties.get("virtualNetworkPeerings") or ():
        for name in ("remoteAddressSpace", "remoteVirtualNetworkAddressSpace"):
            spaces += ((peering.get("properties") or {}).get(name) or {}).get("addressPrefixes") or ()
    return tuple(dict.fromkeys(spaces))
