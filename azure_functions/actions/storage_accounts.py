"""Storage accounts of Resource Manager, as JSON. A change is a PATCH of single properties: no ETag is there, and none needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from azure_functions.actions.persistence import Persistence
from azure_functions.actions.resource_manager import Resource, ResourceId
from azure_functions.clients import Clients
from azure_functions.cloud_errors import CloudRefusal, in_core_words

#: https://learn.microsoft.com/rest/api/storagerp/storage-accounts/update
_VERSION = {"api-version": "2024-01-01"}


class StorageAccounts:
    """Reads and writes in the name of one identity group."""

    def __init__(self, clients: Clients, group: str, persistence: Persistence) -> None:
        self._clients = clients
        self._group = group
        self.persistence = persistence

    def get(self, account_id: str) -> Resource | None:
        """Return an account, None where there is none."""
        try:
            with in_core_words("storageAccounts read"):
                found: Resource = self._clients("arm", self._group).call("GET", _path(account_id), query=_VERSION)
        except CloudRefusal as refusal:
            if refusal.is_missing:
                return None
            raise
        return found

    def count(self, subscription: str) -> int:
        """Return how many a subscription has."""
        path = f"/subscriptions/{subscription}/providers/Microsoft.Storage/storageAccounts"
        with in_core_words("storageAccounts read"):
            return sum(1 for _ in self._clients("arm", self._group).each(path, query=_VERSION))

    def update(self, account_id: str, properties: Mapping[str, Any]) -> None:
        """Set these properties and leave all others as they are."""
        with in_core_words("storageAccounts write"):
            body = {"properties": dict(properties)}
            self._clients("arm", self._group).call("PATCH", _path(account_id), query=_VERSION, body=body)


def _path(account_id: str) -> str:
    """The id as Azure writes it, whoever told it in which letters."""
    parsed = ResourceId.parse(account_id)
    group = f"/subscriptions/{parsed.subscription}/resourceGroups/{parsed.group}"
    return f"{group}/providers/Microsoft.Storage/storageAccounts/{parsed.name}"
