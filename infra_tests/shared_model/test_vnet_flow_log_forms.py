"""VNet flow logs however they are written, cut, damaged or grown: the same is read."""

import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra_tests.shared_model.test_vnet_flow_logs import _records, blob, read, texts
from shared_model.parsers import azure_flow_logs, azure_records
from shared_model.parsers.vnet_flow_logs import read_flows
from training.data_root import data_root


def summary(data: bytes):
    parts = list(read_flows(io.BytesIO(data), source="test"))
    good = sum(part.records for part in parts)
    rejected = [(item.record, item.field, item.reason) for part in parts for item in part.rejected]
    columns = ("start_ms", "end_ms", "source_port", "packets_out", "bytes_in", "two_way", "rejected", "interface", "record")
    flows = [[getattr(part.batch, name).tolist() for name in columns] for part in parts]
    return good, rejected, flows


@given(_records, st.sampled_from([{"indent": 1}, {"separators": (" , ", " : ")}, {"sort_keys": True}, {"ensure_ascii": False}]))
@settings(max_examples=300, deadline=None)
def test_however_the_json_is_written_the_same_is_read(records, layout):
    compact = blob(*records)
    expected = summary(compact)
    assert summary(blob(*records, **layout)) == expected
    good, rejected, _ = expected
    tuples = sum(
        len(each["flowRecords"]["flows"][0]["flowGroups"][0]["flowTuples"]) for each in records if isinstance(each, dict)
    )
    assert good + len(rejected) == tuples + sum(not isinstance(each, dict) for each in records)
    assert [number for number, _, _ in rejected] == sorted({number for number, _, _ in rejected})


@given(_records, st.integers(20, 400), st.integers(20, 300))
@settings(max_examples=150, deadline=None)
def test_where_the_pieces_are_cut_changes_nothing(records, chunk, at_once):
    data = blob(*records)
    expected = summary(data)
    original = azure_records.CHUNK, azure_flow_logs._AT_ONCE
    azure_records.CHUNK, azure_flow_logs._AT_ONCE = chunk, at_once
    try:
        assert summary(data) == expected
    finally:
        azure_records.CHUNK, azure_flow_logs._AT_ONCE = original


@given(_records, st.data())
@settings(max_examples=150, deadline=None)
def test_a_growing_log_read_in_two_parts_is_the_log_read_at_once(records, data):
    whole = blob(*records)
    seen = whole[: data.draw(st.integers(0, len(whole)))]
    end = azure_records.complete_end(seen, at_end=False)
    good, rejected, _ = summary(whole)
    first, second = summary(whole[:end]), summary(whole[end:])
    assert first[0] + second[0] == good
    assert len(first[1]) + len(second[1]) == len(rejected)


@given(
    _records.map(lambda records: blob(*records)),
    st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 6), st.binary(max_size=6)), max_size=4),
)
@settings(max_examples=400, deadline=None)
def test_any_damage_every_number_is_given_once(data, edits):
    for place, length, text in edits:
        data = data[:place] + text + data[place + length :]
    check_numbers(data)


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_bytes(data):
    if data[:2] != b"\x1f\x8b":
        check_numbers(data)


def check_numbers(data: bytes):
    good, rejected, flows = summary(data)
    numbers = [number for number, _, _ in rejected]
    assert numbers == sorted(set(numbers))
    assert not numbers or (numbers[0] >= 1 and numbers[-1] <= good + len(rejected))
    led = {number for *_, records in flows for number in records}
    assert led.isdisjoint(numbers)
    assert all(1 <= number <= good + len(rejected) for number in led)


@pytest.mark.skipif(data_root() is None, reason="no recorded data: set BREAKWATER_DATA")
@pytest.mark.parametrize(
    ("name", "tuples"), [("blob_fixtures_vnetflowlogs.json", 166), ("blob_fixtures_networkinterfaceflowlogs.json", 61)]
)
def test_recorded_blobs(name, tuples):
    data = (data_root() / "azure_flow_logs" / name).read_bytes()
    found = read(data)
    assert (found.records, found.rejected) == (tuples, ())
    written = [
        text.split(",")
        for each in json.loads(data)["records"]
        for flow in each["flowRecords"]["flows"]
        for group in flow["flowGroups"]
        for text in group["flowTuples"]
    ]
    assert len(written) == tuples
    batch = found.batch
    assert int(batch.rejected.sum()) == sum(fields[7] == "D" for fields in written)
    for column, place in (("packets_out", 9), ("bytes_out", 10), ("packets_in", 11), ("bytes_in", 12)):
        counts = getattr(batch, column)
        assert int(counts[counts > 0].sum()) == sum(int(fields[place]) for fields in written if fields[7] in "CE")
    assert np.all(batch.local_source == np.isin(texts(batch.source), ["10.1.0.4"]))
