"""Revoke every sign-in session of a user: refresh tokens and session cookies that were issued until now.

This cannot be undone and need not be: the user signs in again. Access tokens that are out already live on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from azure_functions.actions.directory import Directory, is_external, names_of, no_user, sessions_valid_from
from azure_functions.actions.persistence import Persistence
from azure_functions.actions.population import Population
from azure_functions.actions.rights import refused_where_forbidden
from azure_functions.clients import Clients
from azure_functions.cloud_errors import CloudForbidden, CloudRefusal
from azure_functions.registry import Group
from response.actions import CannotApply, CloudUnavailable, Difference, Plan, UndoResult, Verification
from response.resources import OBJECT_ID, SIGN_IN_NAME
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict

#: Graph stamps the revocation by its own clock.
_SKEW = timedelta(minutes=5)
_NOT_KNOWN = (
    "which other sessions there are is not known: Graph has no call that lists them. The user's sign-ins in the Entra portal, "
    "interactive and not, name the devices and applications"
)
_LIVES_ON = (
    "access tokens that are out already live on: minutes where the service evaluates access continuously, else up to an hour "
    "or so; block_sign_in and remove_role_assignments cut what they are good for"
)


class RevokeSessions:
    """One call of Graph; when it was made is read back from the user."""

    name: ClassVar[str] = "revoke_sessions"
    group: ClassVar[Group] = Group.IDENTITY
    handles: ClassVar[frozenset[EntityKind]] = frozenset({EntityKind.SESSION, EntityKind.PRINCIPAL})
    carries: ClassVar[frozenset[str]] = frozenset({OBJECT_ID, SIGN_IN_NAME})
    gives_back: ClassVar[str] = ""  # cannot be undone
    permissions: ClassVar[tuple[str, ...]] = ("graph:User.Read.All", "graph:User.RevokeSessions.All")
    undo_permissions: ClassVar[tuple[str, ...]] = ("graph:User.Read.All",)

    def __init__(
        self, clients: Clients, *, persistence: Persistence | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        persistence = persistence or Persistence()
        self._directory = Directory(clients, self.group, persistence)
        self._undoing = Directory(clients, Group.UNDO, persistence)
        self._users = Population(lambda _: self._directory.count_users())
        self._clock = clock

    @refused_where_forbidden
    def plan(self, target: Entity, verdict: Verdict) -> Plan:
        principal = _principal_of(target, verdict)
        if not principal:
            return _refused(target, f"the verdict names no user of {target.id}: revoke the user's sessions in the Entra portal")
        user = self._directory.user(principal)
        if user is None:
            return _refused(target, no_user(principal), resources=(principal,))
        if is_external(user):
            reason = f"{user['userPrincipalName']} signs in at another directory, which alone ends sessions: use block_sign_in"
            return _refused(target, reason, resources=(principal, *names_of(user)))
        now = datetime.fromtimestamp(int(self._clock()), UTC)
        return Plan(
            action=self.name,
            target=target,
            before={"user": user["id"], "valid_from": sessions_valid_from(user).isoformat()},
            after={"user": user["id"], "valid_from": now.isoformat()},
            touches=(
                f"every session of {user.get('userPrincipalName') or principal}, on every device",
                *_named(target, verdict),
                _NOT_KNOWN,
                _LIVES_ON,
            ),
            summary=f"revoke every session of {user.get('displayName') or principal} issued until now",
            resources=(principal, *names_of(user)),
            kind="users",
            population=self._users.of(target.account),
            counted=str(user["id"]).lower(),
        )

    def covers(self, plan: Plan, verdict: Verdict) -> bool:
        """Whether the session began before the revocation; where that is not known, whether what was done in it was.

        The revocation is told in whole seconds, and reaches what was issued within its own.
        """
        issued_ms = verdict.time_ms if verdict.session_issued_ms is None else verdict.session_issued_ms
        return issued_ms // 1000 <= datetime.fromisoformat(plan.after["valid_from"]).timestamp()

    def check(self, plan: Plan) -> str:
        return "" if self._directory.user(plan.before["user"]) else f"{plan.before['user']} was deleted, and its sessions with it"

    def apply(self, plan: Plan) -> None:
        try:
            if not self._is_revoked(plan):
                self._directory.revoke_sessions(plan.after["user"])
        except (CloudRefusal, CloudForbidden) as refusal:
            raise CannotApply(f"{refusal}. Revoke the sessions in the Entra portal, or use block_sign_in") from refusal

    def verify(self, plan: Plan) -> Verification:
        try:
            revoked = self._is_revoked(plan)
        except (CloudUnavailable, CloudRefusal):
            return Verification.UNREACHABLE
        return Verification.VERIFIED if revoked else Verification.DRIFTED

    def compare(self, plan: Plan) -> tuple[Difference, ...]:
        user, before, applied = self._undoing.user(plan.before["user"]), plan.before["valid_from"], plan.after["valid_from"]
        there = "deleted" if user is None else f"valid from {sessions_valid_from(user).isoformat()}"
        what = f"sessions of {plan.before['user']}"
        return (Difference(what, f"valid from {before}", f"valid from {applied}", there, user is None),)

    def undo(self, plan: Plan) -> UndoResult:
        return UndoResult.leaving(f"the sessions of {plan.before['user']} stay revoked, nothing gives them back: sign in again")

    def _is_revoked(self, plan: Plan) -> bool:
        user = self._directory.user(plan.after["user"])
        if user is None:
            return False
        since = sessions_valid_from(user)
        planned, before = (datetime.fromisoformat(state["valid_from"]) for state in (plan.after, plan.before))
        return since > before and since >= planned - _SKEW


def _named(target: Entity, verdict: Verdict) -> tuple[str, ...]:
    named = (entity.id for entity in (target, verdict.entity, *verdict.related) if entity.kind is EntityKind.SESSION)
    sessions = sorted(set(named))
    return (f"among them those that the verdict names: {', '.join(sessions)}",) if sessions else ()


def _principal_of(target: Entity, verdict: Verdict) -> str:
    if target.kind is EntityKind.PRINCIPAL:
        return target.id.lower()
    related = (entity.id for entity in (verdict.entity, *verdict.related) if entity.kind is EntityKind.PRINCIPAL)
    return next(related, "").lower()


def _refused(target: Entity, reason: str, *, resources: tuple[str, ...] = ()) -> Plan:
    return Plan.refused(
        action=RevokeSessions.name,
        target=target,
        summary=f"revoke the sessions of {target.id}",
        refusal=reason,
        resources=resources,
    )
