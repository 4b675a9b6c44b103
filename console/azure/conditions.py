"""Whether the conditions that bound a role still stand: without its own, undo could give anybody any role."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from azure_infra.permissions import ORDINARY_ROLES, PRIVILEGED_ROLES, ActionRole, bounds_of
from console.deployment import Health, Sign

_WHO = "az monitor activity-log list --offset 30d --query \"[?contains(operationName.value, 'roleAssignments')]\""
_LISTED = "right only where `restorableRoles` of the deployment lists it; else deploy again without"
_NAMES = {identifier: title for title, identifier in (*ORDINARY_ROLES.items(), *PRIVILEGED_ROLES.items())}


def of_bounds(identity: str, role: ActionRole, conditions: Mapping[str, str], own: Mapping[str, str]) -> Iterator[Sign]:
    """Yield what the assignments of a role let their holder give and take, where that is not what the templates say.

    Parameters
    ----------
    identity : str
        Name of who holds it.
    role : ActionRole
    conditions : mapping of str to str
        Of each assignment, by its ARM id; ``""`` where it has none.
    own : mapping of str to str
        Names of Breakwater's identities by their object ids.
    """
    wrong = False
    for assignment, condition in conditions.items():
        for problem in _problems(condition, own):
            wrong = True
            cure = f"az role assignment delete --ids {assignment}, then deploy again with armed=true; who changed it: {_WHO}"
            yield Sign(Health.BAD, f"the identity {identity}, {role.title}: {problem}", cure)
    if wrong:
        return
    found = [bounds for bounds in map(bounds_of, conditions.values()) if bounds is not None]
    roles = frozenset[str]().union(*(bounds.roles for bounds in found))
    others = frozenset[str]().union(*(bounds.holders for bounds in found)) - frozenset(each.lower() for each in own)
    beyond = sorted(_NAMES.get(each, each) for each in roles - frozenset(ORDINARY_ROLES.values()))
    kept = f"its condition keeps Breakwater's roles and those of {len(others)} protected principals"
    said = f"the identity {identity}, {role.title}: {kept}"
    given = f", and lets it give {len(roles)} roles alone, none to Breakwater" if role.gives else ""
    if beyond and role.gives:
        yield Sign(Health.UNKNOWN, f"{said}{given}; beyond the ordinary: {', '.join(beyond)}", _LISTED)
    else:
        yield Sign(Health.GOOD, said + given)


def _problems(condition: str, own: Mapping[str, str]) -> Iterator[str]:
    if not condition:
        yield "its condition is gone: it can give anybody any role"
        return
    bounds = bounds_of(condition)
    if bounds is None:
        yield "its condition is not that of the templates"
        return
    for ids, what in ((bounds.receivers, "give roles to"), (bounds.holders, "take roles from")):
        if open_to := sorted(name for principal, name in own.items() if principal.lower() not in ids):
            yield f"its condition was widened: it can {what} {', '.join(open_to)}"
