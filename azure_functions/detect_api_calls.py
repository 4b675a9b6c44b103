"""Activity log and Entra records, from their event hub → verdicts on sessions and principals."""

from __future__ import annotations

import azure.functions as func

from azure_functions.detection_room import DetectionRoom
from azure_functions.event_hubs import Events, batches_of, messages_of, tries_before
from azure_functions.function import Function, Message
from azure_functions.registry import API_CALLS
from shared_model.events import ApiCall
from shared_model.ocsf import of_api_call
from shared_model.parsers.azure_audit import parse_audit_records

FUNCTION = Function("detect_api_calls", needs=("table_endpoint", "queue_endpoint", "blob_endpoint"))
ROOM = DetectionRoom(FUNCTION)
BLUEPRINT = func.Blueprint()


@BLUEPRINT.function_name("detect_api_calls")
@batches_of(BLUEPRINT, API_CALLS)
def detect_api_calls(events: Events, context: func.Context) -> None:
    """Entry point: a batch of events, each with the records of one export."""
    waiting: list[tuple[ApiCall, str]] = []
    messages = messages_of(API_CALLS, events)
    FUNCTION.run(messages, lambda m: _read(m, waiting), lambda: _score(waiting), tries=tries_before(context)).or_raise()


def _read(message: Message, waiting: list[tuple[ApiCall, str]]) -> None:
    source = f"azure_audit:{message.id}"
    calls = ROOM.usable(parse_audit_records(message.json(source), source=source), message.id)
    ROOM.aside(lambda: FUNCTION.lake.put_ocsf((of_api_call(call) for call in calls), cause=message.id))
    waiting.extend((call, message.id) for call in calls)


def _score(waiting: list[tuple[ApiCall, str]]) -> None:
    from shared_model.audit_detection import detect_api_calls as score  # here, because it brings numpy

    ROOM.score_together(waiting, score)
