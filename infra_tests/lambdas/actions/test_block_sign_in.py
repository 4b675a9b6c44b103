"""Blocking the sign-in of an IAM user on moto: the password stays, what comes of it is denied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra_tests.lambdas.account import ACCOUNT, Account
from infra_tests.lambdas.actions.iam import ALLOW, role, user
from infra_tests.response.world import verdict
from lambdas.actions.block_sign_in import BlockSignIn
from response.actions import CannotApply, Plan, Verification
from shared_model.events import Entity, EntityKind, Telemetry


@pytest.fixture
def action(account: Account) -> BlockSignIn:
    return BlockSignIn(account.clients)


@pytest.fixture
def alice(account: Account) -> Entity:
    made = user(account, "alice", tags={"team": "payments"})
    account.clients("iam").create_login_profile(UserName="alice", Password="correct horse battery staple 1!")
    account.clients("iam").put_user_policy(UserName="alice", PolicyName="own", PolicyDocument=ALLOW)
    return made


def plan(action: BlockSignIn, target: Entity, *, number: str = "v") -> Plan:
    return Plan.from_json_value(action.plan(target, verdict("", number, Telemetry.API_CALLS, entity=target)).to_json_value())


def policies(account: Account) -> dict[str, Any]:
    iam = account.clients("iam")
    names = iam.list_user_policies(UserName="alice")["PolicyNames"]
    return {name: iam.get_user_policy(UserName="alice", PolicyName=name)["PolicyDocument"] for name in names}


def test_temporary_credentials_are_denied_everything_and_the_password_stays(
    account: Account, action: BlockSignIn, alice: Entity, calls: Callable[[], set[str]]
) -> None:
    before = policies(account)
    profile = account.clients("iam").get_login_profile(UserName="alice")["LoginProfile"]
    calls()
    made = plan(action, alice)
    assert action.check(made) == ""
    action.apply(made)
    assert action.verify(made) is Verification.VERIFIED
    assert calls() == set(BlockSignIn.permissions)
    (added,) = (document for name, document in policies(account).items() if name != "own")
    (statement,) = added["Statement"]
    assert (statement["Effect"], statement["Action"], statement["Resource"]) == ("Deny", "*", "*")
    # Long-term keys have no time of issue: what works with them is not this action's to stop.
    assert statement["Condition"] == {"Null": {"aws:TokenIssueTime": "false"}}
    assert account.clients("iam").get_login_profile(UserName="alice")["LoginProfile"] == profile
    calls()
    assert action.undo(made).left == ()
    assert calls() == set(BlockSignIn.undo_permissions)
    assert policies(account) == before


def test_a_plan_says_what_it_does_not_stop(action: BlockSignIn, alice: Entity) -> None:
    made = plan(action, alice)
    touched = "; ".join(made.touches)
    assert "deactivate_access_keys" in touched
    assert "the password is still taken" in touched
    assert (made.tags, made.resources, made.population) == ({"team": "payments"}, (alice.id,), 1)


def test_without_a_password_what_was_got_with_its_keys_is_denied(account: Account, action: BlockSignIn) -> None:
    robot = user(account, "robot")
    made = plan(action, robot)
    assert made.refusal == ""
    assert any("no console password" in line for line in made.touches)
    action.apply(made)
    assert action.verify(made) is Verification.VERIFIED


def test_whatever_the_user_does_later_is_covered(action: BlockSignIn, alice: Entity) -> None:
    assert action.covers(plan(action, alice), verdict("", "later", Telemetry.API_CALLS, entity=alice, session_issued_ms=2**43))


def test_undo_leaves_a_policy_that_someone_changed(account: Account, action: BlockSignIn, alice: Entity) -> None:
    made = plan(action, alice)
    action.apply(made)
    account.clients("iam").put_user_policy(UserName="alice", PolicyName=made.after["policy"], PolicyDocument=ALLOW)
    assert action.verify(made) is Verification.DRIFTED
    assert "changed since" in action.undo(made).left[0]
    assert made.after["policy"] in policies(account)


def test_a_policy_that_no_journal_accounts_for_is_not_written_over(account: Account, action: BlockSignIn, alice: Entity) -> None:
    made = plan(action, alice)
    account.clients("iam").put_user_policy(UserName="alice", PolicyName=made.after["policy"], PolicyDocument=ALLOW)
    assert "remove it by hand" in action.check(made)
    assert "does not account for" in plan(action, alice).refusal
    assert plan(action, alice, number="other").refusal == ""


@pytest.mark.parametrize(
    ("principal", "why"),
    [
        (f"arn:aws:iam::{ACCOUNT}:user/gone", "was deleted"),
        (f"arn:aws:iam::{ACCOUNT}:role/web", "is a role"),
        (f"arn:aws:iam::{ACCOUNT}:root", "root user"),
        ("arn:aws:iam::210987654321:user/alice", "belongs to account"),
    ],
)
def test_who_does_not_sign_in_here_is_refused_with_the_alternative(
    account: Account, action: BlockSignIn, alice: Entity, principal: str, why: str
) -> None:
    role(account, "web")
    assert why in plan(action, Entity(EntityKind.PRINCIPAL, principal, ACCOUNT)).refusal


def test_a_used_up_quota_names_the_alternative(
    account: Account, action: BlockSignIn, alice: Entity, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "LimitExceeded", "Message": "Maximum policy size of 2048 bytes"}}, "PutUserPolicy")

    made = plan(action, alice)
    monkeypatch.setattr(account.clients("iam"), "put_user_policy", refuse)
    with pytest.raises(CannotApply, match="at their quota"):
        action.apply(made)
