"""Clients of a group: whose sessions sign what, how many are made, and what is said when none can be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws
from moto.sts.models import sts_backends

from lambdas.clients import LazyClients
from lambdas.group_clients import GroupClients
from lambdas.registry import FUNCTIONS
from response.acting import acting, acting_for
from response.containment import containment_id
from shared_model.errors import CloudUnavailable
from shared_model.events import Entity, EntityKind

ROLE = "arn:aws:iam::123456789012:role/breakwater-identity-eu-central-1"
ONE, OTHER = (containment_id("restrict_role", Entity(EntityKind.PRINCIPAL, "r", "1"), verdict) for verdict in "ab")


class Time:
    """Seconds since 1970, at first long before any session ends."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def end_of_the_last_session() -> float:
    last = sts_backends["123456789012"]["aws"].assumed_roles[-1]
    return float(last.expiration.replace(tzinfo=UTC, microsecond=0).timestamp())


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Iterator[LazyClients]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        yield LazyClients()


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def assumed(own: LazyClients) -> list[dict[str, Any]]:
    """What was asked of STS."""
    asked: list[dict[str, Any]] = []
    own("sts").meta.events.register("provide-client-params.sts.AssumeRole", lambda params, **_: asked.append(params))
    return asked


@pytest.fixture
def group(own: LazyClients, clock: Time) -> GroupClients:
    return GroupClients(own, ROLE, "respond", clock)


def who(group: GroupClients) -> str:
    """The session that signs a call, as CloudTrail would name it."""
    return str(group("sts").get_caller_identity()["Arn"]).rpartition("assumed-role/")[2]


def test_a_call_is_the_groups_and_not_the_functions(own: LazyClients, group: GroupClients) -> None:
    assert who(group) == "breakwater-identity-eu-central-1/respond"
    assert "assumed-role" not in own("sts").get_caller_identity()["Arn"]


def test_one_session_serves_everything_that_only_looks(group: GroupClients, assumed: list[dict[str, Any]]) -> None:
    for service in ("iam", "ec2", "iam", "sts"):
        group(service)
    who(group)
    (asked,) = assumed
    assert asked == {"RoleArn": ROLE, "RoleSessionName": "respond", "DurationSeconds": 3600}


def test_a_session_is_left_shortly_before_it_ends(group: GroupClients, assumed: list[dict[str, Any]], clock: Time) -> None:
    group("iam")
    clock.now = end_of_the_last_session() - 301
    group("iam")
    assert len(assumed) == 1
    clock.now += 2
    group("iam")
    assert len(assumed) == 2


def test_every_change_is_made_in_the_name_of_its_containment(group: GroupClients, assumed: list[dict[str, Any]]) -> None:
    client = group("sts")  # a client that an action keeps signs as whoever it is then
    with acting_for(ONE):
        assert client.get_caller_identity()["Arn"].endswith(f"/respond-{ONE}")
        assert who(group).endswith(f"/respond-{ONE}")
    assert who(group).endswith("/respond")
    with acting_for(OTHER):
        assert who(group).endswith(f"/respond-{OTHER}")
    assert [asked["RoleSessionName"] for asked in assumed] == ["respond", f"respond-{ONE}", f"respond-{OTHER}"]
    assert assumed[1]["DurationSeconds"] == 900


def test_a_containments_id_is_kept_for_its_block_only() -> None:
    assert acting() == ""
    with acting_for(ONE):
        assert acting() == ONE
    with suppress(RuntimeError), acting_for(OTHER):
        raise RuntimeError
    assert acting() == ""


@pytest.mark.parametrize("function", [spec.name for spec in FUNCTIONS if spec.groups])
def test_a_sessions_name_is_one_that_sts_takes(function: str) -> None:
    assert re.fullmatch(r"[\w+=,.@-]{2,64}", f"{function}-{ONE}", re.ASCII)


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "AccessDenied", "Message": "is not authorized"}}, "AssumeRole"),
        ClientError({"Error": {"Code": "ValidationError", "Message": "exceeds"}}, "AssumeRole"),
        EndpointConnectionError(endpoint_url="https://sts"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_role_that_cannot_be_assumed_is_named_and_nothing_is_called_without_it(
    own: LazyClients, group: GroupClients, clock: Time, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(**_: Any) -> None:
        raise error

    iam = group("iam")
    iam.create_user(UserName="alice")
    called: list[str] = []
    iam.meta.events.register("before-send", lambda request, **_: called.append(request.url))
    monkeypatch.setattr(own("sts"), "assume_role", refuse)
    clock.now = end_of_the_last_session()
    with pytest.raises(CloudUnavailable, match=f"AssumeRole of {ROLE}") as unavailable:
        group("iam")
    assert type(unavailable.value) is CloudUnavailable, "no denial of what the action asks for"
    with pytest.raises(CloudUnavailable, match=f"AssumeRole of {ROLE}"):
        iam.get_user(UserName="alice")
    with acting_for(ONE), pytest.raises(CloudUnavailable, match=f"AssumeRole of {ROLE}"):
        iam.delete_user(UserName="alice")
    assert not called


def test_what_a_group_waits_for_counts_as_its_functions(own: LazyClients, group: GroupClients) -> None:
    group("iam")
    before = own.waited_s
    group("iam").list_users()
    assert own.waited_s > before


def test_a_client_is_of_the_region_that_is_named(group: GroupClients) -> None:
    assert [group("wafv2", region).meta.region_name for region in ("us-east-1", "")] == ["us-east-1", "eu-central-1"]
    assert group("wafv2", "us-east-1") is group("wafv2", "us-east-1")
