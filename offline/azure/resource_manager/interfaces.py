"""Network interfaces: written as a whole, so that whatever a PUT leaves out is gone."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator
from typing import Any, ClassVar

from offline.azure.endpoint import Link
from offline.azure.resource_manager.errors import ArmError, bad_request, reference_not_found
from offline.azure.resource_manager.kinds import Kind, checked_reference, only_known, reference
from offline.azure.resource_manager.store import Resource, Store

TYPE = "Microsoft.Network/networkInterfaces"
SCALE_SET_TYPE = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/networkInterfaces"
"""Interfaces of a scale set's instances (Uniform mode): parts of the set's model, which nobody writes one by one."""
#: What no caller can set: a PUT keeps them, whether it sends them or not.
_PLATFORM = ("macAddress", "privateEndpoint", "privateLinkService", "hostedWorkloads", "tapConfigurations", "nicType")
_WRITABLE = (
    "enableAcceleratedNetworking",
    "enableIPForwarding",
    "disableTcpStateTracking",
    "auxiliaryMode",
    "auxiliarySku",
)
_MEMBERS = frozenset(
    {"ipConfigurations", "networkSecurityGroup", "virtualMachine", "primary", "resourceGuid", "provisioningState"}
    | {"vnetEncryptionSupported", "defaultOutboundConnectivityEnabled", "allowPort25Out", "workloadType"}
    | {"dnsSettings", *_PLATFORM, *_WRITABLE}
)


class Interfaces(Kind):
    """``Microsoft.Network/networkInterfaces``, and those of scale sets."""

    has_guid: ClassVar[bool] = True

    def __init__(self, type_name: str = TYPE) -> None:
        super().__init__(type_name)

    def accept(self, resource: Resource, before: Resource | None, store: Store) -> Resource:
        resource = super().accept(resource, before, store)
        sent = resource["properties"]
        only_known(sent, _MEMBERS, "NetworkInterface")
        configurations = sent.get("ipConfigurations") or []
        if not configurations:
            raise bad_request("NetworkInterfaceMustHaveOneIpConfiguration", f"{resource['id']} has no IP configuration.")
        kept = before["properties"] if before else sent
        if kept.get("privateEndpoint") and before:
            raise ArmError(
                400,
                "NetworkInterfaceManagedByPrivateEndpoint",
                f"Network interface {resource['id']} belongs to a private endpoint and cannot be changed.",
                details=[],
            )
        accepted: dict[str, Any] = {
            "resourceGuid": sent["resourceGuid"],
            "ipConfigurations": [_configuration(one, resource, store) for one in configurations],
            "enableAcceleratedNetworking": bool(sent.get("enableAcceleratedNetworking")),
            "enableIPForwarding": bool(sent.get("enableIPForwarding")),
            "hostedWorkloads": [],
            "tapConfigurations": [],
        }
        accepted["dnsSettings"] = {"dnsServers": [], **(sent.get("dnsSettings") or {}), "appliedDnsServers": []}
        accepted |= {name: sent[name] for name in _WRITABLE if sent.get(name) is not None}
        accepted |= {name: kept[name] for name in _PLATFORM if kept.get(name) is not None}
        if checked_reference(sent, "networkSecurityGroup", resource, store):
            accepted["networkSecurityGroup"] = {"id": sent["networkSecurityGroup"]["id"]}
        resource["properties"] = accepted
        return resource

    def show(self, resource: Resource, store: Store) -> Resource:
        shown = copy.deepcopy(resource)
        properties = shown["properties"]
        for configuration in properties["ipConfigurations"]:
            configuration["etag"] = shown["etag"]
            configuration["properties"] = {"provisioningState": properties["provisioningState"], **configuration["properties"]}
        machine = machine_of(shown["id"], store)
        if machine is not None:
            properties.setdefault("macAddress", mac_address(shown["id"]))
            properties["primary"] = _is_primary(shown["id"], machine)
            properties["virtualMachine"] = {"id": machine["id"]}
            properties.setdefault("nicType", "Standard")
        return shown

    def links(self, resource: Resource) -> Iterator[Link]:
        sent = resource.get("properties") or {}
        if group := reference(sent, "networkSecurityGroup"):
            yield Link("Microsoft.Network/networkSecurityGroups/join/action", group)
        for configuration in sent.get("ipConfigurations") or []:
            inner = configuration.get("properties") or {}
            if subnet := reference(inner, "subnet"):
                yield Link("Microsoft.Network/virtualNetworks/subnets/join/action", subnet)
            if address := reference(inner, "publicIPAddress"):
                yield Link("Microsoft.Network/publicIPAddresses/join/action", address)
            for pool in inner.get("loadBalancerBackendAddressPools") or []:
                yield Link("Microsoft.Network/loadBalancers/backendAddressPools/join/action", pool["id"])
            for group in inner.get("applicationSecurityGroups") or []:
                yield Link("Microsoft.Network/applicationSecurityGroups/joinIpConfiguration/action", group["id"])

    def check_delete(self, resource: Resource, store: Store) -> None:
        machine = machine_of(resource["id"], store)
        if machine is not None:
            raise bad_request(
                "NicInUse",
                f"Network Interface {resource['id']} is used by existing resource {machine['id']}. "
                "In order to delete the network interface, it must be dissociated from the resource.",
            )


def machine_of(interface_id: str, store: Store) -> Resource | None:
    """The virtual machine (or scale-set instance) that an interface is attached to."""
    wanted = interface_id.lower()
    for type_name in ("Microsoft.Compute/virtualMachines", "Microsoft.Compute/virtualMachineScaleSets/virtualMachines"):
        for machine in store.of_type(type_name):
            if any(one["id"].lower() == wanted for one in machine["properties"]["networkProfile"]["networkInterfaces"]):
                return machine
    return None


def mac_address(interface_id: str) -> str:
    """A made-up address in one of Azure's ranges (00-0D-3A), always the same for one interface."""
    digest = hashlib.sha256(interface_id.lower().encode()).hexdigest().upper()
    return "-".join(("00-0D-3A", digest[0:2], digest[2:4], digest[4:6]))


def _is_primary(interface_id: str, machine: Resource) -> bool:
    attached = machine["properties"]["networkProfile"]["networkInterfaces"]
    if len(attached) == 1:
        return True
    return any(one["id"].lower() == interface_id.lower() and (one.get("properties") or {}).get("primary") for one in attached)


def _configuration(configuration: Resource, interface: Resource, store: Store) -> Resource:
    inner = {key: value for key, value in (configuration.get("properties") or {}).items() if key != "provisioningState"}
    subnet = reference(inner, "subnet")
    network, _, subnet_name = subnet.rpartition("/subnets/")
    found = store.get(network)
    names = {one["name"].lower(): one["name"] for one in found["properties"]["subnets"]} if found else {}
    if found is None or subnet_name.lower() not in names:
        raise reference_not_found(subnet, interface["id"])
    inner["subnet"] = {"id": f"{found['id']}/subnets/{names[subnet_name.lower()]}"}
    inner.setdefault("privateIPAllocationMethod", "Dynamic")
    inner.setdefault("primary", True)
    inner.setdefault("privateIPAddressVersion", "IPv4")
    name = configuration.get("name") or "ipconfig1"
    return {
        "name": name,
        "id": f"{interface['id']}/ipConfigurations/{name}",
        "etag": "",
        "type": f"{interface['type']}/ipConfigurations",
        "properties": inner,
    }
