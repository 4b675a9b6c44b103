"""Denies of an address beside what others do to the same network ACL."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from infra_tests.lambdas.account import Account
from infra_tests.lambdas.actions.blocked import ATTACKER, Network, action, network, plan, seen_at
from lambdas.actions.block_address import BlockAddress
from lambdas.actions.network_acls import BAND
from response.actions import CannotApply, Verification

__all__ = ["action", "network"]


def test_numbers_that_others_took_meanwhile_give_way_to_the_next(network: Network, action: BlockAddress) -> None:
    before = network.entries()
    made = plan(action, seen_at(network.instance()))
    first, *others = made.after["entries"][network.acl]["ingress"]
    network.entry(network.acl, first, "deny", "203.0.113.9/32")
    assert action.check(made) == ""
    action.apply(made)
    action.apply(made)
    assert network.denies().count((False, f"{ATTACKER}/32")) == 1
    assert action.verify(made) is Verification.VERIFIED
    assert action.undo(made).left == ()
    network.ec2.delete_network_acl_entry(NetworkAclId=network.acl, RuleNumber=first, Egress=False)
    assert network.entries() == before
    for number in (first, *others):
        network.entry(network.acl, number, "deny", "203.0.113.9/32")
    assert "plan again" in action.check(made)
    with pytest.raises(CannotApply, match="taken meanwhile"):
        action.apply(made)


def test_a_number_that_is_taken_between_looking_and_writing_gives_way(
    network: Network, action: BlockAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = plan(action, seen_at(network.instance()))
    create, raced = network.ec2.create_network_acl_entry, []

    def race(**arguments: Any) -> Any:
        if not raced:
            raced.append(create(**{**arguments, "CidrBlock": "203.0.113.9/32"}))
        return create(**arguments)

    monkeypatch.setattr(network.ec2, "create_network_acl_entry", race)
    action.apply(made)
    assert network.denies() == [(False, f"{ATTACKER}/32"), (False, "203.0.113.9/32"), (True, f"{ATTACKER}/32")]


def test_many_addresses_at_once_each_get_their_denies_and_give_them_back(network: Network, account: Account) -> None:
    instance, before = network.instance(), network.entries()
    actions = [BlockAddress(account.clients) for _ in range(8)]
    plans = [plan(a, seen_at(instance, address=f"203.0.113.{n}", identifier=f"v{n}")) for n, a in enumerate(actions)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda pair: pair[0].apply(pair[1]), zip(actions, plans, strict=True)))
    assert len(network.denies()) == 16
    assert all(a.verify(p) is Verification.VERIFIED for a, p in zip(actions, plans, strict=True))
    for each, made in zip(actions, plans, strict=True):
        assert each.undo(made).left == ()
    assert network.entries() == before


def test_two_containments_of_one_address_each_have_their_own_denies(network: Network, action: BlockAddress) -> None:
    one, two = network.instance(), network.instance()
    first = plan(action, seen_at(one, identifier="v1"))
    action.apply(first)
    assert action.covers(first, seen_at(one, identifier="v2"))
    assert not action.covers(first, seen_at(two, identifier="v2"))
    assert not action.covers(first, seen_at(identifier="v2"))
    second = plan(action, seen_at(one, two, identifier="v2"))
    action.apply(second)
    assert len(network.denies()) == 4
    assert action.undo(first).left == ()
    assert len(network.denies()) == 2
    assert action.verify(second) is Verification.VERIFIED
    assert action.undo(second).left == ()
    assert network.denies() == []


def test_what_someone_made_of_the_deny_is_drift_and_is_left(network: Network, action: BlockAddress) -> None:
    made = plan(action, seen_at(network.instance()))
    action.apply(made)
    number = next(e["RuleNumber"] for e in map(json.loads, network.entries()) if e["RuleNumber"] in BAND and not e["Egress"])
    network.ec2.replace_network_acl_entry(
        NetworkAclId=network.acl, RuleNumber=number, Protocol="6", RuleAction="allow", Egress=False, CidrBlock=f"{ATTACKER}/32"
    )
    assert action.verify(made) is Verification.DRIFTED
    result = action.undo(made)
    (left,) = result.left
    assert f"allow {number}" in left
    assert "someone changed it since" in left
    assert len(result.restored) == 1
    assert network.denies() == []


def test_a_subnet_that_got_another_acl_since_is_drift(network: Network, action: BlockAddress) -> None:
    instance = network.instance()
    made = plan(action, seen_at(instance))
    action.apply(made)
    network.own_acl(instance)
    assert action.verify(made) is Verification.DRIFTED
    assert "another network ACL is in force" in action.check(made)
    assert action.undo(made).left == ()
    assert network.denies() == []
