"""Block the sign-in of a user."""

from __future__ import annotations

from typing import ClassVar

from azure_functions.clients import Clients

from shared_model.events import EntityKind


class BlockSignIn:
    name: ClassVar[str] = "block_sign_in"
    handles: ClassVar[frozenset[EntityKind]] = frozenset({EntityKind.PRINCIPAL})
    permissions: ClassVar[tuple[str, ...]] = ("graph:User.EnableDisableAccount.All", "graph:User.Read.All")
    undo_permissions: ClassVar[tuple[str, ...]] = ("graph:User.EnableDisableAccount.All", "graph:User.Read.All")

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
