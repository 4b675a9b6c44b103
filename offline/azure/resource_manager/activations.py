"""What Privileged Identity Management keeps beside role assignments: which of them end by themselves, and when.

Shape: https://learn.microsoft.com/rest/api/authorization/role-assignment-schedule-instances/list-for-scope (2020-10-01). An
assignment that lasts has an instance too, without an end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from offline.azure.resource_manager.errors import ArmError
from offline.azure.resource_manager.store import Resource
from offline.azure.web import Answer

KIND = "roleassignmentscheduleinstances"


class Activations:
    """Whoever uses it holds the store's lock.

    Attributes
    ----------
    licensed
        Whether the tenant has it: Entra ID P2 or Governance.
    """

    def __init__(self) -> None:
        self.licensed = True
        self._ends: dict[str, str] = {}

    def bound(self, assignment_id: str, until: str) -> None:
        """Seed when an assignment ends."""
        self._ends[assignment_id.lower()] = until

    def forget(self, assignment_id: str) -> None:
        """The assignment is gone: one that is made under its name lasts."""
        self._ends.pop(assignment_id.lower(), None)

    def answer(self, assignments: Iterable[Resource]) -> Answer:
        """List the instances of these assignments.

        Raises
        ------
        ArmError
        """
        if not self.licensed:
            needed = "The tenant needs to have Microsoft Entra ID P2 or Microsoft Entra ID Governance license."
            raise ArmError(400, "AadPremiumLicenseRequired", needed)
        return Answer(200, {"value": [self._instance(one) for one in assignments]})

    def _instance(self, assignment: Mapping[str, Any]) -> dict[str, Any]:
        properties, until = assignment["properties"], self._ends.get(assignment["id"].lower())
        scope, name = properties["scope"].rstrip("/"), assignment["name"]
        return {
            "properties": {
                "originRoleAssignmentId": assignment["id"],
                "assignmentType": "Activated" if until else "Assigned",
                "scope": properties["scope"],
                "roleDefinitionId": properties["roleDefinitionId"],
                "principalId": properties["principalId"],
                "principalType": properties["principalType"],
                "status": "Accepted",
                "startDateTime": properties["createdOn"],
                **({"endDateTime": until} if until else {}),
                "memberType": "Direct",
                "createdOn": properties["createdOn"],
            },
            "name": name,
            "id": f"{scope}/providers/Microsoft.Authorization/RoleAssignmentScheduleInstances/{name}",
            "type": "Microsoft.Authorization/RoleAssignmentScheduleInstances",
        }
