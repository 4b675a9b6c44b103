"""A request that carries a person's answer → what came of it. Who sent it, the cloud's adapter says; the rest is one for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from response.answers import Answer, MalformedAnswer, read_answer
from response.approval import Answered, UnknownProposal
from response.people import Person


class Log(Protocol):
    """The log of the function."""

    def info(self, msg: str, *, extra: Mapping[str, object]) -> None: ...


def answer_request(
    request: Mapping[str, Any],
    by: Person,
    settle: Callable[[Answer], Answered],
    *,
    log: Log,
    correlate: Callable[[str], None],
    sender: str = "",
) -> Answered:
    """Read an answer, settle it, and say both in the log.

    Parameters
    ----------
    request : mapping
        As :func:`response.answers.answer_body` writes it.
    by : Person
        Who sent it.
    settle : callable
        :func:`response.approval.settle_answer`, with what this deployment settles by.
    log : Log
    correlate : callable
        Told the correlation id that what follows in the log belongs to.
    sender : str
        The id by which the platform knows the sender, where it does.

    Raises
    ------
    MalformedAnswer
        It can never be an answer, or the journal has no such proposal.
    CloudUnavailable
        Deliver it again.
    """
    answer = read_answer(request, by)
    said = {"proposal_id": answer.proposal_id, "approves": answer.approves, "by": answer.by.name}
    log.info("answer", extra=said | ({"sender": sender} if sender else {}))
    try:
        answered = settle(answer)
    except UnknownProposal as error:
        raise MalformedAnswer(str(error), "approve" if answer.approves else "deny") from error
    correlate(answered.correlation_id)
    log.info("answered", extra={"proposal_id": answered.proposal_id, "step": answered.step, "reason": answered.reason})
    return answered
