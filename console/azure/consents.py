"""Which permissions of Microsoft Graph a tenant administrator has granted Breakwater's identities, beside those it asks for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from azure_functions.actions.catalogue import ACTIONS, UNDO_GROUP
from azure_functions.cloud_errors import CloudRefusal, in_core_words
from azure_functions.registry import Group
from azure_functions.rest import RestClient
from azure_infra.consent import GRAPH_APPLICATION, MEANING
from azure_infra.permissions import GRAPH, graph_permissions
from console.deployment import Health, NotPossible, Sign
from shared_model.errors import CloudUnavailable

_DIRECTORY = (
    "the Entra role Directory Readers lets you see it; until then ask whoever consented: `python -m azure_infra consent` ends "
    "with the command that lists what was granted"
)
_CONSENT = "a tenant administrator runs it, as `python -m azure_infra consent` prints it:"


def of_consent(graph: RestClient, principals: Mapping[Group, str], name: str, used: Collection[str]) -> Iterator[Sign]:
    """Yield, for each identity, which permissions of Graph it lacks, or has without anybody's asking.

    Parameters
    ----------
    graph : RestClient
    principals : mapping of Group to str
        Object ids of the identities that are there.
    name : str
        Name prefix of the deployment.
    used : collection of str
        Actions that the policy in force has rules for: what one of them lacks is bad, and what no rule needs may be meant so.
    """
    try:
        with in_core_words("Graph"):
            service = graph.call("GET", f"/v1.0/servicePrincipals(appId='{GRAPH_APPLICATION}')", query={"$select": "id,appRoles"})
            granted = {group: _granted(graph, principal, service) for group, principal in principals.items()}
    except (CloudUnavailable, CloudRefusal, NotPossible) as error:
        yield Sign(Health.UNKNOWN, f"consent in Entra: could not look: {error}", _DIRECTORY)
        return
    asked = graph_permissions()
    for group, found in granted.items():
        wanted = asked.get(group, ())
        missing = [permission for permission in wanted if permission not in found]
        for permission in missing:
            yield _missing(group, name, permission, used)
        for permission in sorted(found.keys() - set(wanted)):
            held = f"the identity {name}-{group} holds {permission} of Graph, which nothing here asks for"
            url = f"https://graph.microsoft.com/v1.0/servicePrincipals/{principals[group]}/appRoleAssignments/{found[permission]}"
            yield Sign(Health.BAD, held, f"who granted it, and why? az rest --method delete --url {url}")
        if wanted and not missing:
            yield Sign(Health.GOOD, f"the identity {name}-{group} was granted {', '.join(wanted)} of Graph")


def _granted(graph: RestClient, principal: str, service: Mapping[str, Any]) -> dict[str, str]:
    """Names of Graph's permissions that a principal holds, with the id of each assignment."""
    names = {str(role["id"]): str(role["value"]) for role in service["appRoles"]}
    held = graph.each(f"/v1.0/servicePrincipals/{principal}/appRoleAssignments")
    ours = (each for each in held if each["resourceId"] == service["id"])
    return {names.get(str(each["appRoleId"]), str(each["appRoleId"])): str(each["id"]) for each in ours}


def _missing(group: Group, name: str, permission: str, used: Collection[str]) -> Sign:
    undoes = group == UNDO_GROUP
    needed = f"{GRAPH}{permission}"
    failing = [
        action.name
        for action in ACTIONS
        if (undoes or action.group == group) and needed in (action.undo_permissions if undoes else action.permissions)
    ]
    health = Health.BAD if set(failing) & set(used) else Health.UNKNOWN
    said = f"the identity {name}-{group} was not granted {permission} of Graph ({MEANING[permission]})"
    of = "the undo of " if undoes else ""
    return Sign(health, f"{said}: {of}{', '.join(failing)} cannot work", f"{_CONSENT} grant {group} {permission}")
