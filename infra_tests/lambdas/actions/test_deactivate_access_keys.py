"""Deactivating access keys on moto: all of a user's or the one that was used, and exactly those back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra_tests.lambdas.account import ACCOUNT, Account
from infra_tests.lambdas.actions.iam import access_key, role, user
from infra_tests.response.world import verdict
from lambdas.actions.deactivate_access_keys import DeactivateAccessKeys
from response import guard
from response.actions import CannotApply, CloudUnavailable, Plan, Verification
from response.policy import NeverTouch
from shared_model.events import Entity, EntityKind, Telemetry
from shared_model.verdicts import Verdict


@pytest.fixture
def action(account: Account) -> DeactivateAccessKeys:
    return DeactivateAccessKeys(account.clients)


@pytest.fixture
def alice(account: Account) -> Entity:
    return user(account, "alice", path="/ops/", tags={"team": "shop"})


def about(principal: Entity, *keys: Entity) -> Verdict:
    return verdict("", "v", Telemetry.API_CALLS, entity=principal, related=keys)


def plan(action: DeactivateAccessKeys, target: Entity, principal: Entity, *keys: Entity) -> Plan:
    return Plan.from_json_value(action.plan(target, about(principal, *keys)).to_json_value())


def keys_of(account: Account, name: str = "alice") -> dict[str, str]:
    found = account.clients("iam").list_access_keys(UserName=name)["AccessKeyMetadata"]
    return {key["AccessKeyId"]: key["Status"] for key in found}


def set_status(account: Account, key: Entity, status: str) -> None:
    account.clients("iam").update_access_key(UserName="alice", AccessKeyId=key.id, Status=status)


def test_every_active_key_of_a_user_and_exactly_those_back(
    account: Account, action: DeactivateAccessKeys, alice: Entity, calls: Callable[[], set[str]]
) -> None:
    used, other = access_key(account, "alice"), access_key(account, "alice")
    before = keys_of(account)
    calls()
    made = plan(action, alice, alice, used)
    assert action.check(made) == ""
    action.apply(made)
    assert action.verify(made) is Verification.VERIFIED
    assert calls() == set(DeactivateAccessKeys.permissions)
    assert keys_of(account) == {used.id: "Inactive", other.id: "Inactive"}
    calls()
    assert action.undo(made).left == ()
    assert calls() == set(DeactivateAccessKeys.undo_permissions)
    assert keys_of(account) == before


def test_the_key_that_was_used_and_no_other(account: Account, action: DeactivateAccessKeys, alice: Entity) -> None:
    used, other = access_key(account, "alice"), access_key(account, "alice")
    made = plan(action, used, alice, used)
    action.apply(made)
    assert keys_of(account) == {used.id: "Inactive", other.id: "Active"}
    assert action.verify(made) is Verification.VERIFIED
    assert action.covers(made, about(alice, used))
    assert not action.covers(made, about(alice, used, other))
    assert not action.covers(made, about(alice))


def test_a_key_that_was_inactive_before_stays_so(account: Account, action: DeactivateAccessKeys, alice: Entity) -> None:
    used, retired = access_key(account, "alice"), access_key(account, "alice")
    set_status(account, retired, "Inactive")
    made = plan(action, alice, alice)
    assert used.id in made.summary
    assert retired.id not in made.summary
    action.apply(made)
    action.undo(made)
    assert keys_of(account) == {used.id: "Active", retired.id: "Inactive"}
    set_status(account, used, "Inactive")
    assert plan(action, alice, alice).is_noop
    assert plan(action, retired, alice, retired).is_noop


def test_a_key_that_was_deleted_since_is_named_and_one_that_is_active_again_is_left(
    account: Account, action: DeactivateAccessKeys, alice: Entity
) -> None:
    deleted, again = access_key(account, "alice"), access_key(account, "alice")
    made = plan(action, alice, alice)
    action.apply(made)
    account.clients("iam").delete_access_key(UserName="alice", AccessKeyId=deleted.id)
    assert action.verify(made) is Verification.VERIFIED
    set_status(account, again, "Active")
    assert action.verify(made) is Verification.DRIFTED
    result = action.undo(made)
    assert [deleted.id in line for line in result.left] == [True]
    assert [f"{again.id} of alice is active already" in line for line in result.restored] == [True]
    assert keys_of(account) == {again.id: "Active"}


def test_a_key_that_was_made_since_is_drift_of_the_user_and_no_matter_of_the_one_key(
    account: Account, action: DeactivateAccessKeys, alice: Entity
) -> None:
    used = access_key(account, "alice")
    whole, one = plan(action, alice, alice, used), plan(action, used, alice, used)
    action.apply(whole)
    new = access_key(account, "alice")
    assert action.verify(whole) is Verification.DRIFTED
    assert action.verify(one) is Verification.VERIFIED
    assert not action.covers(whole, about(alice, new))
    assert list(plan(action, alice, alice, new).after["keys"]) == [new.id]


def test_a_plan_says_whom_it_hits(account: Account, action: DeactivateAccessKeys, alice: Entity) -> None:
    used = access_key(account, "alice")
    made = plan(action, alice, alice, used)
    touched = "; ".join(made.touches)
    assert f"{used.id}: " in touched
    assert "GetFederationToken" in touched
    assert made.tags == {"team": "shop"}
    assert made.population == 1
    assert made.resources == (alice.id, used.id)


def test_a_key_that_was_used_says_when_and_for_what(
    account: Account, action: DeactivateAccessKeys, alice: Entity, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = access_key(account, "alice")
    last = {"LastUsedDate": datetime(2026, 9, 20, 12, 30, tzinfo=UTC), "ServiceName": "s3", "Region": "eu-central-1"}
    answer = {"UserName": "alice", "AccessKeyLastUsed": last}
    monkeypatch.setattr(account.clients("iam"), "get_access_key_last_used", lambda **_: answer)
    assert f"{used.id}: last used on 2026-09-20 (UTC) for s3 in eu-central-1" in plan(action, alice, alice).touches


def test_a_user_named_without_its_path_is_guarded_by_its_own_name(
    account: Account, action: DeactivateAccessKeys, alice: Entity
) -> None:
    used = access_key(account, "alice")
    pathless = replace(alice, id=f"arn:aws:iam::{ACCOUNT}:user/alice")
    made = plan(action, pathless, pathless, used)
    protected = NeverTouch(principals=("arn:*:iam::*:user/ops/*",))
    assert "never-touch list" in guard.refusal(made, about(pathless, used), protected)
    assert guard.refusal(made, about(pathless, used), NeverTouch()) == ""


@pytest.mark.parametrize(
    ("principal", "why"),
    [
        (f"arn:aws:iam::{ACCOUNT}:user/gone", "was deleted"),
        (f"arn:aws:iam::{ACCOUNT}:user/bare", "has no access keys: block_sign_in"),
        ("arn:aws:iam::210987654321:user/theirs", "belongs to account 210987654321"),
        (f"arn:aws:iam::{ACCOUNT}:root", "delete its access keys"),
        (f"arn:aws:iam::{ACCOUNT}:role/web", "revoke its sessions"),
        (f"arn:aws:sts::{ACCOUNT}:federated-user/bob", "GetFederationToken"),
        ("9067642ac7-4bbf", "Identity Center"),
    ],
)
def test_what_has_no_keys_here_is_refused_with_the_alternative(
    account: Account, action: DeactivateAccessKeys, principal: str, why: str
) -> None:
    user(account, "bare")
    role(account, "web")
    target = Entity(EntityKind.PRINCIPAL, principal, ACCOUNT)
    assert why in plan(action, target, target).refusal


def test_a_key_of_nobody_that_is_known_is_refused(account: Account, action: DeactivateAccessKeys, alice: Entity) -> None:
    access_key(account, "alice")
    gone = Entity(EntityKind.ACCESS_KEY, "AKIAIOSFODNN7EXAMPLE", ACCOUNT)
    assert "no access key AKIAIOSFODNN7EXAMPLE" in plan(action, gone, alice, gone).refusal
    assert "names no IAM user" in action.plan(gone, verdict("", "v", Telemetry.API_CALLS, entity=gone)).refusal


@pytest.mark.parametrize("seen_in", ["", "999999999999"])
def test_a_user_of_another_account_is_not_its_namesake_in_this_one(
    account: Account, action: DeactivateAccessKeys, alice: Entity, seen_in: str
) -> None:
    used = access_key(account, "alice")
    foreign = Entity(EntityKind.PRINCIPAL, alice.id.replace(ACCOUNT, "999999999999"), seen_in)
    assert "is not in this account" in plan(action, foreign, foreign, used).refusal
    assert keys_of(account) == {used.id: "Active"}


def test_a_user_deleted_between_plan_and_apply(account: Account, action: DeactivateAccessKeys, alice: Entity) -> None:
    used = access_key(account, "alice")
    made = plan(action, alice, alice, used)
    action.apply(made)
    iam = account.clients("iam")
    iam.delete_access_key(UserName="alice", AccessKeyId=used.id)
    iam.delete_user(UserName="alice")
    assert "was deleted" in action.check(made)
    action.apply(made)
    assert "was deleted since" in action.undo(made).left[0]


def test_an_outage_is_unreachable_and_a_refusal_is_final(
    account: Account, action: DeactivateAccessKeys, alice: Entity, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(code: str) -> Callable[..., Any]:
        def answer(**_: Any) -> None:
            raise ClientError({"Error": {"Code": code, "Message": ""}}, "UpdateAccessKey")

        return answer

    used = access_key(account, "alice")
    made = plan(action, alice, alice, used)
    iam = account.clients("iam")
    with monkeypatch.context() as patch:
        patch.setattr(iam, "update_access_key", fail("UnmodifiableEntity"))
        with pytest.raises(CannotApply, match="by hand"):
            action.apply(made)
    with monkeypatch.context() as patch:
        patch.setattr(iam, "update_access_key", fail("Throttling"))
        with pytest.raises(CloudUnavailable):
            action.apply(made)
    action.apply(made)
    with monkeypatch.context() as patch:
        patch.setattr(iam, "update_access_key", fail("LimitExceeded"))
        assert "stays inactive" in action.undo(made).left[0]
    with monkeypatch.context() as patch:
        patch.setattr(iam, "get_paginator", lambda _: SimpleNamespace(paginate=fail("ServiceFailure")))
        assert action.verify(made) is Verification.UNREACHABLE
        with pytest.raises(CloudUnavailable):
            action.undo(made)
