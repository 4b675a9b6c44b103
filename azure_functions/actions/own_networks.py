"""Which addresses are a subscription's own: those of its virtual networks, of networks peered with them, and its public ones."""

from __future__ import annotations

from collections.abc import Iterable

from azure_functions.actions.prefixes import PLATFORM_ADDRESS, is_private, within
from azure_functions.actions.resource_manager import Resource, ResourceManager
from response.addresses import Address, not_of_another_host


class OwnNetworks:
    """Asks Resource Manager. Networks behind a gateway are not known there."""

    def __init__(self, arm: ResourceManager) -> None:
        self._arm = arm

    def owner_of(self, address: Address, subscriptions: Iterable[str]) -> str:
        """Say what of these subscriptions' own an address is, ``""`` where it is nothing known."""
        if str(address) == PLATFORM_ADDRESS:
            return "Azure's own: health probes, DHCP and DNS come from there"
        if reason := not_of_another_host(address):
            return reason
        for subscription in sorted(set(subscriptions)):
            for network in self._arm.virtual_networks(subscription):
                if within(str(address), _prefixes(network)):
                    return f"in the virtual network {network['name']} or one peered with it: quarantine the machine that has it"
            if not is_private(str(address)) and str(address) in self._arm.public_addresses(subscription):
                return "a public address of the subscription itself: contain what it belongs to"
        return ""


def _prefixes(network: Resource) -> list[str]:
    properties = network.get("properties") or {}
    peered = [(each.get("properties") or {}).get("remoteAddressSpace") for each in properties.get("virtualNetworkPeerings") or ()]
    return [
        prefix for space in (properties.get("addressSpace"), *peered) for prefix in (space or {}).get("addressPrefixes") or ()
    ]
