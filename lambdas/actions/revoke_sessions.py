"""Revoke one session of a role, or all of them, by an inline deny on what was issued until now.

IAM evaluates the deny on every call, so it takes effect within seconds, on tokens that cannot be taken back. Undoing it
while such a token may still be valid would give it back to whoever holds it: not before the role's MaxSessionDuration.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from lambdas.clients import Clients
from lambdas.cloud_errors import CloudRefusal, in_core_words
from lambdas.registry import Group
from response.actions import CannotApply, CloudUnavailable, Plan, UndoResult, Verification
from response.containment import containment_id
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict

_ROLE_ARN = re.compile(r"arn:[\w-]+:iam::(?P<account>\d{12}):role/(?P<path>[!-~]*/)?(?P<name>[\w+=,.@-]{1,64})")
#: ``<role id>:<session name>``, as ``aws:userid`` has it. Nothing in it can be read as a wildcard or a policy variable.
_USER_ID = re.compile(r"(?P<role>[A-Z0-9]{16,128}):[\w+=,.@-]{1,64}")
_SID = "BreakwaterRevoke"
_UNTIL = "DateLessThanEquals"


class RevokeSessions:
    """An own inline policy per containment: undo takes away exactly what was added, and nobody's statement is rewritten."""

    name: ClassVar[str] = "revoke_sessions"
    group: ClassVar[Group] = Group.IDENTITY
    handles: ClassVar[frozenset[EntityKind]] = frozenset({EntityKind.SESSION, EntityKind.PRINCIPAL})
    permissions: ClassVar[tuple[str, ...]] = ("iam:GetRole", "iam:GetRolePolicy", "iam:PutRolePolicy")
    undo_permissions: ClassVar[tuple[str, ...]] = ("iam:DeleteRolePolicy", "iam:GetRolePolicy")

    def __init__(self, clients: Clients, *, clock: Callable[[], float] = time.time) -> None:
        self._clients = clients
        self._clock = clock

    def plan(self, target: Entity, verdict: Verdict) -> Plan:
        arn = _role_of(target, verdict)
        match = _ROLE_ARN.fullmatch(arn)
        if match is None:
            return _refused(target, _no_role(target, arn), resources=(arn,) if arn else ())
        if reason := _managed_elsewhere(match["path"] or "", match["name"]) or _elsewhere(target, match["account"]):
            return _refused(target, reason, resources=(arn,))
        role = self._role(match["name"])
        if role is None:
            return _refused(
                target, f"there is no role {match['name']}: it was deleted, and its sessions with it", resources=(arn,)
            )
        if reason := _a_namesake(arn, match["account"], role["Arn"]):
            return _refused(target, reason, resources=(arn,))
        # Findings and some records name a role without its path: what protects a role must see its own name.
        arn = role["Arn"]
        if reason := _managed_elsewhere(role["Path"].removeprefix("/"), match["name"]):
            return _refused(target, reason, resources=(arn,))
        if target.kind is EntityKind.SESSION and _role_id(target) != role["RoleId"]:
            reason = f"{target.id} is no session of the role {match['name']} as it is now ({role['RoleId']})"
            return _refused(target, reason, resources=(arn,))
        policy_name = _policy_name(target, verdict)
        if self._document(match["name"], policy_name) is not None:
            reason = f"{match['name']} has a policy {policy_name} that this journal does not account for: remove it by hand"
            return _refused(target, reason, resources=(arn,))
        place = {"role": match["name"], "policy": policy_name}
        return Plan(
            action=self.name,
            target=target,
            before={**place, "document": None},
            after={**place, "document": _deny(target, datetime.fromtimestamp(int(self._clock()), UTC))},
            touches=_touched(target, arn),
            summary=f"deny everything to {_what(target, match['name'])} issued until now",
            tags={tag["Key"]: tag["Value"] for tag in role.get("Tags", [])},
            min_lifetime_s=int(role.get("MaxSessionDuration", 43_200)),
            resources=(arn,),
        )

    def covers(self, plan: Plan, verdict: Verdict) -> bool:
        """Whether the token was issued before the deny: whoever assumes the role again has the same session name.

        Where the verdict does not say when, the token is no newer than what was done with it. Tokens are issued at whole seconds.
        """
        issued_ms = verdict.time_ms if verdict.session_issued_ms is None else verdict.session_issued_ms
        until = datetime.fromisoformat(plan.after["document"]["Statement"][0]["Condition"][_UNTIL]["aws:TokenIssueTime"])
        return issued_ms // 1000 <= until.timestamp()

    def check(self, plan: Plan) -> str:
        now = self._document(plan.before["role"], plan.before["policy"])
        if now is None or now == plan.after["document"]:
            return ""
        return f"{plan.before['role']} has another policy {plan.before['policy']} by now: remove it by hand"

    def apply(self, plan: Plan) -> None:
        try:
            with in_core_words("PutRolePolicy"):
                self._clients("iam").put_role_policy(
                    RoleName=plan.after["role"],
                    PolicyName=plan.after["policy"],
                    PolicyDocument=json.dumps(plan.after["document"], separators=(",", ":")),
                )
        except CloudRefusal as refusal:
            raise CannotApply(f"{refusal}. {_alternative(refusal, plan.after['role'])}") from refusal

    def verify(self, plan: Plan) -> Verification:
        try:
            now = self._document(plan.after["role"], plan.after["policy"])
        except (CloudUnavailable, CloudRefusal):
            return Verification.UNREACHABLE
        return Verification.VERIFIED if now == plan.after["document"] else Verification.DRIFTED

    def undo(self, plan: Plan) -> UndoResult:
        role, policy = plan.before["role"], plan.before["policy"]
        now = self._document(role, policy)
        if now is None:
            return UndoResult((f"{role} has no policy {policy}",))
        if now != plan.after["document"]:
            return UndoResult((), (f"policy {policy} of {role} was changed since: remove it by hand",))
        try:
            with in_core_words("DeleteRolePolicy"):
                self._clients("iam").delete_role_policy(RoleName=role, PolicyName=policy)
        except CloudRefusal as refusal:
            if refusal.code != "NoSuchEntity":
                return UndoResult((), (f"policy {policy} of {role} cannot be removed: {refusal}",))
        return UndoResult((f"{role} without policy {policy}",))

    def _role(self, name: str) -> dict[str, Any] | None:
        try:
            with in_core_words("GetRole"):
                role: dict[str, Any] = self._clients("iam").get_role(RoleName=name)["Role"]
        except CloudRefusal as refusal:
            if refusal.code == "NoSuchEntity":
                return None
            raise
        return role

    def _document(self, role: str, policy: str) -> Mapping[str, Any] | None:
        try:
            with in_core_words("GetRolePolicy"):
                document = self._clients("iam").get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        except CloudRefusal as refusal:
            if refusal.code == "NoSuchEntity":
                return None
            raise
        parsed: Mapping[str, Any] = json.loads(document) if isinstance(document, str) else document
        return parsed


def _deny(target: Entity, until: datetime) -> dict[str, Any]:
    condition: dict[str, Any] = {_UNTIL: {"aws:TokenIssueTime": until.strftime("%Y-%m-%dT%H:%M:%SZ")}}
    if target.kind is EntityKind.SESSION:
        condition["StringEquals"] = {"aws:userid": target.id}
    statement = {"Sid": _SID, "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}
    return {"Version": "2012-10-17", "Statement": [statement]}


def _policy_name(target: Entity, verdict: Verdict) -> str:
    """Name it after the containment: a token that is issued later is denied by a policy beside this one."""
    return f"BreakwaterRevoke-{containment_id(RevokeSessions.name, target, verdict.id)}"


def _role_of(target: Entity, verdict: Verdict) -> str:
    if target.kind is EntityKind.PRINCIPAL:
        return target.id
    principals = (e.id for e in (verdict.entity, *verdict.related) if e.kind is EntityKind.PRINCIPAL)
    return next((arn for arn in principals if _ROLE_ARN.fullmatch(arn)), "")


def _role_id(target: Entity) -> str:
    match = _USER_ID.fullmatch(target.id)
    return match["role"] if match else ""


def _no_role(target: Entity, arn: str) -> str:
    if ":user/" in arn:
        return f"{arn} is a user and has no role sessions: deactivate its access keys"
    if arn.endswith(":root"):
        return f"{arn} is the account's root user, which no policy can deny: change its password and MFA device"
    return f"the verdict names no role of {target.id}: revoke the role's sessions in the IAM console"


def _managed_elsewhere(path: str, name: str) -> str:
    if path.startswith("aws-service-role/"):
        return f"{name} is a service-linked role, which only its service can change"
    if path.startswith("aws-reserved/") or name.startswith("AWSReservedSSO_"):
        return f"{name} is managed by IAM Identity Center: end the user's session there, or remove the assignment"
    return ""


def _elsewhere(target: Entity, account: str) -> str:
    if target.account and account != target.account:
        return (
            f"its role belongs to account {account}, not to {target.account}: revoke it there, or end the trust in this account"
        )
    return ""


def _a_namesake(arn: str, account: str, found: str) -> str:
    """IAM looks a role up by its name, in the account that asks: it may be another than the one that is meant."""
    own = found.split(":")[4]
    return f"{arn} is not in this account ({own}), only a role of the same name is: revoke it there" if own != account else ""


def _alternative(refusal: CloudRefusal, role: str) -> str:
    if "LimitExceeded" in refusal.code:
        return f"The inline policies of {role} are at their quota: remove one, attach a managed deny, or set a boundary"
    if "Unmodifiable" in refusal.code:
        return f"{role} can only be changed by the service that made it"
    return f"Edit the trust policy of {role}, or end what uses it"


def _what(target: Entity, role: str) -> str:
    return f"session {target.id}" if target.kind is EntityKind.SESSION else f"every session of {role}"


def _touched(target: Entity, arn: str) -> tuple[str, ...]:
    if target.kind is EntityKind.SESSION:
        return (
            f"only tokens of {target.id}; whoever may assume {arn} can assume it again under a new token",
            "roles that this session has assumed already: their sessions live on",
        )
    return (f"every user and workload of {arn}: each must get a new token, instances do so by themselves",)


def _refused(target: Entity, reason: str, *, resources: tuple[str, ...]) -> Plan:
    return Plan(
        action=RevokeSessions.name,
        target=target,
        before={},
        after={},
        touches=(),
        summary=f"revoke {target.id}",
        refusal=reason,
        resources=resources,
    )
