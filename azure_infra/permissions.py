"""What the actions may do: custom roles made of the operations that they declare, and the conditions that bound them.

Azure has no deny that a customer can write: what stands instead is said in docs/deploy-azure.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from azure_functions.actions.catalogue import ACTIONS, GROUPS, UNDO_GROUP, AzureAction
from azure_functions.actions.permissions import WRITE_FIREWALL_POLICY
from azure_functions.registry import Group
from azure_infra.arm import text

#: Permissions of Microsoft Graph are declared with this prefix; a tenant administrator grants them (consent.py).
GRAPH = "graph:"
#: What finding the machine of a network interface, and of an address of a peered network, takes
#: (``azure_functions/adapters/inventory.py``).
INVENTORY = ("Microsoft.Network/networkInterfaces/read", "Microsoft.Network/virtualNetworks/read")
#: Operations that read, though they are not named so.
_READS = frozenset({"Microsoft.Network/networkInterfaces/effectiveNetworkSecurityGroups/action"})
#: Who may write a firewall policy may switch it off: granted on the policies that the operator names, and nowhere else.
FIREWALL_WRITES = frozenset(name for name in WRITE_FIREWALL_POLICY if name.endswith("/write"))
_ASSIGN, _UNASSIGN = "Microsoft.Authorization/roleAssignments/write", "Microsoft.Authorization/roleAssignments/delete"

#: With one of these somebody could give himself anything: they are put back only where the operator lists them.
PRIVILEGED_ROLES: Mapping[str, str] = {
    "Owner": "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    "User Access Administrator": "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
    "Role Based Access Control Administrator": "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
}
#: Built-in roles that undo may put back where the operator lists none. Named one by one: a condition sees a role's id only, and
#: behind the id of a custom role may stand ``*``. https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
ORDINARY_ROLES: Mapping[str, str] = {
    "Reader": "acdd72a7-3385-48ef-bd42-f606fba81ae7",
    "Contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "Virtual Machine Contributor": "9980e02c-c2be-4d73-94e8-173b1dc7cf3c",
    "Virtual Machine Administrator Login": "1c0163c0-47e6-4577-8991-ea5c82e286e4",
    "Virtual Machine User Login": "fb879df8-f326-4884-b1cf-06f3ad86be52",
    "Network Contributor": "4d97b98b-1d4f-4787-a291-c67834d212e7",
    "Storage Account Contributor": "17d1049b-9a84-46fb-8f53-869881c3d3ab",
    "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "Storage Blob Data Reader": "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
    "Storage Queue Data Contributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
    "Storage Table Data Contributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
    "Key Vault Reader": "21090545-7ca7-4776-b22c-e363652d74d2",
    "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
    "Monitoring Reader": "43d0d8ad-25c7-4714-9337-8ba259a9fe05",
    "Log Analytics Reader": "73c42c96-874c-492b-b04d-ab87d138a893",
    "AcrPull": "7f951dda-4ed3-4680-a7ca-43fe172d538d",
    "Website Contributor": "de139f84-1756-47ae-9be6-808fbbe84772",
    "Security Reader": "39bc4728-0917-49c7-9d2c-d95423bc2eb4",
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
    of_firewalls : bool
        Assigned on the firewall policies that are named, not in the subscription.
    """

    group: Group
    armed: bool
    operations: tuple[str, ...]
    of_firewalls: bool = False

    @property
    def title(self) -> str:
        """End of its name."""
        return f"{self.group} {'changes firewalls' if self.of_firewalls else 'changes' if self.armed else 'reads'}"

    @property
    def description(self) -> str:
        """What it is for, and which actions asked for it."""
        if self.of_firewalls:
            return "Writes firewall policies. Changes: assigned only when armed, and on the policies that are named."
        what = {
            Group.DETECT: "Finds the machine behind an address.",
            Group.UNDO: "Takes containments back.",
        }.get(self.group, f"Contains: {', '.join(sorted(each.name for each in ACTIONS if _asks(each, self.group)))}.")
        return f"{what} {'Changes: assigned only when armed.' if self.armed else 'Reads only.'}"

    @property
    def assigns(self) -> bool:
        """Whether it can assign or remove roles, and so must be bounded by a condition."""
        return not {_ASSIGN, _UNASSIGN}.isdisjoint(self.operations)

    @property
    def gives(self) -> bool:
        """Whether it can assign roles, and not only remove them."""
        return _ASSIGN in self.operations


def action_roles() -> tuple[ActionRole, ...]:
    """The roles: for each identity group one that reads (plans are made while observing, too) and one or two that change.

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
        for armed, of_firewalls, these in (
            (False, False, operations - changes),
            (True, False, changes - FIREWALL_WRITES),
            (True, True, changes & FIREWALL_WRITES),
        ):
            if these:
                roles.append(ActionRole(group, armed, tuple(sorted(these)), of_firewalls))
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
        any listed, those of :data:`ORDINARY_ROLES` may.
    """
    ours = f"createArray({', '.join(own)})"
    ordinary = f"'{', '.join(ORDINARY_ROLES.values())}'"
    lists = {
        "roles": f"if(empty({restorable}), {ordinary}, join({restorable}, ', '))",
        "receivers": f"join({ours}, ', ')",
        "holders": f"join(concat({ours}, {protected}), ', ')",
    }
    return f"concat({', '.join(lists[part[1:-1]] if part[1:-1] in lists else text(part) for part in _parts())})"


@dataclass(frozen=True, slots=True)
class AssignmentBounds:
    """What a condition of that form lets its holder do. All ids are lower case.

    Attributes
    ----------
    roles : frozenset of str
        Which may be given.
    receivers, holders : frozenset of str
        To whom none may be given, and from whom none may be taken.
    """

    roles: frozenset[str]
    receivers: frozenset[str]
    holders: frozenset[str]


def bounds_of(condition: str) -> AssignmentBounds | None:
    """Return what a condition says, None where it is of another form than :func:`assignment_condition`'s."""
    form = "".join(f"(?P<{part[1:-1]}>[0-9a-f, -]*)" if part.startswith("<") else re.escape(part.lower()) for part in _parts())
    found = re.fullmatch(form, condition.lower())
    return (
        None
        if found is None
        else AssignmentBounds(**{name: frozenset(re.findall(r"[^,\s]+", ids)) for name, ids in found.groupdict().items()})
    )


#: With ``<…>`` where a list of ids stands.
_CONDITION = (
    f"((!(ActionMatches{{'{_ASSIGN}'}})) OR "
    "(@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {<roles>} AND "
    "@Request[Microsoft.Authorization/roleAssignments:PrincipalId] ForAnyOfAllValues:GuidNotEquals {<receivers>})) AND "
    f"((!(ActionMatches{{'{_UNASSIGN}'}})) OR "
    "(@Resource[Microsoft.Authorization/roleAssignments:PrincipalId] ForAnyOfAllValues:GuidNotEquals {<holders>}))"
)


def _parts() -> list[str]:
    return re.split(r"(<\w+>)", _CONDITION)


def _asks(action: type[AzureAction], group: Group) -> bool:
    """Whether an action of this group needs anything of Resource Manager's."""
    return action.group == group and bool(_operations(action.permissions))


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
