"""What moto takes and AWS does not: calls without pages, and codes whose names mislead."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra_tests.lambdas.account import ACCOUNT, Account
from lambdas.actions.forensics import Evidence
from lambdas.actions.own_networks import OwnNetworks
from lambdas.actions.quarantine_instance import QuarantineInstance
from lambdas.actions.security_group_rules import SecurityGroupRules
from lambdas.actions.shares import Shares
from lambdas.cloud_errors import CloudRefusal, NotPermitted, in_core_words
from response.actions import CloudUnavailable
from shared_model.events import Entity, EntityKind


def asked(account: Account, operation: str) -> list[dict[str, Any]]:
    """Parameters of every call of an operation from now on."""
    calls: list[dict[str, Any]] = []

    def note(params: dict[str, Any], **_: object) -> None:
        calls.append(dict(params))

    account.clients("ec2")
    account.clients.listen(f"before-parameter-build.ec2.{operation}", note)
    return calls


@pytest.mark.parametrize(
    ("operation", "look"),
    [
        ("DescribeNetworkInterfaces", lambda clients: OwnNetworks(clients).owner_of(ip_address("198.51.100.7"))),
        ("DescribeNetworkInterfaces", lambda clients: QuarantineInstance(clients)._interfaces("i-0123456789abcdef0")),
        ("DescribeNetworkInterfaces", lambda clients: SecurityGroupRules(clients).used_by("sg-0123456789abcdef0")),
        ("DescribeTags", lambda clients: Evidence(clients).tags("i-0123456789abcdef0")),
        ("DescribeTags", lambda clients: Shares(clients).tags(Entity(EntityKind.IMAGE, "ami-0", ACCOUNT))),
    ],
)
def test_what_may_be_long_is_asked_for_page_by_page(account: Account, operation: str, look: Callable[[Any], object]) -> None:
    """EC2 fails whole answers where there are many interfaces, and throttles them; a paginator alone asks for no pages."""
    calls = asked(account, operation)
    look(account.clients)
    assert calls
    assert all(call["MaxResults"] == 1000 for call in calls)


def test_what_stands_on_a_later_page_counts(account: Account) -> None:
    vpc = account.vpc()
    instance = account.instance(vpc, [account.group(vpc, "web")], interfaces=7)
    account.clients("ec2")
    account.clients.listen(
        "before-parameter-build.ec2.DescribeNetworkInterfaces", lambda params, **_: params.update(MaxResults=5)
    )
    assert len(QuarantineInstance(account.clients)._interfaces(instance)) == 7


def answered(code: str) -> None:
    with in_core_words("Call"):
        raise ClientError({"Error": {"Code": code, "Message": "as asked"}}, "Call")


@pytest.mark.parametrize(
    "code",
    [
        *("InvalidAccessKeyId", "InvalidClientTokenId", "InvalidToken", "InvalidSignatureException", "ExpiredToken"),
        *("RequestLimitExceeded", "BandwidthLimitExceeded", "ConcurrentSnapshotLimitExceeded", "Throttling", "SlowDown"),
        *("EntityTemporarilyUnmodifiable", "ConcurrentModification", "WAFUnavailableEntityException", "OperationAborted"),
    ],
)
def test_what_passes_by_itself_is_tried_again_though_its_name_says_invalid_or_limit(code: str) -> None:
    with pytest.raises(CloudUnavailable):
        answered(code)


@pytest.mark.parametrize(
    "code", ["InvalidInstanceID.NotFound", "LimitExceeded", "WAFLimitsExceededException", "NetworkAclEntryLimitExceeded"]
)
def test_what_is_about_the_request_is_a_refusal(code: str) -> None:
    with pytest.raises(CloudRefusal):
        answered(code)


def test_what_a_setting_forbids_is_told_apart_from_a_missing_permission() -> None:
    with pytest.raises(NotPermitted):
        answered("OperationNotPermitted")
