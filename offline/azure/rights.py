"""What the deployed templates let each identity group do: read from the shipped ARM templates, not from the code that needs it.

So a run whose rights are these proves that the roles which a customer deploys suffice, and that without arming nothing can be
changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from azure_infra.permissions import GRAPH, graph_permissions
from offline.azure.ingestion import OPERATION as SEND_LOGS

_TEMPLATES = Path(__file__).resolve().parents[2] / "azure_infra"
_METRICS_PUBLISHER = "3913510d-42f4-4e42-8a64-420c390055eb"
_DATA_RULE = "Microsoft.Insights/dataCollectionRules"
_GUID = re.compile(r"guid\(.*\)")
_PARAMETER = re.compile(r"\[parameters\('(\w+)'\)\]")
_PRINCIPAL = re.compile(r"(\w+)PrincipalId|'-(\w+)'\)\), '[\d-]+'\)\.principalId")

Json = Mapping[str, Any]


def deployed_rights(*, armed: bool) -> dict[str, frozenset[str]]:
    """Per identity group the operations that it may do, once the subscription's and the resource group's templates are deployed.

    Parameters
    ----------
    armed
        The parameter of the same name: whether the roles that change something are assigned.

    Notes
    -----
    Graph's application permissions are granted by a tenant administrator, armed or not: see ``azure_infra/consent.py``.
    """
    rights: dict[str, set[str]] = {str(group): {GRAPH + name for name in names} for group, names in graph_permissions().items()}
    for group, operations in _assigned(_read("subscription.json"), {}, {}, armed=armed):
        rights.setdefault(group, set()).update(operations)
    for resource in _read("resource_group.json")["resources"]:
        if _is(resource, "roleAssignments") and _DATA_RULE in str(resource.get("scope")):
            assert _METRICS_PUBLISHER in resource["properties"]["roleDefinitionId"]  # noqa: S101 - the only role on a rule that we know
            rights.setdefault(_group(resource, {}), set()).add(SEND_LOGS)
    return {group: frozenset(operations) for group, operations in rights.items()}


def _assigned(
    template: Json, given: Mapping[str, str], known: Mapping[str, list[str]], *, armed: bool
) -> Iterator[tuple[str, list[str]]]:
    """Yield the group and the operations of every custom role that a template assigns, in nested deployments as well."""
    resources = template["resources"]
    roles = dict(known) | {
        _guid(one["name"]): one["properties"]["permissions"][0]["actions"] for one in resources if _is(one, "roleDefinitions")
    }
    for one in resources:
        if not armed and one.get("condition") == "[parameters('armed')]":
            continue
        if _is(one, "roleAssignments"):
            said = str(one["properties"]["roleDefinitionId"])
            parameter = _PARAMETER.fullmatch(said)
            role = roles.get(_guid(given.get(parameter[1], said) if parameter else said))
            if role is not None:
                yield _group(one, given), role
        elif str(one["type"]) == "Microsoft.Resources/deployments":
            passed = {name: str(sent.get("value")) for name, sent in one["properties"].get("parameters", {}).items()}
            yield from _assigned(one["properties"]["template"], passed, roles, armed=armed)


def _group(assignment: Json, given: Mapping[str, str]) -> str:
    expression = str(assignment["properties"]["principalId"])
    parameter = _PARAMETER.fullmatch(expression)
    if parameter and parameter[1] in given:
        expression = given[parameter[1]]
    found = _PRINCIPAL.search(expression)
    if found is None:
        raise ValueError(f"no identity group stands in {expression}")
    return str(found[1] or found[2])


def _guid(expression: str) -> str:
    """The ``guid(…)`` of an expression: what a role is named by where it is made and where it is assigned."""
    found = _GUID.search(expression)
    return _balanced(found[0]) if found else expression


def _balanced(text: str) -> str:
    depth = 0
    for position, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == ")" and depth == 0:
            return text[: position + 1]
    return text


def _is(resource: Json, kind: str) -> bool:
    return bool(resource["type"] == f"Microsoft.Authorization/{kind}")


def _read(name: str) -> Any:
    return json.loads((_TEMPLATES / name).read_text())
