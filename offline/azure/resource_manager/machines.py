"""Virtual machines: read, tagged, and attached to interfaces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from offline.azure.endpoint import Link
from offline.azure.resource_manager.errors import bad_request
from offline.azure.resource_manager.kinds import Kind, checked_reference, reference
from offline.azure.resource_manager.store import Resource, Store, new_guid

TYPE = "Microsoft.Compute/virtualMachines"
POWER = "_power"
"""Where a kept machine says whether it runs; never answered."""


class Machines(Kind):
    """``Microsoft.Compute/virtualMachines``."""

    def __init__(self, type_name: str = TYPE) -> None:
        super().__init__(type_name)

    def accept(self, resource: Resource, before: Resource | None, store: Store) -> Resource:
        resource = super().accept(resource, before, store)
        properties = resource["properties"]
        properties.pop("provisioningState", None)
        properties.pop("instanceView", None)
        properties["vmId"] = before["properties"]["vmId"] if before else properties.get("vmId") or new_guid()
        attached = (properties.get("networkProfile") or {}).get("networkInterfaces") or []
        if not attached:
            raise bad_request("NetworkProfileEmpty", f"Virtual Machine {resource['name']} has no network interface.")
        for interface in attached:
            checked_reference({"it": interface}, "it", resource, store)
        return resource

    def show(self, resource: Resource, store: Store) -> Resource:
        shown = super().show(resource, store)
        shown.pop(POWER, None)
        return shown

    def next_etag(self, before: Resource | None) -> str:
        """The compute provider counts: ``"1"``, ``"2"`` …, strong."""
        return f'"{int(before["etag"].strip(chr(34))) + 1 if before else 1}"'

    def links(self, resource: Resource) -> Iterator[Link]:
        profile = (resource.get("properties") or {}).get("networkProfile") or {}
        for interface in profile.get("networkInterfaces") or []:
            yield Link("Microsoft.Network/networkInterfaces/join/action", reference({"it": interface}, "it"))


def power_state(machine: Resource) -> str:
    """``running`` or ``deallocated``."""
    return str(machine.get(POWER, "running"))


def instance_view(machine: Resource, power: str) -> dict[str, Any]:
    """What a machine says of itself (``$expand=instanceView``)."""
    disk = ((machine["properties"].get("storageProfile") or {}).get("osDisk") or {}).get("name", f"{machine['name']}_OsDisk_1")
    done = {"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Provisioning succeeded"}
    ready = {
        "code": "ProvisioningState/succeeded",
        "level": "Info",
        "displayStatus": "Ready",
        "message": "Guest Agent is running",
    }
    return {
        "computerName": (machine["properties"].get("osProfile") or {}).get("computerName", machine["name"]),
        "osName": "ubuntu",
        "osVersion": "24.04",
        "vmAgent": {"vmAgentVersion": "2.15.0.1", "statuses": [ready], "extensionHandlers": []},
        "disks": [{"name": disk, "statuses": [done]}],
        "hyperVGeneration": "V2",
        "statuses": [done, {"code": f"PowerState/{power}", "level": "Info", "displayStatus": f"VM {power}"}],
    }
