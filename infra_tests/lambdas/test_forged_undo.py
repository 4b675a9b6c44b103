"""Somebody who holds the responder writes into the journal's table; whoever undoes gives nothing back for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infra_tests.lambdas.account import ON_CALL, Account, sqs_event
from infra_tests.lambdas.test_anchoring import SCHEDULE, contained
from infra_tests.lambdas.test_undo_requests import ask
from lambdas import expire_containments
from lambdas.adapters.journal import DynamoJournal
from response.containment import fold
from response.journal import JournalEntry, Step
from response.orders import stream_of

__all__ = ["contained"]


def instance_of(account: Account) -> str:
    return next(entry.stream for entry in account.journal() if entry.step is Step.APPLIED).rpartition("/")[2]


def scheduled(account: Account, minutes: int) -> None:
    for _ in range(minutes // 5):
        account.now_ms += 5 * 60_000
        assert expire_containments.handler(sqs_event(SCHEDULE), None) == {"batchItemFailures": []}


def test_what_the_responder_writes_has_nothing_given_back(contained: Account) -> None:
    instance, journal = instance_of(contained), DynamoJournal(contained.clients, "journal")
    isolated = contained.groups_of(instance)
    applied = next(entry for entry in contained.journal() if entry.step is Step.APPLIED)
    for step, minutes_ago, expires_ms in ((Step.EXTENDED, 60, contained.now_ms - 60_000), (Step.UNDOING, 30, None)):
        stream = fold(applied.stream, journal.stream(applied.stream))
        forged = stream.entry(step, stream.containments[applied.containment_id], now_ms=contained.now_ms - minutes_ago * 60_000)
        journal.append(replace(forged, actor=ON_CALL, expires_ms=expires_ms))
    scheduled(contained, 30)
    assert contained.groups_of(instance) == isolated
    assert contained.steps().count(Step.EXPIRY_DUE) == 1
    told = [message["Body"] for message in contained.take("notices")]
    assert sum("nobody is known to have asked for" in body for body in told) == 1
    ask(contained)
    assert contained.groups_of(instance) != isolated


def test_that_it_is_over_is_not_believed_and_told(contained: Account) -> None:
    instance, journal = instance_of(contained), DynamoJournal(contained.clients, "journal")
    isolated = contained.groups_of(instance)
    applied = next(entry for entry in contained.journal() if entry.step is Step.APPLIED)
    stream = fold(applied.stream, journal.stream(applied.stream))
    forged = stream.entry(Step.UNDONE, stream.containments[applied.containment_id], now_ms=contained.now_ms, actor=ON_CALL)
    journal.append(forged)
    contained.take("notices")
    scheduled(contained, 5)
    (told,) = [message["Body"] for message in contained.take("notices")]
    assert "THE JOURNAL DOES NOT VERIFY" in told
    assert f"UNORDERED  {forged.id}" in told
    ask(contained)
    assert contained.groups_of(instance) != isolated


def test_what_was_asked_for_is_done_where_its_message_is_lost(contained: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function was killed after it had written the order down, and the queue gave the message up."""
    instance = instance_of(contained)
    isolated = contained.groups_of(instance)
    append = DynamoJournal.append

    def killed(self: DynamoJournal, entry: JournalEntry) -> None:
        raise KeyboardInterrupt

    def until_ordered(self: DynamoJournal, entry: JournalEntry) -> None:
        append(self, entry)
        monkeypatch.setattr(DynamoJournal, "append", killed)

    monkeypatch.setattr(DynamoJournal, "append", until_ordered)
    with pytest.raises(KeyboardInterrupt):
        ask(contained)
    monkeypatch.setattr(DynamoJournal, "append", append)
    (order,) = DynamoJournal(contained.clients, "journal").stream(stream_of(contained.now_ms))
    assert (order.step, order.actor) == (Step.ORDERED, ON_CALL)
    assert contained.groups_of(instance) == isolated
    scheduled(contained, 20)
    assert contained.groups_of(instance) != isolated
    undone = next(entry for entry in reversed(contained.journal()) if entry.step is Step.UNDONE)
    assert undone.actor == ON_CALL
