"""Management locks (``Microsoft.Authorization/locks``), at any scope, and what they forbid.

https://learn.microsoft.com/azure/azure-resource-manager/management/lock-resources
"""

from __future__ import annotations

from offline.azure.resource_manager.addresses import Address
from offline.azure.resource_manager.errors import ArmError, not_found, scope_locked
from offline.azure.resource_manager.store import Resource
from offline.azure.web import EMPTY, Answer, Request, member

_LEVELS = ("CanNotDelete", "ReadOnly")


class Locks:
    """All locks. Whoever uses it holds the store's lock."""

    def __init__(self) -> None:
        self._locks: dict[str, Resource] = {}

    def lock(self, scope: str, *, read_only: bool) -> None:
        """Seed a lock on a scope: nothing at or below it can be deleted, and if ``read_only`` nothing changed."""
        self._keep(scope, "seeded", {"level": "ReadOnly" if read_only else "CanNotDelete"})

    def unlock(self, scope: str) -> None:
        """Take the locks of a scope away."""
        below = f"{scope}/providers/microsoft.authorization/locks/".lower()
        self._locks = {key: lock for key, lock in self._locks.items() if not key.startswith(below)}

    def check(self, path: str, method: str) -> None:
        """Refuse a write that a lock forbids: one at or below its scope, or a deletion that would take that with it.

        Raises
        ------
        ArmError
        """
        wanted = f"{path}/".lower()
        if method in ("GET", "HEAD") or "/providers/microsoft.authorization/locks/" in wanted:
            return
        for lock in self._locks.values():
            scope = lock["id"].rpartition("/providers/")[0]
            here = f"{scope}/".lower()
            if method == "DELETE" and (wanted.startswith(here) or here.startswith(wanted)):
                raise scope_locked(path, "delete", scope)
            if lock["properties"]["level"] == "ReadOnly" and wanted.startswith(here):
                raise scope_locked(path, "write", scope)

    def answer(self, address: Address, request: Request) -> Answer:
        """Answer a request for locks.

        Raises
        ------
        ArmError
        """
        if address.is_list:
            below = f"{address.scope}/".lower()
            return Answer(200, {"value": [lock for key, lock in self._locks.items() if key.startswith(below)]})
        found = self._locks.get(address.path.lower())
        if request.method == "PUT":
            sent = member(request.object(), "properties")
            if sent.get("level") not in _LEVELS:
                raise ArmError(400, "InvalidLockLevel", f"The level of a lock is one of {', '.join(_LEVELS)}.")
            return Answer(200 if found else 201, self._keep(address.scope, address.names[0], sent))
        if request.method == "DELETE":
            self._locks.pop(address.path.lower(), None)
            return Answer(200 if found else 204, EMPTY)
        if found is None:
            raise not_found(address.path)
        return Answer(200, found)

    def _keep(self, scope: str, name: str, properties: Resource) -> Resource:
        made: Resource = {
            "id": f"{scope}/providers/Microsoft.Authorization/locks/{name}",
            "name": name,
            "type": "Microsoft.Authorization/locks",
            "properties": dict(properties),
        }
        self._locks[made["id"].lower()] = made
        return made
