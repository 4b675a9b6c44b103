"""The seeded subscription as scenes and end-to-end tests play on it: machines of their own, and what is in force there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from offline.azure.seed import SUBSCRIPTION_ID, Subscription
from offline.azure.services import Services
from training.scenarios.site import Host
from training.scenarios.vnet_flow_log import FlowLog

_WATCHER = "NetworkWatcherRG/providers/Microsoft.Network/networkWatchers/NetworkWatcher_westeurope"


@dataclass(frozen=True, slots=True)
class Machine:
    """A virtual machine: ids of its interfaces, the primary one first, and their MAC addresses as flow logs write them."""

    name: str
    id: str
    interfaces: tuple[str, ...]
    macs: tuple[str, ...]
    private_address: str

    @property
    def host(self) -> Host:
        """As the writer of flow logs knows it."""
        return Host(self.name, self.private_address, self.macs[0], self.id)


class Estate:
    """Machines in the seeded network.

    Parameters
    ----------
    services : Services
        With its seeded subscription.
    names : iterable of str
        Machines to make. All are made at once: the app asks for the subscription's interfaces once in ten minutes.
    protected : str
        Name of one more, which carries the tag ``break-glass``.

    Attributes
    ----------
    machines : mapping of str to Machine
    """

    def __init__(self, services: Services, names: Iterable[str], *, protected: str = "bastion") -> None:
        self.services = services
        self._shop = Subscription(services.arm).in_group("shop")
        self._number = count(20)
        self.machines: Mapping[str, Machine] = {
            **{name: self._machine(name) for name in names},
            protected: self._machine(protected, **{"break-glass": "true"}),
        }
        network = services.world.network
        self.flow_log = FlowLog(f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{_WATCHER}/flowLogs/shop-flowlog", network)

    def _machine(self, name: str, **tags: str) -> Machine:
        """One interface behind the group ``edge`` of its subnet, one with the group ``inner`` of its own."""
        number = next(self._number)
        address = f"10.20.1.{number}"
        interfaces = (
            self._shop.interface(f"{name}-nic", "shop-net", "web", address),
            self._shop.interface(
                f"{name}-back", "shop-net", "data", f"10.20.2.{number}", security_group=self.services.world.inner_group
            ),
        )
        machine_id = self._shop.machine(name, *interfaces, **tags)  # an interface has a MAC address once it is a machine's
        macs = tuple(self._properties(each)["macAddress"].replace("-", "").upper() for each in interfaces)
        return Machine(name, machine_id, interfaces, macs, address)

    def groups_of(self, machine: Machine) -> dict[str, str]:
        """The security group of each interface's own, by names; ``""`` where only its subnet has one."""
        return {
            last(each): last((self._properties(each).get("networkSecurityGroup") or {}).get("id", ""))
            for each in machine.interfaces
        }

    def rules_of(self, group_id: str) -> dict[str, str]:
        """The rules of a security group in words, and whether a change of them is applied to open connections."""
        properties = self._properties(group_id)
        rules = {each["name"]: _said(each["properties"]) for each in properties["securityRules"]}
        return {**rules, "flushConnection": str(properties.get("flushConnection", False)).lower()}

    def switches_of(self, account_id: str) -> dict[str, Any]:
        """Whether a storage account takes keys and anonymous reads."""
        properties = self._properties(account_id)
        return {each: properties.get(each) for each in ("allowSharedKeyAccess", "allowBlobPublicAccess")}

    def rights_of(self, principal_id: str) -> dict[str, Any]:
        """What a user may do and whether it may sign in."""
        user = self.services.graph.object(principal_id)
        roles = sorted(last(one["properties"]["roleDefinitionId"]) for one in self.services.arm.roles.assignments(principal_id))
        return {"role assignments": roles, "may sign in": user.get("accountEnabled", True)}

    def _properties(self, resource_id: str) -> dict[str, Any]:
        properties: dict[str, Any] = self.services.arm.resource(resource_id)["properties"]
        return properties


def last(resource_id: str) -> str:
    """Name of a resource, the last part of its id."""
    return resource_id.rpartition("/")[2]


def _said(rule: Mapping[str, Any]) -> str:
    ends = (rule.get("sourceAddressPrefix"), rule.get("destinationAddressPrefix"))
    way, ports = rule["direction"].lower(), rule.get("destinationPortRange", "*")
    return f"{rule['priority']} {rule['access']} {way} {ends[0]} to {ends[1]}, port {ports}"
