"""Role definitions and role assignments (``Microsoft.Authorization``), at any scope."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from offline.azure.callers import Caller
from offline.azure.resource_manager.activations import KIND, Activations
from offline.azure.resource_manager.addresses import Address
from offline.azure.resource_manager.errors import ArmError, unauthorized
from offline.azure.resource_manager.store import Resource
from offline.azure.web import EMPTY, Answer, Request, member

#: Built-in roles that every tenant has, with the ids that Microsoft publishes.
BUILT_IN = {
    "Owner": "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    "Contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "Reader": "acdd72a7-3385-48ef-bd42-f606fba81ae7",
    "User Access Administrator": "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
    "Role Based Access Control Administrator": "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
    "Network Contributor": "4d97b98b-1d4f-4787-a291-c67834d212e7",
    "Virtual Machine Contributor": "9980e02c-c2be-4d73-94e8-173b1dc7cf3c",
    "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
    "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "Storage Blob Data Owner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "Storage Blob Data Reader": "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
    "Storage Queue Data Contributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
    "Storage Queue Data Message Sender": "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a",
    "Storage Queue Data Reader": "19e7f393-937e-4f77-808e-94535e297925",
    "Storage Table Data Contributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
    "Storage Table Data Reader": "76199698-9eea-4c19-bc75-cec21354c6b6",
    "Azure Event Hubs Data Receiver": "a638d3c7-ab3a-418d-83e6-5f17a39d4fde",
    "Monitoring Metrics Publisher": "3913510d-42f4-4e42-8a64-420c390055eb",
    "Microsoft Sentinel Reader": "8d289c81-5878-46d4-8554-54e1e3d8b5cb",
    "Microsoft Sentinel Automation Contributor": "f4c81013-99ee-4d62-a7ee-b3f1f648599a",
}
_ACTIONS = {
    "Owner": ["*"],
    "Contributor": ["*"],
    "Reader": ["*/read"],
    "User Access Administrator": ["*/read", "Microsoft.Authorization/*"],
}
_PRINCIPAL = re.compile(r"principalId eq '([^']*)'", re.IGNORECASE)
_ASSIGNED_TO = re.compile(r"assignedTo\('([^']*)'\)", re.IGNORECASE)
_ROLE_NAME = re.compile(r"roleName eq '([^']*)'", re.IGNORECASE)
_WHEN = "2026-11-01T08:00:00.0000000Z"


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on an identity's own role assignment that bounds which assignments it may make and remove (Azure ABAC).

    Attributes
    ----------
    roles
        Ids of the definitions that it may not assign.
    receivers, holders
        Object ids that it may not give an assignment to, and not take one from. All lower case.
    """

    roles: frozenset[str] = frozenset()
    receivers: frozenset[str] = frozenset()
    holders: frozenset[str] = frozenset()


class Roles:
    """All definitions and assignments of a tenant. Whoever uses it holds the store's lock."""

    def __init__(self) -> None:
        self._definitions: dict[str, Resource] = {}
        self._assignments: dict[str, Resource] = {}
        self._groups: dict[str, frozenset[str]] = {}
        self.activations = Activations()
        #: What bounds the assignments that an identity (by client id) makes and removes.
        self.conditions: dict[str, Condition] = {}
        #: Which roles (ids of definitions, lower case) an identity may assign, where conditions on its own assignment limit that.
        self.assignable: dict[str, frozenset[str]] = {}
        for name, guid in BUILT_IN.items():
            self._define(guid, name, "BuiltInRole", _ACTIONS.get(name, []), ["/"])

    def assign(
        self, scope: str, principal_id: str, role: str, *, name: str = "", principal_type: str = "ServicePrincipal", **more: Any
    ) -> str:
        """Seed an assignment of a built-in role by its name, or of any role by its id; return the assignment's id."""
        subscription = "/".join(scope.split("/")[:3]) if scope.startswith("/subscriptions/") else ""
        guid = BUILT_IN.get(role, role).rsplit("/", 1)[-1]
        name = name or str(uuid5(NAMESPACE_URL, f"{scope} {principal_id} {guid}"))
        body = {
            "roleDefinitionId": f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{guid}",
            "principalId": principal_id,
            "principalType": principal_type,
            **more,
        }
        self._keep(scope, name, body, "00000000-0000-0000-0000-000000000000")
        return f"{scope.rstrip('/')}/providers/Microsoft.Authorization/roleAssignments/{name}"

    def unassign(self, assignment_id: str) -> None:
        """Somebody takes an assignment away."""
        del self._assignments[assignment_id.lower()]

    def add_group(self, object_id: str, *members: str) -> None:
        """Seed who is in a group, directly: ``assignedTo()`` finds what the group may do."""
        self._groups[object_id.lower()] = frozenset(member.lower() for member in members)

    def assignments(self, principal_id: str = "") -> list[Resource]:
        """The assignments of a principal, or all."""
        return [
            one
            for one in self._assignments.values()
            if not principal_id or one["properties"]["principalId"].lower() == principal_id.lower()
        ]

    def define(self, scope: str, guid: str, name: str, actions: list[str]) -> str:
        """Seed a custom role; return its definition's id."""
        self._define(guid, name, "CustomRole", actions, [scope])
        return f"{scope}/providers/Microsoft.Authorization/roleDefinitions/{guid}"

    def answer(self, address: Address, request: Request, caller: Caller) -> Answer:
        """Answer a request for this namespace.

        Raises
        ------
        ArmError
        """
        kind = "/".join(address.types).lower()
        if kind == "roleassignments":
            return self._assignment(address, request, caller)
        if kind == KIND and request.method == "GET" and address.is_list:
            return self.activations.answer(self._listed(address.scope, request.query.get("$filter", "")))
        if kind == "roledefinitions" and request.method == "GET":
            return self._definition(address, request)
        if kind == "roledefinitions" and request.method in ("PUT", "DELETE"):
            return self._write_definition(address, request)
        raise ArmError(405, "HttpMethodNotAllowed", f"{request.method} is not served here for {address.type}.")

    def _assignment(self, address: Address, request: Request, caller: Caller) -> Answer:
        if address.is_list:
            return Answer(200, {"value": list(self._listed(address.scope, request.query.get("$filter", "")))})
        key = address.path.lower()
        found = self._assignments.get(key)
        if request.method == "GET":
            if found is None:
                raise ArmError(404, "RoleAssignmentNotFound", f"The role assignment '{address.names[0]}' is not found.")
            return Answer(200, found)
        if request.method == "PUT":
            return self._put(address, request, caller, found)
        if request.method == "DELETE":
            bound = self.conditions.get(caller.client_id, Condition())
            if found and found["properties"]["principalId"].lower() in bound.holders:
                raise _unconditional(caller, "delete", address)
            self.activations.forget(key)
            return Answer(200, self._assignments.pop(key)) if found else Answer(204, EMPTY)
        raise ArmError(405, "HttpMethodNotAllowed", f"{request.method} is not served here for {address.type}.")

    def _put(self, address: Address, request: Request, caller: Caller, found: Resource | None) -> Answer:
        sent = member(request.object(), "properties")
        for wanted in ("roleDefinitionId", "principalId"):
            if not sent.get(wanted):
                raise ArmError(400, "BadRequestFormat", f"The request was incorrectly formatted: {wanted} is missing.")
        if sent.get("condition") and sent.get("conditionVersion") != "2.0":
            raise ArmError(400, "InvalidConditionVersion", "A condition needs conditionVersion 2.0.")
        guid = str(sent["roleDefinitionId"]).rsplit("/", 1)[-1].lower()
        if guid not in self._definitions:
            raise ArmError(404, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{guid}' does not exist.")
        allowed, bound = self.assignable.get(caller.client_id), self.conditions.get(caller.client_id, Condition())
        if (
            (allowed is not None and guid not in allowed)
            or guid in bound.roles
            or str(sent["principalId"]).lower() in bound.receivers
        ):
            raise _unconditional(caller, "write", address)
        if found:
            if found["properties"]["principalId"].lower() != str(sent["principalId"]).lower() or guid != _role_of(found):
                raise ArmError(
                    409,
                    "RoleAssignmentUpdateNotPermitted",
                    "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
                )
            raise ArmError(409, "RoleAssignmentExists", "The role assignment already exists.")
        for other in self._assignments.values():
            same_scope = other["properties"]["scope"].lower() == (address.scope or "/").lower()
            if (
                same_scope
                and other["properties"]["principalId"].lower() == str(sent["principalId"]).lower()
                and _role_of(other) == guid
            ):
                raise ArmError(
                    409,
                    "RoleAssignmentExists",
                    f"The role assignment already exists. The ID of the existing role assignment is {other['name']}.",
                )
        return Answer(201, self._keep(address.scope, address.names[0], sent, caller.object_id))

    def _keep(self, scope: str, name: str, sent: dict[str, Any], author: str) -> Resource:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
        resource: Resource = {
            "properties": {
                "roleDefinitionId": sent["roleDefinitionId"],
                "principalId": sent["principalId"],
                "principalType": sent.get("principalType", "ServicePrincipal"),
                "scope": scope or "/",
                "condition": sent.get("condition"),
                "conditionVersion": sent.get("conditionVersion"),
                "createdOn": now,
                "updatedOn": now,
                "createdBy": author,
                "updatedBy": author,
                "delegatedManagedIdentityResourceId": sent.get("delegatedManagedIdentityResourceId"),
                "description": sent.get("description"),
            },
            "id": f"{scope.rstrip('/')}/providers/Microsoft.Authorization/roleAssignments/{name}",
            "type": "Microsoft.Authorization/roleAssignments",
            "name": name,
        }
        self._assignments[resource["id"].lower()] = resource
        return resource

    def _listed(self, scope: str, wanted: str) -> Iterator[Resource]:
        """Assignments at, above and below a scope; with ``atScope()`` not below it, with ``assignedTo()`` groups' as well."""
        here = (scope or "/").lower().rstrip("/")
        whose = self._principals(wanted)
        for one in self._assignments.values():
            there = one["properties"]["scope"].lower().rstrip("/")
            above = (here + "/").startswith(there + "/") or there.startswith("/providers/microsoft.management/")
            below = (there + "/").startswith(here + "/") and "atscope()" not in wanted.lower()
            if (above or below) and (whose is None or one["properties"]["principalId"].lower() in whose):
                yield one

    def _principals(self, wanted: str) -> set[str] | None:
        if direct := _PRINCIPAL.search(wanted):
            return {direct[1].lower()}
        through = _ASSIGNED_TO.search(wanted)
        if through is None:
            return None
        whose = {through[1].lower()}
        pending = list(whose)
        while pending:
            member = pending.pop()
            joined = [group for group, members in self._groups.items() if member in members and group not in whose]
            whose.update(joined)
            pending += joined
        return whose

    def _definition(self, address: Address, request: Request) -> Answer:
        if address.is_list:
            name = _ROLE_NAME.search(request.query.get("$filter", ""))
            found = [
                _at(one, address.scope)
                for one in self._definitions.values()
                if not name or one["properties"]["roleName"] == name[1]
            ]
            return Answer(200, {"value": found})
        one = self._definitions.get(address.names[0].lower())
        if one is None:
            raise ArmError(
                404, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{address.names[0]}' does not exist."
            )
        return Answer(200, _at(one, address.scope))

    def _write_definition(self, address: Address, request: Request) -> Answer:
        guid = address.names[0].lower()
        before = self._definitions.get(guid)
        if before and before["properties"]["type"] == "BuiltInRole":
            raise ArmError(403, "RoleDefinitionIsBuiltIn", "A built-in role can be neither changed nor deleted.")
        if request.method == "DELETE":
            if any(_role_of(one) == guid for one in self._assignments.values()):
                raise ArmError(400, "RoleDefinitionHasAssignments", "There are existing role assignments referencing role.")
            return Answer(200, _at(self._definitions.pop(guid), address.scope)) if before else Answer(204, EMPTY)
        sent = member(request.object(), "properties")
        name, permissions, scopes = (sent.get(one) for one in ("roleName", "permissions", "assignableScopes"))
        if not (name and isinstance(permissions, list) and permissions and isinstance(scopes, list) and scopes):
            raise ArmError(400, "RoleDefinitionBodyInvalid", "A role needs roleName, permissions and assignableScopes.")
        for key, other in self._definitions.items():
            if key != guid and other["properties"]["roleName"] == name:
                raise ArmError(
                    409, "RoleDefinitionWithSameNameExists", f"A custom role with the same name already exists: {name} ({key})."
                )
        self._define(guid, str(name), "CustomRole", [], scopes)
        made = self._definitions[guid]
        made["properties"] |= {"description": sent.get("description", ""), "permissions": permissions}
        return Answer(201, _at(made, address.scope))

    def _define(self, guid: str, name: str, kind: str, actions: list[str], scopes: list[str]) -> None:
        permissions = [{"actions": actions, "notActions": [], "dataActions": [], "notDataActions": []}]
        self._definitions[guid.lower()] = {
            "properties": {
                "roleName": name,
                "type": kind,
                "description": "",
                "assignableScopes": scopes,
                "permissions": permissions,
                "createdOn": _WHEN,
                "updatedOn": _WHEN,
                "createdBy": None,
                "updatedBy": None,
            },
            "id": guid,
            "type": "Microsoft.Authorization/roleDefinitions",
            "name": guid,
        }


def _unconditional(caller: Caller, verb: str, address: Address) -> ArmError:
    lacking = unauthorized(caller, f"Microsoft.Authorization/roleAssignments/{verb}", address.path)
    return ArmError(403, lacking.code, f"{lacking.message} (Or a condition on its own role assignment does not hold.)")


def _role_of(assignment: Resource) -> str:
    return str(assignment["properties"]["roleDefinitionId"]).rsplit("/", 1)[-1].lower()


def _at(definition: Resource, scope: str) -> Resource:
    """A definition's id names the subscription that it was asked for in."""
    subscription = "/".join(scope.split("/")[:3]) if scope.lower().startswith("/subscriptions/") else ""
    return {**definition, "id": f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{definition['name']}"}
