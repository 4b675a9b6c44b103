"""People's answers to proposals → containments, or none."""

from __future__ import annotations

from functools import partial
from typing import Any

from lambdas.adapters.callers import Callers, Impersonation
from lambdas.function import Function, Message, Poison
from lambdas.response_room import ResponseRoom
from response.answering import answer_request
from response.answers import MalformedAnswer, sender_says, vouched_for
from response.approval import settle_answer
from response.telling import tell_of_unnamed

FUNCTION = Function("answer_proposals", needs=("journal_table", "signals_table", "policy_parameter", "own_role_arns"))
ROOM = ResponseRoom(FUNCTION)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Entry point: SQS messages as :func:`response.answers.answer_body` writes them."""
    return FUNCTION.run(event, _answer)


def _answer(message: Message) -> None:
    source = f"answers:{message.id}"
    request = message.document(source)
    try:
        person = Callers.of(FUNCTION).person(message.sender, sender_says(request), vouched_for(request))
        policy = ROOM.policy
        settle = partial(
            settle_answer,
            policy=policy,
            actions=ROOM.actions_under(policy),
            journal=ROOM.journal,
            budget=ROOM.budget,
            now_ms=FUNCTION.now_ms(),
            notify=ROOM.notify,
            delivery=message.id,
        )
        answered = answer_request(
            request, person, settle, log=FUNCTION.logger, correlate=FUNCTION.correlate, sender=message.sender
        )
    except MalformedAnswer as error:
        raise Poison(str(error), source=source, field=error.field) from error
    except Impersonation as error:
        about = str(request.get("approve") or request.get("deny"))
        tell_of_unnamed("Answer", about, str(error), journal=ROOM.journal, notify=ROOM.notify, delivery=message.id)
        raise Poison(str(error), source=source, field="by") from error
    ROOM.keep(answered.entries)
    ROOM.keep_again(answered.earlier)
