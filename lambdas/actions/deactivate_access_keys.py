"""Deactivate the access keys of an IAM user: all that are active, or the one that a verdict names."""

from __future__ import annotations

from typing import Any, ClassVar

from lambdas.actions.consistency import verified_in_time
from lambdas.actions.iam_principals import Users, if_there
from lambdas.actions.population import Principals
from lambdas.clients import Clients
from lambdas.cloud_errors import CloudRefusal
from lambdas.registry import Group
from response.actions import CannotApply, CloudUnavailable, Difference, Plan, UndoResult, Verification
from response.resources import ACCESS_KEY, ROLE_OR_USER
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict

ACTIVE, INACTIVE = "Active", "Inactive"
_LIVES_ON = (
    "temporary credentials that were got with them (GetSessionToken, GetFederationToken) live on for up to 36 hours, and so does "
    "a console session: block_sign_in denies these",
    "roles that were assumed with them: their sessions live on, revoke_sessions ends them",
)


class DeactivateAccessKeys:
    """Only the status of keys that were active: undo reactivates exactly those."""

    name: ClassVar[str] = "deactivate_access_keys"
    group: ClassVar[Group] = Group.IDENTITY
    handles: ClassVar[frozenset[EntityKind]] = frozenset({EntityKind.PRINCIPAL, EntityKind.ACCESS_KEY})
    carries: ClassVar[frozenset[str]] = frozenset({ACCESS_KEY, ROLE_OR_USER})
    gives_back: ClassVar[str] = "the access keys"
    permissions: ClassVar[tuple[str, ...]] = (
        "iam:GetAccessKeyLastUsed",
        "iam:GetAccountSummary",
        "iam:GetUser",
        "iam:ListAccessKeys",
        "iam:UpdateAccessKey",
    )
    undo_permissions: ClassVar[tuple[str, ...]] = ("iam:ListAccessKeys", "iam:UpdateAccessKey")

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._users = Users(clients)
        self._principals = Principals(clients)

    def plan(self, target: Entity, verdict: Verdict) -> Plan:
        found = self._users.find(target, verdict)
        if found.refusal:
            return _refused(target, found.refusal, resources=found.resources)
        user = str(found.described["UserName"])
        keys = self._keys(user) or {}
        if target.kind is EntityKind.ACCESS_KEY:
            if target.id not in keys:
                reason = f"{user} has no access key {target.id}: it was deleted, or is another user's"
                return _refused(target, reason, resources=found.resources)
            keys = {target.id: keys[target.id]}
        if not keys:
            reason = f"{user} has no access keys: block_sign_in keeps it from the console"
            return _refused(target, reason, resources=found.resources)
        place = {"user": user, "user_id": found.described["UserId"]}
        active = [key for key, status in keys.items() if status == ACTIVE]
        return Plan(
            action=self.name,
            target=target,
            before={**place, "keys": dict.fromkeys(active, ACTIVE)},
            after={**place, "keys": dict.fromkeys(active, INACTIVE)},
            touches=(f"whatever works as {found.arn} with these keys", *map(self._last_used, active), *_LIVES_ON),
            summary=f"deactivate {', '.join(active) or 'no key'} of {user}",
            tags=found.tags,
            resources=(*found.resources, *active),
            kind="users",
            population=self._principals.count("Users"),
            counted=found.arn,
        )

    def covers(self, plan: Plan, verdict: Verdict) -> bool:
        """Whether every key that the verdict names was deactivated. Where it names none, the user may have a new one: no."""
        used = {e.id for e in (verdict.entity, *verdict.related) if e.kind is EntityKind.ACCESS_KEY}
        return bool(used) and used <= set(plan.after["keys"])

    def check(self, plan: Plan) -> str:
        if self._users.again(plan.before) is None:
            return f"the user {plan.before['user']} was deleted, and its keys with it; one of its name now is another: plan again"
        return ""

    def apply(self, plan: Plan) -> None:
        user = plan.after["user"]
        now = self._keys(user) or {}
        for key in plan.after["keys"]:
            if now.get(key) == ACTIVE:
                try:
                    self._set(user, key, INACTIVE)
                except CloudRefusal as refusal:
                    raise CannotApply(f"{refusal}. Deactivate {key} of {user} by hand") from refusal

    def verify(self, plan: Plan) -> Verification:
        return verified_in_time(lambda: self._look(plan))

    def _look(self, plan: Plan) -> Verification:
        try:
            now = self._keys(plan.after["user"]) or {}
        except (CloudUnavailable, CloudRefusal):
            return Verification.UNREACHABLE
        # Of a user, a key that was made since counts too: whoever had the old one may have made it.
        looked_at = now if plan.target.kind is EntityKind.PRINCIPAL else plan.after["keys"]
        return Verification.DRIFTED if any(now.get(key) == ACTIVE for key in looked_at) else Verification.VERIFIED

    def compare(self, plan: Plan) -> tuple[Difference, ...]:
        user = plan.before["user"]
        now = self._keys(user) or {}
        return tuple(
            Difference(f"{key} of {user}", ACTIVE, INACTIVE, now.get(key, "deleted"), key not in now)
            for key in plan.before["keys"]
        )

    def undo(self, plan: Plan) -> UndoResult:
        user = plan.before["user"]
        now = self._keys(user)
        if now is None:
            return UndoResult.leaving(f"{user} was deleted since, and its keys with it")
        result = UndoResult()
        for key in plan.before["keys"]:
            if key not in now:
                result += UndoResult.leaving(f"{key} of {user} was deleted since: its holder needs a new one")
            elif now[key] == ACTIVE:
                result += UndoResult((f"{key} of {user} is active already",))
            else:
                result += self._activate(user, key)
        return result

    def _activate(self, user: str, key: str) -> UndoResult:
        try:
            if self._set(user, key, ACTIVE):
                return UndoResult((f"{key} of {user} is active",))
        except CloudRefusal as refusal:
            return UndoResult.holding(f"{key} of {user} stays inactive: {refusal}")
        return UndoResult.leaving(f"{key} of {user} was deleted since")

    def _keys(self, user: str) -> dict[str, str] | None:
        """Return the status of each key of a user by its id, None where there is no such user."""

        def listed() -> dict[str, Any]:
            pages = self._clients("iam").get_paginator("list_access_keys").paginate(UserName=user)
            return {each["AccessKeyId"]: each["Status"] for page in pages for each in page["AccessKeyMetadata"]}

        found = if_there("ListAccessKeys", listed)
        return None if found is None else dict(sorted(found.items()))

    def _last_used(self, key: str) -> str:
        answer = if_there("GetAccessKeyLastUsed", lambda: self._clients("iam").get_access_key_last_used(AccessKeyId=key)) or {}
        used = answer.get("AccessKeyLastUsed", {})
        if not used.get("LastUsedDate"):
            return f"{key}: not used since IAM keeps account of it"
        # The day: what a person approves is compared with what is so then, and a key in use is used every minute.
        return f"{key}: last used on {used['LastUsedDate']:%Y-%m-%d} (UTC) for {used.get('ServiceName')} in {used.get('Region')}"

    def _set(self, user: str, key: str, status: str) -> bool:
        """Set a key's status. Says whether there still is such a key."""

        def update() -> dict[str, Any]:
            self._clients("iam").update_access_key(UserName=user, AccessKeyId=key, Status=status)
            return {key: status}

        return if_there("UpdateAccessKey", update) is not None


def _refused(target: Entity, reason: str, *, resources: tuple[str, ...]) -> Plan:
    return Plan.refused(
        action=DeactivateAccessKeys.name,
        target=target,
        summary=f"deactivate {target.id}"
        if target.kind is EntityKind.ACCESS_KEY
        else f"deactivate the access keys of {target.id}",
        refusal=reason,
        resources=resources,
    )
