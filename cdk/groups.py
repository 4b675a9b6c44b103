"""One role for each group of actions: made of what its actions declare, under a boundary of its own.

Only the functions that work for a group may assume its role (``lambdas/registry.py``). A new action needs nothing here: its
group and what it declares are enough, and ``cdk/permissions.py`` says on which resources.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_iam as iam
from constructs import Construct

from cdk.identities import Surroundings, allowed_by, bounded, made_boundary, made_role
from cdk.names import kebab
from cdk.permissions import GRANTS, OF_ACTION, UNDO_GRANTS, action_statements, deny_never_touch, deny_own_roles
from lambdas.actions.catalogue import ACTIONS, GROUPS, UNDO_GROUP
from lambdas.registry import Group


def group_boundary(scope: Construct, group: Group, around: Surroundings) -> iam.ManagedPolicy:
    """The most that the role of a group may ever do, whatever is attached to it later: what it does today."""
    today = [statement for statements in _policies(group, around).values() for statement in statements]
    return made_boundary(scope, around.names, group, allowed_by(today), deny_own_roles(around.names))


def group_role(scope: Construct, group: Group, around: Surroundings, trusted: Sequence[iam.IRole]) -> iam.Role:
    """Make the role of a group, which nobody but these roles may assume."""
    names = sorted(name for name, its in GROUPS.items() if group in (its, UNDO_GROUP))
    return made_role(
        scope,
        around.names,
        group,
        f"Breakwater {'takes back' if group is UNDO_GROUP else 'contains'}: {', '.join(names)}.",
        iam.CompositePrincipal(*(iam.ArnPrincipal(role.role_arn) for role in trusted)),
        bounded(scope, around.names, group),
        _policies(group, around),
    )


def _policies(group: Group, around: Surroundings) -> dict[str, list[iam.PolicyStatement]]:
    """The inline policies of a group's role, by name: one for each action."""
    names = around.names
    policies = {"never-itself": [*deny_own_roles(names)]}
    if group is UNDO_GROUP:
        for action in ACTIONS:
            grants = {**UNDO_GRANTS, **OF_ACTION.get(action.name, {})}
            policies[f"undo-{kebab(action.name)}"] = [*action_statements(action.undo_permissions, names, grants)]
        return policies
    actions = [action for action in ACTIONS if GROUPS[action.name] is group]
    for action in actions:
        grants = {**GRANTS, **OF_ACTION.get(action.name, {})}
        policies[f"contain-{kebab(action.name)}"] = [*action_statements(action.permissions, names, grants)]
    changes = {permission for action in actions for permission in action.permissions}
    policies["never-touch"] = [*deny_never_touch(around.never, changes)]
    return policies
