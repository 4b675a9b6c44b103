"""Sentinel incidents and Defender alerts → verdicts: the finding's own, and the model's on what is remembered of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import azure.functions as func

from azure_functions.detection_room import DetectionRoom
from azure_functions.event_hubs import Events, batches_of, messages_of, tries_before
from azure_functions.function import Function, Message
from azure_functions.registry import FINDINGS
from shared_model.events import Finding, Rejected
from shared_model.ocsf import of_finding
from shared_model.parsers.defender import parse_exported_alerts
from shared_model.parsers.sentinel import parse_sentinel_incident
from shared_model.triage import triage

_NEEDS = ("table_endpoint", "queue_endpoint", "blob_endpoint")
FUNCTION = Function("triage_findings", needs=(*_NEEDS, "playbook_principal_id"))
ROOM = DetectionRoom(FUNCTION)
ALERTS_FUNCTION = Function("triage_alerts", needs=_NEEDS)
ALERTS_ROOM = DetectionRoom(ALERTS_FUNCTION)
BLUEPRINT = func.Blueprint()
#: The platform sets it from the caller's token, and takes away what a caller itself sends under this name.
_CALLER = "X-MS-CLIENT-PRINCIPAL-ID"


@BLUEPRINT.function_name("triage_findings")
@BLUEPRINT.route(route="triage_findings", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
def triage_findings(req: func.HttpRequest) -> func.HttpResponse:
    """Entry point: the playbook sends an incident. 200 handled, 400 can never be, 403 not the playbook, 503 try again."""
    caller = req.headers.get(_CALLER, "").lower()
    if not caller or caller != FUNCTION.settings.playbook_principal_id.lower():
        FUNCTION.logger.error("caller refused", extra={"caller": caller})
        return _answer(403, {"reason": "only the playbook's identity may call this"})
    message = Message.of("incidents", req.get_body(), caller)
    outcome = FUNCTION.run((message,), lambda m: _triage(FUNCTION, ROOM, m, _incidents(m)))
    if outcome.failure is not None:
        return _answer(503, {"correlation_id": message.id, "reason": "not now: try again"}, {"Retry-After": "30"})
    if outcome.buried:
        return _answer(400, {"correlation_id": message.id, "reason": outcome.buried[0].reason})
    return _answer(200, {"correlation_id": message.id})


@BLUEPRINT.function_name("triage_alerts")
@batches_of(BLUEPRINT, FINDINGS)
def triage_alerts(events: Events, context: func.Context) -> None:
    """Entry point: a batch of events, each with exported alerts."""
    messages = messages_of(FINDINGS, events)
    ALERTS_FUNCTION.run(
        messages, lambda m: _triage(ALERTS_FUNCTION, ALERTS_ROOM, m, _alerts(m)), tries=tries_before(context)
    ).or_raise()


def _incidents(message: Message) -> Iterator[Finding | Rejected]:
    source = f"sentinel:{message.id}"
    return parse_sentinel_incident(message.document(source), source=source)


def _alerts(message: Message) -> Iterator[Finding | Rejected]:
    source = f"defender:{message.id}"
    return parse_exported_alerts(message.json(source), source=source)


def _triage(function: Function, room: DetectionRoom, message: Message, read: Iterator[Finding | Rejected]) -> None:
    findings: list[Finding] = room.usable(read, message.id)
    detectors = room.available("network", "audit") if findings else {}
    for finding in findings:
        # An incident's own id, so that what is done about it can be written under it.
        correlation_id = finding.finding_id if "/incidents/" in finding.finding_id.lower() else message.id
        function.correlate(correlation_id)
        found = triage(finding, detectors, room.memory, now_ms=function.now_ms(), correlation_id=correlation_id)
        if found.skipped:
            function.logger.info("skipped", extra={"reason": found.skipped})
        room.publish(found.verdicts)
        room.log_scores(found.scores)
    function.lake.put_ocsf((of_finding(finding) for finding in findings), cause=message.id)
    function.count("Events", len(findings))


def _answer(status: int, said: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(said), status_code=status, mimetype="application/json", headers=dict(headers or {}))
