"""The roles that are deployed, as Azure's access control reads them: what they allow each identity, on which very resource.

They are those of ``infra_tests/azure_infra/golden/rights.json``, which a test holds equal to what the templates deploy, and those
that the operator gives on the key of the links.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from offline.azure.vault import GIVEN

_GOLDEN = Path(__file__).parents[1] / "azure_infra" / "golden" / "rights.json"
_STORAGE = "Microsoft.Storage/storageAccounts"
_BLOBS = f"{_STORAGE}/blobServices/containers/blobs"
MESSAGES = f"{_STORAGE}/queueServices/queues/messages"
#: What the built-in roles hold that the functions' identities have
#: (https://learn.microsoft.com/azure/role-based-access-control/built-in-roles).
_BUILT_IN: Mapping[str, tuple[str, ...]] = {
    "Azure Event Hubs Data Receiver": ("Microsoft.EventHub/namespaces/messages/receive/action",),
    "Monitoring Metrics Publisher": ("Microsoft.Insights/Telemetry/Write",),
    "Storage Blob Data Owner": (f"{_BLOBS}/*",),
    "Storage Blob Data Reader": (f"{_BLOBS}/read",),
    "Storage Queue Data Contributor": tuple(f"{MESSAGES}/{verb}" for verb in ("delete", "read", "write", "process/action")),
    "Storage Queue Data Message Sender": (f"{MESSAGES}/add/action",),
    "Storage Table Data Contributor": (f"{_STORAGE}/tableServices/tables/entities/*",),
    "Storage Table Data Reader": (f"{_STORAGE}/tableServices/tables/entities/read",),
}
#: Of what a test cannot have the deployed name, the name that stands for it here: the accounts, the rule, the workspace.
_STANDS_FOR: tuple[tuple[str, str], ...] = (
    (r".*/storageAccounts/breakwatest\w+/\w+Services/default/(tables|queues|containers)/([\w-]+)", r"state/\1/\2"),
    (r".*/storageAccounts/breakwatefl\w+", "flow logs"),
    (r".*/storageAccounts/officeflowlogs", "flow logs"),
    (r".*/storageAccounts/breakwateh(\w)8\w+", r"host of app \1"),
    (r".*/eventhubs/([\w-]+)", r"hub/\1"),
    (r".*/dataCollectionRules/[\w-]+", "rule of Sentinel's table"),
    (r".*/components/[\w-]+", "telemetry of the apps"),
    (r".*/workspaces/[\w-]+", "workspace"),
    (r".*/\w+WebApplicationFirewallPolicies/\w+", "a firewall policy"),
    (r"/subscriptions/[\w-]+", "subscription"),
)
_PATH = re.compile(r"StringLike '([^']+)'")


@dataclass(frozen=True, order=True)
class Grant:
    """One operation on one resource that an identity may do; ``paths`` are those of blobs to which a condition narrows it."""

    who: str
    operation: str
    on: str
    paths: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.who}: {self.operation} on {self.on}"


@dataclass(frozen=True)
class Asked:
    """What Azure asks its access control when a call is made.

    Attributes
    ----------
    operations : tuple of frozenset of str
        Any of these sets is enough, whole.
    on : str
    path : str
        Of a blob in its container.
    """

    operations: tuple[frozenset[str], ...]
    on: str
    path: str = ""


@cache
def grants(who: str) -> frozenset[Grant]:
    """Everything that an identity is allowed."""
    return frozenset(_grants(who))


def allowing(who: str, question: Asked) -> frozenset[Grant]:
    """Return the grants that allow it: those of the first set of operations that the identity has; none where it has none."""
    for operations in question.operations:
        found = {
            operation: next((each for each in sorted(grants(who)) if _covers(each, operation, question)), None)
            for operation in operations
        }
        if None not in found.values():
            return frozenset(each for each in found.values() if each)
    return frozenset()


def _covers(grant: Grant, operation: str, question: Asked) -> bool:
    return (
        fnmatchcase(operation.lower(), grant.operation.lower())
        and grant.on == question.on
        and (not grant.paths or any(fnmatchcase(question.path, pattern) for pattern in grant.paths))
    )


def _grants(who: str) -> Iterator[Grant]:
    for right in json.loads(_GOLDEN.read_text(encoding="utf-8")):
        if right["who"] == who:
            for operation in (*right["operations"], *right["data"]) or _BUILT_IN[right["role"]]:
                yield Grant(who, operation, _named(right), tuple(_PATH.findall(right["condition"])))
    for operation in GIVEN.get(who, ()):
        yield Grant(who, operation, "key of the links")


def _named(right: Mapping[str, Any]) -> str:
    for pattern, name in _STANDS_FOR:
        if (found := re.fullmatch(pattern, right["on"])) is not None:
            return found.expand(name)
    raise LookupError(f"{right['on']}: say in {__name__} what stands for it in a test")
