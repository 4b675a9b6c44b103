"""What the never-touch list denies to the roles that contain, in IAM's words, and on how many policies that fits.

Knows no CDK: ``cdk/groups.py`` deploys it, and ``policy check`` counts the same characters before anything is deployed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lambdas.actions.catalogue import ACTIONS, UNDO_GROUP
from lambdas.registry import Group
from response import resources
from response.policy import NeverTouch
from response.resources import form_of

#: What IAM takes, in characters without white space [IAM user guide, *IAM and AWS STS quotas*]: of all inline policies of a role
#: together, of one managed policy, and how many of these a role may have where nobody raised that quota.
ROLE_INLINE, MANAGED, MANAGED_A_ROLE = 10_240, 6_144, 10
#: Of a role's inline policies, what is kept free for these denies: the same with every policy, so that whoever counts without the
#: CDK counts right.
INLINE = 2_000

#: Of each form of a never-touch list: the service whose calls have it as their resource, and its ARN. IAM knows no call by its
#: access key (the resource is the user), and none of ours by a subnet: these two the code alone protects.
_DENIED: Mapping[str, tuple[str, str]] = {
    **{
        form: ("ec2", f"arn:*:ec2:*:*:{kind}/{{}}")
        for form, kind in {
            resources.INSTANCE: "instance",
            resources.SECURITY_GROUP: "security-group",
            resources.SECURITY_GROUP_RULE: "security-group-rule",
            resources.NETWORK_INTERFACE: "network-interface",
            resources.NETWORK_ACL: "network-acl",
            resources.SNAPSHOT: "snapshot",
            resources.IMAGE: "image",
        }.items()
    },
    resources.ROLE_OR_USER: ("iam", "{}"),
    resources.BUCKET: ("s3", "{}"),
    resources.DATABASE_SNAPSHOT: ("rds", "{}"),
    resources.IP_SET: ("wafv2", "{}"),
    resources.FUNCTION: ("lambda", "{}"),
    resources.AUTO_SCALING_GROUP: ("autoscaling", "{}"),
}
#: Last character of a policy document: ``[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+`` [IAM API reference, *PutRolePolicy*].
_LAST_OF_IAM = 0xFF
_READS = ("Describe", "Get", "List")
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Denial:
    """One statement.

    Attributes
    ----------
    sid : str
    actions : tuple of str
    entries : tuple of (str, str)
        What is denied: as the operator wrote it, and as IAM names it (an ARN, or ``*`` where conditions say which).
    conditions : mapping
    """

    sid: str
    actions: tuple[str, ...]
    entries: tuple[tuple[str, str], ...]
    conditions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def statement(self) -> dict[str, Any]:
        """As JSON."""
        said = {
            "Sid": self.sid,
            "Effect": "Deny",
            "Action": [*self.actions],
            "Resource": [arn for _, arn in self.entries],
            "Condition": dict(self.conditions),
        }
        return {key: value for key, value in said.items() if value}


@dataclass(frozen=True, slots=True)
class Layout:
    """Denies on the policies of one role.

    Attributes
    ----------
    inline : tuple of Denial
    managed : tuple of tuple of Denial
        One for each managed policy.
    left : tuple of Denial
        What no policy had room for.
    """

    inline: tuple[Denial, ...]
    managed: tuple[tuple[Denial, ...], ...]
    left: tuple[Denial, ...]


def characters(denials: Iterable[Denial]) -> int:
    """Length of a policy document of these, as IAM counts it or a little more."""
    document = {"Version": "2012-10-17", "Statement": [each.statement() for each in denials]}
    return len(json.dumps(document, separators=(",", ":"), ensure_ascii=False))


def changes_of(group: Group) -> frozenset[str]:
    """Permissions of a group's actions that change something."""
    declared = {permission for action in ACTIONS if action.group is group for permission in action.permissions}
    return frozenset(_changes(declared))


def denials(never: NeverTouch, permissions: Iterable[str]) -> Iterator[Denial]:
    """Deny the changes that the operator's policy forbids, so that a mistake in our own guard cannot make them.

    Tags count unless their value is ``false``, as in the policy. Undo is not denied: what was contained before it was
    tagged must be released.
    """
    changes = _changes(permissions)
    for number, key in enumerate(never.tags, 1):
        tag = f"aws:ResourceTag/{key}"
        conditions = {"Null": {tag: "false"}, "StringNotEqualsIgnoreCase": {tag: "false"}}
        yield Denial(f"NeverTouchTag{number}", changes, ((f"tag {key}", "*"),), conditions)
    principals = tuple((pattern, pattern) for pattern in never.principals if ":role/" in pattern or ":user/" in pattern)
    if principals and (ours := tuple(name for name in changes if name.startswith("iam:"))):
        yield Denial("NeverTouchPrincipals", ours, principals)
    denied: dict[str, list[tuple[str, str]]] = {}
    for pattern in (*never.instances, *never.security_groups, *never.resources):
        if (service := _DENIED.get(form_of(pattern))) is not None:
            denied.setdefault(service[0], []).append((pattern, service[1].format(pattern)))
    for service_name, entries in denied.items():
        if ours := tuple(name for name in changes if name.startswith(f"{service_name}:")):
            yield Denial(f"NeverTouch{service_name.title()}", ours, tuple(entries))


def laid_out(every: Iterable[Denial]) -> Layout:
    """Put denies on a role's inline policy, and what has no room there on as many managed ones as a role may have."""
    rooms = (INLINE, *[MANAGED] * MANAGED_A_ROLE)
    policies: list[list[Denial]] = [[] for _ in rooms]
    left: list[Denial] = []
    at = 0
    for denial in every:
        rest = denial
        while rest.entries:
            fits = _how_many(rest, policies[at], rooms[at])
            if fits:
                policies[at].append(_some(rest, 0, fits))
            elif rooms[at] == MANAGED and not policies[at]:  # one entry that is longer than any policy
                left.append(_some(rest, 0, 1))
                fits = 1
            elif at + 1 < len(rooms):
                at += 1
            else:
                left.append(rest)
                break
            rest = _some(rest, fits)
    return Layout(tuple(policies[0]), tuple(tuple(each) for each in policies[1:] if each), tuple(left))


def objections(never: NeverTouch) -> list[str]:
    """What keeps a never-touch list from being deployed: what IAM cannot write, and for each role how much too long it is."""
    found = [
        f"never_touch: IAM takes no character beyond Latin-1 in a policy, so no role can be denied what carries the tag {key!r}: "
        "give it one more tag, in Latin letters, and list that"
        for key in never.tags
        if any(ord(character) > _LAST_OF_IAM for character in key)
    ]
    for group in (each for each in Group if each is not UNDO_GROUP):
        if left := laid_out(denials(never, changes_of(group))).left:
            names = [entry for denial in left for entry, _ in denial.entries]
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            found.append(
                f"never_touch: IAM has no room for {len(names)} of what the role '{group}' is to be denied, {characters(left)} "
                f"characters too many (it takes {INLINE} in an inline policy and {MANAGED_A_ROLE} managed policies of {MANAGED}, "
                f"and no entry longer than that): {', '.join(names[:_NAMED])}{more}. Name several by one pattern (i-0ab*), or "
                "give what is listed one tag and list that"
            )
    return found


def _changes(permissions: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in sorted(set(permissions)) if not name.partition(":")[2].startswith(_READS))


def _how_many(denial: Denial, beside: Sequence[Denial], room: int) -> int:
    """How many entries of a deny have room in a policy beside what stands there."""
    fits, too_many = 0, len(denial.entries) + 1
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if characters([*beside, _some(denial, 0, middle)]) <= room:
            fits = middle
        else:
            too_many = middle
    return fits


def _some(denial: Denial, first: int, end: int | None = None) -> Denial:
    return replace(denial, entries=denial.entries[first:end])
