"""Tighten a role's trust policy: an outside account that it lets in is denied, by a statement of our own beside the others.

Nobody's statement is rewritten, so that undo takes away exactly what was added, whatever was changed around it meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from lambdas.actions.consistency import verified_in_time
from lambdas.actions.iam_principals import Found, Roles
from lambdas.actions.population import Principals
from lambdas.clients import Clients
from lambdas.cloud_errors import CloudRefusal, in_core_words
from lambdas.registry import Group
from response.actions import CannotApply, CloudUnavailable, Difference, Plan, UndoResult, Verification
from response.containment import containment_id
from response.resources import ROLE_OR_USER
from shared_model.events import Entity, EntityKind
from shared_model.trust import ANYONE, account_of, outsiders, principals_of, read_trust, statements_of
from shared_model.verdicts import Verdict

_LIVES_ON = "sessions that it has already live on, for up to 12 h: revoke_sessions ends them"


class TightenTrustPolicy:
    """One deny for all accounts that the verdict names with this role. The guard sees each of them."""

    name: ClassVar[str] = "tighten_trust_policy"
    group: ClassVar[Group] = Group.IDENTITY
    handles: ClassVar[frozenset[EntityKind]] = frozenset({EntityKind.TRUST})
    carries: ClassVar[frozenset[str]] = frozenset({ROLE_OR_USER})
    gives_back: ClassVar[str] = "the outside account's way into the role"
    permissions: ClassVar[tuple[str, ...]] = ("iam:GetAccountSummary", "iam:GetRole", "iam:UpdateAssumeRolePolicy")
    undo_permissions: ClassVar[tuple[str, ...]] = ("iam:GetRole", "iam:UpdateAssumeRolePolicy")

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._roles = Roles(clients)
        self._principals = Principals(clients)

    def plan(self, target: Entity, verdict: Verdict) -> Plan:
        arn, _ = read_trust(target)
        found = self._roles.find(Entity(EntityKind.PRINCIPAL, arn or target.id, target.account), verdict)
        if found.refusal:
            return _refused(target, found.refusal, resources=found.resources)
        role, own, now = str(found.described["RoleName"]), account_of(found.arn), found.described["AssumeRolePolicyDocument"]
        let_in, named = outsiders(now, own), _named(target, verdict)
        denied = sorted(named & set(let_in))
        if not denied:
            accounts = ", ".join(sorted(named))
            reason = f"the trust policy of {role} lets {accounts} in no more: revoke_sessions ends the sessions that it may have"
            return _refused(target, reason, resources=found.resources)
        statement = _deny(f"{_SID}{containment_id(self.name, target, verdict.id)}", denied, own)
        if _denies(now, statement):
            reason = f"{role} has a statement {statement['Sid']} that this journal does not account for: remove it by hand"
            return _refused(target, reason, resources=found.resources)
        place = {"role": role, "role_id": found.described["RoleId"]}
        who = "everybody outside the account" if ANYONE in denied else f"account {', '.join(denied)}"
        return Plan(
            action=self.name,
            target=target,
            before={**place, "document": now},
            after={**place, "document": {**now, "Statement": [*statements_of(now), statement]}},
            touches=(f"{who}: nobody of it can assume {found.arn} any more", *_conditions(now, denied), _LIVES_ON),
            summary=f"deny {who} in the trust policy of {role}",
            tags=found.tags,
            resources=(*found.resources, *_principals(now, denied, found)),
            kind="roles",
            population=self._principals.count("Roles"),
            counted=found.arn,
        )

    def covers(self, plan: Plan, verdict: Verdict) -> bool:
        """Whether every account that the verdict names with this role is denied."""
        condition = _added(plan)["Condition"]
        denied = set(condition.get("StringEquals", {}).get("aws:PrincipalAccount", ()))
        return not denied or _named(plan.target, verdict) <= denied

    def check(self, plan: Plan) -> str:
        role = plan.before["role"]
        now = self._document(plan)
        if now is None:
            return f"there is no role {role} any more, or another of its name"
        if now == plan.before["document"] or _has(now, _added(plan)):
            return ""
        return f"the trust policy of {role} was changed since: plan again"

    def apply(self, plan: Plan) -> None:
        role, statement = plan.after["role"], _added(plan)
        now = self._document(plan)
        if now is None or _has(now, statement):
            return
        try:
            self._write(role, {**now, "Statement": [*statements_of(now), statement]})
        except CloudRefusal as refusal:
            raise CannotApply(f"{refusal}. {_alternative(refusal, role)}") from refusal

    def verify(self, plan: Plan) -> Verification:
        return verified_in_time(lambda: self._look(plan))

    def _look(self, plan: Plan) -> Verification:
        try:
            now = self._document(plan)
        except (CloudUnavailable, CloudRefusal):
            return Verification.UNREACHABLE
        return Verification.VERIFIED if now is not None and _has(now, _added(plan)) else Verification.DRIFTED

    def compare(self, plan: Plan) -> tuple[Difference, ...]:
        before, applied, now = plan.before["document"], plan.after["document"], self._document(plan)
        there = "the role was deleted" if now is None else _text(now)
        what = f"trust policy of {plan.before['role']}"
        return (Difference(what, _text(before), _text(applied), there, now not in (before, applied)),)

    def overwrite(self, plan: Plan) -> UndoResult:
        role, now = plan.before["role"], self._document(plan)
        if now is None:
            return UndoResult.leaving(f"{role} was deleted since")
        try:
            if now != plan.before["document"]:
                self._write(role, plan.before["document"])
        except CloudRefusal as refusal:
            return UndoResult.holding(f"the trust policy of {role} cannot be written: {refusal}", refusal=refusal)
        return UndoResult((f"the trust policy of {role} is as it was",))

    def undo(self, plan: Plan) -> UndoResult:
        role, before, statement = plan.before["role"], plan.before["document"], _added(plan)
        now = self._document(plan)
        if now is None:
            return UndoResult.leaving(f"{role} was deleted since")
        if now == before:
            return UndoResult((f"the trust policy of {role} is as it was",))
        if not _has(now, statement):
            changed = "was changed" if _denies(now, statement) else "was taken out, and the trust policy changed"
            return UndoResult.leaving(f"the deny {statement['Sid']} of {role} {changed} since: look at it by hand")
        rest = {**now, "Statement": [each for each in statements_of(now) if each != statement]}
        as_before = {**before, "Statement": [*statements_of(before)]} == rest
        try:
            self._write(role, before if as_before else rest)
        except CloudRefusal as refusal:
            reason = f"the deny {statement['Sid']} of {role} cannot be taken out: {refusal}"
            return UndoResult.holding(reason, refusal=refusal)
        others = "is as it was" if as_before else "is without our deny; what others changed in it since stays as they made it"
        return UndoResult((f"the trust policy of {role} {others}",))

    def _document(self, plan: Plan) -> Mapping[str, Any] | None:
        """Return the trust policy in force, None where the role is gone."""
        described = self._roles.again(plan.before)
        return None if described is None else dict(described["AssumeRolePolicyDocument"])

    def _write(self, role: str, document: Mapping[str, Any]) -> None:
        with in_core_words("UpdateAssumeRolePolicy"):
            self._clients("iam").update_assume_role_policy(RoleName=role, PolicyDocument=_text(document))


_SID = "BreakwaterTighten"


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))


def _named(target: Entity, verdict: Verdict) -> set[str]:
    """The outsiders that the target and the verdict name with the same role."""
    arn, _ = read_trust(target)
    trusts = map(read_trust, (target, verdict.entity, *verdict.related))
    return {outsider for role, outsider in trusts if role == arn and outsider}


def _deny(sid: str, denied: list[str], own: str) -> dict[str, Any]:
    """Deny by the caller's account. Services have none, and whoever comes by a web identity or SAML has none: they pass."""
    condition: dict[str, Any] = {"StringEquals": {"aws:PrincipalAccount": denied}}
    if ANYONE in denied:
        condition = {"StringNotEquals": {"aws:PrincipalAccount": own}, "Null": {"aws:PrincipalAccount": "false"}}
    return {"Sid": sid, "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole", "Condition": condition}


def _added(plan: Plan) -> Mapping[str, Any]:
    return statements_of(plan.after["document"])[-1]


def _has(document: Mapping[str, Any], statement: Mapping[str, Any]) -> bool:
    return statement in statements_of(document)


def _denies(document: Mapping[str, Any], statement: Mapping[str, Any]) -> bool:
    """Whether a statement of that Sid is there, whatever it says."""
    return any(each.get("Sid") == statement["Sid"] for each in statements_of(document))


def _allowed(document: Mapping[str, Any], denied: Iterable[str]) -> list[tuple[Mapping[str, Any], str]]:
    return [
        (statement, principal)
        for statement in statements_of(document)
        if statement.get("Effect") == "Allow"
        for kind, principal in principals_of(statement)
        if kind == "AWS" and account_of(principal) in denied
    ]


def _conditions(document: Mapping[str, Any], denied: Iterable[str]) -> tuple[str, ...]:
    """One line for each principal that loses its way in, with the conditions under which it had it."""
    return tuple(
        f"{principal} was let in{' under a condition: ' + json.dumps(found) if (found := statement.get('Condition')) else ''}"
        for statement, principal in _allowed(document, denied)
    )


def _principals(document: Mapping[str, Any], denied: list[str], found: Found) -> tuple[str, ...]:
    """What the never-touch list is compared with: the account as a pattern, and each principal of it that is named."""
    partition = found.arn.split(":")[1]
    accounts = [f"arn:{partition}:iam::{account}:*" for account in denied if account != ANYONE]
    named = [name for _, name in _allowed(document, denied) if name.startswith("arn:") and not name.endswith(":root")]
    return tuple(dict.fromkeys((*accounts, *named)))


def _alternative(refusal: CloudRefusal, role: str) -> str:
    if "LimitExceeded" in refusal.code:
        return f"The trust policy of {role} is at its quota: take the account out by hand, or use restrict_role"
    return f"Take the account out of the trust policy of {role} by hand, or use restrict_role"


def _refused(target: Entity, reason: str, *, resources: tuple[str, ...]) -> Plan:
    return Plan.refused(
        action=TightenTrustPolicy.name,
        target=target,
        summary=f"tighten: {target.id}",
        refusal=reason,
        resources=resources,
    )
