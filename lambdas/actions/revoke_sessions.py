"""Revoke one session of a role, or all of them, by an inline deny on what was issued until now.

IAM evaluates the deny on every call, so it takes effect within seconds, on tokens that cannot be taken back. Undoing it
while such a token may still be valid would give it back to whoever holds it: not before the longest session is over.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar

from lambdas.actions import role_users
from lambdas.actions.iam_principals import Found, Roles
from lambdas.actions.inline_policies import InlinePolicies
from lambdas.actions.population import Principals
from lambdas.clients import Clients
from lambdas.registry import Group
from response.actions import Difference, Plan, UndoResult, Verification
from response.containment import containment_id
from response.resources import ROLE_OR_USER
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict

_INSTANCE = re.compile(r"i-[0-9a-z]{8,17}")
_SID = "BreakwaterRevoke"
_UNTIL = "DateLessThanEquals"


class RevokeSessions:
    """An own inline policy per containment: undo takes away exactly what was added, and nobody's statement is rewritten."""

    name: ClassVar[str] = "revoke_sessions"
    group: ClassVar[Group] = Group.IDENTITY
    handles: ClassVar[frozenset[EntityKind]] = frozenset({EntityKind.SESSION, EntityKind.PRINCIPAL})
    carries: ClassVar[frozenset[str]] = frozenset({ROLE_OR_USER})
    gives_back: ClassVar[str] = ""  # no token that the deny holds is valid by then
    permissions: ClassVar[tuple[str, ...]] = (
        *role_users.PERMISSIONS,
        "iam:GetAccountSummary",
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:PutRolePolicy",
    )
    undo_permissions: ClassVar[tuple[str, ...]] = ("iam:DeleteRolePolicy", "iam:GetRolePolicy")

    def __init__(self, clients: Clients, *, clock: Callable[[], float] = time.time) -> None:
        self._roles = Roles(clients)
        self._policies = InlinePolicies(clients, "role")
        self._users = role_users.RoleUsers(clients)
        self._principals = Principals(clients)
        self._clock = clock

    def plan(self, target: Entity, verdict: Verdict) -> Plan:
        found = self._roles.find(target, verdict)
        if found.refusal:
            return _refused(target, found.refusal, resources=found.resources)
        role, policy_name = str(found.described["RoleName"]), _policy_name(target, verdict)
        if self._policies.document(role, policy_name) is not None:
            reason = f"{role} has a policy {policy_name} that this journal does not account for: remove it by hand"
            return _refused(target, reason, resources=found.resources)
        place = {"role": role, "role_id": found.described["RoleId"], "policy": policy_name}
        return Plan(
            action=self.name,
            target=target,
            before={**place, "document": None},
            after={**place, "document": _deny(target, datetime.fromtimestamp(int(self._clock()), UTC))},
            touches=self._touched(target, found, verdict),
            summary=f"deny everything to {_what(target, role)} issued until now",
            tags=found.tags,
            min_lifetime_s=role_users.LONGEST_SESSION_S,
            resources=found.resources,
            kind="roles",
            population=self._principals.count("Roles"),
            counted=found.arn,
        )

    def covers(self, plan: Plan, verdict: Verdict) -> bool:
        """Whether the token was issued before the deny: whoever assumes the role again has the same session name.

        Where the verdict does not say when, the token is no newer than what was done with it. Tokens are issued at whole seconds.
        """
        issued_ms = verdict.time_ms if verdict.session_issued_ms is None else verdict.session_issued_ms
        until = datetime.fromisoformat(plan.after["document"]["Statement"][0]["Condition"][_UNTIL]["aws:TokenIssueTime"])
        return issued_ms // 1000 <= until.timestamp()

    def check(self, plan: Plan) -> str:
        if self._roles.again(plan.before) is None:
            role = plan.before["role"]
            return f"the role {role} was deleted, and its sessions with it; one of its name now is another: plan again"
        return self._policies.objection(plan.before["role"], plan.before["policy"], plan.after["document"])

    def apply(self, plan: Plan) -> None:
        self._policies.put(plan.after["role"], plan.after["policy"], plan.after["document"])

    def verify(self, plan: Plan) -> Verification:
        return self._policies.verify(plan.after["role"], plan.after["policy"], plan.after["document"])

    def compare(self, plan: Plan) -> tuple[Difference, ...]:
        return (self._policies.compare(plan.before["role"], plan.before["policy"], plan.after["document"]),)

    def undo(self, plan: Plan) -> UndoResult:
        return self._policies.remove(plan.before["role"], plan.before["policy"], plan.after["document"])

    def overwrite(self, plan: Plan) -> UndoResult:
        return self._policies.remove(plan.before["role"], plan.before["policy"], plan.after["document"], overwrite=True)

    def _touched(self, target: Entity, found: Found, verdict: Verdict) -> tuple[str, ...]:
        if target.kind is EntityKind.SESSION:
            return (
                f"only tokens of {target.id}; whoever may assume {found.arn} can assume it again under a new token",
                *_instance_of(target),
                "roles that this session has assumed already: their sessions live on",
            )
        return (
            f"every user and workload of {found.arn}: each must get a new token, instances do so by themselves within hours",
            *self._users.of(found.described, verdict),
        )


def _deny(target: Entity, until: datetime) -> dict[str, Any]:
    condition: dict[str, Any] = {_UNTIL: {"aws:TokenIssueTime": until.strftime("%Y-%m-%dT%H:%M:%SZ")}}
    if target.kind is EntityKind.SESSION:
        condition["StringEquals"] = {"aws:userid": target.id}
    statement = {"Sid": _SID, "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}
    return {"Version": "2012-10-17", "Statement": [statement]}


def _policy_name(target: Entity, verdict: Verdict) -> str:
    """Name it after the containment: a token that is issued later is denied by a policy beside this one."""
    return f"BreakwaterRevoke-{containment_id(RevokeSessions.name, target, verdict.id)}"


def _what(target: Entity, role: str) -> str:
    return f"session {target.id}" if target.kind is EntityKind.SESSION else f"every session of {role}"


def _instance_of(target: Entity) -> tuple[str, ...]:
    session = target.id.partition(":")[2]
    if not _INSTANCE.fullmatch(session):
        return ()
    return (f"instance {session} works under this session: it is denied until it gets new credentials, by itself within hours",)


def _refused(target: Entity, reason: str, *, resources: tuple[str, ...]) -> Plan:
    return Plan.refused(
        action=RevokeSessions.name,
        target=target,
        summary=f"revoke {target.id}",
        refusal=reason,
        resources=resources,
    )
