"""Remove a principal's own role assignments in the subscription."""

from __future__ import annotations

from typing import ClassVar

from azure_functions.clients import Clients

from shared_model.events import EntityKind


class RemoveRoleAssignments:
    name: ClassVar[str] = "remove_role_assignments"
    handles: ClassVar[frozenset[EntityKind]] = frozenset({EntityKind.PRINCIPAL})
    permissions: ClassVar[tuple[str, ...]] = (
        "Microsoft.Authorization/roleAssignments/delete",
        "Microsoft.Authorization/roleAssignments/read",
        "Microsoft.Authorization/roleDefinitions/read",
    )
    undo_permissions: ClassVar[tuple[str, ...]] = (
        "Microsoft.Authorization/roleAssignments/read",
        "Microsoft.Authorization/roleAssignments/write",
    )

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
