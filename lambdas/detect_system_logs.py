"""System logs, as CloudWatch Logs delivers them → verdicts on hosts and instances."""

from __future__ import annotations

import time
from typing import Any

from lambdas.adapters.objects import StoredObject, chunks
from lambdas.detection_room import DetectionRoom
from lambdas.function import Function
from shared_model.audit_detection import detect_system_events
from shared_model.events import Rejected, SystemEvent
from shared_model.ocsf import of_system_event
from shared_model.parsers.system_logs import read_system_logs

FUNCTION = Function("detect_system_logs", needs=("memory_table", "verdict_queue_url", "lake_bucket"))
ROOM = DetectionRoom(FUNCTION)
#: Records that are scored together.
_CHUNK = 2000


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Entry point: SQS messages with notifications of log objects."""
    return FUNCTION.run(event, lambda message: ROOM.each_object(message, "system_logs", _detect))


def _detect(stored: StoredObject, source: str) -> None:
    detector, cause, now_ms = ROOM.detector("audit"), stored.correlation_id, FUNCTION.now_ms()
    read = read_system_logs(ROOM.objects.open(stored), source=source, now_ms=now_ms, account=stored.account)
    for number, chunk in enumerate(chunks(read, _CHUNK)):
        started = time.perf_counter()
        events = [record for record in chunk if isinstance(record, SystemEvent)]
        found = detect_system_events(events, detector, ROOM.memory, now_ms=now_ms, correlation_id=cause)
        ROOM.conclude(found, detector, events=len(events), started=started)
        ROOM.lake.put_ocsf((of_system_event(event) for event in events), cause=f"{cause}/{number}")
        ROOM.keep_rejected([record for record in chunk if isinstance(record, Rejected)], f"{cause}/{number}")
