"""Syslog and Windows security events, as a workspace exports them to their event hub → verdicts on hosts and machines."""

from __future__ import annotations

import azure.functions as func

from azure_functions.detection_room import DetectionRoom
from azure_functions.event_hubs import Events, batches_of, messages_of, tries_before
from azure_functions.function import Function, Message
from azure_functions.registry import SYSTEM_LOGS
from shared_model.events import SystemEvent
from shared_model.ocsf import of_system_event
from shared_model.parsers.azure_system_logs import parse_azure_system_logs

FUNCTION = Function("detect_system_logs", needs=("table_endpoint", "queue_endpoint", "blob_endpoint"))
ROOM = DetectionRoom(FUNCTION)
BLUEPRINT = func.Blueprint()


@BLUEPRINT.function_name("detect_system_logs")
@batches_of(BLUEPRINT, SYSTEM_LOGS)
def detect_system_logs(events: Events, context: func.Context) -> None:
    """Entry point: a batch of events, each with the records of one export."""
    waiting: list[tuple[SystemEvent, str]] = []
    messages = messages_of(SYSTEM_LOGS, events)
    FUNCTION.run(messages, lambda m: _read(m, waiting), lambda: _score(waiting), tries=tries_before(context)).or_raise()


def _read(message: Message, waiting: list[tuple[SystemEvent, str]]) -> None:
    source = f"azure_system_logs:{message.id}"
    read = parse_azure_system_logs(message.json(source), source=source, now_ms=FUNCTION.now_ms())
    events = ROOM.usable(read, message.id)
    ROOM.aside(lambda: FUNCTION.lake.put_ocsf((of_system_event(event) for event in events), cause=message.id))
    waiting.extend((event, message.id) for event in events)


def _score(waiting: list[tuple[SystemEvent, str]]) -> None:
    from shared_model.audit_detection import detect_system_events  # here, because it brings numpy

    ROOM.score_together(waiting, detect_system_events)
