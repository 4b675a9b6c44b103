"""Blocking public access of a bucket on moto: all four settings, and back to what they were."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra_tests.lambdas.account import ACCOUNT, Account
from infra_tests.response.world import verdict
from lambdas.actions.block_public_access import BlockPublicAccess
from response.actions import CannotApply, Plan, Verification
from response.guard import refusal
from response.policy import NeverTouch
from shared_model.events import Entity, EntityKind, Telemetry

SHOP = Entity(EntityKind.BUCKET, "shop", ACCOUNT)
FLAGS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
HALF = {flag: flag.startswith("Block") for flag in FLAGS}
PUBLIC = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}],
}


@pytest.fixture
def s3(account: Account) -> Any:
    client = account.clients("s3")
    client.create_bucket(Bucket="shop", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    client.put_bucket_policy(Bucket="shop", Policy=json.dumps(PUBLIC))
    return client


@pytest.fixture
def action(account: Account) -> BlockPublicAccess:
    return BlockPublicAccess(account.clients)


def plan(action: BlockPublicAccess, target: Entity = SHOP) -> Plan:
    made = action.plan(target, verdict("", "v", Telemetry.API_CALLS, entity=target))
    return Plan.from_json_value(json.loads(json.dumps(made.to_json_value())))


def settings(s3: Any) -> dict[str, bool] | None:
    try:
        found: dict[str, bool] = s3.get_public_access_block(Bucket="shop")["PublicAccessBlockConfiguration"]
    except ClientError:
        return None
    return found


@pytest.mark.parametrize("before", [None, HALF, dict.fromkeys(FLAGS, False)], ids=["none", "half", "all off"])
def test_it_blocks_all_and_gives_back_what_was_there(s3: Any, action: BlockPublicAccess, before: dict[str, bool] | None) -> None:
    if before is not None:
        s3.put_public_access_block(Bucket="shop", PublicAccessBlockConfiguration=before)
    made = plan(action)
    assert (made.refusal, made.is_noop, settings(s3)) == ("", False, before)
    assert action.verify(made) is Verification.DRIFTED
    for _ in range(2):
        assert action.check(made) == ""
        action.apply(made)
        assert settings(s3) == dict.fromkeys(FLAGS, True)
        assert action.verify(made) is Verification.VERIFIED
    for _ in range(2):
        assert action.undo(made).left == ()
        assert settings(s3) == before
    assert json.loads(s3.get_bucket_policy(Bucket="shop")["Policy"]) == PUBLIC


def test_what_is_blocked_already_is_a_no_op(s3: Any, action: BlockPublicAccess) -> None:
    s3.put_public_access_block(Bucket="shop", PublicAccessBlockConfiguration=dict.fromkeys(FLAGS, True))
    assert plan(action).is_noop


def test_what_someone_changed_since_is_drift_and_is_left(s3: Any, action: BlockPublicAccess) -> None:
    made = plan(action)
    action.apply(made)
    s3.put_public_access_block(Bucket="shop", PublicAccessBlockConfiguration=HALF)
    assert action.verify(made) is Verification.DRIFTED
    assert "plan again" in action.check(made)
    (left,) = action.undo(made).left
    assert "someone changed it since" in left
    assert settings(s3) == HALF


def test_a_bucket_that_is_gone_is_said(s3: Any, action: BlockPublicAccess) -> None:
    made = plan(action)
    action.apply(made)
    s3.delete_bucket_policy(Bucket="shop")
    s3.delete_bucket(Bucket="shop")
    assert "no bucket shop" in plan(action).refusal
    assert "NoSuchBucket" in action.undo(made).left[0]
    with pytest.raises(CannotApply, match="by hand"):
        action.apply(made)


def test_a_tag_keeps_it_off(s3: Any, action: BlockPublicAccess) -> None:
    s3.put_bucket_tagging(Bucket="shop", Tagging={"TagSet": [{"Key": "breakwater:never-touch", "Value": "website"}]})
    made = plan(action)
    assert "never touches" in refusal(
        made, verdict("", "v", Telemetry.API_CALLS, entity=SHOP), NeverTouch(tags=("breakwater:never-touch",))
    )


def test_every_call_names_the_owner_that_is_meant(s3: Any, action: BlockPublicAccess) -> None:
    owners: Counter[Any] = Counter()
    s3.meta.events.register("provide-client-params.s3", lambda params, **_: owners.update([params.get("ExpectedBucketOwner")]))
    made = plan(action)
    assert owners.total() == 2  # docs/actions/aws/block_public_access.md
    action.apply(made)
    action.verify(made)
    action.undo(made)
    assert owners == {ACCOUNT: 2 + 1 + 1 + 2}
