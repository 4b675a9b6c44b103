"""Block an address: deny rules in the network security groups in force on the interfaces that it talked to."""

from __future__ import annotations

from typing import ClassVar

from azure_functions.clients import Clients

from azure_functions.actions.permissions import FOLLOW_OPERATIONS, WRITE_SECURITY_GROUP
from shared_model.events import EntityKind


class BlockAddress:
    name: ClassVar[str] = "block_address"
    handles: ClassVar[frozenset[EntityKind]] = frozenset({EntityKind.ADDRESS})
    permissions: ClassVar[tuple[str, ...]] = (
        "Microsoft.Compute/virtualMachines/read",
        "Microsoft.Network/networkInterfaces/effectiveNetworkSecurityGroups/action",
        "Microsoft.Network/networkInterfaces/read",
        "Microsoft.Network/networkSecurityGroups/securityRules/read",
        "Microsoft.Network/networkSecurityGroups/securityRules/write",
        "Microsoft.Network/virtualNetworks/read",
        *WRITE_SECURITY_GROUP,
        *FOLLOW_OPERATIONS,
    )
    undo_permissions: ClassVar[tuple[str, ...]] = (
        "Microsoft.Network/networkSecurityGroups/securityRules/delete",
        *WRITE_SECURITY_GROUP,
        *FOLLOW_OPERATIONS,
    )

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
