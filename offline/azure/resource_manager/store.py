"""The resources of the local Resource Manager: kept by their id in any letter case, each with an ETag."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

Resource = dict[str, Any]
"""A resource's JSON body: id, name, type, location, tags, properties."""


def new_etag() -> str:
    """A new weak ETag, as the network provider writes it."""
    return f'W/"{uuid4()}"'


def new_guid() -> str:
    """A new made-up GUID."""
    return str(UUID(int=uuid4().int))


class Store:
    """All resources. Whoever reads or changes them holds :attr:`lock`."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._resources: dict[str, Resource] = {}

    def get(self, resource_id: str) -> Resource | None:
        return self._resources.get(resource_id.lower())

    def put(self, resource: Resource) -> None:
        self._resources[str(resource["id"]).lower()] = resource

    def delete(self, resource_id: str) -> None:
        """Remove a resource with all that stands below it."""
        gone = resource_id.lower()
        for key in [key for key in self._resources if key == gone or key.startswith(gone + "/")]:
            del self._resources[key]

    def of_type(self, type_name: str, scope: str = "") -> Iterator[Resource]:
        """The resources of one type below a scope (a subscription's or resource group's path), in the order of their making."""
        wanted, below = type_name.lower(), scope.lower() + "/"
        for key, resource in list(self._resources.items()):
            if str(resource["type"]).lower() == wanted and key.startswith(below):
                yield resource

    def all(self) -> list[Resource]:
        return list(self._resources.values())
