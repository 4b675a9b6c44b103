"""Restrict a role to nothing: a permissions boundary that denies everything, in place of the boundary that it has.

The boundary is AWS's own policy AWSDenyAll. Nobody in the account can edit it, and the identity that contains may set no
other one, so that it can take rights away by this and never give any. Policies, trust and tags of the role stay as they are.
"""

from __future__ import annotations

from typing import Any, ClassVar

from lambdas.actions import role_users
from lambdas.actions.consistency import verified_in_time
from lambdas.actions.iam_principals import Roles
from lambdas.actions.population import Principals
from lambdas.clients import Clients
from lambdas.cloud_errors import CloudRefusal, in_core_words
from lambdas.registry import Group
from response.actions import CannotApply, CloudUnavailable, Difference, Plan, UndoResult, Verification
from response.resources import ROLE_OR_USER
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict

#: An explicit deny in a boundary stands against every allow, also one that a resource's own policy gives.
DENY_ALL = "arn:{partition}:iam::aws:policy/AWSDenyAll"
_LIVES_ON = (
    "undo gives sessions that are still valid then their rights back: where they are stolen, revoke_sessions too",
    "roles that it has assumed: their sessions live on, revoke_sessions ends them",
)


class RestrictRole:
    """One call sets the boundary, one call sets it back: nothing of the role is taken apart."""

    name: ClassVar[str] = "restrict_role"
    group: ClassVar[Group] = Group.IDENTITY
    handles: ClassVar[frozenset[EntityKind]] = frozenset({EntityKind.PRINCIPAL, EntityKind.SESSION})
    carries: ClassVar[frozenset[str]] = frozenset({ROLE_OR_USER})
    gives_back: ClassVar[str] = "the permissions of the role"
    permissions: ClassVar[tuple[str, ...]] = (
        *role_users.PERMISSIONS,
        "iam:GetAccountSummary",
        "iam:GetRole",
        "iam:PutRolePermissionsBoundary",
    )
    undo_permissions: ClassVar[tuple[str, ...]] = (
        "iam:DeleteRolePermissionsBoundary",
        "iam:GetRole",
        "iam:PutRolePermissionsBoundary",
    )

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._roles = Roles(clients)
        self._users = role_users.RoleUsers(clients)
        self._principals = Principals(clients)

    def plan(self, target: Entity, verdict: Verdict) -> Plan:
        found = self._roles.find(target, verdict)
        if found.refusal:
            return _refused(target, found.refusal, resources=found.resources)
        role, before = str(found.described["RoleName"]), _boundary(found.described)
        after = DENY_ALL.format(partition=found.arn.split(":")[1])
        place = {"role": role, "role_id": found.described["RoleId"]}
        instead = f", instead of its boundary {before}" if before else ""
        return Plan(
            action=self.name,
            target=target,
            before={**place, "boundary": before},
            after={**place, "boundary": after},
            touches=(
                f"every user, workload and session of {found.arn}, at once",
                *self._users.of(found.described, verdict),
                *_LIVES_ON,
            ),
            summary=f"deny everything to {role} by the boundary AWSDenyAll{instead}",
            tags=found.tags,
            resources=found.resources,
            kind="roles",
            population=self._principals.count("Roles"),
            counted=found.arn,
        )

    def covers(self, plan: Plan, verdict: Verdict) -> bool:
        """Whatever the role does, in whichever session."""
        return True

    def check(self, plan: Plan) -> str:
        role = plan.before["role"]
        now = self._now(plan)
        if now is None:
            return f"there is no role {role} any more, or another of its name"
        if now[0] in (plan.before["boundary"], plan.after["boundary"]):
            return ""
        return f"the boundary of {role} is {_named(now[0])} now, no longer {_named(plan.before['boundary'])}: plan again"

    def apply(self, plan: Plan) -> None:
        role = plan.after["role"]
        now = self._now(plan)
        try:
            if now is None or now[0] != plan.after["boundary"]:
                self._set(role, plan.after["boundary"])
        except CloudRefusal as refusal:
            raise CannotApply(f"{refusal}. Revoke the sessions of {role}, or detach its policies by hand") from refusal

    def verify(self, plan: Plan) -> Verification:
        return verified_in_time(lambda: self._look(plan))

    def _look(self, plan: Plan) -> Verification:
        try:
            now = self._now(plan)
        except (CloudUnavailable, CloudRefusal):
            return Verification.UNREACHABLE
        return Verification.VERIFIED if now is not None and now[0] == plan.after["boundary"] else Verification.DRIFTED

    def compare(self, plan: Plan) -> tuple[Difference, ...]:
        role, before, applied = plan.before["role"], plan.before["boundary"], plan.after["boundary"]
        now = self._now(plan)
        there = "the role was deleted" if now is None else _named(now[0])
        changed = now is None or now[0] not in (before, applied)
        return (Difference(f"boundary of {role}", _named(before), _named(applied), there, changed),)

    def undo(self, plan: Plan) -> UndoResult:
        return self._restore(plan, overwrite=False)

    def overwrite(self, plan: Plan) -> UndoResult:
        return self._restore(plan, overwrite=True)

    def _restore(self, plan: Plan, *, overwrite: bool) -> UndoResult:
        role, before = plan.before["role"], plan.before["boundary"]
        now = self._now(plan)
        if now is None:
            return UndoResult.leaving(f"{role} was deleted since")
        if now[0] == before:
            return UndoResult((f"{role} has the boundary that it had: {_named(before)}",))
        if now[0] != plan.after["boundary"] and not overwrite:
            reason = f"{role} has the boundary {_named(now[0])}: someone changed it since; it had {_named(before)}"
            return UndoResult.leaving(reason)
        try:
            if not before and now[0] != plan.after["boundary"]:  # undo may take away that boundary alone: IAM denies it any other
                self._set(role, plan.after["boundary"])
            self._set(role, before)
        except CloudRefusal as refusal:
            reason = f"{role} stays restricted, its boundary {_named(before)} cannot be set: {refusal}"
            return UndoResult.holding(reason, refusal=refusal)
        return UndoResult((f"boundary of {role}: {_named(before)}",))

    def _now(self, plan: Plan) -> tuple[str | None] | None:
        """Return the boundary in force, None where the role is gone."""
        described = self._roles.again(plan.before)
        return None if described is None else (_boundary(described),)

    def _set(self, role: str, boundary: str | None) -> None:
        iam = self._clients("iam")
        if boundary:
            with in_core_words("PutRolePermissionsBoundary"):
                iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=boundary)
        else:
            with in_core_words("DeleteRolePermissionsBoundary"):
                iam.delete_role_permissions_boundary(RoleName=role)


def _boundary(role: Any) -> str | None:
    return (role.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn")


def _named(boundary: str | None) -> str:
    return boundary or "none"


def _refused(target: Entity, reason: str, *, resources: tuple[str, ...]) -> Plan:
    return Plan.refused(
        action=RestrictRole.name,
        target=target,
        summary=f"restrict the role of {target.id}" if target.kind is EntityKind.SESSION else f"restrict {target.id}",
        refusal=reason,
        resources=resources,
    )
