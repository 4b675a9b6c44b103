"""Recent signals and the hourly budget on DynamoDB: one table, keys ``pk`` and ``sk``, TTL ``expires``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lambdas.clients import Clients
from lambdas.cloud_errors import CloudRefusal, in_core_words
from response.guard import HOUR_MS
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


class DynamoBudget:
    """One item per purse and period, with the set of those who took from it."""

    def __init__(self, clients: Clients, table: str) -> None:
        self._clients = clients
        self._table = table

    def take(self, purse: str, taker: str, *, limit: int, now_ms: int, period_ms: int = HOUR_MS) -> bool:
        if limit <= 0:
            return False
        period = now_ms // period_ms
        try:
            with in_core_words("budget"):
                self._clients("dynamodb").update_item(
                    TableName=self._table,
                    Key={"pk": {"S": f"budget#{purse}#{period}"}, "sk": {"S": "taken"}},
                    UpdateExpression="ADD taken :one SET expires = :expires",
                    ConditionExpression="attribute_not_exists(taken) OR contains(taken, :id) OR size(taken) < :limit",
                    ExpressionAttributeValues={
                        ":one": {"SS": [taker]},
                        ":id": {"S": taker},
                        ":limit": {"N": str(limit)},
                        ":expires": {"N": str((now_ms + period_ms) // 1000 + _LATE_S)},
                    },
                )
        except CloudRefusal as refusal:
            if refusal.code != "ConditionalCheckFailedException":
                raise
            return False
        return True


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
