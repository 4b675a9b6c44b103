"""IAM roles and users as a verdict names them: read, or refused with what to do instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lambdas.clients import Clients
from lambdas.cloud_errors import CloudRefusal, in_core_words
from shared_model.events import Entity, EntityKind
from shared_model.trust import in_one_order
from shared_model.verdicts import Verdict

_NAME = r"(?P<path>[!-~]*/)?(?P<name>[\w+=,.@-]{1,64})"
_ROLE_ARN = re.compile(rf"arn:[\w-]+:iam::(?P<account>\d{{12}}):role/{_NAME}")
_USER_ARN = re.compile(rf"arn:[\w-]+:iam::(?P<account>\d{{12}}):user/{_NAME}")
#: ``<role id>:<session name>``, as ``aws:userid`` has it. Nothing in it can be read as a wildcard or a policy variable.
_USER_ID = re.compile(r"(?P<role>[A-Z0-9]{16,128}):[\w+=,.@-]{1,64}")


@dataclass(frozen=True, slots=True)
class Found:
    """A role or user that may be changed here, or why not.

    Attributes
    ----------
    described : mapping
        As IAM describes it; empty where it is refused.
    refusal : str
        With the alternative named; ``""`` where it may be changed.
    resources : tuple of str
        ARNs for the guard: IAM's own, with its path, once it is known.
    """

    described: Mapping[str, Any] = field(default_factory=dict)
    refusal: str = ""
    resources: tuple[str, ...] = ()

    @property
    def arn(self) -> str:
        """The ARN as IAM has it."""
        return str(self.described["Arn"])

    @property
    def tags(self) -> dict[str, str]:
        """Tags of the role or user."""
        return {tag["Key"]: tag["Value"] for tag in self.described.get("Tags", [])}


class Roles:
    """Roles of the account."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def find(self, target: Entity, verdict: Verdict) -> Found:
        """Return the role that the target is, or that the target (a session) is of. Raises CloudUnavailable."""
        arn = _named(target, verdict, _ROLE_ARN)
        match = _ROLE_ARN.fullmatch(arn)
        if match is None:
            return Found(refusal=_no_role(target, arn), resources=(arn,) if arn else ())
        if reason := _managed_elsewhere(match["path"] or "", match["name"]) or _elsewhere(target, match["account"]):
            return Found(refusal=reason, resources=(arn,))
        role = self.read(match["name"])
        if role is None:
            reason = f"there is no role {match['name']}: it was deleted, and its sessions with it"
            return Found(refusal=reason, resources=(arn,))
        if reason := _a_namesake(arn, match["account"], role["Arn"]):
            return Found(refusal=reason, resources=(arn,))
        # Findings and some records name a role without its path: what protects a role must see its own name.
        reason = _managed_elsewhere(role["Path"].removeprefix("/"), match["name"])
        if not reason and target.kind is EntityKind.SESSION and _role_id(target) != role["RoleId"]:
            reason = f"{target.id} is no session of the role {match['name']} as it is now ({role['RoleId']})"
        return Found({} if reason else role, reason, (role["Arn"],))

    def read(self, name: str) -> Mapping[str, Any] | None:
        """Return a role as IAM describes it, its trust policy in one order, None where there is none."""
        answer = if_there("GetRole", lambda: self._clients("iam").get_role(RoleName=name))
        if answer is None:
            return None
        return {**answer["Role"], "AssumeRolePolicyDocument": in_one_order(answer["Role"]["AssumeRolePolicyDocument"])}

    def again(self, planned: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the role that a plan is about, None where it is gone: one that was deleted and made anew is another role."""
        return _the_same(self.read(planned["role"]), "RoleId", planned.get("role_id"))


class Users:
    """IAM users of the account."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def find(self, target: Entity, verdict: Verdict) -> Found:
        """Return the user that the target is, or whose the target (an access key) is. Raises CloudUnavailable."""
        arn = _named(target, verdict, _USER_ARN)
        match = _USER_ARN.fullmatch(arn)
        if match is None:
            return Found(refusal=_no_user(target, arn), resources=(arn,) if arn else ())
        if reason := _elsewhere(target, match["account"]):
            return Found(refusal=reason, resources=(arn,))
        user = self.read(match["name"])
        if user is None:
            reason = f"there is no user {match['name']}: it was deleted, and its keys with it"
            return Found(refusal=reason, resources=(arn,))
        if reason := _a_namesake(arn, match["account"], user["Arn"]):
            return Found(refusal=reason, resources=(arn,))
        return Found(user, resources=(user["Arn"],))

    def read(self, name: str) -> Mapping[str, Any] | None:
        """Return a user as IAM describes it, None where there is none."""
        answer = if_there("GetUser", lambda: self._clients("iam").get_user(UserName=name))
        return answer["User"] if answer else None

    def again(self, planned: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the user that a plan is about, None where it is gone: one that was deleted and made anew is another user."""
        return _the_same(self.read(planned["user"]), "UserId", planned.get("user_id"))


def if_there(operation: str, call: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return what IAM answers, None where it says that there is no such thing."""
    try:
        with in_core_words(operation):
            return call()
    except CloudRefusal as refusal:
        if refusal.code == "NoSuchEntity":
            return None
        raise


def _the_same(now: Mapping[str, Any] | None, field: str, planned: str | None) -> Mapping[str, Any] | None:
    return now if now is not None and planned in (None, now[field]) else None  # plans of earlier releases do not say


def _named(target: Entity, verdict: Verdict, pattern: re.Pattern[str]) -> str:
    """Return the ARN of the target, or of the principal that the verdict names with a session or key."""
    if target.kind is EntityKind.PRINCIPAL:
        return target.id
    principals = [e.id for e in (verdict.entity, *verdict.related) if e.kind is EntityKind.PRINCIPAL]
    return next((arn for arn in principals if pattern.fullmatch(arn)), next(iter(principals), ""))


def _role_id(target: Entity) -> str:
    match = _USER_ID.fullmatch(target.id)
    return match["role"] if match else ""


def _no_role(target: Entity, arn: str) -> str:
    if ":user/" in arn:
        return f"{arn} is a user and no role: deactivate its access keys, and block its sign-in"
    if arn.endswith(":root"):
        return f"{arn} is the account's root user, which no policy can deny: change its password and MFA device"
    return f"the verdict names no role of {target.id}: look in IAM for who it is"


def _no_user(target: Entity, arn: str) -> str:
    if ":role/" in arn:
        return f"{arn} is a role, without password and keys of its own: revoke its sessions, or restrict it"
    if arn.endswith(":root"):
        return f"{arn} is the account's root user: delete its access keys, change its password and MFA device"
    if ":federated-user/" in arn:
        return (
            f"{arn} is a session of an IAM user, with the rights of that user: find in CloudTrail who called GetFederationToken"
        )
    return f"the verdict names no IAM user of {target.id}: who signs in by Identity Center or another provider is blocked there"


def _managed_elsewhere(path: str, name: str) -> str:
    if path.startswith("aws-service-role/"):
        service = path.split("/")[1]
        return (
            f"{name} is a service-linked role, which only {service} can change: stop in that service what acts under it, or "
            "contain who has it do that"
        )
    if path.startswith("aws-reserved/") or name.startswith("AWSReservedSSO_"):
        return f"{name} is managed by IAM Identity Center: end the user's session there, or remove the assignment"
    return ""


def _elsewhere(target: Entity, account: str) -> str:
    if target.account and account != target.account:
        return f"it belongs to account {account}, not to {target.account}: contain it there, or end the trust in this account"
    return ""


def _a_namesake(arn: str, account: str, found: str) -> str:
    """IAM looks a name up in the account that asks: it may be another's than the one that is meant."""
    own, kind = found.split(":")[4], found.split(":")[5].partition("/")[0]
    return f"{arn} is not in this account ({own}), only a {kind} of the same name is: contain it there" if own != account else ""
