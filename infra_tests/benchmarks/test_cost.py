"""What the cost table counts: items as they are read and written, by the units that DynamoDB bills."""

from __future__ import annotations

from collections import Counter
from typing import Any

from benchmarks.cost import table_units

NO_CALLS: Counter[str] = Counter()


def item(key: str, size: int, version: int = 0) -> dict[str, Any]:
    return {"pk": {"S": key}, "rows": {"B": bytes(size)}, "version": {"N": str(version)}}


def test_a_consistent_read_costs_a_unit_for_each_4_kb_of_the_item_as_it_was() -> None:
    before = {"a": item("a", 6_000), "b": item("b", 100)}
    after = {"a": item("a", 6_400, 1), "b": item("b", 100, 1)}
    assert table_units(before, after, NO_CALLS) == (2 + 1, 7 + 1)


def test_what_was_not_there_costs_a_unit_to_look_for_and_what_was_left_alone_none() -> None:
    alone = item("alone", 9_000)
    assert table_units({"alone": alone}, {"alone": alone, "new": item("new", 5_000)}, NO_CALLS) == (1, 5)


def test_a_batch_that_only_reads_is_counted_by_its_calls() -> None:
    assert table_units({}, {}, Counter({"dynamodb:BatchGetItem": 2})) == (20, 0)
