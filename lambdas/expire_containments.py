"""The end of containments: when their time to live is over, and by hand."""

from __future__ import annotations

from typing import Any

from lambdas.adapters.callers import Callers, Impersonation
from lambdas.function import Function, Message, Poison
from lambdas.response_room import ResponseRoom
from response.comparing import compare
from response.ends import Ended
from response.expiry import expire
from response.telling import tell_of_unnamed
from response.undoing import UnknownContainment, undo

FUNCTION = Function("expire_containments", needs=("journal_table", "policy_parameter"))
ROOM = ResponseRoom(FUNCTION)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Entry point: SQS messages ``{"expire": true}`` or ``{"undo": "<id>", "approved_by": "<ARN>"}``.

    An undo may carry ``"overwrite": true`` (also what was changed since) or ``"dry_run": true`` (look, and change nothing).
    """
    return FUNCTION.run(event, _end)


def _end(message: Message) -> None:
    source = f"containments:{message.id}"
    request = message.document(source)
    if request.get("expire") is True:
        ended, errors = expire(
            policy=ROOM.policy,
            actions=ROOM.actions,
            journal=ROOM.journal,
            now_ms=FUNCTION.now_ms(),
            notify=ROOM.notify,
            since_ms=message.sent_ms if message.deliveries > 1 else None,
            delivery=message.id,
        )
        _log(ended)
        errors = (*errors, *ROOM.anchor())  # last, so that it holds what was just written
        for error in errors[1:]:
            FUNCTION.logger.error("cannot be ended now", exc_info=error)
        if errors:  # the first one is logged where every error of a message is
            raise errors[0]
        return
    containment_id, approved_by = request.get("undo"), request.get("approved_by")
    if not isinstance(containment_id, str):
        raise Poison('neither {"expire": true} nor {"undo": "<containment id>", …}', source=source, field="undo")
    if not isinstance(approved_by, str) or not approved_by.strip():
        raise Poison("an undo needs the ARN of the person who approves it", source=source, field="approved_by")
    FUNCTION.logger.info("undo asked for", extra={"containment_id": containment_id, "by": approved_by, "sender": message.sender})
    room: Any = {"actions": ROOM.actions, "journal": ROOM.journal, "now_ms": FUNCTION.now_ms(), "notify": ROOM.notify}
    try:
        if request.get("dry_run"):  # whatever else it says: who wanted to look must not change anything
            result = compare(containment_id, asked_by=approved_by, **room)
        else:
            # approved_by is what the sender says: it counts where IAM has it under the id that the queue saw.
            person = Callers.of(FUNCTION).person(message.sender, approved_by)
            overwrite = request.get("overwrite") is True
            result = undo(containment_id, approved_by=person, overwrite=overwrite, delivery=message.id, **room)
    except Impersonation as error:
        tell_of_unnamed("Undo", containment_id, str(error), journal=ROOM.journal, notify=ROOM.notify, delivery=message.id)
        raise Poison(str(error), source=source, field="approved_by") from error
    except UnknownContainment as error:
        raise Poison(str(error), source=source, field="undo") from error
    _log((result,))


def _log(ended: tuple[Ended, ...]) -> None:
    for result in ended:
        FUNCTION.correlate(result.correlation_id)
        FUNCTION.logger.info(
            "ended",
            extra={
                "containment_id": result.containment_id,
                "step": result.step,
                "reason": result.reason,
                "left": list(result.left),
            },
        )
        ROOM.keep(result.entries)
        ROOM.keep_again(result.earlier)
