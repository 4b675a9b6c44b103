"""What every implementation of a protocol keeps to: in process, on DynamoDB, and whichever cloud comes next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from infra_tests.lambdas.account import NOW_MS, Account
from lambdas.adapters.journal import DynamoJournal
from lambdas.adapters.memory import DynamoMemory
from lambdas.adapters.signals import DynamoBudget, DynamoSignals
from lambdas.clients import LazyClients
from response.containment import stream_name
from response.guard import Budget, InProcessBudget
from response.journal import InProcessJournal, Journal, JournalEntry, SequenceTaken, Step
from response.signals import InProcessSignals, Signal, SignalStore
from shared_model.errors import CloudUnavailable
from shared_model.events import Entity, EntityKind, Telemetry
from shared_model.memory import EntityMemory, InProcessMemory, Remembered

HOUR_MS = 3_600_000
STATE = Remembered(b"\x00\xff rows", (1, 2), ("e1", "e2"), ("h1", "h2", "h3"), 7)


@pytest.fixture(params=["in process", "dynamodb"])
def place(request: pytest.FixtureRequest) -> Callable[[Callable[[], Any], Callable[[LazyClients], Any]], Any]:
    """Make the implementation that runs where the parameter says."""

    def make(in_process: Callable[[], Any], on_aws: Callable[[LazyClients], Any]) -> Any:
        if request.param == "in process":
            return in_process()
        account: Account = request.getfixturevalue("account")
        return on_aws(account.clients)

    return make


@pytest.fixture
def memory(place: Any) -> EntityMemory:
    return place(InProcessMemory, lambda clients: DynamoMemory(clients, "memory", days=14))  # type: ignore[no-any-return]


@pytest.fixture
def journal(place: Any) -> Journal:
    return place(InProcessJournal, lambda clients: DynamoJournal(clients, "journal"))  # type: ignore[no-any-return]


@pytest.fixture
def signals(place: Any) -> SignalStore:
    return place(InProcessSignals, lambda clients: DynamoSignals(clients, "signals"))  # type: ignore[no-any-return]


@pytest.fixture
def budget(place: Any) -> Budget:
    return place(InProcessBudget, lambda clients: DynamoBudget(clients, "signals"))  # type: ignore[no-any-return]


def entry(sequence: int, step: Step = Step.APPLIED, **changes: Any) -> JournalEntry:
    made = JournalEntry(
        stream="isolate#123456789012/instance/i-1",
        sequence=sequence,
        containment_id="c1",
        step=step,
        time_ms=NOW_MS,
        correlation_id="event-1",
        verdict_id="v1",
        actor="policy:rule",
        plan={"before": {"eni-a": ["sg-1"]}, "share": 0.25},
        detail={"reason": "", "left": ["eni-b"]},
        expires_ms=NOW_MS + HOUR_MS,
    )
    return replace(made, **changes)


class TestMemory:
    def test_what_was_stored_is_loaded_bit_for_bit(self, memory: EntityMemory) -> None:
        memory.store({"network#a/address/198.51.100.7": STATE}, now_ms=NOW_MS)
        assert memory.load(["network#a/address/198.51.100.7"]) == {"network#a/address/198.51.100.7": STATE}

    def test_a_key_without_memory_is_absent_and_no_keys_are_no_question(self, memory: EntityMemory) -> None:
        assert memory.load(["nobody"]) == {}
        assert memory.load([]) == {}

    def test_more_entities_than_one_call_takes(self, memory: EntityMemory) -> None:
        states = {f"k{number}": replace(STATE, version=number) for number in range(230)}
        memory.store(states, now_ms=NOW_MS)
        assert memory.load([*states, *states]) == states

    def test_the_last_writer_wins(self, memory: EntityMemory) -> None:
        memory.store({"k": STATE}, now_ms=NOW_MS)
        memory.store({"k": replace(STATE, version=8, recent=())}, now_ms=NOW_MS)
        assert memory.load(["k"])["k"] == replace(STATE, version=8, recent=())


class TestLongNames:
    """A name of any length is a key that every store takes: one that is refused would take its whole batch along."""

    ENTITY = Entity(EntityKind.SESSION, "ü" * 4000, "123456789012")

    def test_memory(self, memory: EntityMemory) -> None:
        key = f"audit#{self.ENTITY.key}"
        states = {key: STATE, "k": STATE}
        memory.store(states, now_ms=NOW_MS)
        assert memory.load(states) == states

    def test_journal(self, journal: Journal) -> None:
        written = entry(1, stream=stream_name("revoke_sessions", self.ENTITY))
        journal.append(written)
        assert journal.stream(written.stream) == [written]
        assert journal.find("c1") == written.stream

    def test_signals(self, signals: SignalStore) -> None:
        names = (self.ENTITY.key, "a/instance/i-1")
        signal = Signal("v1", "audit", Telemetry.API_CALLS, NOW_MS, names)
        assert signals.record(signal, window_ms=HOUR_MS, now_ms=NOW_MS) is True
        assert [list(signals.recent(name, NOW_MS, NOW_MS)) for name in names] == [[signal], [signal]]


class TestJournal:
    def test_entries_come_back_in_order_as_they_were_written(self, journal: Journal) -> None:
        entries = [entry(number, Step.APPLYING if number % 2 else Step.APPLIED) for number in range(1, 13)]
        entries[3] = replace(entries[3], plan=None, expires_ms=None)
        for each in entries:
            journal.append(each)
        assert journal.stream(entries[0].stream) == entries
        assert journal.stream("isolate#nobody") == []

    def test_of_two_writers_of_a_number_one_wins(self, journal: Journal) -> None:
        journal.append(entry(1))
        with pytest.raises(SequenceTaken):
            journal.append(entry(1, verdict_id="v2"))
        assert [each.verdict_id for each in journal.stream(entry(1).stream)] == ["v1"]

    @pytest.mark.parametrize("step", [Step.APPLYING, Step.APPLIED])
    def test_expiring_names_streams_with_what_is_due_or_stuck(self, journal: Journal, step: Step) -> None:
        journal.append(entry(1, Step.REFUSED))
        assert list(journal.expiring(NOW_MS + 2 * HOUR_MS)) == []
        journal.append(entry(2, step))
        assert list(journal.expiring(NOW_MS + HOUR_MS)) == []
        assert list(journal.expiring(NOW_MS + HOUR_MS + 1)) == [entry(1).stream]

    def test_a_containment_is_found_by_its_id(self, journal: Journal) -> None:
        journal.append(entry(1))
        assert journal.find("c1") == entry(1).stream
        assert journal.find("c2") is None


class TestSignals:
    def signal(self, **changes: Any) -> Signal:
        return replace(Signal("v1", "network", Telemetry.FLOW_LOGS, NOW_MS, ("a/instance/i-1", "a/address/10.0.0.1")), **changes)

    def test_a_signal_is_found_under_each_name_and_is_new_once(self, signals: SignalStore) -> None:
        assert signals.record(self.signal(), window_ms=HOUR_MS, now_ms=NOW_MS) is True
        assert signals.record(self.signal(), window_ms=HOUR_MS, now_ms=NOW_MS) is False
        for name in self.signal().names:
            assert list(signals.recent(name, NOW_MS, NOW_MS)) == [self.signal()]

    @pytest.mark.parametrize(("since", "until", "found"), [(0, 1, 1), (1, 2, 0), (-2, -1, 0), (-1, 0, 1)])
    def test_the_window_includes_both_its_ends(self, signals: SignalStore, since: int, until: int, found: int) -> None:
        signals.record(self.signal(), window_ms=HOUR_MS, now_ms=NOW_MS)
        assert len(list(signals.recent("a/instance/i-1", NOW_MS + since, NOW_MS + until))) == found


class TestBudget:
    def take(self, budget: Budget, containment: str, hour: int = 0) -> bool:
        return budget.take("123456789012", containment, limit=2, now_ms=NOW_MS + hour * HOUR_MS)

    def test_it_ends_at_its_limit_and_starts_anew_with_the_hour(self, budget: Budget) -> None:
        assert [self.take(budget, name) for name in ("a", "b", "c")] == [True, True, False]
        assert self.take(budget, "c", hour=1) is True

    def test_who_has_taken_has_it(self, budget: Budget) -> None:
        assert [self.take(budget, name) for name in ("a", "a", "b", "a", "c")] == [True, True, True, True, False]

    def test_a_budget_of_nothing_gives_nothing(self, budget: Budget) -> None:
        assert budget.take("123456789012", "a", limit=0, now_ms=NOW_MS) is False


class Throttled:
    """DynamoDB that leaves a part of each batch undone, for a number of calls."""

    def __init__(self, client: Any, times: int) -> None:
        self.client = client
        self.times = times

    def __call__(self, service: str) -> Throttled:
        return self

    def batch_write_item(self, RequestItems: dict[str, list[Any]]) -> dict[str, Any]:  # noqa: N803 - as boto3 names it
        if not self.times:
            return self.client.batch_write_item(RequestItems=RequestItems)  # type: ignore[no-any-return]
        self.times -= 1
        (table, requests), *_ = RequestItems.items()
        if requests[1:]:
            self.client.batch_write_item(RequestItems={table: requests[1:]})
        return {"UnprocessedItems": {table: requests[:1]}}


def test_what_dynamodb_left_undone_is_asked_for_again(account: Account) -> None:
    pauses: list[float] = []
    throttled = DynamoMemory(Throttled(account.clients("dynamodb"), 3), "memory", days=14, pause=pauses.append)
    throttled.store({f"k{number}": STATE for number in range(30)}, now_ms=NOW_MS)
    assert len(DynamoMemory(account.clients, "memory", days=14).load(f"k{number}" for number in range(30))) == 30
    assert len(pauses) == 3


def test_memory_that_stays_throttled_is_unavailable(account: Account) -> None:
    throttled = DynamoMemory(Throttled(account.clients("dynamodb"), 1000), "memory", days=14, pause=lambda _: None)
    with pytest.raises(CloudUnavailable, match="written"):
        throttled.store({"k": STATE}, now_ms=NOW_MS)


def test_an_item_never_outgrows_what_dynamodb_takes(account: Account) -> None:
    memory = DynamoMemory(account.clients, "memory", days=14)
    memory.store({"k": replace(STATE, recent=tuple(f"{number:032x}" for number in range(20_000)))}, now_ms=NOW_MS)
    kept = memory.load(["k"])["k"]
    assert kept.rows == STATE.rows
    assert kept.recent[-1] == f"{19_999:032x}"
    assert len(kept.recent) < 20_000


def test_memory_is_forgotten_by_time_and_the_journal_never(account: Account) -> None:
    DynamoMemory(account.clients, "memory", days=14).store({"k": STATE}, now_ms=NOW_MS)
    DynamoJournal(account.clients, "journal").append(entry(1))
    (remembered,) = account.clients("dynamodb").scan(TableName="memory")["Items"]
    (written,) = account.clients("dynamodb").scan(TableName="journal")["Items"]
    assert remembered["expires"]["N"] == str(NOW_MS // 1000 + 14 * 86_400)
    assert "expires" not in written
