"""Entity memory on Azure Tables: reads of single rows side by side, writes in transactions, forgotten by a purge.

Writes are unconditional, so of two writers of one entity the last wins (docs/decisions/021). Tables read one row a call
and write up to 100 of one partition together: the rows lie in a few partitions by the hash of their key.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, TypeVar

from azure_functions.adapters.single_rows import SingleRows
from azure_functions.adapters.table_rows import LARGEST, encode_key, pack, sortable, unpack
from azure_functions.clients import Clients
from azure_functions.cloud_errors import CloudRefusal, in_core_words
from azure_functions.registry import MEMORY, Group
from azure_functions.waiting import before_an_answer, waiting
from shared_model.memory import Remembered

#: Partitions of each detector: enough for 2,000 rows a second in each, few enough that transactions are full.
PARTITIONS = 16
#: What Tables takes in one transaction: rows, and bytes of its body, in which binary is base64.
_ROWS, _BYTES = 100, 2_500_000
#: Requests at once; also the connections that the SDK's transport keeps.
_AT_ONCE = 10
#: Ids of a busy session take most of its row: from here on they are compressed, by half. Below that a request costs the same,
#: and takes less time to send than to compress.
_COMPRESSED_FROM = 48_000
_DAY_S = 86_400
#: Made once: ``json.dumps`` with settings of its own makes one for each row.
_JSON = json.JSONEncoder(separators=(",", ":"))
_T = TypeVar("_T")


class TableMemory:
    """Table ``memory``: partition ``<detector>~<0…f>``, row = entity key.

    Parameters
    ----------
    clients : Clients
    days : int
        How long an entity that is not seen again is remembered.
    """

    def __init__(self, clients: Clients, *, days: int) -> None:
        self._clients = clients
        self._keep_s = days * _DAY_S
        self._pool: ThreadPoolExecutor | None = None

    def load(self, keys: Iterable[str]) -> dict[str, Remembered]:
        wanted = list(dict.fromkeys(keys))
        found = zip(wanted, self._side_by_side(self._load, wanted), strict=True)
        return {key: state for key, state in found if state is not None}

    def store(self, states: Mapping[str, Remembered], *, now_ms: int) -> None:
        expires = sortable(now_ms // 1000 + self._keep_s)
        rows = [_to_row(key, state, expires) for key, state in states.items()]
        # The last state stands for all before it (flow_detection marks a delivery so): it is written when they are.
        for together in (rows[:-1], rows[-1:]):
            self._side_by_side(self._store, list(_transactions(together)))

    def _load(self, key: str) -> Remembered | None:
        try:
            with in_core_words("entity memory"):
                row = self._rows.get(_partition(key), encode_key(key))
        except CloudRefusal as refusal:
            if refusal.code != "ResourceNotFound":
                raise
            return None
        return _from_row(row)

    def _store(self, rows: Sequence[dict[str, Any]]) -> None:
        with in_core_words("entity memory"):
            if len(rows) == 1:
                self._rows.put(rows[0])
            else:
                self._table.submit_transaction([("upsert", row, {"mode": "replace"}) for row in rows])

    def _side_by_side(self, work: Callable[[Any], _T], items: Sequence[Any]) -> list[_T]:
        if len(items) < 2:
            return [work(item) for item in items]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_AT_ONCE, "entity-memory")
        with waiting():
            done = self._pool.map(work, items)
            before_an_answer()
            return list(done)

    @cached_property
    def _rows(self) -> SingleRows:
        return SingleRows(self._clients, Group.DETECT, MEMORY)

    @cached_property
    def _table(self) -> Any:
        return self._clients("tables", Group.DETECT).get_table_client(MEMORY)


def partitions(detector: str) -> tuple[str, ...]:
    """Return the partitions of a detector's memory."""
    return tuple(f"{encode_key(detector)}~{number:x}" for number in range(PARTITIONS))


def _partition(key: str) -> str:
    number = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[0] % PARTITIONS
    return f"{encode_key(key.partition('#')[0])}~{number:x}"


def _transactions(rows: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yield lists of rows of one partition that Tables takes together."""
    by_partition: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_partition[row["PartitionKey"]].append(row)
    for of_partition in by_partition.values():
        together: list[dict[str, Any]] = []
        size = 0
        for row in of_partition:
            length = sum(len(value) for value in row.values())
            if together and (len(together) == _ROWS or size + length > _BYTES):
                yield together
                together, size = [], 0
            together.append(row)
            size += length
        yield together


def _to_row(key: str, state: Remembered, expires: str) -> dict[str, Any]:
    # What is only there to recognise duplicates gives way first: forgetting it costs a second look at an old event.
    room = max(0, LARGEST - len(state.rows) - len(state.habits) - sum(map(len, state.event_ids)) - 24 * len(state.event_ids))
    recent = list(state.recent)
    while recent and sum(map(len, recent)) + 3 * len(recent) > room:
        recent = recent[(len(recent) + 1) // 2 :]
    digits, packed = _packed(recent)
    said: dict[str, Any] = {
        "times_ms": state.times_ms,
        "event_ids": state.event_ids,
        "recent": () if digits else recent,
        "version": state.version,
    }
    said |= {"cause": state.cause} if state.cause else {}
    said |= {"digits": digits} if digits else {}
    return {
        "PartitionKey": _partition(key),
        "RowKey": encode_key(key),
        "expires": expires,
        **pack("rows", state.rows),
        **(pack("recent", packed) if digits else {}),
        **(pack("habits", state.habits) if state.habits else {}),
        **pack("said", _compressed(_JSON.encode(said).encode())),
    }


def _from_row(row: Mapping[str, Any]) -> Remembered:
    said = json.loads(_expanded(unpack("said", row)))
    recent = _unpacked(said["digits"], unpack("recent", row)) if "digits" in said else said["recent"]
    return Remembered(
        rows=unpack("rows", row),
        times_ms=tuple(said["times_ms"]),
        event_ids=tuple(said["event_ids"]),
        recent=tuple(recent),
        version=said["version"],
        cause=said.get("cause", ""),
        habits=unpack("habits", row) if "habits0" in row else b"",
    )


def _packed(recent: Sequence[str]) -> tuple[int, bytes]:
    """Hex digits of each remembered id, and all of them as bytes; (0, b"") where they are not bytes of one length.

    As text they were most of a row, which is written and read once for every delivery.
    """
    lengths = set(map(len, recent))
    digits = lengths.pop() if len(lengths) == 1 else 0
    if not digits or digits % 2:
        return 0, b""
    text = "".join(recent)
    try:
        data = bytes.fromhex(text)
    except ValueError:
        return 0, b""
    return (digits, data) if data.hex() == text else (0, b"")


def _unpacked(digits: int, data: bytes) -> list[str]:
    return data.hex(" ", digits // 2).split(" ")


def _compressed(text: bytes) -> bytes:
    return text if len(text) < _COMPRESSED_FROM else zlib.compress(text, 1)


def _expanded(data: bytes) -> bytes:
    return data if data.startswith(b"{") else zlib.decompress(data)
