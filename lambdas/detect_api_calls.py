"""CloudTrail records, from EventBridge (fast) and from the trail's objects (complete) → verdicts on sessions and principals."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lambdas.adapters.objects import StoredObject, chunks, notified
from lambdas.detection_room import DetectionRoom
from lambdas.function import Function, Message, Poison
from shared_model.audit_detection import detect_api_calls
from shared_model.events import ApiCall, Rejected
from shared_model.ocsf import of_api_call
from shared_model.parsers.cloudtrail import parse_cloudtrail, read_cloudtrail
from shared_model.verdicts import Verdict

FUNCTION = Function("detect_api_calls", needs=("memory_table", "verdict_queue_url", "lake_bucket"))
ROOM = DetectionRoom(FUNCTION)
#: Records that are scored together.
_CHUNK = 2000
# What lies beside a trail's log files where its prefix ends in AWSLogs/: their signatures, Insights (of a rate, and of no call),
# and what other services deliver there (Config, load balancers, flow logs).
_BESIDE = re.compile(r"(?:^|/)AWSLogs/(?:o-[a-z0-9]+/)?\d{12}/(?!CloudTrail/|CloudTrail-(?!Digest/|Insight/))")
#: Of the setting ``trail``.
_NO_TRAIL = "none"


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Entry point: SQS messages with EventBridge envelopes, or notifications of CloudTrail objects."""
    waiting: list[tuple[ApiCall, str]] = []
    return FUNCTION.run(event, lambda message: _route(message, waiting), finish=lambda: _score_waiting(waiting))


def _route(message: Message, waiting: list[tuple[ApiCall, str]]) -> None:
    source = f"cloudtrail:{message.id}"
    document = message.document(source)
    if notified(document) is not None:
        ROOM.each_object(message, "cloudtrail", _read_object)
        return
    correlation_id = str(document.get("id") or message.id)
    FUNCTION.correlate(correlation_id)
    records = list(parse_cloudtrail(document, source=source))
    rejected = [record for record in records if isinstance(record, Rejected)]
    if rejected and len(rejected) == len(records):
        first = rejected[0]
        raise Poison(first.reason, source=first.source, record=first.record, field=first.field)
    waiting.extend((record, correlation_id) for record in records if isinstance(record, ApiCall))
    ROOM.keep_rejected(rejected, correlation_id)


def _read_object(stored: StoredObject, source: str) -> None:
    if _BESIDE.search(stored.key):
        FUNCTION.count("OtherObjects", 1)
        return
    for number, chunk in enumerate(chunks(read_cloudtrail(ROOM.objects.open(stored), source=source), _CHUNK)):
        cause = f"{stored.correlation_id}/{number}"
        calls = [record for record in chunk if isinstance(record, ApiCall)]
        _score(calls, lambda verdict: verdict, stored.correlation_id)
        ROOM.lake.put_ocsf((of_api_call(call) for call in calls), cause=cause)
        ROOM.keep_rejected([record for record in chunk if isinstance(record, Rejected)], cause)


def _score_waiting(waiting: list[tuple[ApiCall, str]]) -> None:
    """Score the calls of all envelopes together: one read and one write for each entity of the batch.

    They are not written to the lake: the trail's objects bring every one of them again, and put it there once. Without a
    trail nothing brings them again.
    """
    if not waiting:
        return
    envelopes = {call.event_id: (call.time_ms, correlation_id) for call, correlation_id in waiting}

    def of_its_event(verdict: Verdict) -> Verdict:
        own = [envelopes[evidence.event_id] for evidence in verdict.evidence if evidence.event_id in envelopes]
        return replace(verdict, correlation_id=max(own)[1]) if own else verdict

    newest = waiting[-1][1]
    calls = [call for call, _ in waiting]
    _score(calls, of_its_event, newest)
    if FUNCTION.settings.trail == _NO_TRAIL:
        ROOM.lake.put_ocsf((of_api_call(call) for call in calls), cause=newest)


def _score(calls: list[ApiCall], correlated: Callable[[Verdict], Verdict], correlation_id: str) -> None:
    started, detector = time.perf_counter(), ROOM.detector("audit")
    found = detect_api_calls(calls, detector, ROOM.memory, now_ms=FUNCTION.now_ms(), correlation_id=correlation_id)
    found = replace(found, verdicts=tuple(correlated(verdict) for verdict in found.verdicts))
    ROOM.conclude(found, detector, events=len(calls), started=started)
