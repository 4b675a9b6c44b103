"""Storage accounts: settings that a PATCH changes one by one, at once, and without an ETag.

Shapes: https://learn.microsoft.com/rest/api/storagerp/storage-accounts/update.
"""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

from offline.azure.resource_manager.errors import ArmError, bad_request
from offline.azure.resource_manager.kinds import Kind
from offline.azure.resource_manager.store import Resource, Store

TYPE = "Microsoft.Storage/storageAccounts"
#: What this service knows of an account; it refuses a value of another type, as the platform does.
_SWITCHES = ("allowBlobPublicAccess", "allowSharedKeyAccess", "supportsHttpsTrafficOnly", "isHnsEnabled")
_CHOICES = {
    "publicNetworkAccess": ("Enabled", "Disabled", "SecuredByPerimeter"),
    "minimumTlsVersion": ("TLS1_0", "TLS1_1", "TLS1_2", "TLS1_3"),
}
_PATCHED = frozenset({"tags", "sku", "kind", "identity", "properties"})
_FIXED = ("isHnsEnabled",)


class StorageAccounts(Kind):
    """``Microsoft.Storage/storageAccounts``."""

    def __init__(self) -> None:
        super().__init__(TYPE)

    def accept(self, resource: Resource, before: Resource | None, store: Store) -> Resource:
        resource = super().accept(resource, before, store)
        if not (resource.get("sku") or {}).get("name") or not resource.get("kind"):
            raise bad_request("InvalidRequestPropertyValue", "A storage account needs 'sku.name' and 'kind'.")
        properties = resource["properties"]
        made = before["properties"]["creationTime"] if before else f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"
        properties["creationTime"] = made
        for name in _SWITCHES:
            if properties.get(name) not in (None, True, False):
                raise _wrong_value(name, properties[name])
        for name, choices in _CHOICES.items():
            if properties.get(name) not in (None, *choices):
                raise _wrong_value(name, properties[name])
        return resource

    def show(self, resource: Resource, store: Store) -> Resource:
        """With the addresses that the platform adds; without an ETag, which this provider does not have."""
        shown = super().show(resource, store)
        del shown["etag"]
        name = shown["name"]
        shown["properties"] = {
            "primaryLocation": shown["location"],
            "statusOfPrimary": "available",
            "primaryEndpoints": {kind: f"https://{name}.{kind}.core.windows.net/" for kind in ("blob", "dfs", "queue", "table")},
            **shown["properties"],
        }
        return shown

    def patched(self, present: Resource, sent: dict[str, Any], store: Store) -> Resource:
        if unknown := set(sent) - _PATCHED:
            raise bad_request("InvalidRequestPropertyName", f"The property '{sorted(unknown)[0]}' cannot be updated.")
        changed = copy.deepcopy(present)
        for name in _PATCHED - {"properties"}:
            if sent.get(name) is not None:
                changed[name] = sent[name]
        for name, value in (sent.get("properties") or {}).items():
            if name in _FIXED and value != changed["properties"].get(name):
                raise bad_request(
                    "PropertyImmutable", f"The property '{name}' was specified in the input, but it cannot be updated."
                )
            if value is not None:  # null leaves what is there
                changed["properties"][name] = value
        return self.accepted(changed, present, store)


def _wrong_value(name: str, value: object) -> ArmError:
    return bad_request("InvalidRequestPropertyValue", f"The value '{value}' is not allowed for property {name}.")
