"""Quarantine a virtual machine: every network interface gets a security group that allows nothing."""

from __future__ import annotations

from typing import ClassVar

from azure_functions.clients import Clients

from azure_functions.actions.permissions import FOLLOW_OPERATIONS, WRITE_INTERFACE
from shared_model.events import EntityKind


class QuarantineInstance:
    name: ClassVar[str] = "quarantine_instance"
    handles: ClassVar[frozenset[EntityKind]] = frozenset({EntityKind.INSTANCE})
    permissions: ClassVar[tuple[str, ...]] = (
        "Microsoft.Compute/virtualMachines/read",
        "Microsoft.Network/networkInterfaces/effectiveNetworkSecurityGroups/action",
        "Microsoft.Network/networkSecurityGroups/read",
        "Microsoft.Network/networkSecurityGroups/write",
        *WRITE_INTERFACE,
        *FOLLOW_OPERATIONS,
    )
    undo_permissions: ClassVar[tuple[str, ...]] = (
        *WRITE_INTERFACE,
        *FOLLOW_OPERATIONS,
    )

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
