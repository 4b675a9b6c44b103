"""The journal on DynamoDB: PutItem on a number that is free, and Query. Nothing here can update or delete."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lambdas.clients import Clients
from lambdas.cloud_errors import CloudRefusal, in_core_words
from response.journal import EXPIRES, JournalEntry, SequenceTaken, Step

#: Digits of a sequence number: the sort key is text, and must sort as the numbers do.
_DIGITS = 10
#: The index keeps what has expired for ever, so the question has a beginning: what is older than this and still there
#: was asked about long ago, or the schedule stood still for a month.
_LOOK_BACK_MS = 30 * 86_400_000
#: The index's one partition, for the entries of every step that expires.
_EXPIRING = "APPLIED"
#: The one partition of the index by time, of all entries but anchors.
_WRITTEN = "ENTRY"


class DynamoJournal:
    """Table with keys ``pk`` (stream) and ``sk`` (sequence, padded); indexes ``expiring``, ``written``, ``containments``."""

    def __init__(self, clients: Clients, table: str) -> None:
        self._clients = clients
        self._table = table

    def append(self, entry: JournalEntry) -> None:
        try:
            with in_core_words("journal"):
                self._clients("dynamodb").put_item(
                    TableName=self._table,
                    Item=_to_item(entry),
                    ConditionExpression="attribute_not_exists(pk)",
                )
        except CloudRefusal as refusal:
            if refusal.code != "ConditionalCheckFailedException":
                raise
            # A retry inside the client finds its own first attempt: that is not another writer.
            if self._read(entry.stream, entry.sequence) != entry:
                raise SequenceTaken(f"{entry.stream} already has an entry {entry.sequence}") from refusal

    def stream(self, name: str) -> list[JournalEntry]:
        query = {
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": name}},
            "ConsistentRead": True,
        }
        return [_from_item(item) for item in self._query(query)]

    def expiring(self, before_ms: int) -> Iterable[str]:
        query = {
            "IndexName": "expiring",
            "KeyConditionExpression": "expiring = :expiring AND expires_ms BETWEEN :from AND :to",
            "ExpressionAttributeValues": {
                ":expiring": {"S": _EXPIRING},
                ":from": {"N": str(before_ms - _LOOK_BACK_MS)},
                ":to": {"N": str(before_ms - 1)},
            },
        }
        return (item["pk"]["S"] for item in self._query(query))

    def written(self, since_ms: int) -> Iterable[str]:
        query = {
            "IndexName": "written",
            "KeyConditionExpression": "written = :written AND time_ms >= :since",
            "ExpressionAttributeValues": {":written": {"S": _WRITTEN}, ":since": {"N": str(since_ms)}},
        }
        return dict.fromkeys(item["pk"]["S"] for item in self._query(query))

    def find(self, containment_id: str) -> str | None:
        query = {
            "IndexName": "containments",
            "KeyConditionExpression": "containment_id = :id",
            "ExpressionAttributeValues": {":id": {"S": containment_id}},
        }
        return next((item["pk"]["S"] for item in self._query(query)), None)

    def _read(self, stream: str, sequence: int) -> JournalEntry | None:
        query = {
            "KeyConditionExpression": "pk = :pk AND sk = :sk",
            "ExpressionAttributeValues": {":pk": {"S": stream}, ":sk": {"S": _sort_key(sequence)}},
            "ConsistentRead": True,
        }
        return next((_from_item(item) for item in self._query(query)), None)

    def _query(self, query: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        start: dict[str, Any] = {}
        while True:
            with in_core_words("journal"):
                page = self._clients("dynamodb").query(TableName=self._table, **query, **start)
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def _sort_key(sequence: int) -> str:
    return str(sequence).zfill(_DIGITS)


# A field that a later version adds goes into ``more``, by its name: there a version that was rolled back to finds it, and
# verifies the digest that is over it.
def _to_item(entry: JournalEntry) -> dict[str, Any]:
    item: dict[str, Any] = {
        "pk": {"S": entry.stream},
        "sk": {"S": _sort_key(entry.sequence)},
        "containment_id": {"S": entry.containment_id},
        "step": {"S": entry.step},
        "time_ms": {"N": str(entry.time_ms)},
        "correlation_id": {"S": entry.correlation_id},
        "verdict_id": {"S": entry.verdict_id},
        "actor": {"S": entry.actor},
        "detail": {"S": _json(entry.detail)},
        "digest": {"S": entry.digest},
    }
    if entry.plan is not None:
        item["plan"] = {"S": _json(entry.plan)}
    if entry.expires_ms is not None:
        item["expires_ms"] = {"N": str(entry.expires_ms)}
    if entry.verdict:
        item["verdict"] = {"S": entry.verdict}
    if entry.case:
        item["case"] = {"S": entry.case}
    if entry.previous:
        item["previous"] = {"S": entry.previous}
    if entry.more:
        item["more"] = {"S": _json(entry.more)}
    if entry.step is not Step.ANCHORED:
        item["written"] = {"S": _WRITTEN}
    if entry.step in EXPIRES:
        item["expiring"] = {"S": _EXPIRING}
    return item


def _from_item(item: Mapping[str, Any]) -> JournalEntry:
    return JournalEntry(
        stream=item["pk"]["S"],
        sequence=int(item["sk"]["S"]),
        containment_id=item["containment_id"]["S"],
        step=Step(item["step"]["S"]),
        time_ms=int(item["time_ms"]["N"]),
        correlation_id=item["correlation_id"]["S"],
        verdict_id=item["verdict_id"]["S"],
        actor=item["actor"]["S"],
        plan=json.loads(item["plan"]["S"]) if "plan" in item else None,
        detail=json.loads(item["detail"]["S"]),
        expires_ms=int(item["expires_ms"]["N"]) if "expires_ms" in item else None,
        verdict=item["verdict"]["S"] if "verdict" in item else "",
        case=item["case"]["S"] if "case" in item else "",
        previous=item["previous"]["S"] if "previous" in item else "",
        more=json.loads(item["more"]["S"]) if "more" in item else {},
        sealed=item["digest"]["S"] if "digest" in item else "",
    )


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)
