"""GuardDuty findings → verdicts: the finding's own, and the model's on the remembered events of what it names."""

from __future__ import annotations

from typing import Any

from lambdas.detection_room import DetectionRoom
from lambdas.function import Function, Message, Poison
from shared_model.events import Finding, Rejected
from shared_model.ocsf import of_finding
from shared_model.parsers.guardduty import parse_guardduty
from shared_model.triage import triage

FUNCTION = Function("triage_findings", needs=("memory_table", "verdict_queue_url"))
ROOM = DetectionRoom(FUNCTION)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Entry point: SQS messages with EventBridge envelopes."""
    return FUNCTION.run(event, _triage)


def _triage(message: Message) -> None:
    source = f"guardduty:{message.id}"
    document = message.document(source)
    correlation_id = str(document.get("id") or message.id)
    FUNCTION.correlate(correlation_id)
    read = list(parse_guardduty(document, source=source))
    findings = [each for each in read if isinstance(each, Finding)]
    rejected = [each for each in read if isinstance(each, Rejected)]
    if rejected and not findings:
        first = rejected[0]
        raise Poison(first.reason, source=first.source, record=first.record, field=first.field)
    detectors = ROOM.available("network", "audit")
    for finding in findings:
        found = triage(finding, detectors, ROOM.memory, now_ms=FUNCTION.now_ms(), correlation_id=correlation_id)
        if found.skipped:
            FUNCTION.logger.info("skipped", extra={"reason": found.skipped})
        ROOM.publish(found.verdicts)
        ROOM.log_scores(found.scores)
    ROOM.lake.put_ocsf((of_finding(finding) for finding in findings), cause=correlation_id)
    FUNCTION.count("Events", len(findings))
    ROOM.keep_rejected(rejected, correlation_id)
