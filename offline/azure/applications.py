"""Applications that somebody registers in the tenant, and their service principals (``az ad app``, ``az ad sp``).

Behaviour: https://learn.microsoft.com/graph/api/resources/application and ``…/serviceprincipal``. Of ``$filter`` what Azure CLI
asks by is served, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

from offline.azure.directory_objects import CONTEXT, ID, DirectoryObject, GraphError, not_found, selected
from offline.azure.web import Answer, Request, member

APPLICATION, SERVICE_PRINCIPAL = "#microsoft.graph.application", "#microsoft.graph.servicePrincipal"
_READ, _WRITE = "graph:Application.Read.All", "graph:Application.ReadWrite.All"
_FILTERS = (
    re.compile(r"(?P<one>appId) eq '(?P<value>[^']*)'"),
    re.compile(r"startswith\((?P<begins>displayName),\s*'(?P<value>[^']*)'\)"),
    re.compile(r"(?P<any>identifierUris|servicePrincipalNames)/any\((\w):\2 eq '(?P<value>[^']*)'\)"),
)
#: What a caller may set, with what it is where nothing was said.
_SETTABLE: dict[str, Any] = {
    "displayName": None,
    "signInAudience": "AzureADMyOrg",
    "identifierUris": [],
    "api": {"requestedAccessTokenVersion": None},
    "web": {"redirectUris": []},
    "keyCredentials": [],
}

_Handle = Callable[[str, Request], Answer]


class Applications:
    """Answers for applications. Whoever uses it holds the directory's lock.

    Parameters
    ----------
    objects
        The directory, by object id in lower case; changed here.

    Attributes
    ----------
    routes : tuple
        Method, path, answer, permission.
    """

    def __init__(self, objects: dict[str, DirectoryObject]) -> None:
        self._objects = objects
        self.routes: tuple[tuple[str, str, _Handle, str], ...] = (
            ("GET", r"/applications()", self._list_applications, _READ),
            ("POST", r"/applications()", self._create, _WRITE),
            ("GET", rf"/applications/{ID}", self._get, _READ),
            ("PATCH", rf"/applications/{ID}", self._patch, _WRITE),
            ("GET", r"/servicePrincipals()", self._list_service_principals, _READ),
            ("POST", r"/servicePrincipals()", self._create_service_principal, _WRITE),
        )

    def _list_applications(self, _: str, request: Request) -> Answer:
        return self._listed(APPLICATION, "applications", request)

    def _list_service_principals(self, _: str, request: Request) -> Answer:
        return self._listed(SERVICE_PRINCIPAL, "servicePrincipals", request)

    def _get(self, key: str, request: Request) -> Answer:
        return Answer(200, selected(self._application(key), request, (), "applications"))

    def _create(self, _: str, request: Request) -> Answer:
        made: DirectoryObject = {"@odata.type": APPLICATION, "id": str(uuid4()), "appId": str(uuid4()), "appRoles": []}
        made |= {name: dict(default) if isinstance(default, dict) else default for name, default in _SETTABLE.items()}
        self._set(made, request.object())
        if not made["displayName"]:
            raise GraphError(
                400, "Request_BadRequest", "A value is required for property 'displayName' of resource 'Application'."
            )
        self._objects[made["id"]] = made
        return Answer(201, selected(made, request, (), "applications"))

    def _patch(self, key: str, request: Request) -> Answer:
        self._set(self._application(key), request.object())
        return Answer(204)

    def _create_service_principal(self, _: str, request: Request) -> Answer:
        app_id = str(request.object().get("appId", ""))
        registered = [one for one in self._all(APPLICATION) if one["appId"] == app_id]
        if not registered:
            raise GraphError(400, "Request_BadRequest", f"The appId '{app_id}' does not reference a valid application object.")
        if any(one["appId"] == app_id for one in self._all(SERVICE_PRINCIPAL)):
            raise GraphError(
                409,
                "Request_MultipleObjectsWithSameKeyValue",
                "The service principal cannot be created, updated, or restored because the service principal name "
                f"{app_id} is already in use.",
            )
        made: DirectoryObject = {
            "@odata.type": SERVICE_PRINCIPAL,
            "id": str(uuid4()),
            "appId": app_id,
            "displayName": registered[0]["displayName"],
            "accountEnabled": True,
            "servicePrincipalType": "Application",
            "servicePrincipalNames": [app_id, *registered[0]["identifierUris"]],
            "appRoles": [],
            "tags": [],
        }
        self._objects[made["id"]] = made
        return Answer(201, selected(made, request, (), "servicePrincipals"))

    def _set(self, application: DirectoryObject, sent: dict[str, Any]) -> None:
        if unknown := set(sent) - _SETTABLE.keys():
            raise GraphError(400, "Request_BadRequest", f"Invalid property '{min(unknown)}', or one that is not served here.")
        allowed = f"api://{application['appId']}"
        if any(uri != allowed and not uri.startswith(f"{allowed}/") for uri in sent.get("identifierUris", ())):
            raise GraphError(
                400,
                "HostNameNotOnVerifiedDomain",
                "Values of identifierUris property must use a verified domain of the organization or its subdomain.",
            )
        for name, value in sent.items():
            application[name] = {**application[name], **member(sent, name)} if isinstance(value, dict) else value

    def _application(self, key: str) -> DirectoryObject:
        found = self._objects.get(key.lower())
        if found is None or found["@odata.type"] != APPLICATION:
            raise not_found(key)
        return found

    def _all(self, kind: str) -> Iterator[DirectoryObject]:
        return (one for one in self._objects.values() if one["@odata.type"] == kind)

    def _listed(self, kind: str, collection: str, request: Request) -> Answer:
        wanted = request.query.get("$filter", "")
        parsed = next((found for found in (each.fullmatch(wanted) for each in _FILTERS) if found), None)
        if wanted and parsed is None:
            raise GraphError(400, "Request_UnsupportedQuery", f'The filter "{wanted}" is not served here.')
        found = [one for one in self._all(kind) if parsed is None or _passes(one, parsed)]
        return Answer(200, {"@odata.context": f"{CONTEXT}#{collection}", "value": found})


def _passes(one: DirectoryObject, wanted: re.Match[str]) -> bool:
    groups, value = wanted.groupdict(), wanted["value"].lower()
    if groups.get("one"):
        return str(one["appId"]).lower() == value
    if groups.get("begins"):
        return str(one["displayName"]).lower().startswith(value)
    names = one.get(groups["any"]) or ([one["appId"]] if groups["any"] == "servicePrincipalNames" else [])
    return value in (name.lower() for name in names)
