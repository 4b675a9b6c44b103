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
from cdk.permissions import action_statements, deny_never_touch, deny_own_roles, grants_of
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
    """The inline policies of a group's role, by name: one for each action that has something to work with."""
    names, undoes = around.names, group is UNDO_GROUP
    policies = {"never-itself": [*deny_own_roles(names)]}
    actions = [action for action in ACTIONS if undoes or GROUPS[action.name] is group]
    for action in actions:
        grants = grants_of(action.name, around.settings.get(action.name, {}), undoes=undoes)
        permissions = action.undo_permissions if undoes else action.permissions
        if statements := [*action_statements(permissions, names, grants)]:
            policies[f"{'undo' if undoes else 'contain'}-{kebab(action.name)}"] = statements
    if not undoes:
        changes = {permission for action in actions for permission in action.permissions}
        policies["never-touch"] = [*deny_never_touch(around.never, changes)]
    return policies
