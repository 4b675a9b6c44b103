"""One role for each group of actions: made of what its actions declare, under a boundary of its own.

Only the functions that work for a group may assume its role (``lambdas/registry.py``). A new action needs nothing here: its
group and what it declares are enough, and ``cdk/permissions.py`` says on which resources.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from aws_cdk import aws_iam as iam
from constructs import Construct

from cdk.identities import Surroundings, allowed_by, bounded, made_boundary, made_role
from cdk.names import Names, kebab, pascal
from cdk.permissions import action_statements, deny_never_touch, deny_own_roles, grants_of
from lambdas.actions.catalogue import ACTIONS, GROUPS, UNDO_GROUP
from lambdas.actions.never_touch import INLINE, ROLE_INLINE, Layout, changes_of, denials, laid_out
from lambdas.registry import Group

_NEVER_TOUCH = "never-touch"
#: As long as names get: what is measured must hold wherever it is deployed, and before CloudFormation knows where.
_LONGEST = ("aws-us-gov", "000000000000", "ap-southeast-99")


class RoleTooLong(Exception):
    """A role's inline policies are longer than IAM takes. Names the role, its longest policies, and what to do."""


def group_boundary(scope: Construct, group: Group, around: Surroundings) -> iam.ManagedPolicy:
    """The most that the role of a group may ever do, whatever is attached to it later: what it does today."""
    today = [statement for statements in _policies(group, around).values() for statement in statements]
    return made_boundary(scope, around.names, group, allowed_by(today), deny_own_roles(around.names))


def group_role(scope: Construct, group: Group, around: Surroundings, trusted: Sequence[iam.IRole]) -> iam.Role:
    """Make the role of a group, which nobody but these roles may assume.

    Raises
    ------
    RoleTooLong
    """
    names = sorted(name for name, its in GROUPS.items() if group in (its, UNDO_GROUP))
    role = made_role(
        scope,
        around.names,
        group,
        f"Breakwater {'takes back' if group is UNDO_GROUP else 'contains'}: {', '.join(names)}.",
        iam.CompositePrincipal(*(iam.ArnPrincipal(role.role_arn) for role in trusted)),
        bounded(scope, around.names, group),
        _checked(group, around),
    )
    for number, denied in enumerate(_denied(group, around).managed, 1):
        policy = iam.ManagedPolicy(
            scope,
            f"{pascal(group)}NeverTouch{number}",
            managed_policy_name=around.names.never_touch(group, number),
            description=f"What Breakwater's group {group} must never touch, where its inline policy has no room for it.",
            statements=deny_never_touch(denied),
        )
        role.add_managed_policy(policy)
    return role


def _policies(group: Group, around: Surroundings) -> dict[str, list[iam.PolicyStatement]]:
    """The inline policies of a group's role, by name: one for each action that has something to work with."""
    names, undoes = around.names, group is UNDO_GROUP
    policies = {"never-itself": [*deny_own_roles(names)]}
    for action in [action for action in ACTIONS if undoes or GROUPS[action.name] is group]:
        grants = grants_of(action.name, around.settings.get(action.name, {}), undoes=undoes)
        permissions = action.undo_permissions if undoes else action.permissions
        if statements := [*action_statements(permissions, names, grants)]:
            policies[f"{'undo' if undoes else 'contain'}-{kebab(action.name)}"] = statements
    if denied := deny_never_touch(_denied(group, around).inline):
        policies[_NEVER_TOUCH] = denied
    return policies


def _denied(group: Group, around: Surroundings) -> Layout:
    """What the operator's list denies a group, on its policies. What fits on none has stopped the synthesis (cdk/policy.py)."""
    return laid_out(() if group is UNDO_GROUP else denials(around.never, changes_of(group)))


def _checked(group: Group, around: Surroundings) -> Mapping[str, list[iam.PolicyStatement]]:
    """The inline policies, if IAM takes as much: what the policy names for its actions (IP sets, say) is granted in them."""
    elsewhere = replace(around, names=Names(around.names.prefix, *_LONGEST))
    lengths = {name: _characters(each) for name, each in _policies(group, elsewhere).items()}
    room = ROLE_INLINE - (INLINE if group is not UNDO_GROUP else 0)
    used = sum(length for name, length in lengths.items() if name != _NEVER_TOUCH)
    if used > room:
        longest = sorted(lengths.items(), key=lambda each: -each[1])[:3]
        raise RoleTooLong(
            f"the inline policies of the role '{group}' are {used - room} characters longer than IAM takes ({room}, beside what "
            f"is kept for the never-touch list): {', '.join(f'{name} has {length}' for name, length in longest)}. "
            "Name less under `settings` of that action (fewer IP sets, fewer tags)"
        )
    return _policies(group, around)


def _characters(statements: Sequence[iam.PolicyStatement]) -> int:
    document = {"Version": "2012-10-17", "Statement": [each.to_statement_json() for each in statements]}
    return len(json.dumps(document, separators=(",", ":")))
