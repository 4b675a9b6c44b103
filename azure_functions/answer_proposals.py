"""People's answers to proposals → containments, or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import azure.functions as func

from azure_functions.actions.catalogue import GROUPS
from azure_functions.adapters.callers import who_says
from azure_functions.function import Function, Message, Poison
from azure_functions.registry import ANSWERS, LINK_ANSWERS, STATE_CONNECTION
from azure_functions.response_room import ResponseRoom
from response.answering import answer_request
from response.answers import MalformedAnswer, sender_says, vouched_for
from response.approval import settle_answer
from response.people import Person

_IDENTITIES = tuple(f"{group}_client_id" for group in sorted(set(GROUPS.values())))
_NEEDS = ("table_endpoint", "queue_endpoint", "blob_endpoint", "subscription_id", *_IDENTITIES)
FUNCTION = Function("answer_proposals", needs=_NEEDS)
ROOM = ResponseRoom(FUNCTION)
LINKS_FUNCTION = Function("answer_links", needs=_NEEDS)
LINKS_ROOM = ResponseRoom(LINKS_FUNCTION)
BLUEPRINT = func.Blueprint()


@BLUEPRINT.function_name("answer_proposals")
@BLUEPRINT.queue_trigger(arg_name="msg", queue_name=ANSWERS, connection=STATE_CONNECTION)
def answer_proposals(msg: func.QueueMessage) -> None:
    """Entry point: an operator's answer, as :func:`response.answers.answer_body` writes it."""
    message = Message.queued(ANSWERS, msg)
    FUNCTION.run((message,), lambda m: _answer(FUNCTION, ROOM, m, _said)).or_raise()


@BLUEPRINT.function_name("answer_links")
@BLUEPRINT.queue_trigger(arg_name="msg", queue_name=LINK_ANSWERS, connection=STATE_CONNECTION)
def answer_links(msg: func.QueueMessage) -> None:
    """Entry point: the answer of a person who signed in to the page, which alone may send here."""
    message = Message.queued(LINK_ANSWERS, msg)
    LINKS_FUNCTION.run((message,), lambda m: _answer(LINKS_FUNCTION, LINKS_ROOM, m, _signed_in)).or_raise()


def _said(request: Mapping[str, Any]) -> Person:
    """Return who the sender says it is: a storage queue does not say who sent a message, and nothing attests the name."""
    if vouched_for(request) is not None:
        raise MalformedAnswer("only the page speaks for others, and it sends to a queue of its own", "on_behalf_of")
    return who_says(sender_says(request))


def _signed_in(request: Mapping[str, Any]) -> Person:
    """Return who signed in to the page."""
    found = vouched_for(request)
    if found is None:
        raise MalformedAnswer("the page answers for nobody: on_behalf_of says who signed in there", "on_behalf_of")
    return found.person


def _answer(function: Function, room: ResponseRoom, message: Message, person_of: Callable[[Mapping[str, Any]], Person]) -> None:
    request, policy = message.document(message.id), room.policy
    settle = partial(
        settle_answer,
        policy=policy,
        actions=room.actions_under(policy),
        journal=room.journal,
        budget=room.budget,
        now_ms=function.now_ms(),
        notify=room.notify,
        delivery=message.queued_as,
    )
    try:
        answered = answer_request(request, person_of(request), settle, log=function.logger, correlate=function.correlate)
    except MalformedAnswer as error:
        raise Poison(str(error), source=message.id, field=error.field) from error
    room.keep((*answered.entries, *answered.earlier))
