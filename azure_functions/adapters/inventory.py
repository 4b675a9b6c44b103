"""Which machine an interface is, and an address: flow logs name the one by its MAC address, the other end not at all.

Resource Manager knows the rest.
"""

from __future__ import annotations

import ipaddress
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from azure_functions.clients import Clients
from azure_functions.cloud_errors import CloudForbidden, CloudRefusal, in_core_words
from azure_functions.registry import Group
from shared_model.events import Entity, EntityKind, Interface
from shared_model.verdicts import Verdict

#: How long a subscription's interfaces are taken for what they were: machines come and go less often than flow logs.
_KEEP_MS = 10 * 60_000
#: An address changes hands faster than a MAC address: its holder is looked up anew, and only of flows that are this young.
_KEEP_ADDRESS_MS = 60_000
_HELD_MS = 30 * 60_000
_API_VERSION = "2024-05-01"
_SUBSCRIPTION = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class _Nic:
    """A network interface; all ids in lower case, ``machine`` is ``""`` where it serves none."""

    id: str
    mac: str
    machine: str
    network: str
    addresses: frozenset[str]


class _Listed:
    """A subscription's interfaces by what telemetry calls them."""

    def __init__(self, nics: Sequence[_Nic] = ()) -> None:
        self.by_id = {nic.id: nic for nic in nics}
        self.by_mac = {nic.mac: nic for nic in nics if nic.mac}  # one that was never attached has none yet, and is nobody's
        holders = Counter(address for nic in nics for address in nic.addresses)
        # An entity is an address within a subscription: where two networks of it have the same, it may be either's.
        self.by_address = {address: nic for nic in nics for address in nic.addresses if holders[address] == 1}


class Inventory:
    """The network interfaces of each subscription, read when they are first asked for.

    Parameters
    ----------
    clients : Clients
        Service ``arm`` of the detecting group: one list, for which the management SDK would take most of a second to import.
    now_ms : callable
    unreadable : callable
        Told the subscription and the reason where the interfaces may not be read: detection goes on without names.
    """

    def __init__(self, clients: Clients, *, now_ms: Callable[[], int], unreadable: Callable[[str, str], None]) -> None:
        self._clients = clients
        self._now_ms = now_ms
        self._unreadable = unreadable
        self._kept: dict[str, tuple[int, _Listed]] = {}
        self._peered: dict[str, tuple[int, Mapping[str, Set[str]]]] = {}
        self._lock = threading.Lock()

    def resolve(self, interfaces: Sequence[Interface]) -> tuple[Interface, ...]:
        """Return the interfaces with the ids of interface and machine in place of MAC addresses.

        Those that are not found (of a scale set in uniform mode, or deleted since) stay as they are. Raises CloudUnavailable.
        """
        return tuple(self._resolved(interface) for interface in interfaces)

    def name_initiators(self, verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
        """Return the verdicts with interface and machine of an initiator that only the other end's flow log told of.

        A flow between two machines is in two blobs, and the one of the machine that was reached may alarm first: it knows the
        initiator by its address. This is a machine's when one interface alone of the subscription has it, now and of flows
        that are young; when it lies in the virtual network of all interfaces that the verdict has reached; and when those
        answered it: flows that nobody completed may be spoofed, and lend a neighbour no signal. A network that is peered with
        theirs counts as theirs: Azure peers none whose addresses overlap. Else the verdict stays as it is; so does one about
        an address of another subscription, or behind a gateway. Raises CloudUnavailable.
        """
        return tuple(self._named(verdict) for verdict in verdicts)

    def _named(self, verdict: Verdict) -> Verdict:
        entity = verdict.entity
        if verdict.related or entity.kind is not EntityKind.ADDRESS or not (verdict.completed_flow and verdict.reached):
            return verdict
        if self._now_ms() - verdict.time_ms > _HELD_MS:  # who held it then is not known
            return verdict
        listed = self._of(entity.account, _KEEP_ADDRESS_MS)
        nic = listed.by_address.get(entity.id)
        if nic is None or not self._reaches(nic.network, {_network(listed, place) for place in verdict.reached}, entity.account):
            return verdict
        names = ((EntityKind.INSTANCE, nic.machine), (EntityKind.INTERFACE, nic.id))  # in the order of the shared core
        return replace(verdict, related=tuple(Entity(kind, name, entity.account) for kind, name in names if name))

    def _reaches(self, network: str, others: Set[str], subscription: str) -> bool:
        """Whether addresses of a network mean the same in these, ``""`` being one that is not known."""
        if not network or "" in others:
            return False
        elsewhere = others - {network}
        return not elsewhere or elsewhere <= self._peers(subscription).get(network, frozenset())

    def _peers(self, subscription: str) -> Mapping[str, Set[str]]:
        """The networks that each of a subscription is peered with, read when a verdict first crosses from one to another."""
        with self._lock:
            read_ms, peers = self._peered.get(subscription, (0, {}))
            if not read_ms or self._now_ms() - read_ms >= _KEEP_MS:
                listed = self._list(subscription, "virtualNetworks")
                peers = {str(network["id"]).lower(): frozenset(_peered_with(network)) for network in listed}
                self._peered[subscription] = (self._now_ms(), peers)
            return peers

    def _resolved(self, interface: Interface) -> Interface:
        nic = self._of(interface.account, _KEEP_MS).by_mac.get(interface.interface_id)
        return replace(interface, interface_id=nic.id, instance_id=nic.machine) if nic else interface

    def _of(self, subscription: str, keep_ms: int) -> _Listed:
        if not _SUBSCRIPTION.fullmatch(subscription):  # it comes from telemetry, and goes into an address
            return _Listed()
        with self._lock:
            read_ms, listed = self._kept.get(subscription, (0, _Listed()))
            if not read_ms or self._now_ms() - read_ms >= keep_ms:
                listed = self._read(subscription)
                self._kept[subscription] = (self._now_ms(), listed)
            return listed

    def _read(self, subscription: str) -> _Listed:
        return _Listed([_nic(interface) for interface in self._list(subscription, "networkInterfaces")])

    def _list(self, subscription: str, kind: str) -> list[Mapping[str, Any]]:
        path = f"/subscriptions/{subscription}/providers/Microsoft.Network/{kind}"
        try:
            with in_core_words(f"{kind} of {subscription}"):
                return list(self._clients("arm", Group.DETECT).each(path, query={"api-version": _API_VERSION}))
        except (CloudForbidden, CloudRefusal) as error:
            self._unreadable(subscription, str(error))
            return []


def _network(listed: _Listed, place: Entity) -> str:
    """The virtual network of an interface, ``""`` where it is not known."""
    nic = listed.by_id.get(place.id)
    return nic.network if nic else ""


def _peered_with(network: Mapping[str, Any]) -> Iterator[str]:
    """Ids, in lower case, of the networks from which packets come in by a peering that both sides have made."""
    for peering in (network.get("properties") or {}).get("virtualNetworkPeerings") or ():
        said = peering.get("properties") or {}
        if said.get("peeringState") == "Connected" and said.get("allowVirtualNetworkAccess") is not False:
            yield str((said.get("remoteVirtualNetwork") or {}).get("id") or "").lower()


def _nic(interface: Mapping[str, Any]) -> _Nic:
    properties = interface.get("properties", {})
    configurations = [each.get("properties") or {} for each in properties.get("ipConfigurations") or ()]
    subnets = (str((each.get("subnet") or {}).get("id") or "").lower() for each in configurations)
    networks = {subnet.partition("/subnets/")[0] for subnet in subnets} or {""}
    return _Nic(
        id=str(interface["id"]).lower(),
        # ``00-0D-3A-1B-C7-21``; flow logs write it without the hyphens.
        mac=str(properties.get("macAddress") or "").replace("-", "").lower(),
        machine=str((properties.get("virtualMachine") or {}).get("id") or "").lower(),
        network=networks.pop() if len(networks) == 1 else "",
        addresses=frozenset(_addresses(configurations)),
    )


def _addresses(configurations: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Private addresses as the shared core spells them."""
    for each in configurations:
        try:
            yield str(ipaddress.ip_address(str(each.get("privateIPAddress") or "")))
        except ValueError:
            continue  # of one that is being made it is not there yet
