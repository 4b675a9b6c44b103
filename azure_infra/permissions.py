"""What the actions may do: custom roles made of the operations that they declare, and the conditions that bound them.

Azure has no deny that a customer can write: what stands instead is said in docs/deploy-azure.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from azure_functions.actions.catalogue import ACTIONS, GROUPS, UNDO_GROUP
from azure_functions.registry import Group

#: Permissions of Microsoft Graph are declared with this prefix; a tenant administrator grants them (consent.py).
GRAPH = "graph:"
#: What resolving a network interface to its machine takes (``azure_functions/adapters/inventory.py``).
INVENTORY = ("Microsoft.Compute/virtualMachines/read", "Microsoft.Network/networkInterfaces/read")
#: Operations that read, though they are not named so.
_READS = frozenset({"Microsoft.Network/networkInterfaces/effectiveNetworkSecurityGroups/action"})
_ASSIGN, _UNASSIGN = "Microsoft.Authorization/roleAssignments/write", "Microsoft.Authorization/roleAssignments/delete"

#: With one of these somebody could give himself anything: they are put back only where the operator lists them.
PRIVILEGED_ROLES: Mapping[str, str] = {
    "Owner": "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    "User Access Administrator": "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
    "Role Based Access Control Administrator": "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
}


class PermissionMalformed(ValueError):
    """An action declares something that is neither an operation of Resource Manager nor a permission of Graph."""


@dataclass(frozen=True, slots=True)
class ActionRole:
    """A custom role on the customer's resources.

    Attributes
    ----------
    group : Group
    armed : bool
        It changes something: assigned only once Breakwater is armed.
    operations : tuple of str
        Of Resource Manager, sorted.
    """

    group: Group
    armed: bool
    operations: tuple[str, ...]

    @property
    def title(self) -> str:
        """End of its name."""
        return f"{self.group} {'changes' if self.armed else 'reads'}"

    @property
    def description(self) -> str:
        """What it is for, and which actions asked for it."""
        what = {
            Group.DETECT: "Finds the machine behind an address.",
            Group.UNDO: "Takes containments back.",
        }.get(self.group, f"Contains: {', '.join(sorted(name for name, group in GROUPS.items() if group == self.group))}.")
        return f"{what} {'Changes: assigned only when armed.' if self.armed else 'Reads only.'}"

    @property
    def assigns(self) -> bool:
        """Whether it can assign or remove roles, and so must be bounded by a condition."""
        return not {_ASSIGN, _UNASSIGN}.isdisjoint(self.operations)


def action_roles() -> tuple[ActionRole, ...]:
    """The roles: for each identity group one that reads (plans are made while observing, too) and one that changes.

    Raises
    ------
    PermissionMalformed
    """
    needed: dict[Group, set[str]] = {Group.DETECT: set(INVENTORY)}
    for action in ACTIONS:
        needed.setdefault(Group(GROUPS[action.name]), set()).update(_operations(action.permissions))
        needed.setdefault(Group(UNDO_GROUP), set()).update(_operations(action.undo_permissions))
    roles = []
    for group, operations in needed.items():
        changes = {name for name in operations if _changes(name)}
        for armed, these in ((False, operations - changes), (True, changes)):
            if these:
                roles.append(ActionRole(group, armed, tuple(sorted(these))))
    return tuple(roles)


def graph_permissions() -> dict[Group, tuple[str, ...]]:
    """Application permissions of Microsoft Graph that each identity needs."""
    needed: dict[Group, set[str]] = {}
    for action in ACTIONS:
        for group, declared in ((GROUPS[action.name], action.permissions), (UNDO_GROUP, action.undo_permissions)):
            if these := {name.removeprefix(GRAPH) for name in declared if name.startswith(GRAPH)}:
                needed.setdefault(Group(group), set()).update(these)
    return {group: tuple(sorted(names)) for group, names in needed.items()}


def assignment_condition(own: Sequence[str], protected: str, restorable: str) -> str:
    """Expression of the condition on whoever assigns or removes roles (Azure ABAC, format 2.0).

    Parameters
    ----------
    own : sequence of str
        Expressions of Breakwater's own object ids: nothing is given to them, nothing taken.
    protected, restorable : str
        Expressions of arrays: principals from whom nothing is taken, and the roles that may be put back (by id). Without
        any listed, every role may but those of :data:`PRIVILEGED_ROLES`.
    """
    ours = f"createArray({', '.join(own)})"
    role = "[Microsoft.Authorization/roleAssignments:RoleDefinitionId]"
    who = "[Microsoft.Authorization/roleAssignments:PrincipalId]"
    listed = f"concat('@Request{role} ForAnyOfAnyValues:GuidEquals {{', join({restorable}, ', '), '}}')"
    others = f"'@Request{role} ForAnyOfAllValues:GuidNotEquals {{{', '.join(PRIVILEGED_ROLES.values())}}}'"
    return (
        (
            f"concat('((!(ActionMatches{{''{_ASSIGN}''}})) OR (', if(empty({restorable}), {others}, {listed}), "
            f"' AND @Request{who} ForAnyOfAllValues:GuidNotEquals {{', join({ours}, ', '), '}})) AND "
            f"((!(ActionMatches{{''{_UNASSIGN}''}})) OR (@Resource{who} ForAnyOfAllValues:GuidNotEquals {{', "
            f"join(concat({ours}, {protected}), ', '), '}}))')"
        )
        .replace("}}", "}")
        .replace("{{", "{")
    )


def _operations(declared: Iterable[str]) -> set[str]:
    operations = {name for name in declared if not name.startswith(GRAPH)}
    for name in operations:
        provider, _, rest = name.partition("/")
        if (
            not provider.startswith("Microsoft.")
            or rest.rpartition("/")[2] not in ("read", "write", "delete", "action")
            or "*" in name
        ):
            raise PermissionMalformed(
                f"{name} is declared by an action: an operation such as Microsoft.Network/networkInterfaces/read is needed"
            )
    return operations


def _changes(operation: str) -> bool:
    return not operation.endswith("/read") and operation not in _READS
