"""The flow-log parser: every line is a record, NODATA, SKIPDATA or Rejected, whatever the bytes."""

import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_model import addresses
from shared_model.errors import UnreadableTelemetry
from shared_model.flow_records import FlowRecords
from shared_model.parsers import flow_layout, line_chunks
from shared_model.parsers.vpc_flow_logs import read_flow_records, read_flows
from training.data_root import data_root

EVENTS = Path(__file__).parent.parent / "events" / "vpc_flow_logs"
LINE = "2 123456789012 eni-0a 198.51.100.7 10.0.1.5 40112 22 6 3 180 1700000000 1700000020 ACCEPT OK"


def read(data: bytes, source: str = "test"):
    return list(read_flow_records(io.BytesIO(data), source=source))


def one(data: str | bytes):
    chunks = read(data.encode() if isinstance(data, str) else data)
    return FlowRecords.joined(chunks, chunks[-1].interfaces)


def changed(**fields: str) -> str:
    names = list(flow_layout.DEFAULT_LAYOUT)
    values = LINE.split()
    for name, value in fields.items():
        values[names.index(name.replace("_", "-"))] = value
    return " ".join(values)


def texts(words) -> list[str]:
    return [addresses.to_text(int(high), int(low)) for high, low in words]


def test_the_default_layout_is_read_without_a_header():
    records = one((EVENTS / "version_2.log").read_bytes())
    assert len(records) == 6
    assert (records.nodata, records.skipdata, records.rejected) == (1, 1, ())
    assert texts(records.source)[:4] == ["198.51.100.7", "10.0.1.5", "203.0.113.9", "2001:db8::7"]
    assert records.destination_port.tolist() == [22, 443, 49152, 443, 55110, 53]
    assert records.protocol.tolist() == [6, 6, 6, 6, 6, 17]
    assert records.packets.tolist() == [3, 12, 15, 4, 4, 1]
    assert records.bytes.tolist() == [180, 1840, 9300, 420, 900, 70]
    assert records.start_ms[0] == 1_700_000_000_000
    assert records.end_ms[0] == 1_700_000_020_000
    assert records.refused.tolist() == [True, *[False] * 5]
    assert records.record.tolist() == [1, 2, 3, 4, 5, 8]


def test_a_header_names_the_fields_in_any_order_and_unknown_ones_are_passed_over():
    records = one((EVENTS / "version_5.log").read_bytes())
    assert records.flags.tolist() == [3, 19, 2]
    assert records.direction.tolist() == [2, 1, 1]
    assert records.interfaces[0].instance_id == "i-0bb0"
    assert records.interfaces[0].vpc_id == "vpc-0aa0"
    names = list(reversed(flow_layout.DEFAULT_LAYOUT))
    reverse = " ".join([*names, "field-of-tomorrow"]) + "\n" + " ".join([*reversed(LINE.split()), "x"])
    again = one(reverse)
    assert texts(again.source) == ["198.51.100.7"]
    assert again.destination_port.tolist() == [22]


def test_a_header_may_recur_with_another_layout():
    short = "start end srcaddr dstaddr protocol\n1700000000 1700000001 192.0.2.1 192.0.2.2 1\n"
    records = one(f"{LINE}\n{short}{' '.join(flow_layout.DEFAULT_LAYOUT)}\n{LINE}\n")
    assert records.record.tolist() == [1, 3, 5]
    assert records.packets.tolist() == [3, -1, 3]  # -1: the layout has no packets
    assert records.rejected == ()


def test_milliseconds_and_windows_line_ends_and_a_last_line_without_end():
    records = one(f"{changed(start='1700000000123', end='1700000000456')}\r\n\r\n{LINE}\r\n{LINE}")
    assert records.start_ms.tolist() == [1_700_000_000_123, 1_700_000_000_000, 1_700_000_000_000]
    assert records.record.tolist() == [1, 3, 4]


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("srcaddr", "10.0.0.256", "not an IPv4 or IPv6 address"),
        ("srcaddr", "010.0.0.1", "not an IPv4 or IPv6 address"),
        ("srcaddr", "10.0.0", "not an IPv4 or IPv6 address"),
        ("dstaddr", "fe80::1%eth0", "not an IPv4 or IPv6 address"),
        ("dstaddr", "-", "the address is absent (-)"),
        ("srcport", "65536", "larger than 65535"),
        ("dstport", "-1", "not a whole number of at most 16 digits"),
        ("protocol", "-", "the value is absent (-)"),
        ("packets", "1e3", "not a whole number of at most 16 digits"),
        ("bytes", "99999999999999999", "not a whole number of at most 16 digits"),
        ("end", "1600000000", "lies before start"),
        ("action", "MAYBE", "neither ACCEPT nor REJECT"),
        ("log-status", "FINE", "neither OK, NODATA nor SKIPDATA"),
    ],
)
def test_a_wrong_field_rejects_its_line_only(field, value, reason):
    wrong = changed(**{field: value})
    records = one(f"{LINE}\n{wrong}\n{LINE}\n")
    assert records.record.tolist() == [1, 3]
    (rejected,) = records.rejected
    assert (rejected.source, rejected.record, rejected.field, rejected.reason) == ("test", 2, field, reason)
    assert rejected.raw == wrong


def test_absent_counts_are_kept_apart_from_zero():
    records = one(changed(packets="-", bytes="0"))
    assert (records.packets[0], records.bytes[0]) == (-1, 0)


def test_a_layout_without_what_a_flow_needs_rejects_its_lines_with_the_remedy():
    records = one("srcaddr dstaddr protocol\n192.0.2.1 192.0.2.2 6\n")
    (rejected,) = records.rejected
    assert (rejected.record, rejected.field) == (2, "start")
    assert "add it to the flow log's format" in rejected.reason


def test_gzip_members_after_one_another_are_one_object():
    data = gzip.compress(f"{LINE}\n".encode()) + gzip.compress(f"{LINE}\n".encode()) + bytes(8)
    assert sum(map(len, read(data))) == 2


def test_truncated_gzip_gives_what_was_readable_and_names_the_damage():
    lines = "".join(f"{changed(packets=str(n), srcport=str(n % 60000))}\n" for n in range(1, 60_000)).encode()
    whole = gzip.compress(lines)
    chunks = read(whole[: len(whole) // 2])
    found = [rejected for chunk in chunks for rejected in chunk.rejected]
    good = sum(map(len, chunks))
    assert 20_000 < good < 60_000
    assert len(found) == 1
    assert found[0].record == good + 1
    assert "ends before its end mark" in found[0].reason


def test_a_later_header_is_one_even_behind_spaces():
    records = one(f"{LINE}\n  srcaddr dstaddr start protocol\n192.0.2.1 192.0.2.2 1700000000 6\n")
    assert len(records) == 2
    assert not records.rejected


def test_gzip_of_which_nothing_can_be_read_is_an_error():
    with pytest.raises(UnreadableTelemetry, match="bucket/key"):
        read(gzip.compress(LINE.encode())[:12], source="bucket/key")


def test_parquet_is_refused_with_the_remedy():
    with pytest.raises(UnreadableTelemetry, match="plain text"):
        read(b"PAR1" + bytes(100))


def test_a_line_without_end_takes_bounded_memory_and_one_rejection(monkeypatch):
    monkeypatch.setattr(line_chunks, "CHUNK", 1 << 12)
    chunks = read(LINE.encode() + b"\n" + b"x" * 300_000 + b"\n" + LINE.encode() + b"\n")
    assert [int(number) for chunk in chunks for number in chunk.record] == [1, 3]
    (rejected,) = [item for chunk in chunks for item in chunk.rejected]
    assert rejected.record == 2
    assert len(rejected.raw) == 512


_tokens = st.sampled_from(
    [
        LINE,
        LINE[:40],
        changed(srcaddr="2001:db8::1"),
        changed(log_status="NODATA"),
        changed(log_status="SKIPDATA"),
        "version srcaddr dstaddr start protocol",
        "1 192.0.2.1 192.0.2.2 1700000000 6",
        "srcaddr",
        "2 x",
        "-",
        " ",
        "\r",
    ]
)


@given(st.lists(st.one_of(_tokens.map(str.encode), st.binary(max_size=60)), max_size=30), st.integers(16, 200))
@settings(max_examples=150, deadline=None)
def test_any_bytes_every_line_is_counted_once(parts, chunk):
    data = b"\n".join(parts)
    if data[:4] == b"PAR1" or data[:2] == b"\x1f\x8b":
        return
    original = line_chunks.CHUNK
    line_chunks.CHUNK = chunk
    try:
        small = read(data)
    finally:
        line_chunks.CHUNK = original
    large = read(data)

    def counts(chunks):
        return [
            sum(map(len, chunks)),
            sum(part.nodata for part in chunks),
            sum(part.skipdata for part in chunks),
            [(item.record, item.field, item.reason) for part in chunks for item in part.rejected],
        ]

    assert counts(small) == counts(large)  # where the pieces are cut changes nothing
    good, nodata, skipdata, rejected = counts(large)
    lines = [line for line in data.replace(b"\r\n", b"\n").removesuffix(b"\r").split(b"\n") if line]
    headers = sum(_is_header(line, first=number == 0) for number, line in enumerate(data.split(b"\n")))
    assert good + nodata + skipdata + len(rejected) == len(lines) - headers


def _is_header(line: bytes, *, first: bool) -> bool:
    tokens = line.split()
    return (
        bool(tokens)
        and (first or b"addr" in line)
        and all(flow_layout.FIELD_NAME.fullmatch(token) for token in tokens)
        and not flow_layout.KNOWN_FIELDS.isdisjoint(token.decode() for token in tokens)
    )


def test_flows_of_an_object_do_not_depend_on_the_block():
    data = (EVENTS / "version_5.log").read_bytes()
    (whole,) = read_flows(io.BytesIO(data), source="test")
    parts = list(read_flows(io.BytesIO(data), source="test", block=1))
    assert sum(len(part.batch) for part in parts) == len(whole.batch) == 2
    assert sum(part.records for part in parts) == whole.records == 3


@pytest.mark.skipif(data_root() is None, reason="no recorded data: set BREAKWATER_DATA")
def test_recorded_lines_of_versions_3_and_4():
    path = data_root() / "vpc_flow_lines" / "lines.txt"
    chunks = read(path.read_bytes())
    records = chunks[0]
    assert len(records) == 4
    assert records.interfaces[0].instance_id == "i-06f9249b" or records.interfaces[0].interface_id == ""
    assert np.all(records.protocol == 6)


def test_interfaces_are_told_apart_however_many_and_however_long():
    names = [f"eni-{number:017x}" for number in range(3000)] + [f"{'x' * 40}{number}" for number in range(20)]
    records = one("\n".join(changed(interface_id=name) for name in [*names, *reversed(names)]))
    found = [records.interfaces[index].interface_id for index in records.interface.tolist()]
    assert found == [*names, *reversed(names)]
    assert len(records.interfaces) == len(names)
