"""Tables forget nothing by themselves: rows of memory, signals and progress say when they end, and the schedule takes them out.

Each run looks at one sixteenth of the memory and at the whole of the two small tables, so that a run is short. A row that was
written again meanwhile stays. The journal is never touched, and no identity here could.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from azure_functions.adapters.memory import PARTITIONS, partitions
from azure_functions.adapters.table_rows import sortable
from azure_functions.clients import Clients
from azure_functions.cloud_errors import CloudRefusal, in_core_words
from azure_functions.registry import MEMORY, PROGRESS, SIGNALS, Group

#: The schedule's period: which sixteenth is due follows from the time.
_PERIOD_MS = 5 * 60_000
_DETECTORS = ("network", "audit")
#: Rows of one run and question, in transactions of at most this many of one partition.
_ROWS, _TOGETHER = 5000, 100


def purge(clients: Clients, *, now_ms: int) -> int:
    """Take out what has ended; return how many rows. Raises CloudUnavailable."""
    ended, due = sortable(now_ms // 1000), (now_ms // _PERIOD_MS) % PARTITIONS
    taken = sum(
        _purge(clients, MEMORY, "PartitionKey eq @pk and expires lt @ended", pk=partitions(name)[due], ended=ended)
        for name in _DETECTORS
    )
    for table in (SIGNALS, PROGRESS):
        taken += _purge(clients, table, "expires lt @ended", ended=ended)
    return taken


def _purge(clients: Clients, table: str, question: str, **parameters: str) -> int:
    client, taken = clients("tables", Group.RESPOND).get_table_client(table), 0
    by_partition: defaultdict[str, list[Any]] = defaultdict(list)
    with in_core_words(f"purge of {table}"):
        rows = client.query_entities(question, parameters=parameters, select=["PartitionKey", "RowKey"])
        for number, row in enumerate(rows):
            if number == _ROWS:  # the next run goes on
                break
            by_partition[row["PartitionKey"]].append(row)
    for of_partition in by_partition.values():
        for start in range(0, len(of_partition), _TOGETHER):
            taken += _delete(client, table, of_partition[start : start + _TOGETHER])
    return taken


def _delete(client: Any, table: str, rows: list[Any]) -> int:
    """Delete rows as they were read. Where one was written again since, the others wait for a later run."""
    try:
        with in_core_words(f"purge of {table}"):
            client.submit_transaction([("delete", row, _unchanged(row)) for row in rows])
    except CloudRefusal as refusal:
        if refusal.is_conflict or refusal.is_missing:
            return 0
        raise
    return len(rows)


def _unchanged(row: Any) -> Mapping[str, Any]:
    from azure.core import MatchConditions

    return {"etag": row.metadata["etag"], "match_condition": MatchConditions.IfNotModified}
