"""What DynamoDB asks of the adapters, beyond the contracts: batches that are left undone, sizes of items, and what expires."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from infra_tests.contracts.test_journal import entry
from infra_tests.contracts.test_memory import STATE
from infra_tests.lambdas.account import NOW_MS, Account
from lambdas.adapters.journal import DynamoJournal
from lambdas.adapters.memory import DynamoMemory
from shared_model.errors import CloudUnavailable
from shared_model.memory import Remembered
from shared_model.recent_ids import AT_MOST


class Throttled:
    """DynamoDB that leaves a part of each batch undone, for a number of calls."""

    def __init__(self, client: Any, times: int) -> None:
        self.client = client
        self.times = times

    def __call__(self, service: str, region: str = "") -> Throttled:
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


def test_the_ids_of_a_busy_session_take_half_the_room_that_they_take_as_text(account: Account) -> None:
    """What is written is paid by the kilobyte; this is the most that an entity costs."""
    recent = tuple(f"{number * 2_654_435_761 % 2**48:012x}6d2{number // 4096 % 16:x}" for number in range(AT_MOST))
    states = {"busy": replace(STATE, recent=recent), "quiet": replace(STATE, recent=recent[:64])}
    DynamoMemory(account.clients, "memory", days=14).store(states, now_ms=NOW_MS)
    items = {item["pk"]["S"]: item["recent"] for item in account.clients("dynamodb").scan(TableName="memory")["Items"]}
    assert list(items["quiet"]) == ["S"]
    assert len(items["busy"]["B"]) < 19 * AT_MOST / 2 < 160_000
    assert DynamoMemory(account.clients, "memory", days=14).load(["busy"])["busy"].recent == recent


def test_the_last_state_is_written_when_all_others_are(account: Account) -> None:
    """It stands for them: a delivery whose mark is there is not scored again."""
    states: dict[str, Remembered] = {f"network#a/address/{number}": STATE for number in range(20)}
    states["network#delivered/d1"] = STATE
    stuck = DynamoMemory(Throttled(account.clients("dynamodb"), 1000), "memory", days=14, pause=lambda _: None)
    with pytest.raises(CloudUnavailable):
        stuck.store(states, now_ms=NOW_MS)
    assert sorted(DynamoMemory(account.clients, "memory", days=14).load(states)) == sorted(states)[1:20]


def test_memory_is_forgotten_by_time_and_the_journal_never(account: Account) -> None:
    DynamoMemory(account.clients, "memory", days=14).store({"k": STATE}, now_ms=NOW_MS)
    DynamoJournal(account.clients, "journal").append(entry(1))
    (remembered,) = account.clients("dynamodb").scan(TableName="memory")["Items"]
    (written,) = account.clients("dynamodb").scan(TableName="journal")["Items"]
    assert remembered["expires"]["N"] == str(NOW_MS // 1000 + 14 * 86_400)
    assert "expires" not in written
