"""Tightening a trust policy on moto: an outside account is denied, and everybody else's statements stay."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra_tests.lambdas.account import ACCOUNT, Account
from infra_tests.lambdas.actions.iam import assumes, role, trust
from infra_tests.response.world import verdict
from lambdas.actions.tighten_trust_policy import TightenTrustPolicy
from response import guard
from response.actions import CannotApply, Plan, Verification
from response.policy import NeverTouch
from shared_model.events import Entity, EntityKind, Telemetry
from shared_model.trust import ANYONE, outsiders
from shared_model.trust import trust as trust_of
from shared_model.verdicts import Verdict

EVIL, PARTNER = "210987654321", "333344445555"
OWN = assumes(Service="ec2.amazonaws.com", AWS=f"arn:aws:iam::{ACCOUNT}:root")
INTRUDER = assumes(AWS=f"arn:aws:iam::{EVIL}:root")
VENDOR = assumes(AWS=f"arn:aws:iam::{PARTNER}:role/vendor") | {"Condition": {"StringEquals": {"sts:ExternalId": "shop-1"}}}
ALICE = Entity(EntityKind.PRINCIPAL, f"arn:aws:iam::{ACCOUNT}:user/alice", ACCOUNT)


@pytest.fixture
def action(account: Account) -> TightenTrustPolicy:
    return TightenTrustPolicy(account.clients)


def about(*trusts: Entity) -> Verdict:
    return verdict("", "v", Telemetry.API_CALLS, entity=ALICE, related=trusts)


def plan(action: TightenTrustPolicy, *trusts: Entity) -> Plan:
    return Plan.from_json_value(json.loads(json.dumps(action.plan(trusts[0], about(*trusts)).to_json_value())))


def document(account: Account, name: str = "web") -> dict[str, Any]:
    found: dict[str, Any] = account.clients("iam").get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    return found


def write(account: Account, *statements: dict[str, Any]) -> None:
    account.clients("iam").update_assume_role_policy(RoleName="web", PolicyDocument=trust(*statements))


def made_role(account: Account, *statements: dict[str, Any], path: str = "/") -> str:
    return role(account, "web", path=path, trusted=trust(*statements))[0].id


def test_the_account_is_denied_beside_what_stands_there_and_undo_restores_it(
    account: Account, action: TightenTrustPolicy, calls: Callable[[], set[str]]
) -> None:
    arn = made_role(account, OWN, INTRUDER, VENDOR)
    before = document(account)
    calls()
    made = plan(action, trust_of(arn, EVIL, ACCOUNT))
    assert action.check(made) == ""
    action.apply(made)
    assert action.verify(made) is Verification.VERIFIED
    assert calls() == set(TightenTrustPolicy.permissions)
    *others, added = document(account)["Statement"]
    assert others == [OWN, INTRUDER, VENDOR]
    assert {name: added[name] for name in ("Effect", "Principal", "Action", "Condition")} == {
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:PrincipalAccount": [EVIL]}},
    }
    assert added["Sid"].isalnum()
    calls()
    assert action.undo(made).left == ()
    assert calls() == set(TightenTrustPolicy.undo_permissions)
    assert document(account) == before


def test_one_statement_without_a_list_comes_back_as_it_was(account: Account, action: TightenTrustPolicy) -> None:
    lone = json.dumps({"Version": "2012-10-17", "Id": "made-by-hand", "Statement": INTRUDER})
    arn = role(account, "web", trusted=lone)[0].id
    made = plan(action, trust_of(arn, EVIL, ACCOUNT))
    action.apply(made)
    assert document(account)["Statement"][0] == INTRUDER
    action.undo(made)
    assert document(account) == json.loads(lone)


def test_a_role_that_lets_in_everybody_lets_in_its_own_account_and_services_only(
    account: Account, action: TightenTrustPolicy
) -> None:
    arn = made_role(account, OWN, assumes(AWS="*"))
    made = plan(action, trust_of(arn, ANYONE, ACCOUNT))
    action.apply(made)
    assert document(account)["Statement"][-1]["Condition"] == {
        "StringNotEquals": {"aws:PrincipalAccount": ACCOUNT},
        "Null": {"aws:PrincipalAccount": "false"},  # a service has no account: it is not denied
    }
    assert "everybody outside the account" in made.summary
    assert action.covers(made, about(trust_of(arn, EVIL, ACCOUNT)))


def test_every_account_that_the_verdict_names_with_the_role_is_denied_and_no_other(
    account: Account, action: TightenTrustPolicy
) -> None:
    arn = made_role(account, OWN, INTRUDER, VENDOR, assumes(AWS=["444455556666"]))
    other = trust_of(f"arn:aws:iam::{ACCOUNT}:role/other", PARTNER, ACCOUNT)
    made = plan(action, trust_of(arn, EVIL, ACCOUNT), trust_of(arn, "444455556666", ACCOUNT), other)
    condition = made.after["document"]["Statement"][-1]["Condition"]
    assert condition == {"StringEquals": {"aws:PrincipalAccount": [EVIL, "444455556666"]}}
    assert action.covers(made, about(trust_of(arn, EVIL, ACCOUNT)))
    assert not action.covers(made, about(trust_of(arn, PARTNER, ACCOUNT)))


def test_a_plan_says_whom_it_hits_and_a_partner_may_be_protected(account: Account, action: TightenTrustPolicy) -> None:
    arn = made_role(account, OWN, VENDOR, INTRUDER)
    of_partner, of_intruder = (trust_of(arn, outsider, ACCOUNT) for outsider in (PARTNER, EVIL))
    made = plan(action, of_partner)
    touched = "; ".join(made.touches)
    assert f"arn:aws:iam::{PARTNER}:role/vendor was let in under a condition" in touched
    assert "shop-1" in touched
    assert "revoke_sessions ends them" in touched
    never = NeverTouch(principals=(f"arn:*:iam::{PARTNER}:*",))
    assert "never-touch list" in guard.refusal(made, about(of_partner), never)
    assert "never-touch list" in guard.refusal(made, about(of_partner), NeverTouch(principals=("arn:*:iam::*:role/vendor",)))
    assert guard.refusal(plan(action, of_intruder), about(of_intruder), never) == ""
    own_role = NeverTouch(principals=(arn,))
    assert arn in guard.refusal(plan(action, of_intruder), about(of_intruder), own_role)


def test_what_others_changed_since_stays_as_they_made_it(account: Account, action: TightenTrustPolicy) -> None:
    arn = made_role(account, OWN, INTRUDER)
    made = plan(action, trust_of(arn, EVIL, ACCOUNT))
    action.apply(made)
    deny = document(account)["Statement"][-1]
    write(account, OWN, deny, VENDOR)
    assert action.verify(made) is Verification.VERIFIED
    result = action.undo(made)
    assert result.left == ()
    assert "others changed" in result.restored[0]
    assert document(account)["Statement"] == [OWN, VENDOR]


@pytest.mark.parametrize("edited", [True, False], ids=["edited", "taken out"])
def test_a_deny_that_someone_touched_is_drift_and_left(account: Account, action: TightenTrustPolicy, edited: bool) -> None:
    arn = made_role(account, OWN, INTRUDER)
    made = plan(action, trust_of(arn, EVIL, ACCOUNT))
    action.apply(made)
    deny = document(account)["Statement"][-1]
    write(account, OWN, *([deny | {"Effect": "Allow"}] if edited else []))
    since = document(account)
    assert action.verify(made) is Verification.DRIFTED
    (left,) = action.undo(made).left
    assert deny["Sid"] in left
    assert ("was changed" if edited else "was taken out") in left
    assert document(account) == since


def test_a_policy_changed_after_the_plan_stops_the_apply(account: Account, action: TightenTrustPolicy) -> None:
    arn = made_role(account, OWN, INTRUDER)
    made = plan(action, trust_of(arn, EVIL, ACCOUNT))
    write(account, OWN, INTRUDER, VENDOR)
    assert "plan again" in action.check(made)
    account.clients("iam").delete_role(RoleName="web")
    assert "no role web" in action.check(made)
    assert "was deleted since" in action.undo(made).left[0]


def test_the_order_of_principals_which_iam_does_not_keep_is_no_change(
    account: Account, action: TightenTrustPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen with real roles: https://github.com/boto/boto3/issues/1178."""
    people = [f"arn:aws:iam::{EVIL}:root", f"arn:aws:iam::{PARTNER}:role/vendor"]
    arn = made_role(account, {"Effect": "Allow", "Principal": {"AWS": people}, "Action": "sts:AssumeRole"})
    iam, read = account.clients("iam"), list[int]()
    get_role = iam.get_role

    def shuffled(**asked: Any) -> Any:
        answer = get_role(**asked)
        read.append(1)
        for statement in answer["Role"]["AssumeRolePolicyDocument"]["Statement"]:
            if isinstance(names := statement["Principal"]["AWS"], list):
                statement["Principal"]["AWS"] = sorted(names, reverse=len(read) % 2 == 1)
        return answer

    monkeypatch.setattr(iam, "get_role", shuffled)
    made = plan(action, trust_of(arn, EVIL, ACCOUNT))
    assert len(read) % 2 == 1
    assert action.check(made) == ""
    again = plan(action, trust_of(arn, EVIL, ACCOUNT))
    assert (again.before, again.after) == (made.before, made.after)
    action.apply(made)
    assert [action.verify(made), action.verify(made)] == [Verification.VERIFIED] * 2
    assert action.undo(made).restored == ("the trust policy of web is as it was",)


def test_two_containments_of_one_role_end_apart(account: Account, action: TightenTrustPolicy) -> None:
    arn = made_role(account, OWN, INTRUDER, VENDOR)
    before = document(account)
    first = plan(action, trust_of(arn, EVIL, ACCOUNT))
    action.apply(first)
    second = plan(action, trust_of(arn, PARTNER, ACCOUNT))
    action.apply(second)
    action.undo(first)
    assert action.verify(second) is Verification.VERIFIED
    assert len(document(account)["Statement"]) == 4
    action.undo(second)
    assert document(account) == before


STATEMENTS = st.lists(
    st.builds(
        lambda principal, effect, condition: (
            {"Effect": effect, "Principal": principal, "Action": "sts:AssumeRole"}
            | ({"Condition": {"StringEquals": {"sts:ExternalId": "shop-1"}}} if condition else {})
        ),
        st.sampled_from(
            [
                "*",
                {"AWS": EVIL},
                {"AWS": f"arn:aws:iam::{EVIL}:user/mallory", "Service": "lambda.amazonaws.com"},
                {"AWS": [f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:iam::{PARTNER}:role/vendor"]},
                {"Service": ["ec2.amazonaws.com", "ecs-tasks.amazonaws.com"]},
                {"Federated": f"arn:aws:iam::{ACCOUNT}:saml-provider/corp"},
            ]
        ),
        st.sampled_from(["Allow", "Deny"]),
        st.booleans(),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STATEMENTS, STATEMENTS, st.booleans())
def test_whatever_stands_there_a_deny_holds_and_undo_gives_back_exactly_what_others_made_of_it(
    account: Account,
    action: TightenTrustPolicy,
    statements: list[dict[str, Any]],
    since: list[dict[str, Any]],
    changed: bool,
) -> None:
    iam = account.clients("iam")
    if not any(found["RoleName"] == "web" for found in iam.list_roles()["Roles"]):
        made_role(account, OWN)
    write(account, *statements)
    before = document(account)
    outside = outsiders(before, ACCOUNT)
    arn = f"arn:aws:iam::{ACCOUNT}:role/web"
    made = plan(action, trust_of(arn, outside[0] if outside else EVIL, ACCOUNT))
    assert (made.refusal == "") is bool(outside)
    if made.refusal:
        assert document(account) == before
        return
    action.apply(made)
    action.apply(made)
    assert document(account)["Statement"][:-1] == statements
    if changed:
        write(account, *since, document(account)["Statement"][-1])
    assert action.verify(made) is Verification.VERIFIED
    for _ in range(2 if not changed else 1):
        assert action.undo(made).left == ()
    assert document(account)["Statement"] == (since if changed else statements)


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (trust_of(f"arn:aws:iam::{ACCOUNT}:role/web", "999999999999", ACCOUNT), "lets 999999999999 in no more"),
        (trust_of(f"arn:aws:iam::{ACCOUNT}:role/gone", EVIL, ACCOUNT), "was deleted"),
        (trust_of(f"arn:aws:iam::{PARTNER}:role/web", EVIL, ACCOUNT), "belongs to account"),
        (trust_of(f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/x.amazonaws.com/X", EVIL, ACCOUNT), "service-linked"),
        (Entity(EntityKind.TRUST, "anything at all", ACCOUNT), "names no role"),
    ],
)
def test_what_is_no_trust_of_a_role_here_is_refused(
    account: Account, action: TightenTrustPolicy, target: Entity, why: str
) -> None:
    made_role(account, OWN, INTRUDER)
    assert why in plan(action, target).refusal


def test_a_role_named_without_its_path_is_found_and_guarded_by_its_own_name(account: Account, action: TightenTrustPolicy) -> None:
    arn = made_role(account, OWN, INTRUDER, path="/emergency/")
    made = plan(action, trust_of(f"arn:aws:iam::{ACCOUNT}:role/web", EVIL, ACCOUNT))
    assert made.resources[0] == arn
    action.apply(made)
    assert action.verify(made) is Verification.VERIFIED


def test_a_used_up_quota_names_the_alternative(
    account: Account, action: TightenTrustPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "LimitExceeded", "Message": "ACLSizePerRole: 2048"}}, "UpdateAssumeRolePolicy")

    made = plan(action, trust_of(made_role(account, OWN, INTRUDER), EVIL, ACCOUNT))
    monkeypatch.setattr(account.clients("iam"), "update_assume_role_policy", refuse)
    with pytest.raises(CannotApply, match="at its quota"):
        action.apply(made)
    assert action.covers(made, replace(about(), related=()))
