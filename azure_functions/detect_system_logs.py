"""Syslog and Windows security events, as a workspace exports them to their event hub → verdicts on hosts and machines."""

from __future__ import annotations

import time

import azure.functions as func

from azure_functions.detection_room import DetectionRoom
from azure_functions.event_hubs import Events, batches_of, messages_of, tries_before
from azure_functions.function import Function, Message
from azure_functions.registry import SYSTEM_LOGS
from shared_model.ocsf import of_system_event
from shared_model.parsers.azure_system_logs import parse_azure_system_logs

FUNCTION = Function("detect_system_logs", needs=("table_endpoint", "queue_endpoint", "blob_endpoint"))
ROOM = DetectionRoom(FUNCTION)
BLUEPRINT = func.Blueprint()


@BLUEPRINT.function_name("detect_system_logs")
@batches_of(BLUEPRINT, SYSTEM_LOGS)
def detect_system_logs(events: Events, context: func.Context) -> None:
    """Entry point: a batch of events, each with the records of one export."""
    FUNCTION.run(messages_of(SYSTEM_LOGS, events), _detect, tries=tries_before(context)).or_raise()


def _detect(message: Message) -> None:
    from shared_model.audit_detection import detect_system_events  # here, because it brings numpy

    source, now_ms = f"azure_system_logs:{message.id}", FUNCTION.now_ms()
    detector, started = ROOM.detector("audit"), time.perf_counter()
    read = parse_azure_system_logs(message.document(source), source=source, now_ms=now_ms)
    events = ROOM.usable(read, message.id)
    found = detect_system_events(events, detector, ROOM.memory, now_ms=now_ms, correlation_id=message.id)
    ROOM.conclude(found, detector, events=len(events), started=started)
    FUNCTION.lake.put_ocsf((of_system_event(event) for event in events), cause=message.id)
