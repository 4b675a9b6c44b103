"""Application permissions of Microsoft Graph, and who was granted which (``appRoleAssignments``).

Shapes: https://learn.microsoft.com/graph/api/resources/approleassignment; ids of the permissions:
https://learn.microsoft.com/graph/permissions-reference.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from offline.azure.web import Request, member

GRAPH_APPLICATION = "00000003-0000-0000-c000-000000000000"
#: Those that Breakwater asks for, and some that are worth having to an intruder.
PERMISSIONS = {
    "Application.Read.All": "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30",
    "Directory.Read.All": "7ab1d382-f21e-4acd-a863-ba3e13f7da61",
    "Directory.ReadWrite.All": "19dbc75e-c2e2-444c-a770-ec69d8559fc7",
    "RoleManagement.ReadWrite.Directory": "9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8",
    "User.EnableDisableAccount.All": "3011c876-62b7-4ada-afa2-506cbbecc68c",
    "User.Read.All": "df021288-bdef-4463-88db-98f22de89214",
    "User.RevokeSessions.All": "77f3a031-c388-4f99-b373-dc68676a979e",
}

Assignment = dict[str, Any]


class BadAssignment(ValueError):
    """What was asked for is no assignment that Graph would make; the message is Graph's own."""


class AppRoles:
    """Who holds which permission of Graph's. Whoever uses it holds the directory's lock."""

    def __init__(self) -> None:
        self._assignments: dict[str, Assignment] = {}
        self.service: dict[str, Any] = {
            "@odata.type": "#microsoft.graph.servicePrincipal",
            "id": str(uuid5(NAMESPACE_URL, "service principal of Microsoft Graph")),
            "appId": GRAPH_APPLICATION,
            "displayName": "Microsoft Graph",
            "accountEnabled": True,
            "servicePrincipalType": "Application",
            "servicePrincipalNames": [GRAPH_APPLICATION, "https://graph.microsoft.com"],
            "appRoles": [
                {"id": role, "value": name, "displayName": name, "isEnabled": True, "allowedMemberTypes": ["Application"]}
                for name, role in PERMISSIONS.items()
            ],
            "tags": [],
        }

    def grant(self, principal: dict[str, Any], role: str, now_s: float) -> Assignment:
        """Give a service principal a permission, by the id of its role.

        Raises
        ------
        BadAssignment
        """
        if role not in PERMISSIONS.values():
            raise BadAssignment("Permission being assigned was not found on application")
        made = str(uuid5(NAMESPACE_URL, f"{role} of {principal['id']}"))
        if made in self._assignments:
            raise BadAssignment("Permission being assigned already exists on the object")
        self._assignments[made] = {
            "id": made,
            "deletedDateTime": None,
            "appRoleId": role,
            "createdDateTime": datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "principalDisplayName": principal["displayName"],
            "principalId": principal["id"],
            "principalType": "ServicePrincipal",
            "resourceDisplayName": self.service["displayName"],
            "resourceId": self.service["id"],
        }
        return self._assignments[made]

    def asked(self, principal: dict[str, Any], request: Request, now_s: float) -> Assignment:
        """Grant what a request asks for. Raises BadAssignment."""
        sent = member({"the body": request.json()}, "the body")
        if missing := [name for name in ("principalId", "resourceId", "appRoleId") if not sent.get(name)]:
            raise BadAssignment(f"A value must be provided for {missing[0]}.")
        if sent["principalId"] != principal["id"] or sent["resourceId"] != self.service["id"]:
            raise BadAssignment("Not a valid reference update.")
        return self.grant(principal, str(sent["appRoleId"]), now_s)

    def take_away(self, assignment: str) -> bool:
        """Take an assignment away; whether it was there."""
        return self._assignments.pop(assignment, None) is not None

    def of(self, principal_or_resource: str) -> Iterator[Assignment]:
        """Yield what a service principal was granted, or who was granted what is its own."""
        for one in self._assignments.values():
            if principal_or_resource in (one["principalId"], one["resourceId"]):
                yield one
