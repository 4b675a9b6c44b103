"""What custom rules of a firewall policy do with an address, and what putting one in and taking it out leaves of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azure_functions.actions.firewall_rules import (
    FRONT_DOORS,
    GATEWAYS,
    MOST_RANGES,
    MOST_RANGES_BEFORE_3_2,
    Fate,
    Spelling,
    fate,
    free_priority,
    has,
    most_ranges,
    named,
    objection,
    with_block,
    without_block,
)
from offline.azure.seed import firewall_rule, front_door_rule

ATTACKER = ip_address("198.51.100.66")
Policy = tuple[list[dict[str, Any]], Spelling]
_PATH: dict[str, Any] = {
    "matchVariables": [{"variableName": "RequestUri"}],
    "operator": "Contains",
    "matchValues": ["/health"],
}


def under_a_path(rule: dict[str, Any]) -> dict[str, Any]:
    """The rule together with a further condition."""
    return {**rule, "matchConditions": [*rule["matchConditions"], _PATH]}


@pytest.mark.parametrize(
    ("rule", "becomes"),
    [
        (firewall_rule("a", "Block", 1, "198.51.100.66"), Fate(blocked_by="a")),
        (firewall_rule("a", "Block", 1, "192.0.2.0/24", "198.51.100.0/24"), Fate(blocked_by="a")),
        (firewall_rule("a", "Block", 1, "192.0.2.0/24"), Fate()),
        (firewall_rule("a", "Block", 1, "192.0.2.0/24", negated=True), Fate(blocked_by="a")),
        (firewall_rule("a", "Block", 1, "198.51.100.66", state="Disabled"), Fate()),
        (firewall_rule("a", "Block", 1, "198.51.100.66", ruleType="RateLimitRule"), Fate()),
        (under_a_path(firewall_rule("a", "Block", 1, "198.51.100.66")), Fate()),
        (firewall_rule("a", "Log", 1, "198.51.100.66"), Fate()),
        (firewall_rule("a", "Allow", 1, "198.51.100.66"), Fate(let_in_by="a")),
        (firewall_rule("a", "Allow", 1, "198.51.100.66", negated=True), Fate()),
        (under_a_path(firewall_rule("a", "Allow", 1, "198.51.100.0/24")), Fate(perhaps_let_in_by=("a",))),
        (under_a_path(firewall_rule("a", "Allow", 1, "192.0.2.0/24")), Fate()),
        (firewall_rule("a", "Block", 1, "no address"), Fate()),
    ],
)
def test_what_becomes_of_an_address(rule: dict[str, Any], becomes: Fate) -> None:
    assert fate([rule], ATTACKER) == becomes


def test_the_lowest_number_is_asked_first() -> None:
    block, allow = firewall_rule("deny", "Block", 2, "198.51.100.66"), firewall_rule("office", "Allow", 1, "198.51.100.0/24")
    assert fate([block, allow], ATTACKER) == Fate(let_in_by="office")
    assert fate([{**block, "priority": 1}, {**allow, "priority": 2}], ATTACKER) == Fate(blocked_by="deny")


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (firewall_rule("a", "Block", 1, "192.0.2.1"), ""),
        (firewall_rule("a", "Allow", 1, "192.0.2.1"), "has the action Allow"),
        (firewall_rule("a", "Block", 1, "192.0.2.1", state="Disabled"), "is disabled"),
        (firewall_rule("a", "Block", 1, "192.0.2.1", negated=True), "has other conditions"),
        (under_a_path(firewall_rule("a", "Block", 1, "192.0.2.1")), "has other conditions"),
        (firewall_rule("a", "Block", 1, "192.0.2.1", ruleType="RateLimitRule"), "has other conditions"),
    ],
)
def test_only_a_rule_that_blocks_what_it_lists_is_written(rule: dict[str, Any], said: str) -> None:
    assert objection(rule).startswith(said)
    assert bool(objection(rule)) is bool(said)


def test_the_limit_of_ranges_is_that_of_the_rule_set() -> None:
    def policy(version: str, kind: str = "OWASP") -> dict[str, Any]:
        return {"properties": {"managedRules": {"managedRuleSets": [{"ruleSetType": kind, "ruleSetVersion": version}]}}}

    assert most_ranges(policy("3.1")) == MOST_RANGES_BEFORE_3_2
    assert most_ranges(policy("3.2")) == most_ranges(policy("2.1", "Microsoft_DefaultRuleSet")) == MOST_RANGES


blocks = st.lists(
    st.sampled_from(["192.0.2.0/24", "198.51.100.66", "198.51.100.66/32", "198.51.100.0/24", "203.0.113.9"]), min_size=1
)


def _rules(make: Callable[..., dict[str, Any]], spelling: Spelling) -> st.SearchStrategy[Policy]:
    listed = st.lists(
        st.builds(
            lambda name, action, priority, values, negated, state: make(
                name, action, priority, *values, negated=negated, **{spelling.state: state}
            ),
            st.sampled_from("abcde"),
            st.sampled_from(["Block", "Allow", "Log"]),
            st.integers(1, 100),
            blocks,
            st.booleans(),
            st.sampled_from(["Enabled", "Disabled"]),
        ),
        max_size=5,
        unique_by=(lambda one: one["name"], lambda one: one["priority"]),
    )
    return st.tuples(listed, st.just(spelling))


policies = _rules(firewall_rule, GATEWAYS) | _rules(front_door_rule, FRONT_DOORS)


@given(policies, st.sampled_from("abcde"))
def test_what_is_put_in_and_taken_out_again_leaves_what_there_was(policy: Policy, name: str) -> None:
    present, spelling = policy
    there = named(present, name)
    if there is not None and (objection(there) or has(there, ATTACKER)):
        return  # the action does not write these
    before, priority = json.dumps(present), free_priority(present)
    assert priority is not None
    put = with_block(present, name, ATTACKER, priority, spelling)
    listing = named(put, name)
    assert listing is not None
    assert has(listing, ATTACKER)
    assert [each for each in put if each is not listing] == [each for each in present if each is not there]
    assert json.dumps(without_block(put, name, ATTACKER)) == before == json.dumps(present)


@given(policies)
def test_a_block_is_let_in_by_what_is_asked_before_it_and_by_nothing_else(policy: Policy) -> None:
    present, spelling = policy
    priority = free_priority(present)
    assert priority is not None
    found = fate(with_block(present, "ours", ATTACKER, priority, spelling), ATTACKER)
    earlier = fate([each for each in present if each["priority"] < priority], ATTACKER)
    assert (found.let_in_by, found.perhaps_let_in_by) == (earlier.let_in_by, earlier.perhaps_let_in_by)
    assert bool(found.blocked_by) is not bool(found.let_in_by)
