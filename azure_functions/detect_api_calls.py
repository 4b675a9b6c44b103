"""Activity log and Entra records, from their event hub → verdicts on sessions and principals."""

from __future__ import annotations

import time
from dataclasses import replace

import azure.functions as func

from azure_functions.detection_room import DetectionRoom
from azure_functions.event_hubs import Events, batches_of, messages_of, tries_before
from azure_functions.function import Function, Message
from azure_functions.registry import API_CALLS
from shared_model.events import ApiCall
from shared_model.ocsf import of_api_call
from shared_model.parsers.azure_audit import parse_audit_records
from shared_model.verdicts import Verdict

FUNCTION = Function("detect_api_calls", needs=("table_endpoint", "queue_endpoint", "blob_endpoint"))
ROOM = DetectionRoom(FUNCTION)
BLUEPRINT = func.Blueprint()
#: Records that are scored together.
_CHUNK = 2000


@BLUEPRINT.function_name("detect_api_calls")
@batches_of(BLUEPRINT, API_CALLS)
def detect_api_calls(events: Events, context: func.Context) -> None:
    """Entry point: a batch of events, each with the records of one export."""
    waiting: list[tuple[ApiCall, str]] = []
    messages = messages_of(API_CALLS, events)
    FUNCTION.run(messages, lambda m: _read(m, waiting), lambda: _score_waiting(waiting), tries=tries_before(context)).or_raise()


def _read(message: Message, waiting: list[tuple[ApiCall, str]]) -> None:
    source = f"azure_audit:{message.id}"
    calls = ROOM.usable(parse_audit_records(message.document(source), source=source), message.id)
    FUNCTION.lake.put_ocsf((of_api_call(call) for call in calls), cause=message.id)
    waiting.extend((call, message.id) for call in calls)


def _score_waiting(waiting: list[tuple[ApiCall, str]]) -> None:
    """Score the calls of all events together: one read and one write for each entity of the batch."""
    from shared_model.audit_detection import detect_api_calls as score  # here, because it brings numpy

    taken = waiting.copy()
    waiting.clear()
    detector = ROOM.detector("audit") if taken else None
    for start in range(0, len(taken), _CHUNK):
        started, part = time.perf_counter(), taken[start : start + _CHUNK]
        origins = {call.event_id: (call.time_ms, correlation_id) for call, correlation_id in part}

        def of_its_event(verdict: Verdict, origins: dict[str, tuple[int, str]] = origins) -> Verdict:
            own = [origins[evidence.event_id] for evidence in verdict.evidence if evidence.event_id in origins]
            return replace(verdict, correlation_id=max(own)[1]) if own else verdict

        assert detector is not None  # noqa: S101 - there are calls
        calls, newest = [call for call, _ in part], part[-1][1]
        found = score(calls, detector, ROOM.memory, now_ms=FUNCTION.now_ms(), correlation_id=newest)
        found = replace(found, verdicts=tuple(map(of_its_event, found.verdicts)))
        ROOM.conclude(found, detector, events=len(calls), started=started)
