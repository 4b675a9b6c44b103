"""What Azure Tables asks of the adapters, on Azurite: keys, sizes, transactions, ETags, and rows that outlive a crash."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from threading import Event
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azure_functions.adapters.journal import TableJournal
from azure_functions.adapters.memory import TableMemory
from azure_functions.adapters.signals import TableSignals
from azure_functions.adapters.table_rows import decode_key, encode_key, pack, pack_json, unpack, unpack_json
from azure_functions.cloud_errors import CloudRefusal
from azure_functions.registry import TABLES
from azure_functions.waiting import meanwhile
from offline.azure.storage import Storage
from response.journal import JournalEntry, SequenceTaken, Step
from response.signals import Signal
from shared_model.errors import CloudUnavailable
from shared_model.events import Entity, EntityKind, Telemetry
from shared_model.memory import Remembered

NOW_MS = 1_790_000_000_000
HOUR_MS = 3_600_000
STATE = Remembered(b"\x00\xff rows", (1, 2), ("e1", "e2"), ("h1", "h2", "h3"), 7)
SUBSCRIPTION = "00000000-0000-4000-8000-000000000001"
MACHINE = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/web/providers/microsoft.compute/virtualmachines/web-1"
STREAM = f"quarantine_instance#{SUBSCRIPTION}/instance/{MACHINE}"


@pytest.fixture
def clients(storage: Storage) -> Storage:
    storage.create(tables=TABLES)
    return storage


def entry(sequence: int = 1, step: Step = Step.APPLIED, **changes: Any) -> JournalEntry:
    made = JournalEntry(
        stream=STREAM,
        sequence=sequence,
        containment_id="c1",
        step=step,
        time_ms=NOW_MS,
        correlation_id="event-1",
        verdict_id="v1",
        actor="policy:rule",
        plan={"before": {MACHINE: ["nsg"]}, "share": 0.25},
        detail={"reason": "", "left": ["größer"]},
        expires_ms=NOW_MS + HOUR_MS,
    )
    return replace(made, **changes)


def rows(clients: Storage, table: str) -> list[Mapping[str, Any]]:
    return list(clients.tables.get_table_client(table).list_entities())


class TestKeys:
    @given(st.text())
    def test_every_text_is_a_key_that_tables_take_and_short_ones_are_read_back(self, text: str) -> None:
        key = encode_key(text)
        assert key.isascii()
        assert key.isprintable()
        assert quote(key, safe="!:@~") == key, "stands in an address as it is"
        assert len(key) <= 512
        if "~" in key:
            with pytest.raises(ValueError, match="too long"):
                decode_key(key)
        else:
            assert decode_key(key) == text

    @given(st.text(min_size=200), st.text(min_size=200))
    def test_two_texts_never_share_a_key(self, one: str, other: str) -> None:
        assert (encode_key(one * 3) == encode_key(other * 3)) == (one == other)

    @given(st.binary(max_size=300_000), st.recursive(st.text() | st.integers(), st.lists))
    def test_what_is_cut_into_properties_is_put_together_again(self, data: bytes, value: Any) -> None:
        assert unpack("rows", pack("rows", data)) == data
        assert unpack_json("said", pack_json("said", value)) == value


class TestMemory:
    def test_many_entities_of_two_detectors(self, clients: Storage) -> None:
        states = {
            f"{name}#{SUBSCRIPTION}/address/{n}": replace(STATE, version=n) for name in ("network", "audit") for n in range(230)
        }
        memory = TableMemory(clients, days=14)
        memory.store(states, now_ms=NOW_MS)
        assert memory.load([*states, *states, "network#nobody"]) == states

    def test_an_entity_larger_than_a_property_and_than_a_transaction(self, clients: Storage) -> None:
        states = {f"audit#a/host/{n}": replace(STATE, rows=bytes([n]) * 700_000) for n in range(20)}
        memory = TableMemory(clients, days=14)
        memory.store(states, now_ms=NOW_MS)
        assert memory.load(states) == states

    def test_a_row_never_outgrows_what_tables_take(self, clients: Storage) -> None:
        memory = TableMemory(clients, days=14)
        memory.store({"k": replace(STATE, recent=tuple(f"{number:032x}" for number in range(60_000)))}, now_ms=NOW_MS)
        kept = memory.load(["k"])["k"]
        assert kept.rows == STATE.rows
        assert kept.recent[-1] == f"{59_999:032x}"
        assert len(kept.recent) < 60_000

    @pytest.mark.parametrize(
        "recent",
        [
            (),
            ("0123456789ab", "00ff00ff00ff"),
            ("0123456789ab0001", "00ff00ff00ff0002"),
            ("0123456789ab", "00ff00ff00ff0002"),  # of a version that kept no time, and of one that does
            ("abc", "def"),
            ("AB", "cd"),
        ],
    )
    def test_remembered_ids_come_back_as_they_were(self, clients: Storage, recent: tuple[str, ...]) -> None:
        memory = TableMemory(clients, days=14)
        memory.store({"k": replace(STATE, recent=recent)}, now_ms=NOW_MS)
        assert memory.load(["k"])["k"].recent == recent

    def test_a_row_of_a_version_that_wrote_ids_as_text_is_read(self, clients: Storage) -> None:
        memory = TableMemory(clients, days=14)
        memory.store({"k": replace(STATE, recent=("abc",))}, now_ms=NOW_MS)
        (row,) = rows(clients, "memory")
        assert json.loads(row["said0"])["recent"] == ["abc"]
        row["said0"] = row["said0"].replace(b'"abc"', b'"0123456789ab","00ff00ff00ff"')
        clients.tables.get_table_client("memory").upsert_entity(row, mode="replace")
        assert memory.load(["k"])["k"].recent == ("0123456789ab", "00ff00ff00ff")

    def test_the_last_state_is_written_when_all_others_are(self, clients: Storage) -> None:
        """It stands for them: a delivery whose mark is there is not scored again."""

        class Dies:
            def __init__(self) -> None:
                self.calls = 0

            def __call__(self, service: str, group: str, **_: Any) -> Any:
                return self

            def get_table_client(self, name: str) -> Any:
                return self

            def submit_transaction(self, operations: Any) -> None:
                self.calls += 1
                if self.calls == 3:
                    raise CloudUnavailable("the process was killed")
                clients.tables.get_table_client("memory").submit_transaction(operations)

            def upsert_entity(self, row: Any, mode: str) -> None:
                clients.tables.get_table_client("memory").upsert_entity(row, mode=mode)

        states = {f"network#a/address/{n}": STATE for n in range(200)} | {"network#delivered/d1": STATE}
        with pytest.raises(CloudUnavailable):
            TableMemory(Dies(), days=14).store(states, now_ms=NOW_MS)
        assert "network#delivered/d1" not in TableMemory(clients, days=14).load(states)

    def test_what_is_to_be_done_meanwhile_is_done_beside_reads_of_many_rows(self, clients: Storage) -> None:
        class Rows:
            def get(self, *_: str) -> Mapping[str, Any]:
                assert done.wait(30), "whoever waits for many rows does it before the first one came"
                raise CloudRefusal("get", 404, "ResourceNotFound", "")

        done = Event()
        memory = TableMemory(clients, days=30)
        memory.__dict__["_rows"] = Rows()
        with meanwhile(done.set):
            assert memory.load(["audit#a", "audit#b"]) == {}

    def test_what_was_stored_says_when_it_is_forgotten(self, clients: Storage) -> None:
        TableMemory(clients, days=14).store({"k": STATE}, now_ms=NOW_MS)
        (row,) = rows(clients, "memory")
        assert int(row["expires"]) == NOW_MS // 1000 + 14 * 86_400

    def test_a_table_that_is_not_there_is_no_empty_memory(self, storage: Storage) -> None:
        with pytest.raises(Exception, match=r"TableNotFound|TableDoesNotExist"):
            TableMemory(storage, days=14).load(["k"])


class TestJournal:
    def test_entries_come_back_in_order_as_they_were_written(self, clients: Storage) -> None:
        journal = TableJournal(clients)
        entries = [entry(number, Step.APPLYING if number % 2 else Step.APPLIED) for number in range(1, 13)]
        entries[3] = replace(entries[3], plan=None, expires_ms=None)
        for each in entries:
            journal.append(each)
        assert journal.stream(STREAM) == entries
        assert journal.stream("isolate#nobody") == []
        assert journal.streams() == [STREAM]

    def test_of_two_writers_of_a_number_one_wins_and_a_retry_of_its_own_is_none(self, clients: Storage) -> None:
        journal = TableJournal(clients)
        journal.append(entry())
        journal.append(entry())
        with pytest.raises(SequenceTaken):
            journal.append(entry(verdict_id="v2"))
        assert [each.verdict_id for each in journal.stream(STREAM)] == ["v1"]

    def test_a_plan_that_fills_many_properties(self, clients: Storage) -> None:
        large = entry(plan={"rules": [{"name": f"rule-{n}", "note": "ü" * 40} for n in range(1000)]})
        TableJournal(clients).append(large)
        assert TableJournal(clients).stream(STREAM) == [large]

    def test_killed_between_index_and_entry_nothing_is_lost(self, clients: Storage) -> None:
        """The indexes come first: they lead to a stream without the entry, never an entry to nothing."""

        class Dies:
            def __init__(self, inserts: int) -> None:
                self.inserts = inserts

            def __call__(self, service: str, group: str, **_: Any) -> Any:
                return self

            def get_table_client(self, name: str) -> Any:
                return self

            def create_entity(self, row: Mapping[str, Any]) -> None:
                if not self.inserts:
                    raise CloudUnavailable("the process was killed")
                self.inserts -= 1
                clients.tables.get_table_client("journal").create_entity(row)

        journal = TableJournal(clients)
        for inserts in range(4):
            with pytest.raises(CloudUnavailable):
                TableJournal(Dies(inserts)).append(entry(step=Step.APPLYING))
            assert journal.stream(STREAM) == []
        assert journal.find("c1") == STREAM
        assert list(journal.expiring(NOW_MS + 2 * HOUR_MS)) == [STREAM]
        journal.append(entry(step=Step.APPLYING))
        assert journal.stream(STREAM) == [entry(step=Step.APPLYING)]

    def test_what_is_due_and_by_which_id(self, clients: Storage) -> None:
        journal = TableJournal(clients)
        journal.append(entry(1, Step.REFUSED))
        assert list(journal.expiring(NOW_MS + 2 * HOUR_MS)) == []
        journal.append(entry(2, Step.APPLIED))
        assert list(journal.expiring(NOW_MS + HOUR_MS)) == []
        assert list(journal.expiring(NOW_MS + HOUR_MS + 1)) == [STREAM]
        assert journal.find("c1") == STREAM
        assert journal.find("c2") is None

    def test_the_longest_name_is_a_stream(self, clients: Storage) -> None:
        name = "revoke_sessions#" + Entity(EntityKind.SESSION, "ü" * 4000, SUBSCRIPTION).key
        TableJournal(clients).append(entry(stream=name))
        assert TableJournal(clients).stream(name) == [entry(stream=name)]
        assert TableJournal(clients).find("c1") == name


class TestSignals:
    SIGNAL = Signal("v1", "network", Telemetry.FLOW_LOGS, NOW_MS, (f"{SUBSCRIPTION}/instance/{MACHINE}", "a/address/10.0.0.1"))

    def test_a_signal_is_found_under_each_name_and_is_new_once(self, clients: Storage) -> None:
        signals = TableSignals(clients)
        assert signals.record(self.SIGNAL, window_ms=HOUR_MS, now_ms=NOW_MS) is True
        assert signals.record(self.SIGNAL, window_ms=HOUR_MS, now_ms=NOW_MS) is False
        for name in self.SIGNAL.names:
            assert list(signals.recent(name, NOW_MS, NOW_MS)) == [self.SIGNAL]
            assert list(signals.recent(name, NOW_MS + 1, NOW_MS + 2)) == []
            assert list(signals.recent(name, NOW_MS - 2, NOW_MS - 1)) == []
