"""Recent signals and the hourly budget on Azure Tables: one table, forgotten by a purge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from azure_functions.adapters.table_rows import encode_key, pack_json, sortable, unpack_json
from azure_functions.clients import Clients
from azure_functions.cloud_errors import CloudRefusal, in_core_words
from azure_functions.registry import SIGNALS, Group
from response.guard import HOUR_MS
from response.signals import Signal
from shared_model.errors import CloudUnavailable
from shared_model.events import Telemetry

#: Late telemetry may corroborate what came long before it was delivered: kept for the window and a day.
_LATE_S = 86_400
#: Rounds of a budget that others take from at the same time.
_ROUNDS = 12


class TableSignals:
    """One row per signal and name: partition ``signal#<entity key>``, row ``<time>#<verdict id>``."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def record(self, signal: Signal, *, window_ms: int, now_ms: int) -> bool:
        expires = (max(now_ms, signal.time_ms) + window_ms) // 1000 + _LATE_S
        # Every name is written whatever the first one says: a function killed in between is delivered again.
        first, *_ = [self._insert(name, signal, expires) for name in signal.names]
        return first

    def recent(self, name: str, since_ms: int, until_ms: int) -> Iterable[Signal]:
        question = "PartitionKey eq @pk and RowKey ge @since and RowKey lt @after"
        parameters = {"pk": _partition(name), "since": sortable(since_ms), "after": sortable(until_ms + 1)}
        with in_core_words("signals"):
            rows = list(self._table.query_entities(question, parameters=parameters))
        return [_signal(row) for row in rows]

    def _insert(self, name: str, signal: Signal, expires: int) -> bool:
        row = {
            "PartitionKey": _partition(name),
            "RowKey": encode_key(f"{sortable(signal.time_ms)}#{signal.verdict_id}"),
            "expires": sortable(expires),
            **pack_json("signal", _values(signal)),
        }
        try:
            with in_core_words("signals"):
                self._table.create_entity(row)
        except CloudRefusal as refusal:
            if refusal.code != "EntityAlreadyExists":
                raise
            return False
        return True

    @cached_property
    def _table(self) -> Any:
        return _table(self._clients)


class TableBudget:
    """One row per purse and period, with those who took from it; changed only as it was read (ETag)."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def take(self, purse: str, taker: str, *, limit: int, now_ms: int, period_ms: int = HOUR_MS) -> bool:
        if limit <= 0:
            return False
        partition = encode_key(f"budget#{purse}#{now_ms // period_ms}")
        for _ in range(_ROUNDS):
            row = self._read(partition)
            taken: list[str] = unpack_json("taken", row) if row else []
            if taker in taken:
                return True
            if len(taken) >= limit:
                return False
            after = {
                "PartitionKey": partition,
                "RowKey": "taken",
                "expires": sortable((now_ms + period_ms) // 1000 + _LATE_S),
                **pack_json("taken", [*taken, taker]),
            }
            if self._write(after, row):
                return True
        raise CloudUnavailable(f"budget of {purse}: {_ROUNDS} times another took from it first")

    def _read(self, partition: str) -> Any:
        try:
            with in_core_words("budget"):
                return self._table.get_entity(partition, "taken")
        except CloudRefusal as refusal:
            if refusal.code != "ResourceNotFound":
                raise
            return None

    def _write(self, row: Mapping[str, Any], before: Any) -> bool:
        """Write the row in place of what was read; say whether that was still so."""
        from azure.core import MatchConditions

        try:
            with in_core_words("budget"):
                if before is None:
                    self._table.create_entity(row)
                else:
                    etag, unchanged = before.metadata["etag"], MatchConditions.IfNotModified
                    self._table.update_entity(row, mode="replace", etag=etag, match_condition=unchanged)
        except CloudRefusal as refusal:
            if not refusal.is_conflict:
                raise
            return False
        return True

    @cached_property
    def _table(self) -> Any:
        return _table(self._clients)


def _table(clients: Clients) -> Any:
    return clients("tables", Group.RESPOND).get_table_client(SIGNALS)


def _partition(name: str) -> str:
    return encode_key(f"signal#{name}")


def _values(signal: Signal) -> dict[str, Any]:
    return {
        "verdict_id": signal.verdict_id,
        "detector": signal.detector,
        "telemetry": signal.telemetry,
        "time_ms": signal.time_ms,
        "names": signal.names,
        "case": signal.case,
    }


def _signal(row: Mapping[str, Any]) -> Signal:
    said = unpack_json("signal", row)
    return Signal(**{**said, "telemetry": Telemetry(said["telemetry"]), "names": tuple(said["names"])})
