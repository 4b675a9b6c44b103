"""People's answers to proposals → containments, or none."""

from __future__ import annotations

import re

import azure.functions as func

from azure_functions.function import Function, Message, Poison
from azure_functions.registry import ANSWERS, STATE_CONNECTION
from azure_functions.response_room import ResponseRoom
from response.answers import MalformedAnswer, read_answer, sender_says
from response.approval import UnknownProposal, settle_answer
from response.people import Person

_NEEDS = ("table_endpoint", "queue_endpoint", "blob_endpoint", "subscription_id", "network_client_id", "identity_client_id")
FUNCTION = Function("answer_proposals", needs=_NEEDS)
ROOM = ResponseRoom(FUNCTION)
BLUEPRINT = func.Blueprint()
#: Sign-in name and object id, as the operator's command writes them.
_NAMES = re.compile(r"[^\s()]+")


@BLUEPRINT.function_name("answer_proposals")
@BLUEPRINT.queue_trigger(arg_name="msg", queue_name=ANSWERS, connection=STATE_CONNECTION)
def answer_proposals(msg: func.QueueMessage) -> None:
    """Entry point: an operator's answer, as :func:`response.answers.answer_body` writes it."""
    FUNCTION.run((Message.of(ANSWERS, msg.get_body(), queued_as=msg.id or ""),), _answer).or_raise()


def _answer(message: Message) -> None:
    request = message.document(message.id)
    try:
        said = sender_says(request)
        # A storage queue does not say who sent a message: the name is what the sender says of itself, and nothing attests it.
        answer = read_answer(request, Person(said, own_names=tuple(_NAMES.findall(said))))
    except MalformedAnswer as error:
        raise Poison(str(error), source=message.id, field=error.field) from error
    FUNCTION.logger.info("answer", extra={"proposal_id": answer.proposal_id, "approves": answer.approves, "by": said})
    try:
        answered = settle_answer(
            answer,
            policy=ROOM.policy,
            actions=ROOM.actions,
            journal=ROOM.journal,
            budget=ROOM.budget,
            now_ms=FUNCTION.now_ms(),
            notify=ROOM.notify,
            delivery=message.queued_as,
        )
    except UnknownProposal as error:
        raise Poison(str(error), source=message.id, field="approve" if answer.approves else "deny") from error
    FUNCTION.correlate(answered.correlation_id)
    FUNCTION.logger.info(
        "answered", extra={"proposal_id": answered.proposal_id, "step": answered.step, "reason": answered.reason}
    )
    ROOM.keep((*answered.entries, *answered.earlier))
