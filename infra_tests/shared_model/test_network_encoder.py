"""Features of flows: what they mean, what stands where a value is missing, and that addresses leave no trace."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_model import addresses
from shared_model.encoders import network
from shared_model.encoders.interpolation import interpolated
from shared_model.encoders.network import FEATURES, encode, expand
from shared_model.events import FlowBatch, Interface
from shared_model.parsers.vpc_flow_logs import read_flows
from shared_model.windows import merge

EVENTS = Path(__file__).parent.parent / "events" / "vpc_flow_logs"
DOCUMENT = Path(__file__).parents[2] / "docs" / "features-network.md"


ONE_INTERFACE = (Interface("eni-0a", "123456789012"),)


def flows(*changes: dict, interfaces=ONE_INTERFACE) -> FlowBatch:
    base = {
        "start_ms": 0,
        "end_ms": 1000,
        "source": "10.0.0.1",
        "destination": "203.0.113.9",
        "source_port": 50000,
        "destination_port": 443,
        "protocol": 6,
        "packets_out": 10,
        "packets_in": 10,
        "bytes_out": 1000,
        "bytes_in": 3000,
        "flags_out": 0,
        "flags_in": 0,
        "two_way": True,
        "rejected": False,
        "local_source": True,
        "interface": 0,
        "record": 1,
    }
    rows = [base | {"end_ms": change.get("start_ms", 0) + 1000} | change for change in changes]
    kinds = {
        "protocol": np.int16,
        "flags_out": np.uint8,
        "flags_in": np.uint8,
        "two_way": bool,
        "rejected": bool,
        "local_source": bool,
    }
    kinds |= dict.fromkeys(("source_port", "destination_port", "interface"), np.int32)
    columns = {}
    for name in base:
        values = [row[name] for row in rows]
        if name in ("source", "destination"):
            columns[name] = np.array([addresses.to_words(text) for text in values], np.uint64)
        else:
            columns[name] = np.array(values, kinds.get(name, np.int64))
    return FlowBatch(**columns, interfaces=interfaces)


def features(*changes: dict) -> list[dict[str, float]]:
    sequences = merge(encode(flows(*changes)), length=16)
    dense = expand(sequences.rows, sequences.times_ms, sequences.first)
    return [dict(zip(FEATURES, row, strict=True)) for row in dense.tolist()]


def test_quantities_are_logarithms_of_one_more():
    (row,) = features({})
    assert row["log_duration"] == pytest.approx(np.log(1001), rel=1e-5)
    assert row["log_packets_out"] == pytest.approx(np.log(11), rel=1e-5)
    assert row["log_bytes_per_packet_in"] == pytest.approx(np.log(3001 / 11), rel=1e-5)
    assert row["bytes_balance"] == pytest.approx((1001 - 3001) / (1001 + 3001), rel=1e-5)
    assert row["log_packet_rate"] == pytest.approx(np.log(1 + 22 / 2), rel=1e-5)
    assert row["present"] == 1


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, {"tcp", "port_well_known", "service_web", "two_way", "local_source", "peer_public"}),
        ({"protocol": 17, "destination_port": 53}, {"udp", "port_well_known", "service_naming_and_time"}),
        ({"protocol": 1, "destination_port": 0}, {"icmp"}),
        ({"protocol": 58, "destination_port": 0}, {"icmp"}),
        ({"protocol": 47, "destination_port": 0}, set()),
        ({"destination_port": 3306}, {"port_registered", "service_data_store"}),
        ({"destination_port": 3389}, {"service_remote_access"}),
        ({"destination_port": 445}, {"service_files_and_mail"}),
        ({"destination": "10.0.0.9"}, {"peer_private"}),
        ({"local_source": False, "source": "10.0.0.1"}, {"peer_private"}),
        ({"local_source": False, "source": "198.51.100.7", "destination": "10.0.0.1"}, {"peer_public"}),
        ({"flags_out": 2, "rejected": True}, {"rejected", "flags_known", "unanswered_syn"}),
        ({"flags_out": 3, "flags_in": 19}, {"flags_known"}),
        ({"flags_out": 2, "flags_in": 20}, {"flags_known", "reset", "unanswered_syn"}),
    ],
)
def test_kinds(change, expected):
    (row,) = features(change)
    kinds = {"tcp", "udp", "icmp", "port_well_known", "port_registered", "rejected", "peer_private", "peer_public"}
    kinds |= {"flags_known", "unanswered_syn", "reset", *network.SERVICE_GROUPS}
    found = {name for name in kinds if row[name]}
    assert expected <= {name for name, value in row.items() if value}
    assert found - expected <= {"tcp", "port_well_known", "port_registered", "service_web", "peer_public"}


def test_order_features_compare_with_the_entitys_flow_before():
    rows = features(
        {"start_ms": 0},
        {"start_ms": 10_000, "destination": "203.0.113.10"},
        {"start_ms": 20_000, "destination": "203.0.113.10", "destination_port": 22, "bytes_out": 0, "bytes_in": 0},
        {"start_ms": 5_000, "source": "10.0.0.2"},
    )
    by_time = rows[:3]
    assert [row["has_previous"] for row in rows] == [0, 1, 1, 0]
    assert by_time[1]["log_interarrival"] == pytest.approx(np.log(10_001), rel=1e-5)
    assert by_time[2]["interarrival_change"] == 0  # as regular as a beacon
    assert [row["same_destination"] for row in by_time] == [0, 0, 1]
    assert [row["same_destination_port"] for row in by_time] == [0, 1, 0]
    assert by_time[2]["bytes_change"] == pytest.approx(np.log(2) - np.log(4002), rel=1e-4)


def test_missing_quantities_are_interpolated_within_the_sequence():
    rows = features(
        {"start_ms": 0, "bytes_out": -1},
        {"start_ms": 1000, "bytes_out": 99},
        {"start_ms": 2000, "bytes_out": -1},
        {"start_ms": 5000, "bytes_out": 9999},
        {"start_ms": 6000, "bytes_out": -1},
        {"start_ms": 0, "bytes_out": -1, "source": "10.0.0.2"},
    )
    low, high = np.log(100), np.log(10_000)
    expected = [low, low, low + (high - low) / 4, high, high, 0]
    assert [row["log_bytes_out"] for row in rows] == pytest.approx(expected, rel=1e-4)


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 5), st.floats(0, 20, width=32)), min_size=1, max_size=40))
def test_interpolation_keeps_what_is_known_and_stays_within_it(drawn):
    first = np.array([begins for begins, *_ in drawn])
    first[0] = True
    values = np.array([np.nan if missing else value for _, missing, _, value in drawn], np.float32)
    times = np.cumsum([gap for *_, gap, _ in drawn]).astype(np.int64)
    filled = interpolated(values, times, first)
    known = ~np.isnan(values)
    assert (filled[known] == values[known]).all()
    for number in range(int(first.sum())):
        own = np.cumsum(first) - 1 == number
        limits = values[own & known]
        low, high = (limits.min(), limits.max()) if len(limits) else (0, 0)
        assert (filled[own] >= low - 1e-4).all()
        assert (filled[own] <= high + 1e-4).all()


def test_entities_are_initiators_within_an_account():
    interfaces = (Interface("eni-0a", "123456789012"), Interface("eni-0b", "210987654321"))
    batch = flows({}, {"interface": 1}, {"source": "2001:db8::1"}, {"source": "2001:db8::1"}, interfaces=interfaces)
    events = encode(batch)
    assert events.entities == 3
    assert len(set(events.entity.tolist())) == 3
    assert events.entity[2] == events.entity[3]
    assert network.entity_of(batch, 1).key == "210987654321/address/10.0.0.1"
    assert network.entity_of(batch, 2).id == "2001:db8::1"


def test_event_ids_are_the_same_in_any_batch_and_differ_between_flows():
    changes = [{}, {"start_ms": 5}, {"destination_port": 80}, {"source": "10.0.0.2"}, {"protocol": 17}, {"rejected": True}]
    ids = network.event_ids(flows(*changes))
    assert len(set(ids.tolist())) == len(changes)
    swapped = (Interface("eni-0b", "123456789012"), Interface("eni-0a", "123456789012"))
    alone = network.event_ids(flows({"interface": 1}, interfaces=swapped))
    assert alone[0] == ids[0]
    assert f"{int(ids[0]):016x}" == "3e7c5e647a36c269"  # a golden value: ids outlive processes and versions


def test_addresses_themselves_leave_no_trace():
    one = features({}, {"start_ms": 9})
    other = features(
        {"source": "10.9.9.9", "destination": "198.51.100.200"},
        {"start_ms": 9, "source": "10.9.9.9", "destination": "198.51.100.200"},
    )
    assert one == other


@given(st.integers(1, 25))
@settings(max_examples=25, deadline=None)
def test_features_do_not_depend_on_how_flows_are_batched(cut_at):
    from shared_model.recent_ids import hex_ids
    from shared_model.remembering import remember

    changes = [{"start_ms": 1000 * n * n, "destination_port": 20 + n % 3, "bytes_out": 100 * n} for n in range(26)]
    whole = merge(encode(flows(*changes)), length=16)
    dense = expand(whole.rows, whole.times_ms, whole.first)
    first = encode(flows(*changes[:cut_at]))
    states = remember(merge(first, length=16), first, length=16, id_texts=lambda chosen: hex_ids(first.ids[chosen]))
    rest = merge(encode(flows(*changes[cut_at:])), [states[0]], length=16)
    again = expand(rest.rows, rest.times_ms, rest.first)
    last = min(16, len(again))
    assert (again[-last:] == dense[-last:]).all()


def test_every_feature_is_documented_and_finite_on_recorded_lines():
    described = re.findall(r"^\| `(\w+)` \|", DOCUMENT.read_text(), re.MULTILINE)
    assert tuple(described) == FEATURES
    for name in ("version_2.log", "version_5.log"):
        (read,) = read_flows(io.BytesIO((EVENTS / name).read_bytes()), source=name)
        sequences = merge(encode(read.batch), length=16)
        assert np.isfinite(expand(sequences.rows, sequences.times_ms, sequences.first)).all()
