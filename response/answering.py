"""A request that carries a person's answer → what came of it. Who sent it, the cloud's adapter says; the rest is one for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from response.actions import Action
from response.answers import MalformedAnswer, read_answer
from response.approval import Answered, UnknownProposal, settle_answer
from response.budget import Ledgers
from response.journal import Journal
from response.notices import Notify
from response.people import Person
from response.policy import Policy


class Log(Protocol):
    """The log of the function."""

    def info(self, msg: str, *, extra: Mapping[str, object]) -> None: ...


def answer_request(
    request: Mapping[str, Any],
    by: Person,
    *,
    policy: Policy,
    actions: Mapping[str, Action],
    journal: Journal,
    budget: Ledgers,
    now_ms: int,
    notify: Notify,
    delivery: str,
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
    policy, actions, journal, budget, now_ms, notify, delivery
        As :func:`response.approval.settle_answer`.
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
        answered = settle_answer(
            answer,
            policy=policy,
            actions=actions,
            journal=journal,
            budget=budget,
            now_ms=now_ms,
            notify=notify,
            delivery=delivery,
        )
    except UnknownProposal as error:
        raise MalformedAnswer(str(error), "approve" if answer.approves else "deny") from error
    correlate(answered.correlation_id)
    log.info("answered", extra={"proposal_id": answered.proposal_id, "step": answered.step, "reason": answered.reason})
    return answered
