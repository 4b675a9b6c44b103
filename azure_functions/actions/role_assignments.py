"""Role assignments of a subscription, as plain values, through the management SDK."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from azure_functions.actions.persistence import Persistence
from azure_functions.clients import Clients
from azure_functions.cloud_errors import CloudRefusal, in_core_words

Assignment = dict[str, Any]

#: Built-in Owner, the same in every tenant.
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
#: What an assignment consists of. Azure sets everything else.
_CONTENT = (
    "role_definition_id",
    "principal_id",
    "principal_type",
    "description",
    "condition",
    "condition_version",
    "delegated_managed_identity_resource_id",
)
#: https://learn.microsoft.com/rest/api/authorization/role-assignment-schedule-instances/list-for-scope
_SCHEDULES = "Microsoft.Authorization/roleAssignmentScheduleInstances"
_SCHEDULES_VERSION = "2020-10-01"
#: Privileged Identity Management takes a licence: who has none has no assignment that ends.
_UNLICENSED = "AadPremiumLicenseRequired"


class RoleAssignments:
    """Reads and writes in the name of one identity group."""

    def __init__(self, clients: Clients, group: str, persistence: Persistence) -> None:
        self._clients = clients
        self._group = group
        self._persistence = persistence

    def of(self, subscription: str, principal: str) -> list[Assignment]:
        """Return a principal's own assignments at, above and below a subscription."""
        return self._list(subscription, f"principalId eq '{principal}'")

    def through_groups(self, subscription: str, principal: str) -> list[Assignment]:
        """Return the assignments that a principal has as a member of groups."""
        found = self._list(subscription, f"assignedTo('{principal}')")
        return [assignment for assignment in found if assignment["principal_id"].lower() != principal.lower()]

    def at(self, subscription: str) -> list[Assignment]:
        """Return everybody's assignments at a subscription and above it."""
        return self._list(subscription, "atScope()")

    def ends(self, subscriptions: Iterable[str], principal: str) -> dict[str, str]:
        """Return when a principal's assignments end, of those that do: activated, or assigned for a time. By id in lower case.

        Raises
        ------
        CloudForbidden, CloudRefusal
            It may not, or cannot, be looked for.
        """
        found: dict[str, str] = {}
        for subscription in subscriptions:
            for one in self._schedules(subscription, principal):
                said = one.get("properties") or {}
                if said.get("endDateTime"):
                    found[str(said.get("originRoleAssignmentId")).lower()] = str(said["endDateTime"])
        return found

    def _schedules(self, subscription: str, principal: str) -> list[dict[str, Any]]:
        path = f"/subscriptions/{subscription}/providers/{_SCHEDULES}"
        query = {"api-version": _SCHEDULES_VERSION, "$filter": f"principalId eq '{principal}'"}

        def attempt() -> list[dict[str, Any]]:
            with in_core_words("roleAssignmentScheduleInstances read"):
                return list(self._clients("arm", self._group).each(path, query=query))

        try:
            return self._persistence.with_turns(attempt)
        except CloudRefusal as refusal:
            if refusal.code == _UNLICENSED:
                return []
            raise

    def count_principals(self, subscription: str) -> int:
        """Return how many principals have a role of their own in a subscription or above it."""
        return len({assignment["principal_id"].lower() for assignment in self._list(subscription, None)})

    def get(self, assignment_id: str) -> Assignment | None:
        """Return an assignment, None where there is none."""
        try:
            found = self._call("roleAssignments read", lambda client: client.role_assignments.get_by_id(_path(assignment_id)))
        except CloudRefusal as refusal:
            if refusal.is_missing:
                return None
            raise
        return _plain(found)

    def role_name(self, role_definition_id: str) -> str:
        """Return what a role is called; its id where it cannot be found."""
        try:
            role = self._call("roleDefinitions read", lambda client: client.role_definitions.get_by_id(_path(role_definition_id)))
        except CloudRefusal:
            return role_definition_id
        return str(role.role_name or role_definition_id)

    def remove(self, assignment_id: str) -> None:
        """Delete an assignment. Idempotent."""
        try:
            self._call("roleAssignments delete", lambda client: client.role_assignments.delete_by_id(_path(assignment_id)))
        except CloudRefusal as refusal:
            if not refusal.is_missing:
                raise

    def put_back(self, assignment_id: str, content: Mapping[str, Any]) -> None:
        """Make an assignment again under the same name."""
        from azure.mgmt.authorization.models import RoleAssignmentCreateParameters  # here, because its models are many

        wanted = RoleAssignmentCreateParameters(**{name: content[name] for name in _CONTENT})
        self._call("roleAssignments write", lambda client: client.role_assignments.create_by_id(_path(assignment_id), wanted))

    def _list(self, subscription: str, which: str | None) -> list[Assignment]:
        found: list[Assignment] = self._call(
            "roleAssignments read",
            lambda client: [_plain(one) for one in client.role_assignments.list_for_subscription(filter=which)],
            subscription,
        )
        return found

    def _call(self, operation: str, call: Any, subscription: str = "") -> Any:
        def attempt() -> Any:
            with in_core_words(operation):
                return call(self._clients("authorization", self._group, subscription_id=subscription))

        return self._persistence.with_turns(attempt)


def content_of(assignment: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an assignment grants to whom, under which condition."""
    return {name: assignment[name] for name in _CONTENT}


def is_owner(assignment: Mapping[str, Any]) -> bool:
    """Say whether this is the built-in Owner."""
    return str(assignment["role_definition_id"]).lower().endswith(OWNER)


def _plain(found: Any) -> Assignment:
    return {"id": found.id, "scope": found.scope, **{name: getattr(found, name) for name in _CONTENT}}


def _path(resource_id: str) -> str:
    return resource_id.lstrip("/")  # the SDK puts its own slash before it
