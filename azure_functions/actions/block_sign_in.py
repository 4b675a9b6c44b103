"""Block the sign-in of a user: the account is disabled until it is undone."""

from __future__ import annotations

from typing import ClassVar

from azure_functions.actions.directory import Directory, User, names_of, no_user
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

_LIVES_ON = "access tokens that are out already live on for minutes up to an hour or so: revoke_sessions keeps them from renewal"
_FORBIDDEN = "a user with an administrator's role takes an administrator to disable: do it in the Entra portal"


class BlockSignIn:
    """``accountEnabled`` of the user, and nothing else."""

    name: ClassVar[str] = "block_sign_in"
    group: ClassVar[Group] = Group.IDENTITY
    handles: ClassVar[frozenset[EntityKind]] = frozenset({EntityKind.PRINCIPAL})
    carries: ClassVar[frozenset[str]] = frozenset({OBJECT_ID, SIGN_IN_NAME})
    gives_back: ClassVar[str] = "the user's sign-in"
    permissions: ClassVar[tuple[str, ...]] = ("graph:User.EnableDisableAccount.All", "graph:User.Read.All")
    undo_permissions: ClassVar[tuple[str, ...]] = ("graph:User.EnableDisableAccount.All", "graph:User.Read.All")

    def __init__(self, clients: Clients, *, persistence: Persistence | None = None) -> None:
        persistence = persistence or Persistence()
        self._directory = Directory(clients, self.group, persistence)
        self._users = Population(lambda _: self._directory.count_users())
        self._undoing = Directory(clients, Group.UNDO, persistence)

    @refused_where_forbidden
    def plan(self, target: Entity, verdict: Verdict) -> Plan:
        user = self._directory.user(target.id)
        if user is None:
            return _refused(target, no_user(target.id), resources=(target.id,))
        name = str(user.get("userPrincipalName") or target.id)
        if user.get("onPremisesSyncEnabled"):
            reason = f"{name} comes from an on-premises directory, which decides on it: disable it there, and use revoke_sessions"
            return _refused(target, reason, resources=(target.id, *names_of(user)))
        return Plan(
            action=self.name,
            target=target,
            before={"user": user["id"], "enabled": _is_enabled(user)},
            after={"user": user["id"], "enabled": False},
            touches=(f"{name} cannot sign in anywhere in the tenant", _LIVES_ON),
            summary=f"block the sign-in of {name}",
            resources=(target.id, *names_of(user)),
            kind="users",
            population=self._users.of(target.account),
            counted=str(user["id"]).lower(),
        )

    def covers(self, plan: Plan, verdict: Verdict) -> bool:
        """Whatever the user does: it cannot sign in."""
        return True

    def check(self, plan: Plan) -> str:
        return "" if self._directory.user(plan.before["user"]) else f"{plan.before['user']} was deleted meanwhile"

    def apply(self, plan: Plan) -> None:
        user = self._directory.user(plan.after["user"])
        if user is None or not _is_enabled(user):
            return
        try:
            self._directory.set_enabled(plan.after["user"], enabled=False)
        except (CloudRefusal, CloudForbidden) as refusal:
            raise CannotApply(f"{refusal}. {_FORBIDDEN}") from refusal

    def verify(self, plan: Plan) -> Verification:
        try:
            user = self._directory.user(plan.after["user"])
        except (CloudUnavailable, CloudRefusal):
            return Verification.UNREACHABLE
        return Verification.VERIFIED if user is not None and not _is_enabled(user) else Verification.DRIFTED

    def compare(self, plan: Plan) -> tuple[Difference, ...]:
        user, said = self._undoing.user(plan.before["user"]), {True: "may sign in", False: "disabled"}
        there = "deleted" if user is None else said[_is_enabled(user)]
        return (Difference(plan.before["user"], said[plan.before["enabled"]], said[False], there, user is None),)

    def undo(self, plan: Plan) -> UndoResult:
        object_id, enabled = plan.before["user"], plan.before["enabled"]
        user = self._undoing.user(object_id)
        if user is None:
            return UndoResult.leaving(f"{object_id} was deleted since")
        if _is_enabled(user) != enabled:
            try:
                self._undoing.set_enabled(object_id, enabled=enabled)
            except (CloudRefusal, CloudForbidden) as refusal:
                reason = f"{object_id} stays disabled: {refusal}. {_FORBIDDEN.replace('disable', 'enable')}"
                return UndoResult.holding(reason, refusal=refusal)
        return UndoResult((f"{object_id} may sign in" if enabled else f"{object_id} stays disabled, as before",))


def _is_enabled(user: User) -> bool:
    """Anything but a plain no counts as enabled: a user is not taken for blocked because Graph does not say."""
    return user.get("accountEnabled") is not False


def _refused(target: Entity, reason: str, *, resources: tuple[str, ...]) -> Plan:
    return Plan.refused(
        action=BlockSignIn.name,
        target=target,
        summary=f"block the sign-in of {target.id}",
        refusal=reason,
        resources=resources,
    )
