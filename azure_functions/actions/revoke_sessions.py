"""Revoke every sign-in session of a user."""

from __future__ import annotations

from typing import ClassVar

from azure_functions.clients import Clients

from shared_model.events import EntityKind


class RevokeSessions:
    name: ClassVar[str] = "revoke_sessions"
    handles: ClassVar[frozenset[EntityKind]] = frozenset({EntityKind.SESSION, EntityKind.PRINCIPAL})
    permissions: ClassVar[tuple[str, ...]] = ("graph:User.Read.All", "graph:User.RevokeSessions.All")
    undo_permissions: ClassVar[tuple[str, ...]] = ()

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
