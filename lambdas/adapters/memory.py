"""Entity memory on DynamoDB: batched reads and writes, forgotten by TTL.

Writes are unconditional, so of two writers of one entity the last wins, as in process. What the loser saw is then
missing from the entity's next window, and nothing else: its verdicts were sent before it stored. A condition for
each item would cost a request for each of the thousands of entities of a flow-log object.
"""

from __future__ import annotations

import json
import random
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from lambdas.clients import Clients
from lambdas.cloud_errors import in_core_words
from shared_model.errors import CloudUnavailable
from shared_model.memory import Remembered

#: What DynamoDB takes in one call.
_READ_BATCH, _WRITE_BATCH = 100, 25
#: An item may have 400 KB; keys, times and names of attributes need some of it.
_LARGEST = 380_000
#: Ids of a busy session take most of its item, and every write is paid by size: from here on they are compressed, by half.
_COMPRESSED_FROM = 8_000
_ATTEMPTS = 6
_FIRST_PAUSE_S = 0.05
_DAY_S = 86_400
#: Made once: ``json.dumps`` with settings of its own makes one for each text.
_JSON = json.JSONEncoder(separators=(",", ":"))
_T = TypeVar("_T")


class DynamoMemory:
    """Table with key ``pk`` (``<detector>#<entity key>``) and TTL ``expires``.

    Parameters
    ----------
    clients : Clients
    table : str
    days : int
        How long an entity that is not seen again is remembered.
    pause : callable
        Waits that many seconds before a throttled part is asked for again.
    """

    def __init__(self, clients: Clients, table: str, *, days: int, pause: Callable[[float], None] = time.sleep) -> None:
        self._clients = clients
        self._table = table
        self._keep_s = days * _DAY_S
        self._pause = pause

    def load(self, keys: Iterable[str]) -> dict[str, Remembered]:
        found: dict[str, Remembered] = {}
        for part in _parts(list(dict.fromkeys(keys)), _READ_BATCH):
            request: dict[str, Any] = {
                self._table: {"Keys": [{"pk": {"S": key}} for key in part], "ConsistentRead": True},
            }
            for wait in self._waits("read"):
                with in_core_words("entity memory"):
                    answer = self._clients("dynamodb").batch_get_item(RequestItems=request)
                found |= {item["pk"]["S"]: _from_item(item) for item in answer["Responses"].get(self._table, ())}
                request = answer.get("UnprocessedKeys") or {}
                if not request:
                    break
                wait()
        return found

    def store(self, states: Mapping[str, Remembered], *, now_ms: int) -> None:
        expires, items = now_ms // 1000 + self._keep_s, list(states.items())
        # The last state stands for all before it (flow_detection marks a delivery so): it is written when they are.
        for part in (*_parts(items[:-1], _WRITE_BATCH), *_parts(items[-1:], 1)):
            request: dict[str, Any] = {
                self._table: [{"PutRequest": {"Item": _to_item(key, state, expires)}} for key, state in part],
            }
            for wait in self._waits("written"):
                with in_core_words("entity memory"):
                    answer = self._clients("dynamodb").batch_write_item(RequestItems=request)
                request = answer.get("UnprocessedItems") or {}
                if not request:
                    break
                wait()

    def _waits(self, done: str) -> Iterator[Callable[[], None]]:
        """Yield a growing wait for each attempt; raise when all were used up."""
        for attempt in range(_ATTEMPTS):
            seconds = _FIRST_PAUSE_S * 2**attempt * (0.5 + random.random())  # noqa: S311 - jitter, not a secret
            yield lambda seconds=seconds: self._pause(seconds)  # type: ignore[misc]
        raise CloudUnavailable(f"entity memory: {_ATTEMPTS} attempts, and not everything was {done}")


def _parts(items: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _to_item(key: str, state: Remembered, expires: int) -> dict[str, Any]:
    # What is only there to recognise duplicates gives way first: forgetting it costs a second look at an old event.
    room = max(0, _LARGEST - len(state.rows) - len(state.habits) - sum(len(text) + 24 for text in state.event_ids))
    recent = list(state.recent)
    while recent and sum(len(text) + 3 for text in recent) > room:
        recent = recent[(len(recent) + 1) // 2 :]
    return {
        "pk": {"S": key},
        "rows": {"B": state.rows},
        "times": {"S": _JSON.encode(state.times_ms)},
        "event_ids": {"S": _JSON.encode(state.event_ids)},
        "recent": _packed(_JSON.encode(recent)),
        "version": {"N": str(state.version)},
        "expires": {"N": str(expires)},
        **({"cause": {"S": state.cause}} if state.cause else {}),
        **({"habits": {"B": state.habits}} if state.habits else {}),
    }


def _from_item(item: Mapping[str, Any]) -> Remembered:
    return Remembered(
        rows=bytes(item["rows"]["B"]),
        times_ms=tuple(json.loads(item["times"]["S"])),
        event_ids=tuple(json.loads(item["event_ids"]["S"])),
        recent=tuple(json.loads(_unpacked(item["recent"]))),
        version=int(item["version"]["N"]),
        cause=str(item["cause"]["S"]) if "cause" in item else "",
        habits=bytes(item["habits"]["B"]) if "habits" in item else b"",
    )


def _packed(text: str) -> dict[str, str | bytes]:
    return {"S": text} if len(text) < _COMPRESSED_FROM else {"B": zlib.compress(text.encode(), 1)}


def _unpacked(value: Mapping[str, Any]) -> str | bytes:
    return zlib.decompress(bytes(value["B"])) if "B" in value else str(value["S"])
