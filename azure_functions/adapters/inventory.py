"""Which machine an interface is: flow logs name it by its MAC address, Resource Manager knows the rest."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from azure_functions.clients import Clients
from azure_functions.cloud_errors import CloudForbidden, CloudRefusal, in_core_words
from azure_functions.registry import Group
from shared_model.events import Interface

#: How long a subscription's interfaces are taken for what they were: machines come and go less often than flow logs.
_KEEP_MS = 10 * 60_000
_API_VERSION = "2024-05-01"
_SUBSCRIPTION = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
#: Interface id and machine id by MAC address, all in lower case.
_Known = Mapping[str, tuple[str, str]]


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
        self._kept: dict[str, tuple[int, _Known]] = {}
        self._lock = threading.Lock()

    def resolve(self, interfaces: Sequence[Interface]) -> tuple[Interface, ...]:
        """Return the interfaces with the ids of interface and machine in place of MAC addresses.

        Those that are not found (of a scale set in uniform mode, or deleted since) stay as they are. Raises CloudUnavailable.
        """
        return tuple(self._resolved(interface) for interface in interfaces)

    def _resolved(self, interface: Interface) -> Interface:
        interface_id, machine = self._of(interface.account).get(interface.interface_id, ("", ""))
        return replace(interface, interface_id=interface_id, instance_id=machine) if interface_id else interface

    def _of(self, subscription: str) -> _Known:
        if not _SUBSCRIPTION.fullmatch(subscription):  # it comes from telemetry, and goes into an address
            return {}
        with self._lock:
            read_ms, known = self._kept.get(subscription, (0, {}))
            if not read_ms or self._now_ms() - read_ms >= _KEEP_MS:
                known = self._read(subscription)
                self._kept[subscription] = (self._now_ms(), known)
            return known

    def _read(self, subscription: str) -> _Known:
        path = f"/subscriptions/{subscription}/providers/Microsoft.Network/networkInterfaces"
        try:
            with in_core_words(f"network interfaces of {subscription}"):
                listed = list(self._clients("arm", Group.DETECT).each(path, query={"api-version": _API_VERSION}))
        except (CloudForbidden, CloudRefusal) as error:
            self._unreadable(subscription, str(error))
            return {}
        known = dict(_entry(interface) for interface in listed)
        known.pop("", None)  # an interface that was never attached has no address yet, and is nobody's
        return known


def _entry(interface: Mapping[str, Any]) -> tuple[str, tuple[str, str]]:
    properties = interface.get("properties", {})
    # ``00-0D-3A-1B-C7-21``; flow logs write it without the hyphens.
    address = str(properties.get("macAddress") or "").replace("-", "").lower()
    machine = str((properties.get("virtualMachine") or {}).get("id") or "").lower()
    return address, (str(interface["id"]).lower(), machine)
