"""Who runs under a role: what a plan that takes its rights away must tell a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lambdas.clients import Clients
from lambdas.cloud_errors import in_core_words
from shared_model.events import EntityKind
from shared_model.trust import principals_of, statements_of
from shared_model.verdicts import Verdict

#: Instances and principals that are named one by one; of more, how many.
_NAMED = 20
#: The longest that any session of a role may live, whatever its MaxSessionDuration: that does not hold for the credentials of
#: an instance profile (some 6 h) nor for a console that was opened by a sign-in token (up to 12 h), and a token that was taken
#: before the role's was lowered keeps what it was given.
LONGEST_SESSION_S = 43_200
PERMISSIONS: tuple[str, ...] = ("ec2:DescribeIamInstanceProfileAssociations", "iam:ListInstanceProfilesForRole")


class RoleUsers:
    """Instances by their profiles; services and principals by the trust policy. AWS has no call that lists sessions."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def of(self, role: Mapping[str, Any], verdict: Verdict) -> tuple[str, ...]:
        """Return one line for each kind of user that the role, as IAM describes it, has. Raises CloudUnavailable."""
        return (*self._instances(str(role["RoleName"])), *_trusted(role), *_last_used(role), *_sessions(role, verdict))

    def _instances(self, role: str) -> Iterator[str]:
        with in_core_words("ListInstanceProfilesForRole"):
            pages = self._clients("iam").get_paginator("list_instance_profiles_for_role").paginate(RoleName=role)
            profiles = {profile["Arn"]: profile["InstanceProfileName"] for page in pages for profile in page["InstanceProfiles"]}
        if not profiles:
            return
        ec2, instances = self._clients("ec2"), list[str]()
        with in_core_words("DescribeIamInstanceProfileAssociations"):
            filters = [{"Name": "state", "Values": ["associating", "associated"]}]
            pages = ec2.get_paginator("describe_iam_instance_profile_associations").paginate(
                Filters=filters, PaginationConfig={"PageSize": 1000}
            )
            for association in (each for page in pages for each in page["IamInstanceProfileAssociations"]):
                if association["IamInstanceProfile"]["Arn"] in profiles:
                    instances.append(association["InstanceId"])
        found = _some(sorted(instances)) or "none"
        names = _some(sorted(profiles.values()))
        where = f"{names} in {ec2.meta.region_name} (no other region is looked at)"
        yield f"instances with its profile {where}, each of which works under a session of its id: {found}"


def _trusted(role: Mapping[str, Any]) -> Iterator[str]:
    services, others = set[str](), set[str]()
    for statement in statements_of(role.get("AssumeRolePolicyDocument")):
        if statement.get("Effect") == "Allow":
            for kind, principal in principals_of(statement):
                (services if kind == "Service" else others).add(principal)
    if services:
        yield f"whatever {_some(sorted(services))} runs under it"
    if others:
        yield f"who may assume it: {_some(sorted(others))}"


def _last_used(role: Mapping[str, Any]) -> Iterator[str]:
    used = role.get("RoleLastUsed") or {}
    if when := used.get("LastUsedDate"):
        # The day: what a person approves is compared with what is so then, and a role in use is used every minute.
        yield f"last used on {when:%Y-%m-%d} (UTC) in {used.get('Region', 'an unknown region')} (IAM knows it some hours late)"


def _sessions(role: Mapping[str, Any], verdict: Verdict) -> Iterator[str]:
    """The sessions that the verdict names, and where the others are written down."""
    named = {entity.id for entity in (verdict.entity, *verdict.related) if entity.kind is EntityKind.SESSION}
    if own := sorted(each for each in named if each.startswith(f"{role['RoleId']}:")):
        yield f"sessions that the verdict names: {_some(own)}"
    yield (
        f"{'further ' if own else ''}sessions are not known: AWS has no call that lists them. CloudTrail's AssumeRole events of "
        f"the last {LONGEST_SESSION_S // 3600} h name those that may be valid: aws cloudtrail lookup-events --lookup-attributes "
        f"AttributeKey=ResourceName,AttributeValue={role['Arn']}"
    )


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
