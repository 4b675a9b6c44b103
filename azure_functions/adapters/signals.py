"""Recent signals and the budget's ledgers on Azure Tables: one table, forgotten by a purge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from azure_functions.adapters.table_rows import encode_key, pack_json, sortable, unpack_json
from azure_functions.clients import Clients
from azure_functions.cloud_errors import CloudRefusal, in_core_words
from azure_functions.registry import SIGNALS, Group
from response.budget import Line, lines_of, rows_of
from response.signals import Signal
from shared_model.events import Telemetry

#: Late telemetry may corroborate what came long before it was delivered: kept for the window and a day.
_LATE_S = 86_400
#: Row key and name of what a ledger holds.
_LINES = "lines"


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


class TableLedgers:
    """One row per purse, written only over what was read (ETag). It is kept for good: its lines end."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def read(self, purse: str) -> tuple[tuple[Line, ...], str]:
        try:
            with in_core_words("budget"):
                row = self._table.get_entity(_ledger(purse), _LINES)
        except CloudRefusal as refusal:
            if refusal.code != "ResourceNotFound":
                raise
            return (), ""
        return lines_of(unpack_json(_LINES, row)), str(row.metadata["etag"])

    def replace(self, purse: str, lines: tuple[Line, ...], version: str) -> bool:
        from azure.core import MatchConditions

        row = {"PartitionKey": _ledger(purse), "RowKey": _LINES, **pack_json(_LINES, rows_of(lines))}
        try:
            with in_core_words("budget"):
                if version:
                    self._table.update_entity(row, mode="replace", etag=version, match_condition=MatchConditions.IfNotModified)
                else:
                    self._table.create_entity(row)
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


def _ledger(purse: str) -> str:
    return encode_key(f"ledger#{purse}")


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
