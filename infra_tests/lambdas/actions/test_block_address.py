"""Blocking an address on moto: which network ACLs, which numbers, what defeats a deny, who else writes, and the way back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from infra_tests.lambdas.actions.blocked import ATTACKER, ATTACKER_6, Network, action, network, plan, seen_at
from lambdas.actions.block_address import BlockAddress
from lambdas.actions.network_acls import BAND, QUOTA, Direction, is_denied, place
from response.actions import CannotApply, CloudUnavailable, Verification
from response.addresses import read_address
from response.guard import refusal
from response.policy import NeverTouch

__all__ = ["action", "network"]


@pytest.mark.parametrize(("address", "block"), [(ATTACKER, f"{ATTACKER}/32"), (ATTACKER_6, f"{ATTACKER_6}/128")])
def test_it_denies_both_ways_in_every_subnet_of_the_instance_and_comes_back_exactly(
    network: Network, action: BlockAddress, address: str, block: str
) -> None:
    instance = network.instance(interfaces=3)
    before = network.entries()
    made = plan(action, seen_at(instance, address=address))
    assert (made.refusal, made.is_noop) == ("", False)
    assert network.entries() == before
    assert action.check(made) == ""
    assert action.verify(made) is Verification.DRIFTED
    for _ in range(2):
        action.apply(made)
        assert network.denies() == [(False, block), (True, block)]
        assert action.check(made) == ""
        assert action.verify(made) is Verification.VERIFIED
    for _ in range(2):
        assert action.undo(made).left == ()
        assert network.entries() == before


def test_only_the_acls_of_the_subnets_in_which_it_was_seen_are_touched(network: Network, action: BlockAddress) -> None:
    seen, other = network.instance(), network.instance()
    own = network.own_acl(seen)
    beside = network.entries()
    made = plan(action, seen_at(seen))
    action.apply(made)
    assert network.denies(own) == [(False, f"{ATTACKER}/32"), (True, f"{ATTACKER}/32")]
    assert network.entries() == beside
    assert action.verify(made) is Verification.VERIFIED
    assert any(own in touched and "connections that are open are cut" in touched for touched in made.touches)
    assert {seen, own, network.web} <= set(made.resources)
    assert other not in made.resources


def test_an_interface_stands_for_itself_and_two_acls_are_two_denies_each(network: Network, action: BlockAddress) -> None:
    first, second = network.instance(), network.instance()
    own = network.own_acl(second)
    (eni,) = network.interfaces(first)
    made = plan(action, seen_at(eni["NetworkInterfaceId"], second))
    action.apply(made)
    assert len(network.denies()) == len(network.denies(own)) == 2
    assert "in 2 network ACLs" in made.summary


def test_an_allow_that_stands_before_every_free_number_is_named(network: Network, action: BlockAddress) -> None:
    instance = network.instance()
    network.entry(network.acl, 1, "allow", "198.51.0.0/16", protocol="6", ports=(22, 22))
    refused = plan(action, seen_at(instance)).refusal
    assert f"ingress: allow 1 (protocol 6, 198.51.0.0/16) of {network.acl} stands before" in refused
    assert "above 99" in refused
    assert plan(action, seen_at(instance, address="203.0.113.9")).refusal == ""


def test_the_deny_stands_before_a_low_allow(network: Network, action: BlockAddress) -> None:
    instance = network.instance()
    network.entry(network.acl, 5, "allow", "0.0.0.0/0", egress=True)
    made = plan(action, seen_at(instance))
    assert all(number < 5 for number in made.after["entries"][network.acl]["egress"])
    action.apply(made)
    assert action.verify(made) is Verification.VERIFIED


def test_the_quota_is_kept_for_each_version_and_direction(network: Network, action: BlockAddress) -> None:
    instance = network.instance()
    for number in range(200, 200 + QUOTA - 2):  # allow 100 and the default deny are there already
        network.entry(network.acl, number, "deny", f"203.0.113.{number - 200}/32")
    refused = plan(action, seen_at(instance)).refusal
    assert f"{network.acl} has {QUOTA} ingress entries, all that it takes" in refused
    assert "egress" not in refused
    assert "join some" in refused
    assert plan(action, seen_at(instance, address=ATTACKER_6)).refusal == ""


def test_what_has_more_than_twenty_has_a_raised_quota(network: Network, action: BlockAddress) -> None:
    instance = network.instance()
    for number in range(200, 200 + QUOTA):
        network.entry(network.acl, number, "deny", f"203.0.113.{number - 200}/32")
    assert plan(action, seen_at(instance)).refusal == ""


def test_a_quota_that_ec2_counts_otherwise_fails_with_what_to_do(
    network: Network, action: BlockAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = plan(action, seen_at(network.instance()))

    def full(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "NetworkAclEntryLimitExceeded", "Message": "full"}}, "CreateNetworkAclEntry")

    monkeypatch.setattr(network.ec2, "create_network_acl_entry", full)
    with pytest.raises(CannotApply, match="Join entries of the ACL, or quarantine"):
        action.apply(made)


def test_what_others_deny_already_needs_nothing(network: Network, action: BlockAddress) -> None:
    instance = network.instance()
    for egress in (False, True):
        network.entry(network.acl, 50, "deny", "198.51.100.0/24", egress=egress)
    assert plan(action, seen_at(instance)).is_noop
    network.ec2.delete_network_acl_entry(NetworkAclId=network.acl, RuleNumber=50, Egress=True)
    half = plan(action, seen_at(instance))
    assert list(half.after["entries"][network.acl]) == ["egress"]
    action.apply(half)
    assert action.verify(half) is Verification.VERIFIED


def test_a_deny_of_a_part_is_no_deny(network: Network, action: BlockAddress) -> None:
    instance = network.instance()
    network.entry(network.acl, 50, "deny", "198.51.100.0/24", protocol="6", ports=(22, 22))
    assert set(plan(action, seen_at(instance)).after["entries"][network.acl]) == {"ingress", "egress"}


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("10.0.200.1", "within vpc-"),
        ("172.31.0.9", "within vpc-"),  # the default VPC of the account
        ("169.254.169.254", "no address of another host"),
        ("127.0.0.1", "no address of another host"),
        ("ff02::1", "no address of another host"),
        ("not an address", "no IP address"),
    ],
)
def test_own_ranges_are_never_denied(network: Network, action: BlockAddress, address: str, why: str) -> None:
    instance = network.instance()
    assert why in plan(action, seen_at(instance, address=address)).refusal


def test_an_ipv6_address_of_the_vpc_and_a_mapped_one_are_own_too(network: Network, action: BlockAddress) -> None:
    instance = network.instance()
    (association,) = network.ec2.describe_vpcs(VpcIds=[network.vpc])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"]
    own = str(next(ip_network(association["Ipv6CidrBlock"]).hosts()))
    assert "within vpc-" in plan(action, seen_at(instance, address=own)).refusal
    assert "within vpc-" in plan(action, seen_at(instance, address="::ffff:10.0.3.4")).refusal


def test_networks_peered_with_it_are_own(network: Network, action: BlockAddress) -> None:
    instance = network.instance()
    other = network.ec2.create_vpc(CidrBlock="192.168.0.0/16")["Vpc"]["VpcId"]
    peering = network.ec2.create_vpc_peering_connection(VpcId=network.vpc, PeerVpcId=other)["VpcPeeringConnection"]
    network.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering["VpcPeeringConnectionId"])
    assert "within" in plan(action, seen_at(instance, address="192.168.9.9")).refusal


def test_a_public_address_of_the_account_is_own(network: Network, action: BlockAddress) -> None:
    instance = network.instance()
    (eni,) = network.interfaces(instance)
    address = network.ec2.allocate_address(Domain="vpc", Address="198.51.100.20")
    network.ec2.associate_address(AllocationId=address["AllocationId"], NetworkInterfaceId=eni["NetworkInterfaceId"])
    refused = plan(action, seen_at(instance, address=address["PublicIp"])).refusal
    assert f"the public address of {eni['NetworkInterfaceId']}" in refused


def test_only_after_a_completed_two_way_flow_and_never_what_is_listed(network: Network, action: BlockAddress) -> None:
    instance = network.instance(tags={"break-glass": "yes"})
    about = seen_at(instance)
    made = plan(action, about)
    assert "completed two-way flow" in refusal(made, replace(about, completed_flow=False), NeverTouch())
    assert "198.51.100.0/24" in refusal(made, about, NeverTouch(addresses=("198.51.100.0/24",)))
    assert "break-glass" in refusal(made, about, NeverTouch(tags=("break-glass",)))
    assert instance in refusal(made, about, NeverTouch(instances=(instance,)))
    assert network.web in refusal(made, about, NeverTouch(security_groups=(network.web,)))
    assert refusal(made, about, NeverTouch()) == ""


def test_tags_of_the_acl_reach_the_guard(network: Network, action: BlockAddress) -> None:
    network.ec2.create_tags(Resources=[network.acl], Tags=[{"Key": "breakwater:never-touch", "Value": "yes"}])
    assert (plan(action, seen_at(network.instance())).tags or {})["breakwater:never-touch"] == "yes"


def test_without_a_place_it_is_refused_with_what_is_missing(network: Network, action: BlockAddress) -> None:
    assert "names no interface or instance" in plan(action, seen_at()).refusal
    assert "i-00000000000000000" in plan(action, seen_at("i-00000000000000000")).refusal


def test_an_acl_of_another_account_is_said(network: Network, action: BlockAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = network.instance()
    monkeypatch.setattr(network.ec2, "get_paginator", _without(network.ec2.get_paginator, "describe_network_acls", "NetworkAcls"))
    assert "is another account's" in plan(action, seen_at(instance)).refusal


def test_what_is_gone_is_not_mistaken_for_what_could_not_be_read(
    network: Network, action: BlockAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = network.instance()
    acl = network.own_acl(instance)
    made = plan(action, seen_at(instance))
    gone = replace(made, after=json.loads(json.dumps(dict(made.after)).replace(acl, "acl-00000000000000000")))
    assert action.undo(gone).restored == ("acl-00000000000000000 is gone, and its entries with it",)
    with pytest.raises(CannotApply, match="is gone"):
        action.apply(gone)

    def throttled(*_: Any, **__: Any) -> None:
        raise ClientError({"Error": {"Code": "RequestLimitExceeded", "Message": ""}}, "DescribeNetworkAcls")

    monkeypatch.setattr(network.ec2, "get_paginator", throttled)
    assert action.verify(made) is Verification.UNREACHABLE
    with pytest.raises(CloudUnavailable):
        action.check(made)


def test_its_cost_is_what_the_page_says(network: Network, action: BlockAddress) -> None:
    """docs/actions/aws/block_address.md: two ACLs, one named interface and one named instance."""
    (eni,) = network.interfaces(network.instance())
    second = network.instance()
    network.own_acl(second)
    made: Counter[str] = Counter()
    network.ec2.meta.events.register("before-call", lambda model, **_: made.update([model.name]))
    about = seen_at(eni["NetworkInterfaceId"], second)

    def cost() -> int:
        count = made.total()
        made.clear()
        return count

    planned = plan(action, about)
    assert cost() == 7
    action.check(planned)
    assert cost() == 1
    action.apply(planned)
    assert cost() == 3 * 2
    action.verify(planned)
    assert cost() == 1
    action.undo(planned)
    assert cost() == 3 * 2


def _without(get_paginator: Any, operation: str, key: str) -> Any:
    class Nothing:
        def paginate(self, **_: Any) -> list[dict[str, Any]]:
            return [{key: []}]

    return lambda name: Nothing() if name == operation else get_paginator(name)


_BLOCKS = st.sampled_from(["0.0.0.0/0", "198.51.100.0/24", f"{ATTACKER}/32", "203.0.113.0/24", "::/0", f"{ATTACKER_6}/128"])
_ENTRIES = st.dictionaries(
    st.tuples(st.integers(1, 140), st.booleans()),
    st.tuples(st.sampled_from(["allow", "deny"]), st.sampled_from(["-1", "6", "17"]), _BLOCKS),
    max_size=14,
)


def _acl(entries: Mapping[tuple[int, bool], tuple[str, str, str]]) -> dict[str, Any]:
    """As EC2 describes it, with the default denies that nobody can take away."""
    rows = [{"RuleNumber": n, "Egress": e, "RuleAction": a, "Protocol": p, **_block(b)} for (n, e), (a, p, b) in entries.items()]
    for number, block in ((32767, "0.0.0.0/0"), (32768, "::/0")):
        deny = {"RuleNumber": number, "RuleAction": "deny", "Protocol": "-1", **_block(block)}
        rows += [{**deny, "Egress": egress} for egress in (False, True)]
    return {"NetworkAclId": "acl-1", "Entries": rows, "Associations": []}


def _block(block: str) -> dict[str, str]:
    return {"CidrBlock" if ip_network(block).version == 4 else "Ipv6CidrBlock": block}


@given(entries=_ENTRIES, text=st.sampled_from([ATTACKER, ATTACKER_6]), way=st.sampled_from(list(Direction)), seed=st.text())
def test_a_deny_takes_effect_at_every_number_that_is_given_and_nowhere_else(
    entries: Mapping[tuple[int, bool], tuple[str, str, str]], text: str, way: Direction, seed: str
) -> None:
    address = read_address(text)
    assert address is not None
    acl = _acl(entries)
    found = place(acl, address, way, seed)
    egress = way is Direction.EGRESS

    def with_deny(number: int) -> dict[str, Any]:
        return _acl({**entries, (number, egress): ("deny", "-1", f"{text}/{address.max_prefixlen}")})

    assert all((number, egress) not in entries and number in BAND for number in found.numbers)
    assert all(is_denied(with_deny(number), address, way) for number in found.numbers)
    if found.reason:
        free = [number for number in BAND if (number, egress) not in entries]
        assert not any(is_denied(with_deny(number), address, way) for number in free) or is_denied(acl, address, way)
    if not found.numbers and not found.reason:
        assert is_denied(acl, address, way)
