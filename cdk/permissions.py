"""What each function may do: statements derived from the settings it is given and from what the actions declare."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from aws_cdk import aws_iam as iam

import lambdas.actions
from cdk.names import Names
from cdk.tables import JOURNAL_FORBIDDEN


class PermissionUnscoped(Exception):
    """An action declares a permission for which nobody has said on which resources it is needed."""


@dataclass(frozen=True, slots=True)
class Scope:
    """On what a permission of an action is granted.

    Attributes
    ----------
    resources : sequence of str
        ARN patterns below the account (``{partition}``, ``{region}``, ``{account}`` are filled in), or ``*``.
    why_all : str
        Why ``*``, where it is that.
    """

    resources: Sequence[str]
    why_all: str = ""


_READS = Scope(("*",), "EC2's and Auto Scaling's Describe calls know no resources")
_ROLES = Scope(("arn:{partition}:iam::{account}:role/*",))
_INTERFACES = ("arn:{partition}:ec2:{region}:{account}:network-interface/*",)
_INSTANCES = ("arn:{partition}:ec2:{region}:{account}:instance/*",)
_GROUPS = ("arn:{partition}:ec2:{region}:{account}:security-group/*",)
_VPCS = ("arn:{partition}:ec2:{region}:{account}:vpc/*",)
_SCALING = Scope(("arn:{partition}:autoscaling:{region}:{account}:autoScalingGroup:*:autoScalingGroupName/*",))

_IAM_CHANGES = ("Add", "Attach", "Create", "Delete", "Detach", "PassRole", "Put", "Remove", "Set", "Tag", "Untag", "Update")

#: Where each permission that an action may declare applies. A permission that is not here stops the synthesis.
ACTION_SCOPES = {
    "autoscaling:AttachInstances": _SCALING,
    "autoscaling:DetachInstances": _SCALING,
    "autoscaling:EnterStandby": _SCALING,
    "autoscaling:ExitStandby": _SCALING,
    "autoscaling:SetInstanceProtection": _SCALING,
    "autoscaling:SuspendProcesses": _SCALING,
    "autoscaling:ResumeProcesses": _SCALING,
    "ec2:AuthorizeSecurityGroupEgress": Scope(_GROUPS),
    "ec2:CreateSecurityGroup": Scope((*_GROUPS, *_VPCS)),
    "ec2:CreateTags": Scope((*_GROUPS, *_INSTANCES)),
    "ec2:DeleteTags": Scope((*_GROUPS, *_INSTANCES)),
    "ec2:ModifyInstanceAttribute": Scope((*_INSTANCES, *_GROUPS)),
    "ec2:ModifyNetworkInterfaceAttribute": Scope((*_INTERFACES, *_INSTANCES, *_GROUPS)),
    "ec2:RevokeSecurityGroupEgress": Scope(_GROUPS),
    "ec2:RevokeSecurityGroupIngress": Scope(_GROUPS),
    "iam:DeleteRolePolicy": _ROLES,
    "iam:GetRole": _ROLES,
    "iam:GetRolePolicy": _ROLES,
    "iam:ListAttachedRolePolicies": _ROLES,
    "iam:ListRolePolicies": _ROLES,
    "iam:ListRoleTags": _ROLES,
    "iam:PutRolePolicy": _ROLES,
}


def action_classes() -> list[type]:
    """Every class in ``lambdas/actions`` that declares permissions, by its action's name."""
    found = {}
    for module in pkgutil.iter_modules(lambdas.actions.__path__, "lambdas.actions."):
        for _, value in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if value.__module__.startswith("lambdas.actions") and isinstance(getattr(value, "permissions", None), tuple):
                found[value.name] = value
    return [found[name] for name in sorted(found)]


def action_statements(permissions: Iterable[str], names: Names) -> Iterator[iam.PolicyStatement]:
    """Statements for the permissions that an action declares, one for each set of resources.

    Raises
    ------
    PermissionUnscoped
        Names the permission.
    """
    by_resources: dict[tuple[str, ...], list[str]] = {}
    for permission in sorted(set(permissions)):
        by_resources.setdefault(tuple(scope_of(permission).resources), []).append(permission)
    for resources, actions in by_resources.items():
        filled = [pattern.format(partition=names.partition, region=names.region, account=names.account) for pattern in resources]
        yield iam.PolicyStatement(actions=actions, resources=filled)


def scope_of(permission: str) -> Scope:
    """Where a permission applies. Raises PermissionUnscoped."""
    if permission in ACTION_SCOPES:
        return ACTION_SCOPES[permission]
    if permission.startswith(("ec2:Describe", "autoscaling:Describe")):
        return _READS
    raise PermissionUnscoped(f"{permission} is declared by an action: say in cdk/permissions.py on which resources it is needed")


def deny_own_roles(names: Names) -> iam.PolicyStatement:
    """Nothing that runs as Breakwater may change what Breakwater runs as."""
    return iam.PolicyStatement(
        sid="NeverItsOwnRoles",
        effect=iam.Effect.DENY,
        actions=[f"iam:{verb}*" for verb in _IAM_CHANGES] + ["sts:AssumeRole"],
        resources=[*names.own_roles, boundary_arn(names)],
    )


def deny_journal_changes(names: Names) -> iam.PolicyStatement:
    """The journal is append-only for every function."""
    table = names.arn("dynamodb", f"table/{names.resource('journal')}")
    return iam.PolicyStatement(
        sid="NeverRewriteTheJournal",
        effect=iam.Effect.DENY,
        actions=[*JOURNAL_FORBIDDEN, "dynamodb:UpdateTable"],
        resources=[table, f"{table}/index/*"],
    )


def boundary_arn(names: Names) -> str:
    """ARN of the boundary of all roles."""
    return f"arn:{names.partition}:iam::{names.account}:policy/{names.role('boundary')}"
