"""Virtual networks and their subnets."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from offline.azure.endpoint import Link
from offline.azure.resource_manager.errors import bad_request
from offline.azure.resource_manager.kinds import Kind, checked_reference, reference
from offline.azure.resource_manager.store import Resource, Store

TYPE = "Microsoft.Network/virtualNetworks"


class Networks(Kind):
    """``Microsoft.Network/virtualNetworks``."""

    nested: ClassVar[Mapping[str, str]] = {"subnets": "subnets"}
    has_guid: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__(TYPE)

    def accept(self, resource: Resource, before: Resource | None, store: Store) -> Resource:
        resource = super().accept(resource, before, store)
        sent = resource["properties"]
        if not (sent.get("addressSpace") or {}).get("addressPrefixes"):
            raise bad_request("AddressSpaceNotSpecified", f"Virtual network {resource['id']} has no address space.")
        sent.pop("provisioningState", None)
        sent["subnets"] = [_accepted(subnet, resource, store) for subnet in sent.get("subnets") or []]
        _refuse_lost_subnets(resource, store)
        sent.setdefault("virtualNetworkPeerings", [])
        sent.setdefault("enableDdosProtection", False)
        return resource

    def show(self, resource: Resource, store: Store) -> Resource:
        shown = copy.deepcopy(resource)
        for subnet in shown["properties"]["subnets"]:
            subnet["etag"] = shown["etag"]
            subnet["properties"] = {"provisioningState": shown["properties"]["provisioningState"], **subnet["properties"]}
            if used := list(_configurations_in(subnet["id"], store)):
                subnet["properties"]["ipConfigurations"] = [{"id": one} for one in used]
        return shown

    def links(self, resource: Resource) -> Iterator[Link]:
        for subnet in (resource.get("properties") or {}).get("subnets") or []:
            yield from subnet_links(subnet)

    def check_delete(self, resource: Resource, store: Store) -> None:
        for subnet in resource["properties"]["subnets"]:
            _refuse_in_use(subnet["id"], store)


def subnet_links(subnet: Mapping[str, Any]) -> Iterator[Link]:
    """What the write of a subnet needs on the group and the table that it names."""
    inner = subnet.get("properties") or {}
    if group := reference(inner, "networkSecurityGroup"):
        yield Link("Microsoft.Network/networkSecurityGroups/join/action", group)
    if table := reference(inner, "routeTable"):
        yield Link("Microsoft.Network/routeTables/join/action", table)


def _accepted(subnet: Mapping[str, Any], network: Resource, store: Store) -> Resource:
    inner = copy.deepcopy(dict(subnet.get("properties") or {}))
    if not (inner.get("addressPrefix") or inner.get("addressPrefixes")):
        raise bad_request("InvalidRequestFormat", f"Subnet {subnet.get('name')} has no address prefix.")
    for computed in ("provisioningState", "ipConfigurations", "purpose"):
        inner.pop(computed, None)
    checked_reference(inner, "networkSecurityGroup", network, store)
    inner.setdefault("delegations", [])
    inner.setdefault("privateEndpointNetworkPolicies", "Disabled")
    inner.setdefault("privateLinkServiceNetworkPolicies", "Enabled")
    name = str(subnet["name"])
    return {"name": name, "id": f"{network['id']}/subnets/{name}", "etag": "", "properties": inner, "type": f"{TYPE}/subnets"}


def _refuse_lost_subnets(network: Resource, store: Store) -> None:
    """A PUT that leaves out a subnet deletes it, which is refused while something stands in it."""
    left = {subnet["id"].lower() for subnet in network["properties"]["subnets"]}
    before = store.get(network["id"])
    for subnet in before["properties"]["subnets"] if before else []:
        if subnet["id"].lower() not in left:
            _refuse_in_use(subnet["id"], store)


def _refuse_in_use(subnet_id: str, store: Store) -> None:
    if used := next(_configurations_in(subnet_id, store), None):
        raise bad_request(
            "InUseSubnetCannotBeDeleted",
            f"Subnet {subnet_id} is in use by {used} and cannot be deleted. In order to delete the subnet, delete all the "
            "resources within the subnet.",
        )


def _configurations_in(subnet_id: str, store: Store) -> Iterator[str]:
    wanted = subnet_id.lower()
    for interface in store.of_type("Microsoft.Network/networkInterfaces"):
        for configuration in interface["properties"]["ipConfigurations"]:
            if reference(configuration["properties"], "subnet").lower() == wanted:
                yield str(configuration["id"])
