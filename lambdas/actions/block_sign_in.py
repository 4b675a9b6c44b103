"""Block the sign-in of an IAM user: whatever comes of it is denied, until it is undone.

IAM cannot switch a password off. To delete it or to set another would lose it, and nobody could give it back. So the
password stays, and an inline policy denies everything to the temporary credentials that every console session works with.
"""

from __future__ import annotations

from typing import Any, ClassVar

from lambdas.actions.iam_principals import Users, if_there
from lambdas.actions.inline_policies import InlinePolicies
from lambdas.actions.population import Principals
from lambdas.clients import Clients
from lambdas.registry import Group
from response.actions import Difference, Plan, UndoResult, Verification
from response.containment import containment_id
from response.resources import ROLE_OR_USER
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict

#: Only temporary credentials have a time of issue: sessions of the console, of GetSessionToken and GetFederationToken.
_DENY: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "BreakwaterBlockSignIn",
            "Effect": "Deny",
            "Action": "*",
            "Resource": "*",
            "Condition": {"Null": {"aws:TokenIssueTime": "false"}},
        }
    ],
}
_LIVES_ON = (
    "its access keys work as before: deactivate_access_keys",
    "roles that it has assumed: their sessions live on, revoke_sessions ends them",
)
_OPENS = "the password is still taken and the console opens, but nothing in it can be read or done"
_ONLY_KEYS = "it has no console password: only what was got with its access keys, or comes of a password that it is given later"


class BlockSignIn:
    """An own inline policy: undo takes away exactly what was added, and the password was never touched."""

    name: ClassVar[str] = "block_sign_in"
    group: ClassVar[Group] = Group.IDENTITY
    handles: ClassVar[frozenset[EntityKind]] = frozenset({EntityKind.PRINCIPAL})
    carries: ClassVar[frozenset[str]] = frozenset({ROLE_OR_USER})
    gives_back: ClassVar[str] = "the user's sign-in"
    permissions: ClassVar[tuple[str, ...]] = (
        "iam:GetAccountSummary",
        "iam:GetLoginProfile",
        "iam:GetUser",
        "iam:GetUserPolicy",
        "iam:PutUserPolicy",
    )
    undo_permissions: ClassVar[tuple[str, ...]] = ("iam:DeleteUserPolicy", "iam:GetUserPolicy")

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._users = Users(clients)
        self._policies = InlinePolicies(clients, "user")
        self._principals = Principals(clients)

    def plan(self, target: Entity, verdict: Verdict) -> Plan:
        found = self._users.find(target, verdict)
        if found.refusal:
            return _refused(target, found.refusal, resources=found.resources)
        user, policy = str(found.described["UserName"]), f"{_NAME}-{containment_id(self.name, target, verdict.id)}"
        if self._policies.document(user, policy) is not None:
            reason = f"{user} has a policy {policy} that this journal does not account for: remove it by hand"
            return _refused(target, reason, resources=found.resources)
        place = {"user": user, "user_id": found.described["UserId"], "policy": policy}
        return Plan(
            action=self.name,
            target=target,
            before={**place, "document": None},
            after={**place, "document": _DENY},
            touches=(
                f"every console session of {found.arn}, and all other temporary credentials that it got for itself or for others "
                "(GetSessionToken, GetFederationToken), now and later",
                _OPENS if self._has_password(user) else _ONLY_KEYS,
                *_LIVES_ON,
            ),
            summary=f"deny everything to whoever signs in as {user}",
            tags=found.tags,
            resources=found.resources,
            kind="users",
            population=self._principals.count("Users"),
            counted=found.arn,
        )

    def covers(self, plan: Plan, verdict: Verdict) -> bool:
        """Whatever a session of the user does, also one that begins later."""
        return True

    def check(self, plan: Plan) -> str:
        if self._users.again(plan.before) is None:
            return f"the user {plan.before['user']} was deleted; one of its name now is another: plan again"
        return self._policies.objection(plan.before["user"], plan.before["policy"], plan.after["document"])

    def apply(self, plan: Plan) -> None:
        self._policies.put(plan.after["user"], plan.after["policy"], plan.after["document"])

    def verify(self, plan: Plan) -> Verification:
        return self._policies.verify(plan.after["user"], plan.after["policy"], plan.after["document"])

    def compare(self, plan: Plan) -> tuple[Difference, ...]:
        return (self._policies.compare(plan.before["user"], plan.before["policy"], plan.after["document"]),)

    def undo(self, plan: Plan) -> UndoResult:
        return self._policies.remove(plan.before["user"], plan.before["policy"], plan.after["document"])

    def overwrite(self, plan: Plan) -> UndoResult:
        return self._policies.remove(plan.before["user"], plan.before["policy"], plan.after["document"], overwrite=True)

    def _has_password(self, user: str) -> bool:
        return if_there("GetLoginProfile", lambda: self._clients("iam").get_login_profile(UserName=user)) is not None


_NAME = "BreakwaterBlockSignIn"


def _refused(target: Entity, reason: str, *, resources: tuple[str, ...]) -> Plan:
    return Plan.refused(
        action=BlockSignIn.name,
        target=target,
        summary=f"block the sign-in of {target.id}",
        refusal=reason,
        resources=resources,
    )
