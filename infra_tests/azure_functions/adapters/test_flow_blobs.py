"""Growing flow-log blobs, on Azurite: every record is given once in effect, whatever happens in between."""

import json
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from azure_functions.adapters import flow_blobs
from azure_functions.adapters.flow_blobs import FlowBlobs
from azure_functions.cloud_errors import CloudRefusal
from azure_functions.registry import PROGRESS
from shared_model.detector import Detector
from shared_model.errors import CloudUnavailable, UnreadableTelemetry
from shared_model.flow_detection import detect
from shared_model.memory import InProcessMemory
from shared_model.parsers.vnet_flow_logs import read_flows

CONTAINER = "insights-logs-flowlogflowevent"
BLOB = "flowLogResourceID=/0_NWRG/NW_X-FLOWLOG/y=2026/m=11/d=23/h=09/m=00/macAddress=000D3A000001/PT1H.json"
_END = "block-ending"  # block ids of a blob are all of one length


def record(number: int, tuples: int = 1) -> dict:
    return {"time": f"2026-11-23T09:{number:02}:00Z", "number": number, "flowTuples": [f"{number},{i}" for i in range(tuples)]}


class NetworkWatcher:
    """Writes a flow log as Network Watcher does: one block per record, and the container's end as a last one."""

    def __init__(self, storage) -> None:
        self.client = storage.flow_blobs.get_blob_client(CONTAINER, BLOB)
        self.blocks: list[str] = []
        self._put('{"records":[')

    def _put(self, text: str) -> None:
        from azure.storage.blob import BlobBlock

        for piece in (text, "]}"):
            self.client.stage_block(_END if piece == "]}" else f"block-{len(self.blocks):06}", piece.encode())
        self.blocks.append(f"block-{len(self.blocks):06}")
        self.client.commit_block_list([BlobBlock(each) for each in [*self.blocks, _END]])

    def append(self, *records: dict) -> None:
        for each in records:
            self._put(("," if len(self.blocks) > 1 else "") + json.dumps(each, separators=(",", ":")))


def reader(clients, **options) -> FlowBlobs:
    return FlowBlobs(clients, logger=logging.getLogger("breakwater.detect_flows"), **options)


@pytest.fixture
def watcher(storage):
    storage.create(tables=[PROGRESS], flow_containers=[CONTAINER])
    return NetworkWatcher(storage)


def numbers(part) -> list[int]:
    text = re.sub(r'^\s*\{\s*"records":\s*\[', "", part.data.decode()).strip(", \n")
    return [each["number"] for each in json.loads(f"[{text}]")]


def read_all(flow_blobs) -> list[int]:
    found = []
    for part in flow_blobs.new_parts(CONTAINER, BLOB):
        found += numbers(part)
        assert flow_blobs.commit(part)
    return found


def test_each_append_is_read_once(storage, watcher):
    blobs = reader(storage)
    assert read_all(blobs) == []
    watcher.append(record(1))
    assert read_all(blobs) == [1]
    assert read_all(blobs) == []
    watcher.append(record(2), record(3))
    assert read_all(reader(storage)) == [2, 3]  # the place is kept in the table, not in the process


def test_a_large_blob_comes_in_parts_of_whole_records(storage, watcher):
    watcher.append(*(record(number, tuples=20) for number in range(9)))
    parts = []
    blobs = reader(storage, part_bytes=700)
    for part in blobs.new_parts(CONTAINER, BLOB):
        parts.append(numbers(part))
        blobs.commit(part)
    assert [number for part in parts for number in part] == list(range(9))
    assert parts == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_a_record_that_is_longer_than_a_part_is_given_whole(storage, watcher):
    watcher.append(record(1, tuples=500), record(2))
    assert read_all(reader(storage, part_bytes=64)) == [1, 2]


def test_after_a_crash_the_same_bytes_come_again_as_the_same_delivery(storage, watcher):
    watcher.append(record(1))
    crashed = next(reader(storage).new_parts(CONTAINER, BLOB))  # and never committed
    watcher.append(record(2))
    blobs = reader(storage)
    again, *rest = [(part.delivery, numbers(part), blobs.commit(part)) for part in blobs.new_parts(CONTAINER, BLOB)]
    assert again == (crashed.delivery, [1], True)
    assert [numbers for _, numbers, _ in rest] == [[2]]


def test_of_two_instances_that_race_the_later_goes_on_with_what_is_left(storage, watcher):
    watcher.append(record(1), record(2))
    one, other = reader(storage), reader(storage)
    ours, theirs = one.new_parts(CONTAINER, BLOB), other.new_parts(CONTAINER, BLOB)
    mine, same = next(ours), next(theirs)
    assert mine.delivery == same.delivery  # by which its effect is known to be there already
    assert one.commit(mine)
    watcher.append(record(3))
    assert not other.commit(same)
    left = next(theirs)
    assert numbers(left) == [3]
    assert other.commit(left)
    assert next(ours, None) is None
    assert next(theirs, None) is None


def test_a_part_must_be_committed_before_the_next(storage, watcher):
    watcher.append(record(1))
    parts = reader(storage).new_parts(CONTAINER, BLOB)
    next(parts)
    with pytest.raises(RuntimeError, match="commit a part before the next"):
        next(parts)


@pytest.mark.parametrize(
    ("rewrite", "reason"),
    [
        (lambda watcher, data: watcher.client.upload_blob(data[: len(data) // 2] + b"]}", overwrite=True), "shorter"),
        (lambda watcher, data: watcher.client.upload_blob(data.replace(b"09:02", b"09:59") + b"  ", overwrite=True), "block"),
    ],
)
def test_a_blob_that_was_rewritten_is_read_from_its_beginning(storage, watcher, caplog, rewrite, reason):
    watcher.append(record(1), record(2), record(3))
    blobs = reader(storage)
    assert read_all(blobs) == [1, 2, 3]
    rewrite(watcher, watcher.client.download_blob().readall())
    with caplog.at_level(logging.WARNING):
        first = next(blobs.new_parts(CONTAINER, BLOB))
    assert first.start == 0
    assert any(reason in getattr(line, "reason", "") for line in caplog.records)


def test_a_blob_written_at_once_is_known_by_its_last_bytes(storage, watcher, caplog):
    def upload(*records):
        watcher.client.upload_blob(json.dumps({"records": records}, indent=1), overwrite=True)

    blobs = reader(storage)
    upload(record(1))
    assert read_all(blobs) == [1]
    upload(record(1), record(2))
    assert read_all(blobs) == [2]
    upload(record(1), record(4), record(5))
    assert read_all(blobs) == [1, 4, 5]
    assert [line.reason for line in caplog.records] == ["the last bytes that were read are not there any more"]


def test_damage_does_not_hide_what_comes_after_it(storage, watcher):
    watcher.append(record(1))
    watcher._put(',{"time":"2026-11-23T09:02:00Z","flows":[{"tuples":["1')
    watcher.append(record(3))
    blobs = reader(storage)
    (part,) = [part for part in blobs.new_parts(CONTAINER, BLOB) if blobs.commit(part)]
    assert b"09:03:00Z" in part.data
    watcher.append(record(4))
    assert read_all(blobs) == [4]


def test_a_record_that_is_not_complete_waits(storage, watcher, caplog):
    whole = json.dumps({"records": [record(1), record(2)]}).encode()
    watcher.client.upload_blob(whole[:-40], overwrite=True)
    blobs = reader(storage)
    assert read_all(blobs) == [1]
    assert "waits to be complete" in caplog.text
    watcher.client.upload_blob(whole, overwrite=True)
    assert read_all(blobs) == [2]


def test_a_blob_that_is_gone_can_never_be_read(storage, watcher):
    watcher.client.delete_blob()
    with pytest.raises(UnreadableTelemetry, match="gone"):
        next(reader(storage).new_parts(CONTAINER, BLOB))


class Interfering:
    """The storage clients; something happens when a blob's client is about to answer a call."""

    def __init__(self, storage, call: str, happens) -> None:
        self.storage, self.call, self.happens = storage, call, happens

    def __call__(self, service: str, group: str):
        return self if service == "flow_blobs" else self.storage(service, group)

    def get_blob_client(self, container: str, blob: str):
        client = self.storage.flow_blobs.get_blob_client(container, blob)
        original = getattr(client, self.call)

        def interfered(*arguments, **named):
            self.happens()
            return original(*arguments, **named)

        setattr(client, self.call, interfered)
        return client


def test_a_blob_that_grows_while_it_is_read_is_looked_at_again(storage, watcher):
    watcher.append(record(1))
    later = iter([record(2), record(3)])
    growing = Interfering(storage, "download_blob", lambda: watcher.append(*[each for each in [next(later, None)] if each]))
    assert read_all(reader(growing)) == [1, 2, 3]


def test_a_blob_that_never_stands_still_is_left_to_a_later_delivery(storage, watcher):
    watcher.append(record(1))
    restless = Interfering(storage, "download_blob", lambda: watcher.append(record(1)))
    with pytest.raises(CloudUnavailable, match="deliver the notification again"):
        next(reader(restless).new_parts(CONTAINER, BLOB))
    assert set(read_all(reader(storage))) == {1}


def test_what_stands_between_the_claims_of_two_instances_is_given_to_both_alike(storage, watcher):
    watcher.append(record(1))
    stolen = []

    def steal():
        if not stolen:
            stolen.append(next(reader(storage).new_parts(CONTAINER, BLOB)))
            watcher.append(record(2))

    part = next(reader(Interfering(storage, "get_blob_properties", steal)).new_parts(CONTAINER, BLOB))
    assert part.delivery == stolen[0].delivery


def test_many_instances_at_once_lose_nothing_and_double_nothing(storage, watcher):
    watcher.append(*(record(number) for number in range(12)))
    deliveries: dict[str, list[int]] = {}

    def instance(_: int) -> None:
        blobs = reader(storage, part_bytes=150)
        for part in blobs.new_parts(CONTAINER, BLOB):
            assert deliveries.setdefault(part.delivery, numbers(part)) == numbers(part)
            blobs.commit(part)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(instance, range(4)))
    assert sorted(number for part in deliveries.values() for number in part) == list(range(12))


def test_without_its_table_nothing_is_read(storage):
    storage.create(flow_containers=[CONTAINER])
    NetworkWatcher(storage).append(record(1))
    with pytest.raises(CloudRefusal, match="TableNotFound"):
        next(reader(storage).new_parts(CONTAINER, BLOB))


def vnet_record(minute: int) -> dict:
    tuples = [
        f"{1_700_000_000_000 + minute * 60_000 + n * 1000},198.51.100.7,10.0.1.5,{40_000 + n},{20 + n},6,I,D,NX,0,0,0,0"
        for n in range(48)
    ]
    flows = [{"aclID": "x", "flowGroups": [{"rule": "DenyAllInBound", "flowTuples": tuples}]}]
    network = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net"
    return {"time": f"T{minute}", "macAddress": "000D3A000001", "targetResourceID": network, "flowRecords": {"flows": flows}}


def test_a_crash_behind_the_stored_memory_scores_nothing_again(storage, watcher):
    detector = Detector.load(Path(__file__).parents[3] / "model_artifacts" / "network")
    memory, verdicts, duplicates = InProcessMemory(), [], 0

    def work(part) -> int:
        seen = 0
        for number, read in enumerate(read_flows(part.open(), source=f"vnet_flow_logs:{part.name}")):
            delivery = f"{part.delivery}/{number}"
            found = detect(read.batch, detector, memory, now_ms=1_800_000_000_000, correlation_id="", delivery=delivery)
            verdicts.extend(verdict.id for verdict in found.verdicts)
            memory.store(found.states, now_ms=1_800_000_000_000)
            seen += found.duplicates
        return seen

    watcher.append(vnet_record(0))
    work(next(reader(storage).new_parts(CONTAINER, BLOB)))  # and ended before it could commit
    assert len(verdicts) == 1
    watcher.append(vnet_record(1))
    blobs = reader(storage)
    for part in blobs.new_parts(CONTAINER, BLOB):
        duplicates += work(part)
        blobs.commit(part)
    assert duplicates == 48
    assert len(verdicts) == len(set(verdicts)) == 2


def test_damage_in_the_midst_of_a_large_blob_costs_its_own_records_only(storage, watcher, monkeypatch):
    monkeypatch.setattr(flow_blobs, "RECORD_LIMIT", 1 << 14)
    watcher.append(*(vnet_record(minute) for minute in range(3)))
    watcher._put(',{"time":"T3","flowRecords":{"flows":[{"aclID":"x"')
    watcher.append(*(vnet_record(minute) for minute in range(4, 12)))
    blobs, minutes, rejected = reader(storage, part_bytes=1 << 13), set(), 0
    for part in blobs.new_parts(CONTAINER, BLOB):
        for read in read_flows(part.open(), source="test"):
            minutes |= set(((read.batch.start_ms - 1_700_000_000_000) // 60_000).tolist())
            rejected += len(read.rejected)
        blobs.commit(part)
    assert minutes == {0, 1, 2, *range(4, 12)}
    assert rejected == 1


class Clock:
    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


def test_of_all_instances_one_looks_for_what_is_left_in_an_hour(storage, watcher):
    clock = Clock()
    instances = [reader(storage, now_s=clock) for _ in range(3)]
    watcher.append(record(1))
    next(instances[0].new_parts(CONTAINER, BLOB))
    clock.now += 71 * 60
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda each: each.left_behind(CONTAINER), instances))
    assert sorted(found) == [[], [], [BLOB]]
    clock.now += 59 * 60
    assert [each.left_behind(CONTAINER) for each in instances] == [[], [], []]


def test_what_is_still_written_to_or_was_seen_quiet_is_not_left_behind(storage, watcher):
    clock = Clock()
    watcher.append(record(1))
    blobs = reader(storage, now_s=clock)
    (part,) = [part for part in blobs.new_parts(CONTAINER, BLOB) if blobs.commit(part)]
    turns = {}
    for minutes in (60, 120, 180, 240):
        clock.now = 1_790_000_000.0 + minutes * 60
        turns[minutes] = blobs.left_behind(CONTAINER)
    assert turns == {60: [], 120: [BLOB], 180: [BLOB], 240: []}
    assert part.end


def test_a_part_that_nobody_committed_is_looked_at_for_a_day(storage, watcher):
    clock = Clock()
    watcher.append(record(1))
    blobs = reader(storage, now_s=clock)
    next(blobs.new_parts(CONTAINER, BLOB))
    clock.now += 23 * 3600
    assert blobs.left_behind(CONTAINER) == [BLOB]
    clock.now += 2 * 3600
    assert blobs.left_behind(CONTAINER) == []
