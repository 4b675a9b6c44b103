"""One-way records → two-way flows: which belong together, who began, whose interface."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_model import addresses
from shared_model.pairing import ADJACENT_MS, find_mates
from shared_model.parsers.vpc_flow_logs import read_flow_records, read_flows

HEADER = "interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action tcp-flags flow-direction"
OWN, PEER = "10.0.1.5", "203.0.113.9"


def record(source, source_port, destination, destination_port, *, start=0, end=None, packets=1, **more):
    field = {"eni": "eni-0a", "protocol": 6, "action": "ACCEPT", "flags": 0, "direction": "-"} | more
    begin = 1_700_000_000 + start
    finish = 1_700_000_000 + (start if end is None else end)
    return (
        f"{field['eni']} {source} {destination} {source_port} {destination_port} {field['protocol']} {packets} {packets * 60} "
        f"{begin} {finish} {field['action']} {field['flags']} {field['direction']}"
    )


def flows(*lines, block=1 << 18):
    data = "\n".join([HEADER, *lines]).encode()
    reads = list(read_flows(io.BytesIO(data), source="test", block=block))
    assert not any(read.rejected for read in reads)
    found = []
    for read in reads:
        batch = read.batch
        found += [
            {
                "initiator": addresses.to_text(*batch.source[row].tolist()),
                "ports": (int(batch.source_port[row]), int(batch.destination_port[row])),
                "packets": (int(batch.packets_out[row]), int(batch.packets_in[row])),
                "two_way": bool(batch.two_way[row]),
                "local": bool(batch.local_source[row]),
                "rejected": bool(batch.rejected[row]),
                "record": int(batch.record[row]),
            }
            for row in range(len(batch))
        ]
    return sorted(found, key=lambda flow: flow["record"])


def test_both_directions_become_one_flow():
    (flow,) = flows(record(OWN, 50000, PEER, 443, packets=3), record(PEER, 443, OWN, 50000, packets=5))
    assert flow["two_way"]
    assert flow["initiator"] == OWN
    assert flow["packets"] == (3, 5)


@pytest.mark.parametrize(
    "other",
    [
        record(PEER, 443, OWN, 50001),
        record(PEER, 443, OWN, 50000, protocol=17),
        record(PEER, 443, OWN, 50000, eni="eni-0b"),
        record(PEER, 443, OWN, 50000, action="REJECT"),
        record("203.0.113.10", 443, OWN, 50000),
        record(PEER, 443, OWN, 50000, start=61),
        record(OWN, 50000, PEER, 443),  # the same direction again
    ],
)
def test_what_does_not_mirror_stays_one_way(other):
    found = flows(record(OWN, 50000, PEER, 443), other)
    assert [flow["two_way"] for flow in found] == [False, False]


def test_what_follows_within_a_minute_is_one_flow():
    (flow,) = flows(record(OWN, 50000, PEER, 443), record(PEER, 443, OWN, 50000, start=60))
    assert flow["two_way"]


def test_every_interval_of_a_long_flow_is_paired_with_its_own():
    lines = []
    for minute in range(5):
        at = {"start": 60 * minute, "end": 60 * minute + 59}
        lines += [
            record(OWN, 50000, PEER, 443, packets=minute + 1, **at),
            record(PEER, 443, OWN, 50000, packets=10 * (minute + 1), **at),
        ]
    found = flows(*lines)
    assert [flow["packets"] for flow in found] == [(n, 10 * n) for n in range(1, 6)]


def test_refused_records_never_prove_a_two_way_flow():
    found = flows(record(PEER, 40000, OWN, 22, action="REJECT"), record(OWN, 22, PEER, 40000, action="REJECT"))
    assert [(flow["two_way"], flow["rejected"]) for flow in found] == [(False, True)] * 2


@pytest.mark.parametrize(
    ("lines", "initiator"),
    [
        # SYN against service ports: the flags win.
        ([record(OWN, 443, PEER, 50000, flags=2), record(PEER, 50000, OWN, 443, flags=18)], OWN),
        ([record(OWN, 443, PEER, 50000), record(PEER, 50000, OWN, 443, flags=18)], OWN),
        # The service's port against time.
        ([record(PEER, 443, OWN, 50000, start=0), record(OWN, 50000, PEER, 443, start=5)], OWN),
        # Time against the lower port.
        ([record(PEER, 40000, OWN, 50000, start=5), record(OWN, 50000, PEER, 40000, start=0)], OWN),
        ([record(PEER, 50000, OWN, 40000, start=0), record(OWN, 40000, PEER, 50000, start=5)], PEER),
        # The lower port.
        ([record(PEER, 40000, OWN, 50000), record(OWN, 50000, PEER, 40000)], OWN),
        # Nothing else: the first record.
        ([record(PEER, 40000, OWN, 40000), record(OWN, 40000, PEER, 40000)], PEER),
        # Alone: an answer is turned round, by flags or port; a refused record is not.
        ([record(PEER, 40000, OWN, 50000, flags=18)], OWN),
        ([record(PEER, 443, OWN, 50000)], OWN),
        ([record(PEER, 443, OWN, 50000, action="REJECT")], PEER),
        ([record(PEER, 40000, OWN, 50000)], PEER),
    ],
)
def test_who_began(lines, initiator):
    (flow,) = flows(*lines)
    assert flow["initiator"] == initiator


def test_a_lone_answer_counts_as_inward():
    (flow,) = flows(record(PEER, 443, OWN, 50000, packets=7))
    assert flow["packets"] == (0, 7)
    assert flow["ports"] == (50000, 443)


@pytest.mark.parametrize(("direction", "local"), [("egress", True), ("ingress", False)])
def test_flow_direction_tells_whose_interface(direction, local):
    (flow,) = flows(record(PEER, 50000, OWN, 443, direction=direction))
    assert flow["local"] is local


def test_a_rewritten_address_is_the_interfaces_own():
    header = "srcaddr dstaddr pkt-srcaddr pkt-dstaddr protocol start"
    lines = ["192.0.2.5 192.0.2.9 192.0.2.5 198.51.100.1 1 1700000000", "192.0.2.5 192.0.2.9 198.51.100.1 192.0.2.9 1 1700000000"]
    (read,) = read_flows(io.BytesIO("\n".join([header, *lines]).encode()), source="test")
    assert read.batch.local_source.tolist() == [False, True]


def test_without_a_hint_the_interfaces_address_is_the_one_its_records_share():
    peers = [f"203.0.113.{n}" for n in range(1, 6)]
    public_own = "198.51.100.1"  # no address range decides here
    found = flows(
        *(record(public_own, 50000 + n, peer, 443) for n, peer in enumerate(peers)), record(peers[0], 40000, public_own, 22)
    )
    assert [flow["local"] for flow in found] == [True] * 5 + [False]


def test_an_interface_with_several_addresses_is_still_inside():
    lines = [record("198.51.100.7", 40000 + n, f"10.0.1.{n % 3}", 22, action="REJECT") for n in range(9)]
    found = flows(*lines, record("10.0.1.1", 50000, PEER, 443), record("10.0.1.2", 50000, PEER, 443))
    assert [flow["local"] for flow in found] == [False] * 9 + [True] * 2


def test_an_interface_has_one_address_of_each_family():
    lines = [record(OWN, 50000 + n, f"203.0.113.{n}", 443) for n in range(4)]
    lines += [record("2001:db8:1::5", 50000 + n, f"2001:db8::{n}", 443) for n in range(1, 6)]
    assert all(flow["local"] for flow in flows(*lines, block=4))


def test_mates_are_found_across_blocks():
    first = [record(OWN, 50000 + n, PEER, 443, packets=n + 1) for n in range(40)]
    second = [record(PEER, 443, OWN, 50000 + n, packets=n + 1) for n in range(40)]
    found = flows(*first, *second, block=10)
    assert len(found) == 40
    assert all(flow["two_way"] and flow["packets"][0] == flow["packets"][1] for flow in found)


_records = st.lists(
    st.tuples(
        st.integers(0, 2), st.integers(0, 2), st.sampled_from([40000, 443]), st.sampled_from([40000, 443]), st.integers(0, 200)
    ),
    min_size=1,
    max_size=30,
)


@given(_records)
@settings(max_examples=150, deadline=None)
def test_pairing_is_an_involution_that_keeps_every_record(drawn):
    lines = [record(f"10.0.0.{a}", p, f"10.0.0.{b}", q, start=s, packets=1) for a, b, p, q, s in drawn]
    (records,) = read_flow_records(io.BytesIO("\n".join([HEADER, *lines]).encode() + b"\n"), source="test")
    mate = find_mates(records)
    paired = np.flatnonzero(mate >= 0)
    assert (mate[mate[paired]] == paired).all()
    assert (mate[paired] != paired).all()
    assert (records.source[paired] == records.destination[mate[paired]]).all()
    assert (records.source_port[paired] == records.destination_port[mate[paired]]).all()
    found = flows(*lines)
    assert sum(sum(flow["packets"]) for flow in found) == len(drawn)


@given(_records)
@settings(max_examples=150, deadline=None)
def test_the_first_of_a_flows_records_in_time_are_paired_as_one_by_one(drawn):
    """One end asks, the other answers: paired in the order of time as a plain loop over each flow's records pairs them."""
    lines = [
        record(OWN if a else PEER, 443 if a else 50_000, PEER if a else OWN, 50_000 if a else 443, start=s) for a, *_, s in drawn
    ]
    (records,) = read_flow_records(io.BytesIO("\n".join([HEADER, *lines]).encode() + b"\n"), source="test")
    left = sorted(range(len(drawn)), key=lambda row: (drawn[row][-1], row))
    expected: dict[int, int] = {}
    for _ in range(3):
        place = 0
        while place + 1 < len(left):
            one, other = left[place], left[place + 1]
            near = abs(drawn[one][-1] - drawn[other][-1]) * 1000 <= ADJACENT_MS
            if bool(drawn[one][0]) != bool(drawn[other][0]) and near:
                expected |= {one: other, other: one}
                place += 1
            place += 1
        left = [row for row in left if row not in expected]
    assert find_mates(records).tolist() == [expected.get(row, -1) for row in range(len(drawn))]


_ends = st.sampled_from(["10.0.0.1", "10.0.0.2", "198.51.100.1", "198.51.100.2"])


@given(st.lists(st.tuples(st.sampled_from(["eni-0a", "eni-0b"]), _ends, _ends), min_size=1, max_size=12))
@settings(deadline=None)
def test_an_interfaces_own_address_is_private_before_public_then_the_commonest_then_the_first_destination(drawn):
    lines = [record(source, 50_000 + n, there, 443, eni=eni) for n, (eni, source, there) in enumerate(drawn)]
    (read,) = read_flows(io.BytesIO("\n".join([HEADER, *lines]).encode()), source="test")
    own = {}
    for interface in {eni for eni, *_ in drawn}:
        pairs = [(source, there) for eni, source, there in drawn if eni == interface]
        ends = [there for _, there in pairs] + [source for source, _ in pairs]
        own[interface] = max(dict.fromkeys(ends), key=lambda end: (end.startswith("10."), ends.count(end), -ends.index(end)))
    expected = []
    for eni, source, there in drawn:
        inside = source.startswith("10.") and not there.startswith("10.")
        expected.append(source == own[eni] or (there != own[eni] and inside))
    assert read.batch.local_source.tolist() == expected
