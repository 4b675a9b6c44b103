"""Blocking an address on moto: which network ACLs, which numbers, what defeats a deny, who else writes, and the way back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from infra_tests.lambdas.account import ACCOUNT, Account
from infra_tests.response.world import verdict
from lambdas.actions.block_address import BlockAddress
from lambdas.actions.network_acls import BAND, QUOTA, Direction, is_denied, place
from response.actions import CannotApply, CloudUnavailable, Plan, Verification
from response.addresses import read_address
from response.guard import refusal
from response.policy import NeverTouch
from shared_model.events import Entity, EntityKind, Telemetry
from shared_model.verdicts import Verdict

ATTACKER, ATTACKER_6 = "198.51.100.7", "2001:db8:bad::7"
_KINDS = {"eni": EntityKind.INTERFACE, "i": EntityKind.INSTANCE}


def seen_at(*places: str, address: str = ATTACKER, identifier: str = "v") -> Verdict:
    """A verdict about an address that these interfaces and instances answered."""
    reached = tuple(Entity(_KINDS[place.partition("-")[0]], place, ACCOUNT) for place in places)
    target = Entity(EntityKind.ADDRESS, address, ACCOUNT)
    return verdict("", identifier, Telemetry.FLOW_LOGS, entity=target, reached=reached, completed_flow=True)


def plan(action: BlockAddress, about: Verdict) -> Plan:
    made = action.plan(about.entity, about)
    return Plan.from_json_value(json.loads(json.dumps(made.to_json_value())))


class Network:
    """A VPC with both versions of IP, and what is written into its ACLs."""

    def __init__(self, account: Account) -> None:
        self.account, self.ec2 = account, account.clients("ec2")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]["VpcId"]
        self.web = account.group(self.vpc, "web")
        self.acl = self.default_acl()
        for egress in (False, True):  # as EC2 adds it to the default ACL of a VPC with IPv6
            self.entry(self.acl, 101, "allow", "::/0", egress=egress)

    def default_acl(self) -> str:
        filters = [{"Name": "vpc-id", "Values": [self.vpc]}, {"Name": "default", "Values": ["true"]}]
        return str(self.ec2.describe_network_acls(Filters=filters)["NetworkAcls"][0]["NetworkAclId"])

    def instance(self, **options: Any) -> str:
        return self.account.instance(self.vpc, [self.web], **options)

    def interfaces(self, instance: str) -> list[Mapping[str, Any]]:
        filters = [{"Name": "attachment.instance-id", "Values": [instance]}]
        found: list[Mapping[str, Any]] = self.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
        return found

    def own_acl(self, instance: str) -> str:
        """Give the subnet of an instance an ACL of its own, with the entries of a careful customer."""
        acl = self.ec2.create_network_acl(VpcId=self.vpc)["NetworkAcl"]["NetworkAclId"]
        subnet = self.interfaces(instance)[0]["SubnetId"]
        found = self.ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])
        (association,) = [a for each in found["NetworkAcls"] for a in each["Associations"] if a["SubnetId"] == subnet]
        self.ec2.replace_network_acl_association(AssociationId=association["NetworkAclAssociationId"], NetworkAclId=acl)
        for egress in (False, True):
            self.entry(acl, 110, "deny", "192.0.2.0/24", egress=egress)
            self.entry(acl, 120, "allow", "0.0.0.0/0", egress=egress, protocol="6", ports=(443, 443))
            self.entry(acl, 130, "allow", "0.0.0.0/0", egress=egress, protocol="6", ports=(1024, 65535))
            self.entry(acl, 140, "allow", "::/0", egress=egress)
        return str(acl)

    def entry(
        self,
        acl: str,
        number: int,
        verb: str,
        block: str,
        *,
        egress: bool = False,
        protocol: str = "-1",
        ports: tuple[int, int] | None = None,
    ) -> None:
        key = "CidrBlock" if ip_network(block).version == 4 else "Ipv6CidrBlock"
        optional = {"PortRange": {"From": ports[0], "To": ports[1]}} if ports else {}
        self.ec2.create_network_acl_entry(
            NetworkAclId=acl, RuleNumber=number, Protocol=protocol, RuleAction=verb, Egress=egress, **{key: block}, **optional
        )

    def entries(self, acl: str | None = None) -> list[str]:
        found = self.ec2.describe_network_acls(NetworkAclIds=[acl or self.acl])["NetworkAcls"][0]["Entries"]
        return sorted(json.dumps(entry, sort_keys=True) for entry in found)

    def denies(self, acl: str | None = None) -> list[tuple[bool, str]]:
        """(is egress, block) of the entries in the band."""
        found = [json.loads(entry) for entry in self.entries(acl)]
        ours = [entry for entry in found if entry["RuleNumber"] in BAND and entry["RuleAction"] == "deny"]
        return sorted((entry["Egress"], entry.get("CidrBlock") or entry["Ipv6CidrBlock"]) for entry in ours)


@pytest.fixture
def network(account: Account) -> Network:
    return Network(account)


@pytest.fixture
def action(account: Account) -> BlockAddress:
    return BlockAddress(account.clients)


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
