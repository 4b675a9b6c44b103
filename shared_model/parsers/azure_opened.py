"""What a call of Azure's Resource Manager may have opened to others: rules of network security groups.

A rule is a resource of its own (``…/networkSecurityGroups/web/securityRules/ssh``), which the portal, the CLI and most programs
write by itself: the record is about it by its id. What a group that was written whole lets in newly, no record says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared_model.events import Entity, EntityKind
from shared_model.parsers.fields import ID_LIMIT, text

_RULE_WRITTEN = "microsoft.network/networksecuritygroups/securityrules/write"
_GROUP_WRITTEN = "microsoft.network/networksecuritygroups/write"
_RULES = "/securityrules/"


def opened(operation: str, resource: str, asked: Mapping[str, Any], account: str) -> tuple[Entity, ...]:
    """Return what a call that succeeded may have opened, empty for every other call. Asks nobody whether it really did.

    Parameters
    ----------
    operation : str
        In full and in lower case.
    resource : str
        ARM id of what was written.
    asked : mapping
        Body of the request with keys in lower case, empty where the record has none: then it counts as an Allow.
    account : str
        Subscription.
    """
    resource = resource.lower()
    if len(resource) > ID_LIMIT:
        return ()
    if operation == _GROUP_WRITTEN:
        return (Entity(EntityKind.SECURITY_GROUP, resource, account),)
    group, rules, name = resource.rpartition(_RULES)
    if operation != _RULE_WRITTEN or not rules or not name or _denies(asked):
        return ()
    return Entity(EntityKind.SECURITY_GROUP, group, account), Entity(EntityKind.SECURITY_GROUP_RULE, resource, account)


def _denies(asked: Mapping[str, Any]) -> bool:
    return text(asked, "properties.access").lower() == "deny"
