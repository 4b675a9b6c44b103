"""Verdicts → containments, as the operator's policy says."""

from __future__ import annotations

import azure.functions as func

from azure_functions.actions.catalogue import GROUPS
from azure_functions.function import Function, Message, Poison
from azure_functions.registry import STATE_CONNECTION, VERDICTS
from azure_functions.response_room import ResponseRoom
from response.responder import respond as respond_to
from shared_model.verdicts import Verdict

_IDENTITIES = tuple(f"{group}_client_id" for group in sorted(set(GROUPS.values())))
_NEEDS = ("table_endpoint", "queue_endpoint", "blob_endpoint", "subscription_id", *_IDENTITIES)
FUNCTION = Function("respond", needs=_NEEDS)
ROOM = ResponseRoom(FUNCTION)
BLUEPRINT = func.Blueprint()


@BLUEPRINT.function_name("respond")
@BLUEPRINT.queue_trigger(arg_name="msg", queue_name=VERDICTS, connection=STATE_CONNECTION)
def respond(msg: func.QueueMessage) -> None:
    """Entry point: one verdict. What fails for half an hour is in ``verdicts-poison``."""
    FUNCTION.run((Message.queued(VERDICTS, msg),), _respond).or_raise()


def _respond(message: Message) -> None:
    try:
        verdict = Verdict.from_json(message.body)
    except ValueError as error:
        raise Poison(str(error), source=message.id) from error
    FUNCTION.correlate(verdict.correlation_id)
    now_ms, policy = FUNCTION.now_ms(), ROOM.policy
    outcome = respond_to(
        verdict,
        policy=policy,
        actions=ROOM.actions_under(policy),
        journal=ROOM.journal,
        signals=ROOM.signals,
        budget=ROOM.budget,
        now_ms=now_ms,
        notify=ROOM.notify,
        delivery=message.queued_as,
    )
    for decision in outcome.decisions:
        place = {"rule": decision.rule, "action": decision.action, "target": decision.target.key}
        said = {"step": decision.step, "reason": decision.reason, "repeated": not decision.entries}
        FUNCTION.logger.info("decision", extra={"verdict_id": decision.verdict_id, **place, **said})
        ROOM.keep(decision.entries)
    ROOM.keep(outcome.earlier)
    FUNCTION.milliseconds("EventToDecision", now_ms - verdict.time_ms)
