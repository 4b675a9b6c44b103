"""What rules let through, against a packet-by-packet evaluation, and what cannot be known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azure_functions.actions.prefixes import Fit, Place, fit_local, fit_remote
from azure_functions.actions.security_rules import (
    PROTOCOLS,
    Direction,
    SecurityRule,
    Side,
    Traffic,
    passages,
    read_effective_rules,
    read_rules,
)

REMOTE = "198.51.100.66"
PLACE = Place("10.20.1.4", frozenset({"/asg/web"}), ("10.20.0.0/16",))
EVERY_PORT = (0, 65_535)
#: Around the ends of the port ranges that the rules below are made of.
PORTS = (0, 1, 9, 10, 11, 19, 20, 21, 29, 30, 31, 65_535)


def rule(
    priority: int,
    *,
    allows: bool,
    protocol: str = "*",
    source: tuple[str, ...] = ("*",),
    destination: tuple[str, ...] = ("*",),
    ports: tuple[tuple[int, int], ...] = (EVERY_PORT,),
    source_ports: tuple[tuple[int, int], ...] = (EVERY_PORT,),
    name: str = "",
) -> SecurityRule:
    sides = Side(source, (), source_ports), Side(destination, (), ports)
    return SecurityRule(name or f"r{priority}", priority, "Inbound", allows, protocol, *sides)


def first_match(rules: list[SecurityRule], protocol: str, source_port: int, port: int) -> SecurityRule | None:
    """Azure's own way: the first rule that matches a packet of REMOTE to PLACE decides."""
    for candidate in sorted(rules, key=lambda one: one.priority):
        with_ports = protocol in ("tcp", "udp")
        if (
            candidate.protocol in ("*", protocol)
            and ({"*", f"{REMOTE}/32", "198.51.100.0/24"} & set(candidate.source.prefixes))
            and ({"*", "10.20.1.4"} & set(candidate.destination.prefixes))
            and (not with_ports or any(first <= source_port <= last for first, last in candidate.source.ports))
            and (not with_ports or any(first <= port <= last for first, last in candidate.destination.ports))
        ):
            return candidate
    return None


port_ranges = st.lists(
    st.sampled_from([(1, 10), (10, 20), (11, 30), (20, 20), EVERY_PORT]), min_size=1, max_size=2, unique=True
).map(tuple)
known_rules = st.lists(
    st.builds(
        rule,
        st.integers(100, 4096),
        allows=st.booleans(),
        protocol=st.sampled_from(["*", "tcp", "udp"]),
        source=st.sampled_from([("*",), (f"{REMOTE}/32",), ("192.0.2.0/24",), ("192.0.2.1/32", "198.51.100.0/24")]),
        destination=st.sampled_from([("*",), ("10.20.1.4",), ("10.20.9.0/24",)]),
        ports=port_ranges,
        source_ports=st.just((EVERY_PORT,)) | port_ranges,
    ),
    max_size=7,
    unique_by=lambda one: one.priority,
)


@given(known_rules)
def test_an_allow_is_found_exactly_where_some_packet_meets_it_first(rules: list[SecurityRule]) -> None:
    decided = {
        match.name
        for protocol in ("tcp", "udp")
        for source_port in PORTS
        for port in PORTS
        if (match := first_match(rules, protocol, source_port, port)) is not None and match.allows
    }
    found = passages(rules, Traffic(Direction.INBOUND, REMOTE, PLACE))
    assert all(passage.certain for passage in found)
    portless = {passage.rule.name for passage in found if passage.rule.protocol == "*"}
    assert decided <= {passage.rule.name for passage in found}
    assert {passage.rule.name for passage in found} - decided <= portless  # an Allow of every protocol may pass ping


@given(known_rules, st.integers(0, 6))
def test_a_deny_of_everything_leaves_only_what_stands_before_it(rules: list[SecurityRule], position: int) -> None:
    in_order = sorted(rules, key=lambda one: one.priority)
    deny = rule(in_order[position].priority if position < len(in_order) else 5000, allows=False, name="ours")
    earlier = [one for one in rules if one.priority < deny.priority]
    later = [one for one in rules if one.priority > deny.priority]
    traffic = Traffic(Direction.INBOUND, REMOTE, PLACE)
    assert passages([*earlier, deny, *later], traffic) == passages(earlier, traffic)


@given(known_rules)
def test_the_order_in_which_rules_are_listed_does_not_matter(rules: list[SecurityRule]) -> None:
    traffic = Traffic(Direction.INBOUND, REMOTE, PLACE)
    assert passages(reversed(rules), traffic) == passages(rules, traffic)


def test_denies_may_cover_the_traffic_together() -> None:
    halves = [
        rule(100, allows=False, protocol="tcp"),
        *(rule(101 + n, allows=False, protocol=p) for n, p in enumerate(sorted(PROTOCOLS - {"tcp", "other"}))),
        rule(200, allows=False, ports=((0, 1000), (1001, 65_535))),
        rule(300, allows=True, protocol="udp"),
    ]
    assert passages(halves, Traffic(Direction.INBOUND, REMOTE, PLACE)) == ()


def test_another_direction_does_not_matter() -> None:
    assert passages([rule(100, allows=True)], Traffic(Direction.OUTBOUND, REMOTE, PLACE)) == ()


def test_a_tag_that_is_not_known_here_lets_through_as_an_allow_and_stops_nothing_as_a_deny() -> None:
    traffic = Traffic(Direction.INBOUND, REMOTE, PLACE)
    (passage,) = passages([rule(100, allows=True, source=("azurecloud.westeurope",))], traffic)
    assert not passage.certain
    assert "cannot be evaluated" in str(passage)
    rules = [rule(100, allows=False, source=("azurecloud.westeurope",)), rule(200, allows=True)]
    assert [str(passage) for passage in passages(rules, traffic)] == ["Allow r200 (priority 200)"]


@pytest.mark.parametrize(
    ("prefix", "address", "fit"),
    [
        ("*", REMOTE, Fit.YES),
        ("198.51.100.0/24", REMOTE, Fit.YES),
        ("198.51.100.66", REMOTE, Fit.YES),
        ("192.0.2.0/24", REMOTE, Fit.NO),
        ("2001:db8::/32", REMOTE, Fit.NO),
        ("2001:db8::/32", "2001:db8::5", Fit.YES),
        ("0.0.0.0/0", "2001:db8::5", Fit.NO),
        ("internet", REMOTE, Fit.YES),
        ("internet", "10.20.5.5", Fit.NO),
        ("internet", "192.168.7.7", Fit.UNKNOWN),
        ("virtualnetwork", "10.20.5.5", Fit.YES),
        ("virtualnetwork", "192.168.7.7", Fit.UNKNOWN),
        ("virtualnetwork", REMOTE, Fit.UNKNOWN),
        ("azureloadbalancer", "168.63.129.16", Fit.YES),
        ("azureloadbalancer", REMOTE, Fit.NO),
        ("storage.westeurope", REMOTE, Fit.UNKNOWN),
    ],
)
def test_the_far_end_of_a_rule(prefix: str, address: str, fit: Fit) -> None:
    assert fit_remote([prefix], [], address, PLACE) is fit


@pytest.mark.parametrize(
    ("prefixes", "groups", "fit"),
    [
        (["10.20.1.0/24"], [], Fit.YES),
        (["10.20.2.0/24"], [], Fit.NO),
        (["virtualnetwork"], [], Fit.YES),
        (["internet"], [], Fit.NO),
        ([], ["/asg/web"], Fit.YES),
        ([], ["/asg/data"], Fit.NO),
        ([], [], Fit.UNKNOWN),
    ],
)
def test_the_near_end_of_a_rule(prefixes: list[str], groups: list[str], fit: Fit) -> None:
    assert fit_local(prefixes, groups, PLACE) is fit


def test_members_of_a_far_application_group_are_not_known_and_never_on_the_internet() -> None:
    assert fit_remote([], ["/asg/data"], "10.20.5.5", PLACE) is Fit.UNKNOWN
    assert fit_remote([], ["/asg/data"], REMOTE, PLACE) is Fit.NO


def test_rules_are_read_as_resource_manager_writes_them() -> None:
    group = {
        "properties": {
            "securityRules": [
                {
                    "name": "web",
                    "properties": {
                        "protocol": "TCP",
                        "access": "Allow",
                        "priority": 320,
                        "direction": "Inbound",
                        "sourceAddressPrefix": "Internet",
                        "sourceAddressPrefixes": [],
                        "sourcePortRange": "*",
                        "destinationPortRanges": ["80", "8000-8100"],
                        "destinationApplicationSecurityGroups": [{"id": "/ASG/Web"}],
                    },
                }
            ],
            "defaultSecurityRules": [],
        }
    }
    (read,) = read_rules(group)
    assert read == SecurityRule(
        "web",
        320,
        "Inbound",
        True,
        "tcp",
        Side(("internet",), (), (EVERY_PORT,)),
        Side((), ("/asg/web",), ((80, 80), (8000, 8100))),
    )


def test_effective_rules_are_read_with_what_their_tags_stand_for() -> None:
    (read,) = read_effective_rules(
        [
            {
                "name": "defaultSecurityRules/AllowVnetInBound",
                "protocol": "All",
                "access": "Allow",
                "priority": 65000,
                "direction": "Inbound",
                "sourcePortRange": "0-65535",
                "destinationPortRange": "0-65535",
                "sourceAddressPrefix": "VirtualNetwork",
                "destinationAddressPrefix": "0.0.0.0/0,0.0.0.0/0",
                "expandedSourceAddressPrefix": ["10.20.0.0/16", "168.63.129.16/32"],
            }
        ]
    )
    assert read.name == "AllowVnetInBound"
    assert read.source.prefixes == ("10.20.0.0/16", "168.63.129.16/32")
    assert set(read.destination.prefixes) == {"*"}
    assert passages([read], Traffic(Direction.INBOUND, "10.20.9.9", PLACE))[0].certain
    assert passages([read], Traffic(Direction.INBOUND, REMOTE, PLACE)) == ()
