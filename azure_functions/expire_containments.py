"""The end of containments: when their time to live is over, and by hand. And the end of what is remembered only for a while."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import azure.functions as func

from azure_functions.adapters.callers import who_says
from azure_functions.adapters.purge import purge
from azure_functions.function import Function, Message, Poison
from azure_functions.registry import CONTAINMENTS, LINK_UNDOS, SCHEDULE, UNDO_CONNECTION
from azure_functions.response_room import ResponseRoom
from response.answers import MalformedAnswer, vouched_for
from response.comparing import compare
from response.ends import Ended
from response.expiry import expire
from response.people import Person
from response.undoing import UnknownContainment, undo

_NEEDS = ("table_endpoint", "queue_endpoint", "blob_endpoint", "subscription_id", "undo_client_id")
FUNCTION = Function("expire_containments", needs=_NEEDS)
ROOM = ResponseRoom(FUNCTION)
UNDO_FUNCTION = Function("undo_containment", needs=_NEEDS)
UNDO_ROOM = ResponseRoom(UNDO_FUNCTION)
LINKS_FUNCTION = Function("undo_links", needs=_NEEDS)
LINKS_ROOM = ResponseRoom(LINKS_FUNCTION)
BLUEPRINT = func.Blueprint()


@BLUEPRINT.function_name("expire_containments")
@BLUEPRINT.timer_trigger(arg_name="timer", schedule=SCHEDULE, use_monitor=True)
def expire_containments(timer: func.TimerRequest) -> None:
    """Entry point: the schedule. What could not be ended now is tried again by its next run."""
    FUNCTION.run((Message("schedule", b"schedule"),), _expire, _purge).or_raise()


@BLUEPRINT.function_name("undo_containment")
@BLUEPRINT.queue_trigger(arg_name="msg", queue_name=CONTAINMENTS, connection=UNDO_CONNECTION)
def undo_containment(msg: func.QueueMessage) -> None:
    """Entry point: an operator's ``{"undo": "<id>", "approved_by": "<object id or name>"}``."""
    message = Message.queued(CONTAINMENTS, msg)
    UNDO_FUNCTION.run((message,), lambda m: _undo(UNDO_FUNCTION, UNDO_ROOM, m, _said)).or_raise()


@BLUEPRINT.function_name("undo_links")
@BLUEPRINT.queue_trigger(arg_name="msg", queue_name=LINK_UNDOS, connection=UNDO_CONNECTION)
def undo_links(msg: func.QueueMessage) -> None:
    """Entry point: the request of a person who signed in to the page: nobody else may send here but who takes from it."""
    message = Message.queued(LINK_UNDOS, msg)
    LINKS_FUNCTION.run((message,), lambda m: _undo(LINKS_FUNCTION, LINKS_ROOM, m, _signed_in)).or_raise()


def _expire(_: Message) -> None:
    ended, errors = expire(
        policy=ROOM.policy, actions=ROOM.actions, journal=ROOM.journal, now_ms=FUNCTION.now_ms(), notify=ROOM.notify
    )
    _log(FUNCTION, ROOM, ended)
    errors = (*errors, *ROOM.anchor())  # last, so that it holds what was just written
    for error in errors:
        FUNCTION.logger.error("not ended", extra={"reason": str(error)}, exc_info=error)
    if errors:
        raise errors[0]


def _purge() -> None:
    FUNCTION.count("RowsForgotten", purge(FUNCTION.clients, now_ms=FUNCTION.now_ms()))


def _said(request: Mapping[str, Any]) -> Person:
    """Return who the sender says it is: a storage queue does not say who sent a message, and nothing attests the name."""
    if vouched_for(request) is not None:
        raise MalformedAnswer("only the page speaks for others, and it sends to a queue of its own", "on_behalf_of")
    said = request.get("approved_by")
    if not isinstance(said, str) or not said.strip():
        raise MalformedAnswer("an undo needs the person who approves it", "approved_by")
    return who_says(said)


def _signed_in(request: Mapping[str, Any]) -> Person:
    """Return who signed in to the page."""
    found = vouched_for(request)
    if found is None:
        raise MalformedAnswer("the page asks for nobody: on_behalf_of says who signed in there", "on_behalf_of")
    return found.person


def _undo(
    function: Function, of_function: ResponseRoom, message: Message, person_of: Callable[[Mapping[str, Any]], Person]
) -> None:
    request = message.document(message.id)
    containment_id = request.get("undo")
    if not isinstance(containment_id, str):
        raise Poison('not {"undo": "<containment id>", …}', source=message.id, field="undo")
    try:
        person = person_of(request)
    except MalformedAnswer as error:
        raise Poison(str(error), source=message.id, field=error.field) from error
    function.logger.info("undo asked for", extra={"containment_id": containment_id, "by": person.name})
    room: Any = {
        "actions": of_function.actions,
        "journal": of_function.journal,
        "now_ms": function.now_ms(),
        "notify": of_function.notify,
    }
    try:
        if request.get("dry_run"):  # whatever else it says: who wanted to look must not change anything
            result = compare(containment_id, asked_by=person.name, **room)
        else:
            result = undo(
                containment_id,
                approved_by=person,
                overwrite=request.get("overwrite") is True,
                delivery=message.queued_as,
                attested_only=bool(function.settings.attested_undo),
                **room,
            )
    except UnknownContainment as error:
        raise Poison(str(error), source=message.id, field="undo") from error
    _log(function, of_function, (result,))


def _log(function: Function, room: ResponseRoom, ended: tuple[Ended, ...]) -> None:
    for result in ended:
        function.correlate(result.correlation_id)
        function.logger.info(
            "ended",
            extra={
                "containment_id": result.containment_id,
                "step": result.step,
                "reason": result.reason,
                "left": list(result.left),
            },
        )
        room.keep((*result.entries, *result.earlier))
