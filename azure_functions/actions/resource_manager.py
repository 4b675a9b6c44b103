"""Virtual machines, interfaces, networks and security groups of Resource Manager, as JSON, through the management SDKs.

"Not there" is None; everything else that goes wrong is CloudRefusal or CloudUnavailable. The SDK's models are mappings
that keep what they do not know, so that what is read and written back whole loses nothing, and leave out what is read-only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from azure_functions.actions.persistence import Persistence
from azure_functions.clients import Clients
from azure_functions.cloud_errors import CloudBusy, CloudRefusal, in_core_words
from azure_functions.waiting import waiting
from response.actions import CloudUnavailable

Resource = dict[str, Any]

#: Longest wait for an operation that Azure carries out after it has answered. What is not over then is looked at again at
#: the next delivery: every change is idempotent.
_OPERATION_S = 60.0
_RESOURCE_ID = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)/providers/"
    r"(?P<type>[^/]+/[^/]+)/(?P<name>[^/]+)(?P<child>/.+)?",
    re.IGNORECASE,
)


#: Where a change of a resource ends, one way or the other. In every other state somebody's change of it goes on.
_SETTLED = frozenset({"", "succeeded", "failed", "canceled"})


@dataclass(frozen=True, slots=True)
class ResourceId:
    """An ARM id of a resource in a resource group, in its parts. ``type`` is lower case."""

    subscription: str
    group: str
    type: str
    name: str
    child: str = ""

    @classmethod
    def parse(cls, text: str) -> ResourceId:
        """Read an ARM id. Raises ValueError for anything else."""
        match = _RESOURCE_ID.fullmatch(text)
        if match is None:
            raise ValueError(f"{text} is no id of a resource in a resource group")
        return cls(match["subscription"], match["group"], match["type"].lower(), match["name"], match["child"] or "")


def unless_changing(resource: Resource) -> Resource:
    """Return what was read. Raises CloudBusy while somebody else's change of it goes on: look again."""
    if not is_settled(resource):
        raise CloudBusy(f"{resource['id']} is {_state(resource)}: somebody else is changing it")
    return resource


def is_settled(resource: Resource) -> bool:
    """Whether no change of it goes on."""
    return _state(resource).lower() in _SETTLED


def _state(resource: Resource) -> str:
    return str((resource.get("properties") or {}).get("provisioningState") or "")


class ResourceManager:
    """Reads and writes in the name of one identity group.

    Parameters
    ----------
    clients : Clients
    group : str
        Identity group (``network``, ``undo``).
    persistence : Persistence
    """

    def __init__(self, clients: Clients, group: str, persistence: Persistence) -> None:
        self._clients = clients
        self._group = group
        self.persistence = persistence

    def virtual_machine(self, vm_id: str) -> Resource | None:
        """Return a virtual machine, None where there is none."""
        return self._read("virtualMachines read", vm_id, lambda i: self._compute(i).virtual_machines.get(i.group, i.name))

    def count_machines(self, subscription: str) -> int:
        """Return how many virtual machines a subscription has; those of scale sets in Uniform mode are none of them."""
        with in_core_words("virtualMachines read"):
            client = self._clients("compute", self._group, subscription_id=subscription.lower())
            return sum(1 for _ in client.virtual_machines.list_all())

    def interface(self, interface_id: str) -> Resource | None:
        """Return a network interface, None where there is none."""
        return self._read(
            "networkInterfaces read", interface_id, lambda i: self._network(i).network_interfaces.get(i.group, i.name)
        )

    def security_group(self, group_id: str) -> Resource | None:
        """Return a network security group, None where there is none."""
        return self._read(
            "networkSecurityGroups read", group_id, lambda i: self._network(i).network_security_groups.get(i.group, i.name)
        )

    def virtual_network(self, network_id: str) -> Resource | None:
        """Return a virtual network with its subnets and peerings, None where there is none."""
        return self._read("virtualNetworks read", network_id, lambda i: self._network(i).virtual_networks.get(i.group, i.name))

    def virtual_networks(self, subscription: str) -> list[Resource]:
        """Return the virtual networks of a subscription."""
        with in_core_words("virtualNetworks read"):
            client = self._clients("network", self._group, subscription_id=subscription.lower())
            return [found.as_dict() for found in client.virtual_networks.list_all()]

    def firewall_policy(self, policy_id: str) -> Resource | None:
        """Return the firewall policy of Application Gateways with its rules, None where there is none."""
        return self._read(
            "ApplicationGatewayWebApplicationFirewallPolicies read",
            policy_id,
            lambda i: self._network(i).web_application_firewall_policies.get(i.group, i.name),
        )

    def public_addresses(self, subscription: str) -> frozenset[str]:
        """Return the public IP addresses that a subscription holds itself: gateways, firewalls, balancers, machines."""
        with in_core_words("publicIPAddresses read"):
            client = self._clients("network", self._group, subscription_id=subscription)
            return frozenset(str(found.ip_address) for found in client.public_ip_addresses.list_all() if found.ip_address)

    def effective_groups(self, interface_id: str) -> list[Resource] | None:
        """Return the security groups and rules that Azure has in force on an interface.

        None where it does not say: only of the interfaces of a running machine.
        """
        parsed = ResourceId.parse(interface_id)
        try:
            with in_core_words("effectiveNetworkSecurityGroups"):
                found = self._finish(
                    self._network(parsed).network_interfaces.begin_list_effective_network_security_groups(
                        parsed.group, parsed.name, polling_interval=self.persistence.poll_s
                    )
                )
        except CloudRefusal:
            return None
        return list(found.as_dict().get("value") or ())

    def write_interface(self, interface: Resource) -> None:
        """Write an interface whole; refused when it changed since it was read."""
        parsed = ResourceId.parse(interface["id"])
        from azure.mgmt.network.models import NetworkInterface  # here, because the models take half a second to import

        with in_core_words("networkInterfaces write"):
            self._finish(
                self._network(parsed).network_interfaces.begin_create_or_update(
                    parsed.group, parsed.name, NetworkInterface(interface), **self._write_options(interface["etag"])
                )
            )

    def write_security_group(self, group: Resource, *, etag: str = "") -> None:
        """Write a security group whole, all its rules included; with an ETag, refused when it changed since."""
        parsed = ResourceId.parse(group["id"])
        from azure.mgmt.network.models import NetworkSecurityGroup  # here, as above

        with in_core_words("networkSecurityGroups write"):
            self._finish(
                self._network(parsed).network_security_groups.begin_create_or_update(
                    parsed.group, parsed.name, NetworkSecurityGroup(group), **self._write_options(etag)
                )
            )

    def write_firewall_policy(self, policy: Resource, *, etag: str) -> None:
        """Write a firewall policy whole, all its rules included; with an ETag, refused when it changed since."""
        parsed = ResourceId.parse(policy["id"])
        from azure.mgmt.network.models import WebApplicationFirewallPolicy  # here, as above

        options = self._write_options(etag)
        del options["polling_interval"]  # it is answered when it is accepted
        with in_core_words("ApplicationGatewayWebApplicationFirewallPolicies write"):
            self._network(parsed).web_application_firewall_policies.create_or_update(
                parsed.group, parsed.name, WebApplicationFirewallPolicy(policy), **options
            )

    def write_rule(self, group_id: str, name: str, properties: Mapping[str, Any], *, etag: str) -> None:
        """Write one rule of a security group beside the others; with the group's ETag, refused when that changed since."""
        parsed = ResourceId.parse(group_id)
        from azure.mgmt.network.models import SecurityRule  # here, as above

        with in_core_words("securityRules write"):
            self._finish(
                self._network(parsed).security_rules.begin_create_or_update(
                    parsed.group, parsed.name, name, SecurityRule({"properties": dict(properties)}), **self._write_options(etag)
                )
            )

    def delete_rule(self, group_id: str, name: str, *, etag: str) -> None:
        """Delete one rule of a security group; with the group's ETag, refused when that changed since."""
        parsed = ResourceId.parse(group_id)
        with in_core_words("securityRules delete"):
            self._finish(
                self._network(parsed).security_rules.begin_delete(parsed.group, parsed.name, name, **self._write_options(etag))
            )

    def _write_options(self, etag: str) -> dict[str, Any]:
        # The SDK's own retries would send the same ETag again: whoever wrote must read again first.
        options: dict[str, Any] = {"polling_interval": self.persistence.poll_s, "retry_total": 0}
        return {**options, "headers": {"If-Match": etag}} if etag else options

    def _read(self, operation: str, resource_id: str, get: Callable[[ResourceId], Any]) -> Resource | None:
        try:
            with in_core_words(operation):
                found: Resource = get(ResourceId.parse(resource_id)).as_dict()
        except CloudRefusal as refusal:
            if refusal.is_missing:
                return None
            raise
        return found

    def _finish(self, poller: Any) -> Any:
        with waiting():  # the poller looks in a thread of its own
            poller.wait(_OPERATION_S)
        if not poller.done():
            raise CloudUnavailable(f"an operation of Resource Manager is not over after {_OPERATION_S:.0f} s")
        return poller.result()

    def _network(self, parsed: ResourceId) -> Any:
        return self._clients("network", self._group, subscription_id=parsed.subscription.lower())

    def _compute(self, parsed: ResourceId) -> Any:
        return self._clients("compute", self._group, subscription_id=parsed.subscription.lower())
