"""The end of containments: when their time to live is over, and by hand. And the end of what is remembered only for a while."""

from __future__ import annotations

from typing import Any

import azure.functions as func

from azure_functions.adapters.callers import who_says
from azure_functions.adapters.purge import purge
from azure_functions.function import Function, Message, Poison
from azure_functions.registry import CONTAINMENTS, SCHEDULE, STATE_CONNECTION
from azure_functions.response_room import ResponseRoom
from response.comparing import compare
from response.expiry import Ended, UnknownContainment, expire, undo

_NEEDS = ("table_endpoint", "queue_endpoint", "blob_endpoint", "subscription_id", "undo_client_id")
FUNCTION = Function("expire_containments", needs=_NEEDS)
ROOM = ResponseRoom(FUNCTION)
UNDO_FUNCTION = Function("undo_containment", needs=_NEEDS)
UNDO_ROOM = ResponseRoom(UNDO_FUNCTION)
BLUEPRINT = func.Blueprint()


@BLUEPRINT.function_name("expire_containments")
@BLUEPRINT.timer_trigger(arg_name="timer", schedule=SCHEDULE, use_monitor=True)
def expire_containments(timer: func.TimerRequest) -> None:
    """Entry point: the schedule. What could not be ended now is tried again by its next run."""
    FUNCTION.run((Message("schedule", b"schedule"),), _expire, _purge).or_raise()


@BLUEPRINT.function_name("undo_containment")
@BLUEPRINT.queue_trigger(arg_name="msg", queue_name=CONTAINMENTS, connection=STATE_CONNECTION)
def undo_containment(msg: func.QueueMessage) -> None:
    """Entry point: an operator's ``{"undo": "<id>", "approved_by": "<object id or name>"}``."""
    UNDO_FUNCTION.run((Message.of(CONTAINMENTS, msg.get_body(), queued_as=msg.id or ""),), _undo).or_raise()


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


def _undo(message: Message) -> None:
    request = message.document(message.id)
    containment_id, approved_by = request.get("undo"), request.get("approved_by")
    if not isinstance(containment_id, str):
        raise Poison('not {"undo": "<containment id>", …}', source=message.id, field="undo")
    if not isinstance(approved_by, str) or not approved_by.strip():
        raise Poison("an undo needs the person who approves it", source=message.id, field="approved_by")
    UNDO_FUNCTION.logger.info("undo asked for", extra={"containment_id": containment_id, "by": approved_by})
    room: Any = {
        "actions": UNDO_ROOM.actions,
        "journal": UNDO_ROOM.journal,
        "now_ms": UNDO_FUNCTION.now_ms(),
        "notify": UNDO_ROOM.notify,
    }
    try:
        if request.get("dry_run"):  # whatever else it says: who wanted to look must not change anything
            result = compare(containment_id, asked_by=approved_by, **room)
        else:
            overwrite = request.get("overwrite") is True
            person = who_says(approved_by)
            result = undo(containment_id, approved_by=person, overwrite=overwrite, delivery=message.queued_as, **room)
    except UnknownContainment as error:
        raise Poison(str(error), source=message.id, field="undo") from error
    _log(UNDO_FUNCTION, UNDO_ROOM, (result,))


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
        room.keep(result.entries)
