"""Verdicts → containments, as the operator's policy says."""

from __future__ import annotations

from typing import Any

from lambdas.adapters.senders import Senders
from lambdas.function import Function, Message, Poison
from lambdas.response_room import ResponseRoom
from response.budget import one_of_a_few
from response.responder import respond
from response.telling import forged
from shared_model.verdicts import Verdict

FUNCTION = Function("respond", needs=("journal_table", "signals_table", "policy_parameter", "verdict_senders"))
ROOM = ResponseRoom(FUNCTION)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Entry point: SQS FIFO messages, each one verdict, grouped by entity."""
    return FUNCTION.run(event, _respond)


def _respond(message: Message) -> None:
    try:
        verdict = Verdict.from_json(message.body)
    except ValueError as error:
        raise Poison(str(error), source=f"verdicts:{message.id}") from error
    if reason := Senders(FUNCTION.settings.verdict_senders).objection(message.sender, verdict):
        role = message.sender.partition(":")[0]  # the rest of it whoever holds the role chooses, and the verdict's text too
        few, _ = one_of_a_few(ROOM.budget, f"forged/{role}", message.id, limit=1, now_ms=FUNCTION.now_ms())
        if few:
            ROOM.notify(forged(verdict, reason, delivery=message.id))
        raise Poison(reason, source=f"verdicts:{message.id}", field="telemetry")
    FUNCTION.correlate(verdict.correlation_id)
    now_ms, policy = FUNCTION.now_ms(), ROOM.policy
    outcome = respond(
        verdict,
        policy=policy,
        actions=ROOM.actions_under(policy),
        journal=ROOM.journal,
        signals=ROOM.signals,
        budget=ROOM.budget,
        now_ms=now_ms,
        notify=ROOM.notify,
        delivery=message.id,
    )
    ROOM.keep_verdict(verdict)
    for decision in outcome.decisions:
        FUNCTION.correlate(verdict.correlation_id)
        place = {
            "verdict_id": decision.verdict_id,
            "rule": decision.rule,
            "action": decision.action,
            "target": decision.target.key,
        }
        FUNCTION.logger.info(
            "decision",
            extra={**place, "step": decision.step, "reason": decision.reason, "repeated": not decision.entries},
        )
        ROOM.keep(decision.entries)
    ROOM.keep_again(outcome.earlier)
    FUNCTION.milliseconds("EventToDecision", now_ms - verdict.time_ms)
