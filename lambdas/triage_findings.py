"""GuardDuty findings → verdicts: the finding's own, and the model's on the remembered events of what it names."""

from __future__ import annotations

from typing import Any

from lambdas.adapters.queues import VerdictQueue
from lambdas.function import Function, Message, Poison
from shared_model.events import Rejected
from shared_model.memory import InProcessMemory
from shared_model.parsers.guardduty import parse_guardduty
from shared_model.triage import triage

FUNCTION = Function("triage_findings", needs=("verdict_queue_url",))


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Entry point: SQS messages with EventBridge envelopes."""
    return FUNCTION.run(event, _triage)


def _triage(message: Message) -> None:
    source = f"guardduty:{message.id}"
    document = message.document(source)
    correlation_id = str(document.get("id") or message.id)
    FUNCTION.correlate(correlation_id)
    now_ms = FUNCTION.now_ms()
    for finding in parse_guardduty(document, source=source):
        if isinstance(finding, Rejected):
            raise Poison(finding.reason, source=finding.source, record=finding.record, field=finding.field)
        found = triage(finding, {}, InProcessMemory(), now_ms=now_ms, correlation_id=correlation_id)
        if found.skipped:
            FUNCTION.logger.info("skipped", extra={"reason": found.skipped})
        VerdictQueue(FUNCTION.clients, FUNCTION.settings.verdict_queue_url).send(found.verdicts)
        for verdict in found.verdicts:
            FUNCTION.logger.info(
                "verdict", extra={"verdict_id": verdict.id, "entity": verdict.entity.key, "title": verdict.title}
            )
        FUNCTION.count("Events")
        FUNCTION.count("Verdicts", len(found.verdicts))
