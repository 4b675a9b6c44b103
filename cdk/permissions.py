"""What the actions may do: statements made of the permissions that they declare, on as little as AWS lets us name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aws_cdk import aws_iam as iam

from cdk.names import Names
from cdk.tables import JOURNAL_FORBIDDEN, JOURNAL_PROTECTION
from lambdas.actions.block_address_in_waf import BlockAddressInWaf
from lambdas.actions.close_security_group_rules import CloseSecurityGroupRules
from lambdas.actions.forensics import Forensics, read_forensics
from lambdas.actions.invoke_function import InvokeFunction, read_function
from lambdas.actions.ip_sets import read_ip_sets
from lambdas.actions.never_touch import Denial
from lambdas.actions.quarantine_groups import TAG_KEY, TAG_VALUE
from lambdas.actions.quarantine_instance import QuarantineInstance
from lambdas.actions.restrict_role import DENY_ALL
from lambdas.registry import Group

Conditions = Mapping[str, Mapping[str, str | Sequence[str]]]


class PermissionUnscoped(Exception):
    """An action declares a permission of which nobody has said on which resources it is needed."""


@dataclass(frozen=True, slots=True)
class Grant:
    """On what, and when, a permission is given.

    Attributes
    ----------
    resources : tuple of str
        ARN patterns; ``{partition}``, ``{region}`` and ``{account}`` are filled in.
    conditions : mapping
        ``{partition}`` is filled in.
    """

    resources: tuple[str, ...]
    conditions: Conditions = field(default_factory=dict)


def _ec2(*kinds: str) -> tuple[str, ...]:
    return tuple(f"arn:{{partition}}:ec2:{{region}}:{{account}}:{kind}/*" for kind in kinds)


_IS_QUARANTINE: Conditions = {"StringEquals": {f"aws:ResourceTag/{TAG_KEY}": TAG_VALUE}}
_BECOMES_QUARANTINE: Conditions = {"StringEquals": {f"aws:RequestTag/{TAG_KEY}": TAG_VALUE}}
_WITH_ITS_GROUP: Conditions = {"StringEquals": {"ec2:CreateAction": "CreateSecurityGroup"}}
_WITH_ITS_RULE: Conditions = {"StringLike": {"ec2:CreateAction": "AuthorizeSecurityGroup*"}}
#: Attributes of an instance that are changed, and no other: by its user data whoever may write it runs what they want.
_PROTECTS: Conditions = {
    "StringEqualsIgnoreCase": {"ec2:Attribute": ["DisableApiTermination", "InstanceInitiatedShutdownBehavior"]},
}
_ANYTHING = (Grant(("*",)),)
_ROLE = ("arn:{partition}:iam::{account}:role/*",)
_ROLES = (Grant(_ROLE),)
_USERS = (Grant(("arn:{partition}:iam::{account}:user/*",)),)
_DENY_ALL: Conditions = {"StringEquals": {"iam:PermissionsBoundary": DENY_ALL}}
_SNAPSHOT = "arn:{partition}:ec2:{region}::snapshot/*"
_SHARES_WITH_NOBODY: Conditions = {"Null": {"ec2:Add/group": "true", "ec2:Add/userId": "true"}}
_SCALING = (Grant(("arn:{partition}:autoscaling:{region}:{account}:autoScalingGroup:*:autoScalingGroupName/*",)),)
_BUCKETS = (Grant(("arn:{partition}:s3:::*",)),)
_DATABASE_SNAPSHOTS = (Grant(("arn:{partition}:rds:{region}:{account}:snapshot:*",)),)
_CLUSTER_SNAPSHOTS = (Grant(("arn:{partition}:rds:{region}:{account}:cluster-snapshot:*",)),)
_ACLS = (Grant(_ec2("network-acl")),)
_EMPTY_QUARANTINE = (Grant(_ec2("security-group"), _IS_QUARANTINE),)

#: Where each permission of an action applies. A permission that is not here stops the synthesis.
GRANTS: Mapping[str, tuple[Grant, ...]] = {
    "autoscaling:DescribeAutoScalingInstances": _ANYTHING,
    "autoscaling:EnterStandby": _SCALING,
    "autoscaling:ExitStandby": _SCALING,
    "ec2:CreateNetworkAclEntry": _ACLS,
    "ec2:CreateSecurityGroup": (Grant(_ec2("security-group"), _BECOMES_QUARANTINE), Grant(_ec2("vpc"))),
    "ec2:CreateTags": (Grant(_ec2("security-group"), _WITH_ITS_GROUP),),
    "ec2:DeleteNetworkAclEntry": _ACLS,
    "ec2:DescribeIamInstanceProfileAssociations": _ANYTHING,
    "ec2:DescribeInstanceAttribute": (Grant(_ec2("instance")),),
    "ec2:DescribeInstances": _ANYTHING,
    "ec2:DescribeNetworkAcls": _ANYTHING,
    "ec2:DescribeNetworkInterfaces": _ANYTHING,
    "ec2:DescribeSecurityGroupRules": _ANYTHING,
    "ec2:DescribeSecurityGroups": _ANYTHING,
    "ec2:DescribeSnapshots": _ANYTHING,
    "ec2:DescribeVpcPeeringConnections": _ANYTHING,
    "ec2:DescribeVpcs": _ANYTHING,
    "ec2:ModifyInstanceAttribute": (Grant(_ec2("instance"), _PROTECTS),),
    "ec2:ModifyNetworkInterfaceAttribute": (
        Grant(_ec2("instance", "network-interface")),
        Grant(_ec2("security-group"), _IS_QUARANTINE),
    ),
    "ec2:RevokeSecurityGroupEgress": _EMPTY_QUARANTINE,
    "ec2:RevokeSecurityGroupIngress": _EMPTY_QUARANTINE,
    "iam:DeleteRolePermissionsBoundary": (Grant(_ROLE, _DENY_ALL),),
    "iam:DeleteRolePolicy": _ROLES,
    "iam:DeleteUserPolicy": _USERS,
    "iam:GetAccessKeyLastUsed": _USERS,
    "iam:GetAccountSummary": _ANYTHING,
    "iam:GetLoginProfile": _USERS,
    "iam:GetRole": _ROLES,
    "iam:GetRolePolicy": _ROLES,
    "iam:GetUser": _USERS,
    "iam:GetUserPolicy": _USERS,
    "iam:ListAccessKeys": _USERS,
    "iam:ListInstanceProfilesForRole": _ROLES,
    "iam:PutRolePermissionsBoundary": (Grant(_ROLE, _DENY_ALL),),
    "iam:PutRolePolicy": _ROLES,
    "iam:PutUserPolicy": _USERS,
    "iam:UpdateAccessKey": _USERS,
    "iam:UpdateAssumeRolePolicy": _ROLES,
    "s3:GetBucketPublicAccessBlock": _BUCKETS,
    "s3:GetBucketTagging": _BUCKETS,
    "s3:PutBucketPublicAccessBlock": _BUCKETS,
    "ec2:DescribeImageAttribute": _ANYTHING,
    "ec2:DescribeSnapshotAttribute": _ANYTHING,
    "ec2:DescribeTags": _ANYTHING,
    "ec2:ModifyImageAttribute": (Grant(("arn:{partition}:ec2:{region}::image/*",)),),
    "ec2:ModifySnapshotAttribute": (Grant((_SNAPSHOT,), _SHARES_WITH_NOBODY),),
    "rds:DescribeDBClusterSnapshotAttributes": _CLUSTER_SNAPSHOTS,
    "rds:DescribeDBSnapshotAttributes": _DATABASE_SNAPSHOTS,
    "rds:ListTagsForResource": (*_CLUSTER_SNAPSHOTS, *_DATABASE_SNAPSHOTS),
    "rds:ModifyDBClusterSnapshotAttribute": _CLUSTER_SNAPSHOTS,
    "rds:ModifyDBSnapshotAttribute": _DATABASE_SNAPSHOTS,
}
#: Undo gives an interface back the groups that it had, a role its boundary, and a snapshot its shares, whichever those are.
UNDO_GRANTS: Mapping[str, tuple[Grant, ...]] = {
    **GRANTS,
    "ec2:ModifyNetworkInterfaceAttribute": (Grant(_ec2("instance", "network-interface", "security-group")),),
    "ec2:ModifySnapshotAttribute": (Grant((_SNAPSHOT,)),),
    "iam:PutRolePermissionsBoundary": _ROLES,
}
#: What one action needs a permission for on other resources than all others do.
OF_ACTION: Mapping[str, Mapping[str, tuple[Grant, ...]]] = {
    CloseSecurityGroupRules.name: {
        **dict.fromkeys(
            (
                "ec2:AuthorizeSecurityGroupEgress",
                "ec2:AuthorizeSecurityGroupIngress",
                "ec2:RevokeSecurityGroupEgress",
                "ec2:RevokeSecurityGroupIngress",
            ),
            (Grant(_ec2("security-group", "security-group-rule")),),
        ),
        "ec2:CreateTags": (Grant(_ec2("security-group-rule"), _WITH_ITS_RULE),),
    },
}
_WITH_ITS_SNAPSHOT: Conditions = {"StringEquals": {"ec2:CreateAction": "CreateSnapshots"}}
_RULE_GROUPS, _WEB_ACLS = ((Grant((f"arn:{{partition}}:wafv2:*:{{account}}:*/{kind}/*",)),) for kind in ("rulegroup", "webacl"))
_IAM_CHANGES = ("Add", "Attach", "Create", "Delete", "Detach", "PassRole", "Put", "Remove", "Set", "Tag", "Untag", "Update")


def grants_of(action: str, settings: Mapping[str, Any], *, undoes: bool = False) -> Mapping[str, tuple[Grant, ...]]:
    """Where each permission of one action applies: as for all, but for what only it needs elsewhere, or on what the policy names.

    Parameters
    ----------
    action : str
    settings : mapping
        As the policy has them, and its check has found right. An action that can do nothing without any is granted nothing then.
    undoes : bool
        For what undoes.
    """
    named = dict(_of_settings(action, settings))
    if undoes and "ec2:DeleteTags" in named:
        named["ec2:CreateTags"] = named["ec2:DeleteTags"]  # it makes neither groups nor snapshots
    return {**(UNDO_GRANTS if undoes else GRANTS), **OF_ACTION.get(action, {}), **named}


def _of_settings(action: str, settings: Mapping[str, Any]) -> Mapping[str, tuple[Grant, ...]]:
    of_action = {each.name: each for each in (BlockAddressInWaf, InvokeFunction)}.get(action)
    if of_action and not settings:
        return dict.fromkeys((*of_action.permissions, *of_action.undo_permissions), ())
    if action == BlockAddressInWaf.name:
        named = (Grant(tuple(name.arn for name in read_ip_sets(settings))),)
        return {
            **dict.fromkeys(("wafv2:GetIPSet", "wafv2:ListTagsForResource", "wafv2:UpdateIPSet"), named),
            "wafv2:GetRuleGroup": _RULE_GROUPS,
            "wafv2:GetWebACL": _WEB_ACLS,
            "wafv2:ListWebACLs": _ANYTHING,
        }
    if action == InvokeFunction.name:
        return {"lambda:InvokeFunction": (Grant((read_function(settings).arn,)),)}
    return _of_forensics(read_forensics(settings)) if action == QuarantineInstance.name else {}


def _of_forensics(wanted: Forensics) -> Mapping[str, tuple[Grant, ...]]:
    keys: Conditions = {"ForAllValues:StringEquals": {"aws:TagKeys": sorted(wanted.tags)}, "Null": {"aws:TagKeys": "false"}}
    tags = (Grant(_ec2("instance"), keys),) if wanted.tags else ()
    snapshot = (_SNAPSHOT,) if wanted.snapshots else ()
    return {
        "ec2:CreateSnapshots": (Grant((*_ec2("instance", "volume"), _SNAPSHOT)),) if wanted.snapshots else (),
        "ec2:CreateTags": (*GRANTS["ec2:CreateTags"], *(Grant((each,), _WITH_ITS_SNAPSHOT) for each in snapshot), *tags),
        "ec2:DeleteTags": tags,
    }


def action_statements(
    permissions: Iterable[str], names: Names, grants: Mapping[str, tuple[Grant, ...]] = GRANTS
) -> Iterator[iam.PolicyStatement]:
    """Statements for the permissions that an action declares, one for each set of resources and conditions.

    Raises
    ------
    PermissionUnscoped
        Names the permission.
    """
    together: list[tuple[Grant, list[str]]] = []
    for permission in sorted(set(permissions)):
        if permission not in grants:
            raise PermissionUnscoped(f"{permission} is declared by an action: say in cdk/permissions.py where it applies")
        for grant in grants[permission]:
            for known, actions in together:
                if known == grant:
                    actions.append(permission)
                    break
            else:
                together.append((grant, [permission]))
    for grant, actions in together:
        yield iam.PolicyStatement(
            actions=actions,
            resources=[
                pattern.format(partition=names.partition, region=names.region, account=names.account)
                for pattern in grant.resources
            ],
            conditions={
                operator: {key: _filled(value, names) for key, value in keys.items()}
                for operator, keys in grant.conditions.items()
            }
            or None,
        )


def _filled(value: str | Sequence[str], names: Names) -> str | list[str]:
    return value.format(partition=names.partition) if isinstance(value, str) else [*value]


def deny_never_touch(denials: Iterable[Denial]) -> list[iam.PolicyStatement]:
    """Statements of what the operator's policy forbids (``lambdas/actions/never_touch.py``)."""
    return [iam.PolicyStatement.from_json(each.statement()) for each in denials]


def deny_own_roles(names: Names, *, becomes: Collection[Group] = ()) -> Iterator[iam.PolicyStatement]:
    """Nothing that runs as Breakwater may change what Breakwater runs as, or become it, but for the groups that it works as."""
    changes = [f"iam:{verb}*" for verb in _IAM_CHANGES]
    yield _deny("NeverItsOwnRoles", changes, [*names.own_roles, *names.own_policies])
    allowed = {names.role_arn(group) for group in becomes}
    yield _deny("NeverAnotherOfItsRoles", ["sts:AssumeRole"], [arn for arn in names.own_roles if arn not in allowed])


def deny_journal_changes(names: Names) -> iam.PolicyStatement:
    """No function updates or deletes an entry, or takes away what protects the journal."""
    table = names.arn("dynamodb", f"table/{names.resource('journal')}")
    resources = [table, f"{table}/index/*", f"{table}/backup/*"]
    return _deny("NeverRewriteTheJournal", [*JOURNAL_FORBIDDEN, *JOURNAL_PROTECTION], resources)


def _deny(sid: str, actions: list[str], resources: list[str], conditions: Conditions | None = None) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid=sid, effect=iam.Effect.DENY, actions=actions, resources=resources, conditions=dict(conditions) if conditions else None
    )
