"""What a kind of resource is to the local Resource Manager: what it accepts, what it adds, what it points to."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from offline.azure.endpoint import Link
from offline.azure.resource_manager.errors import ArmError, bad_request, reference_not_found
from offline.azure.resource_manager.store import Resource, Store, new_etag, new_guid
from offline.azure.web import member


class Kind:
    """A type of resource that is kept as it is written. Subclasses say more.

    Attributes
    ----------
    type
        ``namespace/type``.
    nested
        Child types that live inside the resource's properties: the child's type → the property that lists them.
    has_guid
        Whether the provider gives it a ``resourceGuid``.
    """

    nested: ClassVar[Mapping[str, str]] = {}
    has_guid: ClassVar[bool] = False

    def __init__(self, type_name: str) -> None:
        self.type = type_name

    def accept(self, resource: Resource, before: Resource | None, store: Store) -> Resource:
        """The resource as it will be kept: what the platform does not let a caller set comes from ``before``.

        Parameters
        ----------
        resource
            What was sent, with ``id``, ``name`` and ``type`` set; a copy that may be kept.
        before
            The present state, where there is one.

        Raises
        ------
        ArmError
        """
        del store
        if not resource.get("location"):
            raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
        if before and _region(resource) != _region(before):
            raise ArmError(
                409,
                "InvalidResourceLocation",
                f"The resource '{resource['name']}' already exists in location '{before['location']}'. "
                f"A resource with the same name cannot be created in location '{resource['location']}'. Please select a new "
                "resource name.",
            )
        properties = resource.setdefault("properties", {})
        if self.has_guid:
            guid = before["properties"].get("resourceGuid") if before else properties.get("resourceGuid")
            properties["resourceGuid"] = guid or new_guid()
        return resource

    def accepted(self, resource: Resource, before: Resource | None, store: Store) -> Resource:
        """As :meth:`accept`; a body that is built otherwise than the type's is refused as one that cannot be parsed.

        Raises
        ------
        ArmError
        """
        try:
            return self.accept(resource, before, store)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise bad_request("InvalidRequestFormat", f"Cannot parse the request: {type(error).__name__} {error}.") from error

    def patched(self, present: Resource, sent: dict[str, Any], store: Store) -> Resource:
        """The resource as a PATCH leaves it. Here: tags that are sent replace those that are there, and nothing else can be sent.

        Raises
        ------
        ArmError
        """
        del store
        if unknown := set(sent) - {"tags"}:
            raise ArmError(400, "InvalidRequestContent", f"Only tags can be patched here, not {', '.join(sorted(unknown))}.")
        return {**present, "tags": member(sent, "tags")}

    def show(self, resource: Resource, store: Store) -> Resource:
        """The resource as it is answered: a copy with what the platform works out from other resources."""
        del store
        return copy.deepcopy(resource)

    def next_etag(self, before: Resource | None) -> str:
        """The ETag of a state that follows ``before``."""
        del before
        return new_etag()

    def links(self, resource: Resource) -> Iterator[Link]:
        """What a write of this resource needs beyond the write itself."""
        del resource
        return iter(())

    def check_delete(self, resource: Resource, store: Store) -> None:
        """Refuse where another resource still uses it."""
        del resource, store


def _region(resource: Resource) -> str:
    return str(resource["location"]).lower().replace(" ", "")


def reference(holder: Mapping[str, Any] | None, key: str) -> str:
    """The id that ``holder[key]`` points to; empty where it points nowhere."""
    pointed = (holder or {}).get(key)
    return str(pointed.get("id") or "") if isinstance(pointed, dict) else ""


def checked_reference(holder: Mapping[str, Any], key: str, resource: Resource, store: Store) -> str:
    """As :func:`reference`, written as the resource that it names is; refused where that is not there or elsewhere.

    Raises
    ------
    ArmError
    """
    pointed = reference(holder, key)
    if not pointed:
        return ""
    found = store.get(pointed)
    if found is None or _region(found) != _region(resource):
        raise reference_not_found(pointed, resource["id"])
    holder[key]["id"] = found["id"]
    return str(found["id"])


def only_known(properties: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    """Refuse a member that the type does not have, as the network provider does.

    Raises
    ------
    ArmError
    """
    for name in properties:
        if name not in known:
            raise bad_request(
                "InvalidRequestFormat",
                f"Cannot parse the request. Could not find member '{name}' on object of type '{where}'.",
            )
