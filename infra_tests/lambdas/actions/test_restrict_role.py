"""Restricting a role on moto: a boundary that denies everything, and the one that it had back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra_tests.lambdas.account import ACCOUNT, Account
from infra_tests.lambdas.actions.iam import ALLOW, assumes, profile, role, trust, user
from infra_tests.response.world import verdict
from lambdas.actions import role_users
from lambdas.actions.restrict_role import RestrictRole
from response import guard
from response.actions import CannotApply, Plan, Verification
from response.policy import NeverTouch
from shared_model.events import Entity, EntityKind, Telemetry
from shared_model.verdicts import Verdict

DENY_ALL = "arn:aws:iam::aws:policy/AWSDenyAll"
EC2 = trust(assumes(Service="ec2.amazonaws.com"))


@pytest.fixture
def action(account: Account) -> RestrictRole:
    return RestrictRole(account.clients)


def about(principal: Entity, target: Entity | None = None) -> Verdict:
    return verdict("", "v", Telemetry.API_CALLS, entity=target or principal, related=(principal,))


def plan(action: RestrictRole, principal: Entity, target: Entity | None = None) -> Plan:
    return Plan.from_json_value(action.plan(target or principal, about(principal, target)).to_json_value())


def boundary(account: Account, name: str = "web") -> str | None:
    found = account.clients("iam").get_role(RoleName=name)["Role"].get("PermissionsBoundary")
    return str(found["PermissionsBoundaryArn"]) if found else None


def policy(account: Account, name: str) -> str:
    return str(account.clients("iam").create_policy(PolicyName=name, PolicyDocument=ALLOW)["Policy"]["Arn"])


def bind(account: Account, arn: str, name: str = "web") -> None:
    account.clients("iam").put_role_permissions_boundary(RoleName=name, PermissionsBoundary=arn)


def fail(code: str) -> Callable[..., Any]:
    def answer(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": ""}}, "PutRolePermissionsBoundary")

    return answer


def test_a_role_without_a_boundary_gets_one_and_loses_it_again(
    account: Account, action: RestrictRole, calls: Callable[[], set[str]]
) -> None:
    principal, _ = role(account, "web", trusted=EC2)
    vpc = account.vpc()
    profile(account, "web", "web", account.instance(vpc, [account.group(vpc, "web")]))
    iam = account.clients("iam")
    iam.put_role_policy(RoleName="web", PolicyName="own", PolicyDocument=ALLOW)
    iam.attach_role_policy(RoleName="web", PolicyArn=policy(account, "attached"))
    calls()
    made = plan(action, principal)
    assert action.check(made) == ""
    action.apply(made)
    assert action.verify(made) is Verification.VERIFIED
    assert calls() == set(RestrictRole.permissions)
    assert boundary(account) == DENY_ALL
    assert iam.list_role_policies(RoleName="web")["PolicyNames"] == ["own"]
    assert len(iam.list_attached_role_policies(RoleName="web")["AttachedPolicies"]) == 1
    calls()
    assert action.undo(made).left == ()
    assert calls() == set(RestrictRole.undo_permissions) - {"iam:PutRolePermissionsBoundary"}
    assert boundary(account) is None


def test_the_boundary_that_it_had_is_in_the_journal_and_comes_back(
    account: Account, action: RestrictRole, calls: Callable[[], set[str]]
) -> None:
    principal, _ = role(account, "web")
    own = policy(account, "developers")
    bind(account, own)
    made = plan(action, principal)
    assert (made.before["role"], made.before["boundary"]) == ("web", own)
    assert own in made.summary
    action.apply(made)
    assert boundary(account) == DENY_ALL
    calls()
    assert action.undo(made).left == ()
    assert calls() == set(RestrictRole.undo_permissions) - {"iam:DeleteRolePermissionsBoundary"}
    assert boundary(account) == own


def test_a_session_leads_to_its_role_and_the_deny_holds_for_whatever_comes(account: Account, action: RestrictRole) -> None:
    principal, session = role(account, "web")
    made = plan(action, principal, session)
    assert (made.after["role"], made.after["boundary"]) == ("web", DENY_ALL)
    assert action.covers(made, replace(about(principal, session), session_issued_ms=2**43))
    action.apply(made)
    assert plan(action, principal).is_noop


def test_the_partition_is_that_of_the_role(action: RestrictRole, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    principal, _ = role(account, "web")
    described = account.clients("iam").get_role(RoleName="web")
    described["Role"]["Arn"] = described["Role"]["Arn"].replace("arn:aws:", "arn:aws-us-gov:")
    monkeypatch.setattr(account.clients("iam"), "get_role", lambda **_: described)
    made = plan(action, replace(principal, id=described["Role"]["Arn"]))
    assert made.after["boundary"] == "arn:aws-us-gov:iam::aws:policy/AWSDenyAll"


def test_a_plan_says_who_is_hit(account: Account, action: RestrictRole) -> None:
    partner = "arn:aws:iam::210987654321:root"
    principal, _ = role(account, "web", trusted=trust(assumes(Service="ec2.amazonaws.com"), assumes(AWS=partner)))
    vpc = account.vpc()
    group = account.group(vpc, "web")
    instances = sorted(account.instance(vpc, [group]) for _ in range(3))
    profile(account, "web", "shared", *instances)
    touched = "; ".join(plan(action, principal).touches)
    assert ", ".join(instances) in touched
    assert "ec2.amazonaws.com" in touched
    assert partner in touched
    assert "revoke_sessions too" in touched


def test_undo_leaves_a_boundary_that_someone_set_since(account: Account, action: RestrictRole) -> None:
    principal, _ = role(account, "web")
    own, others = policy(account, "developers"), policy(account, "others")
    bind(account, own)
    made = plan(action, principal)
    action.apply(made)
    bind(account, others)
    assert action.verify(made) is Verification.DRIFTED
    (left,) = action.undo(made).left
    assert others in left
    assert own in left
    assert boundary(account) == others


def test_a_boundary_changed_after_the_plan_stops_the_apply(account: Account, action: RestrictRole) -> None:
    principal, _ = role(account, "web")
    made = plan(action, principal)
    bind(account, policy(account, "others"))
    assert "plan again" in action.check(made)


def test_a_boundary_that_cannot_be_set_back_is_named(
    account: Account, action: RestrictRole, monkeypatch: pytest.MonkeyPatch
) -> None:
    principal, _ = role(account, "web")
    own = policy(account, "developers")
    bind(account, own)
    made = plan(action, principal)
    action.apply(made)
    monkeypatch.setattr(account.clients("iam"), "put_role_permissions_boundary", fail("NoSuchEntity"))
    (left,) = action.undo(made).left
    assert "stays restricted" in left
    assert own in left
    assert boundary(account) == DENY_ALL


def test_a_role_deleted_meanwhile(account: Account, action: RestrictRole) -> None:
    principal, _ = role(account, "web")
    made = plan(action, principal)
    account.clients("iam").delete_role(RoleName="web")
    assert "no role web" in action.check(made)
    assert action.verify(made) is Verification.DRIFTED
    assert "deleted" in action.undo(made).left[0]


def test_a_role_that_cannot_be_changed_names_the_alternative(
    account: Account, action: RestrictRole, monkeypatch: pytest.MonkeyPatch
) -> None:
    principal, _ = role(account, "web")
    made = plan(action, principal)
    monkeypatch.setattr(account.clients("iam"), "put_role_permissions_boundary", fail("UnmodifiableEntity"))
    with pytest.raises(CannotApply, match="Revoke the sessions of web"):
        action.apply(made)


@pytest.mark.parametrize(
    ("name", "path", "why"),
    [
        ("AWSReservedSSO_Admin_0123456789abcdef", "/aws-reserved/sso.amazonaws.com/", "Identity Center"),
        ("AWSServiceRoleForSupport", "/aws-service-role/support.amazonaws.com/", "service-linked"),
    ],
)
def test_roles_managed_elsewhere_are_refused(account: Account, action: RestrictRole, name: str, path: str, why: str) -> None:
    principal, _ = role(account, name, path=path)
    assert why in plan(action, principal).refusal
    assert why in plan(action, replace(principal, id=f"arn:aws:iam::{ACCOUNT}:role/{name}")).refusal


def test_users_are_refused_and_breakwaters_own_role_is_guarded(account: Account, action: RestrictRole) -> None:
    assert "deactivate its access keys" in plan(action, user(account, "alice")).refusal
    own, _ = role(account, "breakwater-respond-eu-central-1")
    made = plan(action, own)
    reason = guard.refusal(made, about(own), NeverTouch(principals=(account.settings.own_role_arns,)))
    assert own.id in reason
    assert guard.refusal(made, about(own), NeverTouch()) == ""
    assert set(role_users.PERMISSIONS) <= set(RestrictRole.permissions)
    assert EntityKind.INSTANCE not in RestrictRole.handles
