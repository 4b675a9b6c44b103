"""CloudTrail records, from EventBridge (fast) and from the trail's objects (complete) → verdicts on sessions and principals."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from lambdas.adapters.objects import StoredObject, chunks, notified
from lambdas.detection_room import DetectionRoom
from lambdas.function import Function, Message, Poison
from shared_model.audit_detection import detect_api_calls
from shared_model.events import ApiCall, Rejected
from shared_model.ocsf import of_api_call
from shared_model.parsers.cloudtrail import parse_cloudtrail, read_cloudtrail

FUNCTION = Function("detect_api_calls", needs=("memory_table", "verdict_queue_url", "lake_bucket"))
ROOM = DetectionRoom(FUNCTION)
#: Records that are scored together.
_CHUNK = 2000


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Entry point: SQS messages with EventBridge envelopes, or notifications of CloudTrail objects."""
    return FUNCTION.run(event, _route)


def _route(message: Message) -> None:
    source = f"cloudtrail:{message.id}"
    document = message.document(source)
    if notified(document) is not None:
        ROOM.each_object(message, "cloudtrail", _read_object)
        return
    correlation_id = str(document.get("id") or message.id)
    FUNCTION.correlate(correlation_id)
    records = list(parse_cloudtrail(document, source=source))
    if records and all(isinstance(record, Rejected) for record in records):
        first = next(record for record in records if isinstance(record, Rejected))
        raise Poison(first.reason, source=first.source, record=first.record, field=first.field)
    _detect(iter(records), correlation_id)


def _read_object(stored: StoredObject, source: str) -> None:
    if "/CloudTrail-Digest/" in stored.key:  # signatures of the log files, not records
        return
    _detect(read_cloudtrail(ROOM.objects.open(stored), source=source), stored.correlation_id)


def _detect(records: Iterator[ApiCall | Rejected], correlation_id: str) -> None:
    detector = ROOM.detector("audit")
    for number, chunk in enumerate(chunks(records, _CHUNK)):
        started = time.perf_counter()
        calls = [record for record in chunk if isinstance(record, ApiCall)]
        found = detect_api_calls(calls, detector, ROOM.memory, now_ms=FUNCTION.now_ms(), correlation_id=correlation_id)
        ROOM.conclude(found, detector, events=len(calls), started=started)
        ROOM.lake.put_ocsf((of_api_call(call) for call in calls), cause=f"{correlation_id}/{number}")
        ROOM.keep_rejected([record for record in chunk if isinstance(record, Rejected)], f"{correlation_id}/{number}")
