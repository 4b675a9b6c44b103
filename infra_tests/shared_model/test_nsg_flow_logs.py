"""NSG flow logs: both versions, in one blob or apart."""

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_model import addresses
from shared_model.parsers.nsg_flow_logs import read_flows
from training.data_root import data_root

GROUP = (
    "/SUBSCRIPTIONS/00000000-0000-0000-0000-00000000000A/RESOURCEGROUPS/NET/PROVIDERS/MICROSOFT.NETWORK/NETWORKSECURITYGROUPS/WEB"
)
ALLOWED_1 = "1700000000,198.51.100.7,10.0.1.5,49152,443,T,I,A"
DENIED_1 = "1700000001,203.0.113.9,10.0.1.5,51000,22,T,I,D"
BEGAN = f"{ALLOWED_1},B,,,,"
GOES_ON = "1700000030,198.51.100.7,10.0.1.5,49152,443,T,I,A,C,3,300,4,4000"
ENDED = "1700000040,198.51.100.7,10.0.1.5,49152,443,T,I,A,E,1,60,0,0"
DENIED = f"{DENIED_1},B,,,,"
DNS = "1700000002,10.0.1.5,2001:db8::53,5353,53,U,O,A,E,1,70,1,200"


def record(*tuples, mac="000D3A00000A", **changes):
    return {
        "time": "2023-11-14T22:13:20.0000000Z",
        "systemId": "0",
        "category": "NetworkSecurityGroupFlowEvent",
        "resourceId": GROUP,
        "properties": {
            "Version": 2,
            "flows": [{"rule": "UserRule_web", "flows": [{"mac": mac, "flowTuples": list(tuples)}]}],
        },
    } | changes


def read(*records):
    data = json.dumps({"records": records}, separators=(",", ":")).encode()
    (found,) = read_flows(io.BytesIO(data), source="test")
    return found


def test_version_2_joins_begin_and_counts_in_seconds():
    found = read(record(BEGAN, GOES_ON, ENDED, DENIED, DNS))
    batch = found.batch
    assert (found.records, found.rejected, len(batch)) == (5, (), 3)
    assert (batch.start_ms[0], batch.end_ms[0]) == (1_700_000_000_000, 1_700_000_040_000)
    assert (batch.packets_out[0], batch.bytes_out[0], batch.packets_in[0], batch.bytes_in[0]) == (4, 360, 4, 4000)
    assert batch.two_way.tolist() == [True, False, True]
    assert batch.rejected.tolist() == [False, True, False]
    assert batch.local_source.tolist() == [False, False, True]
    assert batch.protocol.tolist() == [6, 6, 17]
    assert addresses.to_text(*map(int, batch.destination[2])) == "2001:db8::53"


def test_version_1_knows_neither_counts_nor_answers():
    batch = read(record(ALLOWED_1, DENIED_1, ALLOWED_1)).batch
    assert batch.packets_out.tolist() == [-1, -1, -1]  # each stays alone
    assert batch.packets_in.tolist() == [-1, 0, -1]
    assert batch.rejected.tolist() == [False, True, False]
    assert not batch.two_way.any()


def test_both_versions_in_one_blob():
    found = read(record(ALLOWED_1, "x", GOES_ON))
    assert sorted(found.batch.record.tolist()) == [1, 3]
    assert found.rejected[0].reason == "1 fields, where a tuple has 13 or 8"


def test_the_interface_is_the_mac_within_the_security_group():
    first, second = read(record(ENDED), record(DENIED, mac=None, macAddress="000D3A00000B")).batch.interfaces
    assert (first.interface_id, first.account) == ("000d3a00000a", GROUP.split("/")[2].lower())
    assert first.vpc_id == GROUP.lower()
    assert second.interface_id == "000d3a00000b"


@pytest.mark.parametrize(
    ("wrong", "field", "reason"),
    [
        (ALLOWED_1.replace(",T,", ",X,"), "protocol", "none of T, U"),
        (GOES_ON.replace(",A,C", ",Q,C"), "decision", "none of A, D"),
        (GOES_ON.replace(",C,", ",D,"), "state", "none of B, C, E"),
        (GOES_ON.replace(",3,300", ",,300"), "packets-sent", "not a whole number of at most 16 digits"),
        (BEGAN.replace("B,,,,", "B,x,,,"), "packets-sent", "not a whole number of at most 16 digits"),
        (ALLOWED_1.replace("10.0.1.5", "10.0.1"), "destination", "not an IPv4 or IPv6 address"),
    ],
)
def test_a_wrong_field_rejects_its_tuple_only(wrong, field, reason):
    found = read(record(DENIED, wrong, DENIED_1))
    assert [(item.record, item.field, item.reason) for item in found.rejected] == [(2, field, reason)]
    assert found.batch.record.tolist() == [1, 3]


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (record(properties={}), "properties.flows"),
        (record(properties={"flows": [{"flows": 1}]}), "flows"),
        (record(properties={"flows": [{"flows": [{"mac": "0A"}]}]}), "flowTuples"),
        (record(properties={"flows": [{"flows": [{"flowTuples": [ENDED]}]}]}), "macAddress"),
    ],
)
def test_a_bad_record_or_block_counts_as_one(bad, field):
    found = read(record(ENDED), bad, record(DENIED))
    assert [(item.record, item.field) for item in found.rejected] == [(2, field)]
    assert found.batch.record.tolist() == [1, 3]


_tuples = st.one_of(
    st.sampled_from([ALLOWED_1, DENIED_1, BEGAN, GOES_ON, ENDED, DENIED, DNS, "", None, 4]), st.text(st.sampled_from("0T,ABD:."))
)


@given(st.lists(st.lists(_tuples, max_size=6), max_size=4))
@settings(max_examples=200, deadline=None)
def test_good_and_rejected_are_all(groups):
    data = json.dumps({"records": [record(*each) for each in groups]}).encode()
    reads = list(read_flows(io.BytesIO(data), source="test"))
    assert sum(part.records + len(part.rejected) for part in reads) == sum(map(len, groups))


@pytest.mark.skipif(data_root() is None, reason="no recorded data: set BREAKWATER_DATA")
def test_a_recorded_blob():
    data = (data_root() / "azure_flow_logs" / "blob_fixtures.json").read_bytes()
    (found,) = read_flows(io.BytesIO(data), source="test")
    written = [
        text.split(",")
        for each in json.loads(data)["records"]
        for rule in each["properties"]["flows"]
        for group in rule["flows"]
        for text in group["flowTuples"]
    ]
    assert (found.records, found.rejected) == (len(written), ())
    assert int(found.batch.rejected.sum()) == sum(fields[7] == "D" for fields in written)
    counts = found.batch.bytes_out
    assert int(counts[counts > 0].sum()) == sum(int(fields[10] or 0) for fields in written if fields[7] == "A")
