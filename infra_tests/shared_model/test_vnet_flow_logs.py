"""VNet flow logs: every tuple is part of a flow or rejected, whatever the bytes and however the JSON is written."""

import gzip
import io
import json

import pytest
from hypothesis import strategies as st

from shared_model import addresses
from shared_model.errors import UnreadableTelemetry
from shared_model.parsers import azure_records
from shared_model.parsers.vnet_flow_logs import read_flows

SUBSCRIPTION = "00000000-0000-0000-0000-00000000000A"
NETWORK = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Net/providers/Microsoft.Network/virtualNetworks/Web"
LOG = f"/SUBSCRIPTIONS/{SUBSCRIPTION}/RESOURCEGROUPS/NET/PROVIDERS/MICROSOFT.NETWORK/NETWORKWATCHERS/NW/FLOWLOGS/WEB"
BEGAN = "1700000000000,10.0.1.5,198.51.100.7,49152,443,6,O,B,NX,0,0,0,0"
GOES_ON = "1700000030000,10.0.1.5,198.51.100.7,49152,443,6,O,C,NX,3,300,4,4000"
ENDED = "1700000040000,10.0.1.5,198.51.100.7,49152,443,6,O,E,NX,1,60,1,80"
DENIED = "1700000001000,203.0.113.9,10.0.1.5,51000,22,6,I,D,NX,0,0,0,0"
SIX = "1700000002000,2001:db8::7,2001:db8:1::5,51000,443,17,I,E,X,2,200,3,900"
FIELDS = ("time", "source", "destination", "source-port", "destination-port", "protocol", "direction", "state", "encryption")
COUNTS = ("packets-sent", "bytes-sent", "packets-received", "bytes-received")


def record(*tuples, mac="000D3A00000A", **changes):
    groups = [{"rule": "DefaultRule_AllowInternetOutBound", "flowTuples": list(tuples)}]
    whole = {
        "time": "2023-11-14T22:13:20.0000000Z",
        "macAddress": mac,
        "category": "FlowLogFlowEvent",
        "flowLogResourceID": LOG,
        "targetResourceID": NETWORK,
        "flowLogVersion": 4,
        "flowRecords": {"flows": [{"aclID": "x", "flowGroups": groups}]},
    }
    return {name: value for name, value in (whole | changes).items() if value is not None}


def blob(*records, **layout) -> bytes:
    return json.dumps({"records": list(records)}, **({"separators": (",", ":")} | layout)).encode()


def read(data: bytes):
    (found,) = read_flows(io.BytesIO(data), source="test")
    return found


def flows_of(*tuples):
    found = read(blob(record(*tuples)))
    assert found.rejected == ()
    return found.batch


def changed(text: str = GOES_ON, **fields: str) -> str:
    values = text.split(",")
    for name, value in fields.items():
        values[(*FIELDS, *COUNTS).index(name.replace("_", "-"))] = value
    return ",".join(values)


def texts(words) -> list[str]:
    return [addresses.to_text(int(high), int(low)) for high, low in words]


def test_a_connection_from_begin_to_end_is_one_two_way_flow():
    batch = flows_of(BEGAN, GOES_ON, ENDED)
    assert len(batch) == 1
    assert (batch.start_ms[0], batch.end_ms[0]) == (1_700_000_000_000, 1_700_000_040_000)
    assert (texts(batch.source), texts(batch.destination)) == (["10.0.1.5"], ["198.51.100.7"])
    assert (batch.source_port[0], batch.destination_port[0], batch.protocol[0]) == (49152, 443, 6)
    assert (batch.packets_out[0], batch.bytes_out[0], batch.packets_in[0], batch.bytes_in[0]) == (4, 360, 5, 4080)
    assert (batch.two_way[0], batch.rejected[0], batch.local_source[0]) == (True, False, True)
    assert (batch.flags_out[0], batch.flags_in[0]) == (0, 0)


def test_the_order_within_the_log_does_not_matter():
    assert len(flows_of(ENDED, BEGAN, GOES_ON)) == 1
    other = changed(BEGAN, source="10.0.1.6")
    batch = read(blob(record(ENDED), record(other, GOES_ON), record(BEGAN))).batch
    assert sorted(batch.packets_out.tolist()) == [-1, 4]


def test_a_begin_alone_tells_no_counts():
    batch = flows_of(BEGAN)
    assert (batch.packets_out[0], batch.packets_in[0], batch.bytes_out[0], batch.bytes_in[0]) == (-1, -1, -1, -1)
    assert not batch.two_way[0]


def test_what_was_denied_stays_alone_and_nothing_came_back():
    batch = flows_of(DENIED, DENIED)
    assert batch.rejected.tolist() == [True, True]
    assert (batch.packets_out[0], batch.packets_in[0], batch.bytes_in[0]) == (-1, 0, 0)
    assert not batch.local_source.any()


@pytest.mark.parametrize(
    ("second", "flows"),
    [
        (changed(GOES_ON, time="1700000120000"), 1),
        (changed(GOES_ON, time="1700000120001"), 2),  # too long a pause
        (changed(GOES_ON, source_port="49153"), 2),
        (changed(GOES_ON, destination_port="444"), 2),
        (changed(GOES_ON, protocol="17"), 2),
        (changed(GOES_ON, destination="198.51.100.8"), 2),
        (changed(GOES_ON, direction="I"), 2),
        (changed(BEGAN, time="1700000000001"), 2),  # another connection begins
    ],
)
def test_which_tuples_are_one_flow(second, flows):
    assert len(flows_of(BEGAN, second)) == flows


def test_behind_an_end_begins_another_flow_even_at_the_same_time():
    ended, again = changed(ENDED, time="1700000000000"), BEGAN
    batch = flows_of(ended, again, GOES_ON)
    assert batch.packets_in.tolist() == [1, 4]


def test_another_interface_is_another_flow():
    batch = read(blob(record(BEGAN), record(GOES_ON, mac="000D3A00000B"))).batch
    assert [batch.interfaces[index].interface_id for index in batch.interface] == ["000d3a00000a", "000d3a00000b"]


def test_only_one_direction_seen_is_no_two_way_flow():
    batch = flows_of(changed(packets_received="0", bytes_received="0"))
    assert not batch.two_way[0]
    assert batch.packets_in[0] == 0


def test_ipv6_and_icmp():
    batch = flows_of(SIX, changed(protocol="1", source_port="8", destination_port="3"))
    assert texts(batch.source) == ["2001:db8::7", "10.0.1.5"]
    assert batch.two_way.tolist() == [True, True]
    assert (batch.source_port.tolist(), batch.destination_port.tolist()) == ([51000, 0], [443, 0])


def test_the_interface_is_the_mac_with_network_and_subscription_in_lower_case():
    (interface,) = flows_of(ENDED).interfaces
    assert (interface.interface_id, interface.instance_id) == ("000d3a00000a", "")
    assert (interface.account, interface.vpc_id) == (SUBSCRIPTION.lower(), NETWORK.lower())


def test_without_a_target_the_subscription_is_the_logs():
    (interface,) = read(blob(record(ENDED, targetResourceID=None))).batch.interfaces
    assert (interface.account, interface.vpc_id) == (SUBSCRIPTION.lower(), "")


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("time", "yesterday", "not a whole number of at most 16 digits"),
        ("time", "", "not a whole number of at most 16 digits"),
        ("time", "999999999999999", "larger than 100000000000000"),
        ("source", "10.0.0.256", "not an IPv4 or IPv6 address"),
        ("destination", "", "not an IPv4 or IPv6 address"),
        ("source-port", "65536", "larger than 65535"),
        ("destination-port", "-1", "not a whole number of at most 16 digits"),
        ("protocol", "256", "larger than 255"),
        ("direction", "X", "none of I, O"),
        ("direction", "IO", "none of I, O"),
        ("state", "A", "none of B, C, E, D"),
        ("state", "", "none of B, C, E, D"),
        ("encryption", "", "neither X, NX nor NX with a reason"),
        ("encryption", "NXX", "neither X, NX nor NX with a reason"),
        ("packets-sent", "", "not a whole number of at most 16 digits"),
        ("bytes-received", "1e3", "not a whole number of at most 16 digits"),
    ],
)
def test_a_wrong_field_rejects_its_tuple_only(field, value, reason):
    wrong = changed(**{field: value})
    found = read(blob(record(ENDED, wrong, DENIED)))
    (rejected,) = found.rejected
    assert (rejected.source, rejected.record, rejected.field, rejected.reason) == ("test", 2, field, reason)
    assert rejected.raw == wrong
    assert (found.records, found.batch.record.tolist()) == (2, [1, 3])


@pytest.mark.parametrize("encryption", ["X", "NX", "NX_HW_NOT_SUPPORTED", "NX_LOCAL_DST"])
def test_every_kind_of_encryption_is_read_and_no_part_of_a_flow(encryption):
    one, other = flows_of(changed(encryption=encryption)), flows_of(GOES_ON)
    assert one.packets_in.tolist() == other.packets_in.tolist()


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("1,2,3", "3 fields, where a tuple has 13"),
        ("", "1 fields, where a tuple has 13"),
        (f"{GOES_ON},1", "14 fields, where a tuple has 13"),
        (GOES_ON.replace(",", " "), "has a character that no tuple has"),
        (17, "1 fields, where a tuple has 13"),
        (None, "1 fields, where a tuple has 13"),
        ({"a": 'b"c'}, "has a character that no tuple has"),
        (f"{GOES_ON}\n{GOES_ON}", "has a character that no tuple has"),
        (f'{GOES_ON}","{GOES_ON}', "has a character that no tuple has"),
    ],
)
def test_what_is_no_tuple_is_rejected(wrong, reason):
    found = read(blob(record(BEGAN, wrong, DENIED)))
    assert [(item.record, item.reason) for item in found.rejected] == [(2, reason)]
    assert found.batch.record.tolist() == [1, 3]


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (17, ""),
        (record(ENDED, macAddress=None), "macAddress"),
        (record(ENDED, targetResourceID=5), "targetResourceID"),
        (record(flowRecords={}), "flowRecords.flows"),
        (record(flowRecords={"flows": [{"flowGroups": "x"}]}), "flowGroups"),
        (record(flowRecords={"flows": [{"flowGroups": [{"flowTuples": {}}]}]}), "flowTuples"),
        (record(flowRecords={"flows": [{"flowGroups": [3]}]}), "flowTuples"),
    ],
)
def test_a_bad_record_or_block_counts_as_one_and_costs_no_other(bad, field):
    found = read(blob(record(ENDED), bad, record(DENIED)))
    assert [(item.record, item.field) for item in found.rejected] == [(2, field)]
    assert found.batch.record.tolist() == [1, 3]


def test_the_good_blocks_of_a_record_are_read_beside_a_bad_one():
    flows = [{"flowGroups": 1}, {"flowGroups": [{"flowTuples": [ENDED]}]}]
    found = read(blob(record(flowRecords={"flows": flows})))
    assert (len(found.rejected), found.records) == (1, 1)


@pytest.mark.parametrize("lost", [b'"', b"}", b"]", b":", b'"flowTuples":["', b',"flowRecords"'])
def test_a_record_that_is_no_json_costs_its_own_only(lost):
    first, *others = (blob(record(changed(source_port=str(port)))) for port in range(1, 6))
    records = [each[len(b'{"records":[') : -2] for each in (first, *others)]
    records[2] = b"".join(records[2].rpartition(lost)[::2])
    found = read(b'{"records":[' + b",".join(records) + b"]}")
    assert found.batch.source_port.tolist() == [1, 2, 4, 5]
    assert [item.record for item in found.rejected] == [3]


def test_empty_logs_yield_nothing():
    for data in (b"", b'{"records":[]}', b'{"records":[', b"]}", b" \n"):
        assert list(read_flows(io.BytesIO(data), source="test")) == []


def test_a_part_may_begin_and_end_between_records():
    one, other = (blob(each)[len('{"records":[') : -2] for each in (record(ENDED), record(DENIED)))
    for data in (
        one,
        b"," + one + b"," + other,
        b'{"records":[' + one + b"," + other,
        one + b"," + other + b"]}",
        one + b"\n" + other,
    ):
        assert read(data).rejected == ()


def test_the_records_may_stand_behind_something_else():
    found = read(json.dumps({"version": 1, "records": [record(ENDED), record(DENIED)]}).encode())
    assert found.batch.record.tolist() == [1, 2]


def test_gzip_is_read_and_damage_named():
    data = gzip.compress(blob(*(record(changed(source_port=str(port))) for port in range(20_000))))
    assert read(data).records == 20_000
    found = read(data[: len(data) // 2])
    assert 5_000 < found.records < 19_000
    assert "ends before its end mark" in found.rejected[-1].reason
    with pytest.raises(UnreadableTelemetry):
        read(data[:12])


def test_blocks_bound_what_is_joined(monkeypatch):
    monkeypatch.setattr(azure_records, "CHUNK", 700)
    data = blob(*(record(changed(ENDED, source_port=str(port))) for port in range(30)))
    reads = list(read_flows(io.BytesIO(data), source="test", block=5))
    assert len(reads) > 3
    assert [number for part in reads for number in part.batch.record.tolist()] == list(range(1, 31))


_good = st.sampled_from([BEGAN, GOES_ON, ENDED, DENIED, SIX, changed(encryption="NX_FALLBACK")])
_bad = st.one_of(
    st.sampled_from(
        ["", "x", "]", ",", '","', '"]', "\\", "é", "\n", BEGAN[:30], changed(source="::g"), 3, None, [], {"a": [1]}]
    ),
    st.text(max_size=20),
    st.tuples(st.sampled_from(FIELDS), st.text(st.sampled_from('0123456789.:,BCE]["{} \\'), max_size=8)).map(
        lambda pair: changed(**{pair[0]: pair[1]})
    ),
)
_records = st.lists(
    st.one_of(
        st.lists(st.one_of(_good, _bad), max_size=5).map(lambda each: record(*each)), st.sampled_from([3, "x", record(rule=[1])])
    ),
    max_size=5,
)
