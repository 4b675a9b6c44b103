"""Entity memory: what was stored is loaded, the last writer wins, and no key is too long."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra_tests.contracts.conftest import Stores
from infra_tests.response.world import NOW_MS
from shared_model.events import Entity, EntityKind
from shared_model.memory import EntityMemory, Remembered
from shared_model.recent_ids import AT_MOST

STATE = Remembered(b"\x00\xff rows", (1, 2), ("e1", "e2"), ("h1", "h2", "h3"), 7)


def test_what_was_stored_is_loaded_bit_for_bit_by_everyone(stores: Stores) -> None:
    stores.memory().store({"network#a/address/198.51.100.7": STATE}, now_ms=NOW_MS)
    assert stores.memory().load(["network#a/address/198.51.100.7"]) == {"network#a/address/198.51.100.7": STATE}


def test_what_an_alarm_is_known_by_is_kept_until_a_batch_without_one(memory: EntityMemory) -> None:
    memory.store({"k": replace(STATE, cause="é-1")}, now_ms=NOW_MS)
    assert memory.load(["k"])["k"].cause == "é-1"
    memory.store({"k": STATE}, now_ms=NOW_MS)
    assert memory.load(["k"])["k"].cause == ""


def test_a_principals_habits_are_kept_beside_its_rows_and_without_any(memory: EntityMemory) -> None:
    sketch = bytes(range(256)) * 7
    states = {"audit#own": replace(STATE, habits=sketch), "audit#in sessions": Remembered(b"", (), (), habits=sketch)}
    memory.store(states, now_ms=NOW_MS)
    assert memory.load(states) == states


def test_a_key_without_memory_is_absent_and_no_keys_are_no_question(memory: EntityMemory) -> None:
    memory.store({}, now_ms=NOW_MS)
    assert memory.load(["nobody"]) == {}
    assert memory.load([]) == {}


def test_more_entities_than_one_call_takes(memory: EntityMemory) -> None:
    states = {f"network#k{number}": replace(STATE, version=number) for number in range(230)}
    memory.store(states, now_ms=NOW_MS)
    assert memory.load([*states, *states]) == states


def test_the_last_writer_wins(memory: EntityMemory) -> None:
    memory.store({"k": STATE}, now_ms=NOW_MS)
    memory.store({"k": replace(STATE, version=8, recent=())}, now_ms=NOW_MS)
    assert memory.load(["k"])["k"] == replace(STATE, version=8, recent=())


def test_every_id_of_the_busiest_session_is_kept(memory: EntityMemory) -> None:
    busy = replace(STATE, rows=bytes(20_000), recent=tuple(f"{number * 2_654_435_761:016x}" for number in range(AT_MOST)))
    memory.store({"audit#busy": busy, "audit#other": STATE}, now_ms=NOW_MS)
    assert memory.load(["audit#busy", "audit#other"]) == {"audit#busy": busy, "audit#other": STATE}


def test_a_name_of_any_length_is_a_key(memory: EntityMemory) -> None:
    """One that is refused would take its whole batch along."""
    key = f"audit#{Entity(EntityKind.SESSION, 'ü' * 4000, '123456789012').key}"
    states = {key: STATE, "k": STATE}
    memory.store(states, now_ms=NOW_MS)
    assert memory.load(states) == states


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    identifier=st.text(st.characters(codec="utf-8"), max_size=40),
    rows=st.binary(max_size=200),
    times=st.lists(st.integers(0, 2**50), max_size=5),
    texts=st.lists(st.text(st.characters(codec="utf-8"), max_size=20), max_size=5),
)
def test_whatever_telemetry_names_and_holds(
    memory: EntityMemory, identifier: str, rows: bytes, times: list[int], texts: list[str]
) -> None:
    key = f"audit#{Entity(EntityKind.HOST, identifier, '123456789012').key}"
    state = Remembered(rows, tuple(times), tuple(texts), tuple(texts), 1)
    memory.store({key: state}, now_ms=NOW_MS)
    assert memory.load([key]) == {key: state}
