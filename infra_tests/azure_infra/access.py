"""Who may do what, read from what the templates deploy: in the words of people, not of ids."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from azure_infra.data_roles import BUILT_IN
from infra_tests.azure_infra.conftest import OPERATOR, PRINCIPALS, SENTINEL, SWITCH_HOLDER
from offline.azure.templates.deployment import Deployed, Deployment
from offline.azure.templates.expressions import DEPLOYER

_BUILT_IN = {identifier: title for title, identifier in BUILT_IN.items()} | {
    "8d289c81-5878-46d4-8554-54e1e3d8b5cb": "Microsoft Sentinel Reader",
    "f4c81013-99ee-4d62-a7ee-b3f1f648599a": "Microsoft Sentinel Automation Contributor",
}
_WHO = {principal: str(group) for group, principal in PRINCIPALS.items()} | {
    SENTINEL: "Azure Security Insights",
    OPERATOR: "an operator",
    SWITCH_HOLDER: "who turns the switch",
    DEPLOYER: "who deploys",
}


@dataclass(frozen=True)
class Right:
    """One assignment.

    Attributes
    ----------
    who, role, on : str
    operations, data : frozenset of str
        What a role of ours allows; empty for a built-in one.
    condition : str
    """

    who: str
    role: str
    on: str
    operations: frozenset[str]
    data: frozenset[str]
    condition: str


def rights(deployments: Iterable[Deployment]) -> Iterator[Right]:
    """Every assignment of several deployments."""
    for deployment in deployments:
        roles = {one.id.rpartition("/")[2]: one.properties for one in deployment.of("Microsoft.Authorization/roleDefinitions")}
        for assignment in deployment.of("Microsoft.Authorization/roleAssignments"):
            yield _right(assignment, roles)


def _right(assignment: Deployed, roles: dict[str, dict[str, Any]]) -> Right:
    properties = assignment.properties
    identifier = properties["roleDefinitionId"].rpartition("/")[2]
    role = roles.get(identifier)
    title = role["roleName"].rpartition(" (")[0] if role else _BUILT_IN[identifier]
    allowed = role["permissions"][0] if role else {"actions": [], "dataActions": []}
    assert not role or allowed["notActions"] == allowed["notDataActions"] == []
    return Right(
        _who(properties["principalId"]),
        title,
        assignment.id.partition("/providers/Microsoft.Authorization/")[0],
        frozenset(allowed["actions"]),
        frozenset(allowed["dataActions"]),
        properties.get("condition", ""),
    )


def _who(principal: Any) -> str:
    known = _WHO.get(str(principal))
    if known:
        return known
    found = re.search(r"/(?:userAssignedIdentities|systemTopics)/breakwater-([\w-]+)\.", str(principal))
    assert found, principal
    return found.group(1)
