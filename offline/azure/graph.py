"""The part of Microsoft Graph (v1.0) that is called: users, their sessions, service principals and what these were granted.

Behaviour as documented at https://learn.microsoft.com/graph/api: ``accountEnabled`` of a user is only answered when it is
selected; a user that is synchronised from on-premises cannot be disabled here, nor one that holds a privileged directory role
by an application without such a role.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from offline.azure.app_roles import PERMISSIONS, AppRoles, BadAssignment
from offline.azure.applications import Applications
from offline.azure.callers import Caller
from offline.azure.calls import CallLog, Grants
from offline.azure.directory_objects import CONTEXT, ID, DirectoryObject, GraphError, not_found, selected
from offline.azure.endpoint import Endpoint, Link, Refusal, Wanted
from offline.azure.web import Answer, Request

_USER_DEFAULT = ("displayName", "givenName", "id", "jobTitle", "mail", "surname", "userPrincipalName")
_READ_USER, _READ_APPLICATION = "graph:User.Read.All", "graph:Application.Read.All"
_READ_OBJECT, _READ_GROUPS = "graph:Directory.Read.All", "graph:GroupMember.Read.All"
_DISABLE, _REVOKE = "graph:User.EnableDisableAccount.All", "graph:User.RevokeSessions.All"
_GRANT, _WRITE_APPLICATION = "graph:AppRoleAssignment.ReadWrite.All", "graph:Application.ReadWrite.All"
#: Wider permissions that serve as well [each method's permissions table].
_WIDER = {
    _READ_USER: ("graph:User.ReadWrite.All", "graph:Directory.Read.All", "graph:Directory.ReadWrite.All"),
    _READ_APPLICATION: ("graph:Application.ReadWrite.All", "graph:Directory.Read.All"),
    _READ_OBJECT: ("graph:Directory.ReadWrite.All",),
    _READ_GROUPS: ("graph:Directory.Read.All", "graph:Group.Read.All"),
    _DISABLE: ("graph:User.ReadWrite.All", "graph:Directory.ReadWrite.All"),
    _REVOKE: ("graph:User.ReadWrite.All", "graph:Directory.ReadWrite.All"),
    _GRANT: (),
    _WRITE_APPLICATION: (),
}

_Handler = Callable[["Graph", str, Request], Answer]


class Graph(Endpoint):
    """A local Microsoft Graph over one in-memory directory, which tests read directly.

    Parameters
    ----------
    calls, grants, clock
        As :class:`~offline.azure.endpoint.Endpoint`; permissions are written ``graph:User.Read.All``.
    """

    name = "graph"
    audiences = ("https://graph.microsoft.com",)
    refusal = GraphError

    def __init__(
        self, *, calls: CallLog | None = None, grants: Grants | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(calls=calls, grants=grants, clock=clock)
        self._lock = threading.RLock()
        self._objects: dict[str, DirectoryObject] = {}
        self._members: dict[str, list[str]] = {}
        self._privileged: set[str] = set()
        self._roles = AppRoles()
        self._objects[self._roles.service["id"]] = self._roles.service
        self._applications = Applications(self._objects)
        #: Object id, client id and name of the managed identities that Resource Manager has: each is an object of the directory.
        self.managed_identities: Callable[[], Iterable[tuple[str, str, str]]] = tuple

    def add_user(self, object_id: str, principal_name: str, *, privileged: bool = False, **properties: Any) -> str:
        """Seed a user; return its object id.

        Parameters
        ----------
        privileged
            Whether it holds a directory role that shields it from applications without one.
        **properties
            As Graph names them: ``accountEnabled``, ``onPremisesSyncEnabled``, ``userType`` …
        """
        user: DirectoryObject = {
            "@odata.type": "#microsoft.graph.user",
            "id": object_id,
            "userPrincipalName": principal_name,
            "displayName": principal_name.split("@")[0].title(),
            "mail": principal_name,
            "givenName": None,
            "surname": None,
            "jobTitle": None,
            "accountEnabled": True,
            "userType": "Member",
            "onPremisesSyncEnabled": None,
            "signInSessionsValidFromDateTime": "2026-01-01T00:00:00Z",
            **properties,
        }
        if privileged:
            self._privileged.add(object_id.lower())
        self._objects[object_id.lower()] = user
        return object_id

    def add_service_principal(self, object_id: str, app_id: str, name: str, kind: str = "Application") -> str:
        """Seed a service principal; ``kind`` is ``Application`` or ``ManagedIdentity``. Return its object id."""
        self._objects[object_id.lower()] = {
            "@odata.type": "#microsoft.graph.servicePrincipal",
            "id": object_id,
            "appId": app_id,
            "displayName": name,
            "accountEnabled": True,
            "servicePrincipalType": kind,
            "appRoles": [],
            "tags": [],
        }
        return object_id

    def add_group(self, object_id: str, name: str, *members: str) -> str:
        """Seed a group with its members' object ids; return its object id."""
        self._objects[object_id.lower()] = {"@odata.type": "#microsoft.graph.group", "id": object_id, "displayName": name}
        self._members[object_id.lower()] = [member.lower() for member in members]
        return object_id

    def grant(self, principal_id: str, *permissions: str) -> None:
        """Seed application permissions of a service principal, by name: what a tenant administrator consents to."""
        with self._lock:
            for permission in permissions:
                self._roles.grant(self._find(principal_id, "servicePrincipal"), PERMISSIONS[permission], self.clock())

    def take_away(self, principal_id: str, permission: str) -> None:
        """Somebody takes a permission away again."""
        with self._lock:
            (found,) = (one for one in self._roles.of(principal_id) if one["appRoleId"] == PERMISSIONS[permission])
            self._roles.take_away(found["id"])

    def object(self, object_id: str) -> DirectoryObject:
        """A copy of what the directory holds of an object, with all its properties.

        Raises
        ------
        GraphError
            Where there is none.
        """
        with self._lock:
            return dict(self._find(object_id))

    def change(self, object_id: str, **properties: Any) -> None:
        """Somebody else changes an object."""
        with self._lock:
            self._find(object_id).update(properties)

    def wanted(self, request: Request) -> Wanted:
        for method, pattern, handler, permissions in _ROUTES:
            match = re.fullmatch("/v1.0" + pattern, request.path, re.IGNORECASE)
            if match and method == request.method:
                links = tuple(Link(one, request.path) for one in permissions[1:])
                return Wanted(permissions[0], links, partial(self._handle, handler, match[1], request))
        for method, pattern, answered, permission in self._applications.routes:
            match = re.fullmatch("/v1.0" + pattern, request.path, re.IGNORECASE)
            if match and method == request.method:
                handle = partial(self._handle, lambda _, key, asked, answered=answered: answered(key, asked), match[1], request)
                return Wanted(permission, (), handle)
        raise GraphError(
            400, "BadRequest", f"Resource not found for the segment, or not served here: {request.method} {request.path}."
        )

    def denied(self, caller: Caller, wanted: Wanted, link: Link | None, request: Request) -> Refusal:
        return GraphError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")

    def permitted(self, caller: Caller, operation: str) -> bool:
        return any(super(Graph, self).permitted(caller, one) for one in (operation, *_WIDER[operation]))

    def _handle(self, handler: _Handler, key: str, request: Request, _: Caller) -> Answer:
        with self._lock:
            return handler(self, key, request)

    def _find(self, key: str, kind: str = "") -> DirectoryObject:
        if key.lower() not in self._objects:
            for object_id, app_id, name in self.managed_identities():
                if object_id.lower() == key.lower():
                    self.add_service_principal(object_id, app_id, name, "ManagedIdentity")
        found = self._objects.get(key.lower())
        if found is None and kind in ("", "user"):
            users = (one for one in self._objects.values() if str(one.get("userPrincipalName", "")).lower() == key.lower())
            found = next(users, None)
        if found is None or (kind and found["@odata.type"] != f"#microsoft.graph.{kind}"):
            raise not_found(key)
        return found

    def _get_user(self, key: str, request: Request) -> Answer:
        return Answer(200, selected(self._find(key, "user"), request, _USER_DEFAULT, "users"))

    def _list_users(self, _: str, request: Request) -> Answer:
        query = request.query
        if query.get("$count") == "true" and request.headers.get("consistencylevel", "").lower() != "eventual":
            raise GraphError(400, "Request_BadRequest", "$count is not currently supported.")
        users = [one for one in self._objects.values() if one["@odata.type"] == "#microsoft.graph.user"]
        names = tuple(filter(None, query.get("$select", "").split(","))) or _USER_DEFAULT
        shown = [{name: one[name] for name in names} for one in users[: int(query.get("$top", "100"))]]
        counted = {"@odata.count": len(users)} if query.get("$count") == "true" else {}
        return Answer(200, {"@odata.context": f"{CONTEXT}#users", **counted, "value": shown})

    def _get_service_principal(self, key: str, request: Request) -> Answer:
        return Answer(200, selected(self._find(key, "servicePrincipal"), request, (), "servicePrincipals"))

    def _get_service_principal_by_app(self, app_id: str, request: Request) -> Answer:
        for one in self._objects.values():
            if str(one.get("appId", "")).lower() == app_id.lower():
                return Answer(200, selected(one, request, (), "servicePrincipals"))
        raise GraphError(404, "Request_ResourceNotFound", f"Resource '{app_id}' does not exist.")

    def _get_object(self, key: str, request: Request) -> Answer:
        found = self._find(key)
        default = _USER_DEFAULT if found["@odata.type"] == "#microsoft.graph.user" else ()
        return Answer(200, {"@odata.type": found["@odata.type"], **selected(found, request, default, "directoryObjects")})

    def _member_of(self, key: str, request: Request) -> Answer:
        wanted, found = {str(self._find(key)["id"]).lower()}, list[str]()
        pending = list(wanted)
        while pending:
            current = pending.pop()
            for group, members in self._members.items():
                if current in members and group not in found:
                    found.append(group)
                    pending.append(group)
        groups = [{**self._objects[group]} for group in found]
        return Answer(200, {"@odata.context": f"{CONTEXT}#directoryObjects", "value": groups})

    def _patch_user(self, key: str, request: Request) -> Answer:
        user, sent = self._find(key, "user"), request.json()
        if not isinstance(sent, dict) or set(sent) != {"accountEnabled"} or not isinstance(sent["accountEnabled"], bool):
            raise GraphError(400, "Request_BadRequest", "Only accountEnabled, true or false, can be changed here.")
        if str(user["id"]).lower() in self._privileged:
            raise GraphError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
        if user["onPremisesSyncEnabled"]:
            raise GraphError(
                400,
                "Request_BadRequest",
                "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently "
                "undergoing migration.",
            )
        user["accountEnabled"] = sent["accountEnabled"]
        return Answer(204)

    def _get_granted(self, key: str, request: Request) -> Answer:
        found = [*self._roles.of(self._find(key, "servicePrincipal")["id"])]
        return Answer(200, {"@odata.context": f"{CONTEXT}#appRoleAssignments", "value": found})

    def _grant(self, key: str, request: Request) -> Answer:
        try:
            made = self._roles.asked(self._find(key, "servicePrincipal"), request, self.clock())
        except BadAssignment as error:
            raise GraphError(400, "Request_BadRequest", str(error)) from error
        return Answer(201, {"@odata.context": f"{CONTEXT}#appRoleAssignments/$entity", **made})

    def _take_away(self, assignment: str, request: Request) -> Answer:
        if not self._roles.take_away(assignment):
            raise GraphError(404, "Request_ResourceNotFound", f"Resource '{assignment}' does not exist.")
        return Answer(204)

    def _revoke_sessions(self, key: str, request: Request) -> Answer:
        user = self._find(key, "user")
        user["signInSessionsValidFromDateTime"] = datetime.fromtimestamp(self.clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Answer(200, {"@odata.context": f"{CONTEXT}#Edm.Boolean", "value": True})


_ROUTES: tuple[tuple[str, str, _Handler, tuple[str, ...]], ...] = (
    ("GET", r"/users()", Graph._list_users, (_READ_USER,)),
    ("GET", rf"/users/{ID}", Graph._get_user, (_READ_USER,)),
    ("PATCH", rf"/users/{ID}", Graph._patch_user, (_DISABLE, _READ_USER)),
    ("POST", rf"/users/{ID}/(?:microsoft\.graph\.)?revokeSignInSessions", Graph._revoke_sessions, (_REVOKE,)),
    ("GET", rf"/users/{ID}/transitiveMemberOf", Graph._member_of, (_READ_USER, _READ_GROUPS)),
    ("GET", rf"/servicePrincipals/{ID}", Graph._get_service_principal, (_READ_APPLICATION,)),
    ("GET", rf"/servicePrincipals\(appId='{ID}'\)", Graph._get_service_principal_by_app, (_READ_APPLICATION,)),
    ("GET", rf"/servicePrincipals/{ID}/transitiveMemberOf", Graph._member_of, (_READ_APPLICATION, _READ_GROUPS)),
    ("GET", rf"/servicePrincipals/{ID}/appRoleAssign(?:ments|edTo)", Graph._get_granted, (_READ_APPLICATION,)),
    ("POST", rf"/servicePrincipals/{ID}/appRoleAssignments", Graph._grant, (_GRANT, _READ_APPLICATION)),
    ("DELETE", rf"/servicePrincipals/[^/]+/appRoleAssignments/{ID}", Graph._take_away, (_GRANT,)),
    ("GET", rf"/directoryObjects/{ID}", Graph._get_object, (_READ_OBJECT,)),
)
