"""Firewall policies of Application Gateways through the real SDK: whole writes, preconditions, limits, who uses them."""

from __future__ import annotations

import pytest
from azure.core.exceptions import HttpResponseError

from offline.azure.seed import Subscription, firewall_rule
from offline.azure.services import Services


@pytest.fixture
def policies(services: Services, azure_clients):
    shop = Subscription(services.arm).in_group("shop")
    shop.firewall_policy("used", firewall_rule("Scanners", "Block", 7, "192.0.2.0/24"), gateway="front")
    shop.firewall_policy("spare")
    return azure_clients("network", "network").web_application_firewall_policies


def rules(number: int) -> list[dict]:
    return [firewall_rule(f"rule{each}", "Block", each, "192.0.2.1") for each in range(1, number + 1)]


def test_what_is_read_and_put_back_is_the_same(policies):
    before = policies.get("shop", "used")
    assert before.etag
    policies.create_or_update("shop", "used", before)
    after = policies.get("shop", "used")
    assert after.etag != before.etag
    assert {**after.as_dict(), "etag": ""} == {**before.as_dict(), "etag": ""}


def test_it_says_which_gateways_use_it(policies):
    used, spare = policies.get("shop", "used"), policies.get("shop", "spare")
    assert [one.id.rpartition("/")[2] for one in used.application_gateways] == ["front"]
    assert (used.resource_state, spare.resource_state, spare.application_gateways) == ("Enabled", "Disabled", None)


def test_a_stale_etag_is_refused_and_changes_nothing(policies):
    found = policies.get("shop", "used")
    policies.create_or_update("shop", "used", found)
    found.custom_rules = []
    with pytest.raises(HttpResponseError) as refused:
        policies.create_or_update("shop", "used", found, headers={"If-Match": found.etag}, retry_total=0)
    assert refused.value.status_code == 412
    assert [one.name for one in policies.get("shop", "used").custom_rules] == ["Scanners"]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (rules(101), "priority from 1 to 100"),
        ([*rules(2), firewall_rule("again", "Block", 2, "192.0.2.1")], "one priority"),
        ([*rules(2), firewall_rule("Rule2", "Block", 3, "192.0.2.1")], "one name"),
        ([firewall_rule("none", "Block", 1)], "no match value"),
        ([firewall_rule("many", "Block", 1, *(f"10.0.{n // 250}.{n % 250}" for n in range(601)))], "more than 600"),
        ([firewall_rule("odd", "Block", 1, "192.0.2.1", colour="red")], "colour"),
    ],
    ids=["too many", "priority", "name", "no values", "too many values", "unknown member"],
)
def test_what_the_platform_would_refuse_is_refused(policies, written, said):
    body = policies.get("shop", "spare").as_dict()
    body["properties"]["customRules"] = written
    with pytest.raises(HttpResponseError, match=said):
        policies.create_or_update("shop", "spare", body)
