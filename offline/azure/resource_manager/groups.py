"""Subscriptions, resource groups, and the tags of anything (``Microsoft.Resources``)."""

from __future__ import annotations

import copy
import re

from offline.azure.resource_manager.addresses import Address
from offline.azure.resource_manager.errors import ArmError, bad_request, group_not_found, not_found
from offline.azure.resource_manager.store import Resource, Store
from offline.azure.web import EMPTY, Answer, Request, member

GROUP_TYPE = "Microsoft.Resources/resourceGroups"
_TAGGED = re.compile(r"tagName eq '([^']*)' and tagValue eq '([^']*)'")
#: Slashes in the id of a resource that stands in a group and not below another one.
_DIRECTLY = 8
_SUMMARY = ("id", "name", "type", "kind", "location", "sku", "tags")


class Groups:
    """Answers for subscriptions, resource groups and tags. Whoever uses it holds the store's lock."""

    def __init__(self, store: Store, tenant_id: str) -> None:
        self._store, self._tenant_id = store, tenant_id
        self.subscriptions: dict[str, str] = {}
        self._registered: set[str] = set()

    def add_subscription(self, subscription_id: str, name: str) -> None:
        self.subscriptions[subscription_id.lower()] = name

    def add(self, subscription_id: str, name: str, location: str, tags: dict[str, str] | None = None) -> Resource:
        """Seed a resource group."""
        group: Resource = {
            "id": f"/subscriptions/{subscription_id}/resourceGroups/{name}",
            "name": name,
            "type": GROUP_TYPE,
            "location": location,
            "tags": dict(tags or {}),
            "properties": {"provisioningState": "Succeeded"},
        }
        self._store.put(group)
        return group

    def has(self, path: str) -> bool:
        """Whether a resource group is there."""
        return self._store.get(path) is not None

    def require(self, address: Address) -> None:
        """Refuse where the subscription or the resource group of an address is not there.

        Raises
        ------
        ArmError
        """
        if address.subscription and address.subscription.lower() not in self.subscriptions:
            raise ArmError(404, "SubscriptionNotFound", f"The subscription '{address.subscription}' could not be found.")
        if address.group and not self.has(f"/subscriptions/{address.subscription}/resourceGroups/{address.group}"):
            raise group_not_found(address.group)

    def answer(self, address: Address, request: Request) -> Answer:
        """Answer for a subscription or a resource group; a DELETE of a group is the manager's.

        Raises
        ------
        ArmError
        """
        if "resourceGroups" not in address.types:
            return self._subscription(address, request)
        if address.is_list:
            return Answer(200, {"value": list(self._store.of_type(GROUP_TYPE, f"/subscriptions/{address.names[0]}"))})
        subscription, name = address.names
        group = self._store.get(address.path)
        if request.method == "HEAD":
            return Answer(204 if group else 404)
        if request.method == "PUT":
            sent = request.object()
            if not sent.get("location"):
                raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
            made = self.add(subscription, group["name"] if group else name, sent["location"], member(sent, "tags"))
            return Answer(200 if group else 201, made)
        if group is None:
            raise group_not_found(name)
        if request.method == "PATCH":
            group["tags"] = member(request.object(), "tags") or group["tags"]
        return Answer(200, group)

    def members(self, group: Address, request: Request) -> Answer:
        """What stands directly in a group; ``$filter`` by the name and value of a tag is served, and no other.

        Raises
        ------
        ArmError
        """
        wanted, below = _TAGGED.fullmatch(request.query.get("$filter", "")), f"{group.path}/providers/".lower()
        if wanted is None and request.query.get("$filter"):
            raise bad_request("InvalidFilterInQueryString", f"The filter '{request.query['$filter']}' is not served here.")
        found = (one for one in self._store.all() if one["id"].lower().startswith(below) and one["id"].count("/") == _DIRECTLY)
        shown = [{part: one[part] for part in _SUMMARY if part in one} for one in found]
        return Answer(200, {"value": [one for one in shown if not wanted or one.get("tags", {}).get(wanted[1]) == wanted[2]]})

    def provider(self, address: Address, request: Request) -> Answer:
        """Answer ``{subscription}/providers/{namespace}``: whether it is registered, and ``register``.

        Raises
        ------
        ArmError
        """
        provider = f"{address.scope}/providers/{address.namespace}"
        if address.action.lower() == "register":
            self._registered.add(provider.lower())
        elif address.action or request.method != "GET":
            raise ArmError(405, "HttpMethodNotAllowed", f"{request.method} is not served here for providers.")
        state = "Registered" if provider.lower() in self._registered else "NotRegistered"
        return Answer(200, {"id": provider, "namespace": address.namespace, "registrationState": state, "resourceTypes": []})

    def _subscription(self, address: Address, request: Request) -> Answer:
        if request.method != "GET":
            raise ArmError(405, "HttpMethodNotAllowed", f"{request.method} is not served here for subscriptions.")
        known = [
            {
                "id": f"/subscriptions/{key}",
                "subscriptionId": key,
                "tenantId": self._tenant_id,
                "displayName": name,
                "state": "Enabled",
            }
            for key, name in self.subscriptions.items()
        ]
        if address.is_list:
            return Answer(200, {"value": known, "count": {"type": "Total", "value": len(known)}})
        return Answer(200, next(one for one in known if one["subscriptionId"] == address.names[0].lower()))

    def tags(self, address: Address, request: Request) -> Answer:
        """Answer ``{scope}/providers/Microsoft.Resources/tags/default``.

        Raises
        ------
        ArmError
        """
        holder = self._store.get(address.scope)
        if holder is None:
            raise not_found(address.scope)
        present: dict[str, str] = holder.setdefault("tags", {})
        sent = request.object()
        named: dict[str, str] = member(member(sent, "properties"), "tags")
        if request.method == "DELETE":
            present.clear()
            return Answer(200, EMPTY)
        if request.method == "PUT":
            _set(present, named)
        elif request.method == "PATCH":
            _patch(present, str(sent.get("operation")), named)
        shown = {
            "id": address.path,
            "name": "default",
            "type": "Microsoft.Resources/tags",
            "properties": {"tags": copy.deepcopy(present)},
        }
        return Answer(200, shown)


def _patch(present: dict[str, str], operation: str, named: dict[str, str]) -> None:
    if operation == "Merge":
        present |= named
    elif operation == "Replace":
        _set(present, named)
    elif operation == "Delete":
        for name, value in named.items():
            if present.get(name) == value:
                del present[name]
    else:
        raise ArmError(400, "InvalidRequestContent", f"The tags operation '{operation}' is none of Merge, Replace and Delete.")


def _set(present: dict[str, str], named: dict[str, str]) -> None:
    present.clear()
    present.update(named)
