"""Recent signals and the budget's ledgers on DynamoDB: one table, keys ``pk`` and ``sk``, TTL ``expires``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from lambdas.clients import Clients
from lambdas.cloud_errors import CloudRefusal, in_core_words
from response.budget import Line, lines_of, rows_of
from response.signals import Signal
from shared_model.events import Telemetry

#: Late telemetry may corroborate what came long before it was delivered: kept for the window and a day.
_LATE_S = 86_400
_DIGITS = 15


class DynamoSignals:
    """One item per signal and name: ``signal#<entity key>``, ``<time>#<verdict id>``."""

    def __init__(self, clients: Clients, table: str) -> None:
        self._clients = clients
        self._table = table

    def record(self, signal: Signal, *, window_ms: int, now_ms: int) -> bool:
        expires = (max(now_ms, signal.time_ms) + window_ms) // 1000 + _LATE_S
        # Every name is written whatever the first one says: a function killed in between is delivered again.
        first, *_ = [self._put(name, signal, expires) for name in signal.names]
        return first

    def recent(self, name: str, since_ms: int, until_ms: int) -> Iterable[Signal]:
        query: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk AND sk BETWEEN :since AND :until",
            "ExpressionAttributeValues": {
                ":pk": {"S": f"signal#{name}"},
                ":since": {"S": _time(since_ms)},
                ":until": {"S": f"{_time(until_ms)}#~"},
            },
            "ConsistentRead": True,
        }
        while True:
            with in_core_words("signals"):
                page = self._clients("dynamodb").query(**query)
            yield from (_signal(item) for item in page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _put(self, name: str, signal: Signal, expires: int) -> bool:
        item = {
            "pk": {"S": f"signal#{name}"},
            "sk": {"S": f"{_time(signal.time_ms)}#{signal.verdict_id}"},
            "detector": {"S": signal.detector},
            "telemetry": {"S": signal.telemetry},
            "names": {"L": [{"S": each} for each in signal.names]},
            "case": {"S": signal.case},
            "expires": {"N": str(expires)},
        }
        try:
            with in_core_words("signals"):
                self._clients("dynamodb").put_item(
                    TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(pk)"
                )
        except CloudRefusal as refusal:
            if refusal.code != "ConditionalCheckFailedException":
                raise
            return False
        return True


class DynamoLedgers:
    """One item per purse, ``ledger#<purse>``, written only over the version that was read. It is kept for good: its lines end."""

    def __init__(self, clients: Clients, table: str) -> None:
        self._clients = clients
        self._table = table

    def read(self, purse: str) -> tuple[tuple[Line, ...], str]:
        with in_core_words("budget"):
            found = self._clients("dynamodb").get_item(TableName=self._table, Key=_ledger(purse), ConsistentRead=True)
        item = found.get("Item")
        return (lines_of(json.loads(item["lines"]["S"])), item["version"]["N"]) if item else ((), "")

    def replace(self, purse: str, lines: tuple[Line, ...], version: str) -> bool:
        text = json.dumps(rows_of(lines), separators=(",", ":"))
        item = {**_ledger(purse), "lines": {"S": text}, "version": {"N": str(int(version or 0) + 1)}}
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if version:
            condition = {
                "ConditionExpression": "#version = :version",
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": {":version": {"N": version}},
            }
        try:
            with in_core_words("budget"):
                self._clients("dynamodb").put_item(TableName=self._table, Item=item, **condition)
        except CloudRefusal as refusal:
            if refusal.code != "ConditionalCheckFailedException":
                raise
            return False
        return True


def _ledger(purse: str) -> dict[str, Any]:
    return {"pk": {"S": f"ledger#{purse}"}, "sk": {"S": "lines"}}


def _time(time_ms: int) -> str:
    return str(max(time_ms, 0)).zfill(_DIGITS)


def _signal(item: dict[str, Any]) -> Signal:
    time, _, verdict_id = item["sk"]["S"].partition("#")
    return Signal(
        verdict_id=verdict_id,
        detector=item["detector"]["S"],
        telemetry=Telemetry(item["telemetry"]["S"]),
        time_ms=int(time),
        names=tuple(name["S"] for name in item["names"]["L"]),
        case=item["case"]["S"] if "case" in item else "",
    )
