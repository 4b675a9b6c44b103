"""When each detecting function last read events, and last sent a verdict: what is deployed and never triggered must show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from azure_functions.adapters.table_rows import sortable
from azure_functions.clients import Clients
from azure_functions.cloud_errors import in_core_words
from azure_functions.registry import PROGRESS, Group

#: No flow log's container is called this.
_PARTITION = "~heartbeat"
#: Between two beats without a verdict, of one process.
_PAUSE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Beat:
    """What a function last did.

    Attributes
    ----------
    events_ms : int
        When it last read events.
    verdict_ms : int or None
        When it last sent a verdict.
    detector : str
        Name and version of the detector that it last scored with, ``""`` where it has not scored yet.
    """

    events_ms: int
    verdict_ms: int | None = None
    detector: str = ""


class Heartbeat:
    """One row of table ``progress`` for each function."""

    def __init__(self, clients: Clients, function: str) -> None:
        self._clients = clients
        self._function = function
        self._last_ms = 0

    def beat(self, now_ms: int, *, verdicts: int, detector: str = "") -> None:
        """Say that events were read now, and that verdicts were sent if there are some. Raises CloudUnavailable."""
        if not verdicts and now_ms - self._last_ms < _PAUSE_MS:
            return
        row = {"PartitionKey": _PARTITION, "RowKey": self._function, "events_ms": sortable(now_ms)}
        row |= {"verdict_ms": sortable(now_ms)} if verdicts else {}
        row |= {"detector": detector} if detector else {}
        with in_core_words("heartbeat"):
            _table(self._clients).upsert_entity(row, mode="merge")
        self._last_ms = now_ms


def last_beats(clients: Clients) -> dict[str, Beat]:
    """Return, for each function that was ever triggered, what it last did. Raises CloudUnavailable, CloudRefusal."""
    with in_core_words("heartbeat"):
        rows = list(_table(clients).query_entities("PartitionKey eq @pk", parameters={"pk": _PARTITION}))
    return {row["RowKey"]: _beat(row) for row in rows}


def _beat(row: Any) -> Beat:
    verdict_ms = int(row["verdict_ms"]) if "verdict_ms" in row else None
    return Beat(int(row["events_ms"]), verdict_ms, str(row.get("detector", "")))


def _table(clients: Clients) -> Any:
    return clients("tables", Group.DETECT).get_table_client(PROGRESS)
