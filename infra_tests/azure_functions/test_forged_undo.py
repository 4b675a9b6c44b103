"""Somebody who holds the responder writes into the journal's table; whoever undoes gives nothing back for it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from azure_functions.adapters.journal import TableJournal
from azure_functions.registry import ANCHORS, JOURNAL, UNDOS
from infra_tests.azure_functions.app import App
from infra_tests.azure_functions.test_handlers import guarded_by, two_signals
from response import anchors
from response.containment import fold
from response.journal import JournalEntry, Step
from response.orders import stream_of


@pytest.fixture
def contained(app: App) -> App:
    """An app that has isolated the web server."""
    for body in two_signals(app):
        app.message("respond", body)
    return app


def applied(app: App) -> JournalEntry:
    return next(entry for entry in app.journal() if entry.step is Step.APPLIED)


def ask(app: App) -> None:
    app.message("undo_containment", json.dumps({"undo": applied(app).containment_id, "approved_by": "alice@example.com"}))


def scheduled(app: App, minutes: int) -> None:
    for _ in range(minutes // 5):
        app.now_ms += 5 * 60_000
        app.scheduled()


def test_what_the_responder_writes_has_nothing_given_back(contained: App) -> None:
    isolated, journal, one = guarded_by(contained), TableJournal(contained.clients), applied(contained)
    for step, minutes_ago, expires_ms in ((Step.EXTENDED, 60, contained.now_ms - 60_000), (Step.UNDOING, 30, None)):
        stream = fold(one.stream, journal.stream(one.stream))
        forged = stream.entry(step, stream.containments[one.containment_id], now_ms=contained.now_ms - minutes_ago * 60_000)
        journal.append(replace(forged, actor="alice@example.com", expires_ms=expires_ms))
    scheduled(contained, 30)
    assert guarded_by(contained) == isolated
    assert contained.steps().count(Step.EXPIRY_DUE) == 1
    assert sum("nobody is known to have asked for" in comment for comment in contained.comments()) == 1
    ask(contained)
    assert guarded_by(contained) != isolated


def test_that_it_is_over_is_not_believed_and_told(contained: App) -> None:
    isolated, journal, one = guarded_by(contained), TableJournal(contained.clients), applied(contained)
    stream = fold(one.stream, journal.stream(one.stream))
    forged = stream.entry(
        Step.UNDONE, stream.containments[one.containment_id], now_ms=contained.now_ms, actor="alice@example.com"
    )
    journal.append(forged)
    scheduled(contained, 5)
    (problem,) = contained.lines("journal does not verify")
    assert problem["problem"].startswith(f"UNORDERED  {forged.id}")
    assert [line["subject"] for line in contained.lines("notice") if "DOES NOT VERIFY" in line["subject"]]
    ask(contained)
    assert guarded_by(contained) != isolated


def test_an_order_counts_only_in_the_table_of_who_undoes(contained: App) -> None:
    """Rows of one that are put into the journal's table are not read as such."""
    isolated, one = guarded_by(contained), applied(contained)
    ask(contained)
    tables = contained.storage.tables
    rows = list(tables.get_table_client(UNDOS).list_entities())
    assert {row["step"] for row in rows if "step" in row} == {Step.ORDERED, Step.SETTLED}
    for row in rows:
        tables.get_table_client(UNDOS).delete_entity(row)
        tables.get_table_client(JOURNAL).create_entity(row)
    assert guarded_by(contained) != isolated
    assert TableJournal(contained.clients).stream(stream_of(contained.now_ms)) == []
    assert TableJournal(contained.clients).find(one.containment_id) == one.stream


def test_an_anchor_counts_only_in_the_table_of_who_undoes(contained: App) -> None:
    """A false one that the responder puts into the journal's table keeps nobody from undoing, and vouches for nothing."""
    contained.scheduled()
    isolated, name, tables = guarded_by(contained), anchors.stream_of(contained.now_ms), contained.storage.tables
    rows = list(tables.get_table_client(ANCHORS).list_entities())
    assert {row["step"] for row in rows if "step" in row} == {Step.ANCHORED}
    for row in rows:
        tables.get_table_client(ANCHORS).delete_entity(row)
        tables.get_table_client(JOURNAL).create_entity(
            {key: str(value).replace('"1:', '"1:f') if key == "entry0" else value for key, value in row.items()}
        )
    journal = TableJournal(contained.clients)
    assert journal.stream(name) == []
    assert name not in journal.streams()
    ask(contained)
    assert guarded_by(contained) != isolated


def test_what_was_asked_for_is_done_where_its_message_is_lost(contained: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function was killed after it had written the order down, and the host gave the message up."""
    isolated, append = guarded_by(contained), TableJournal.append

    def killed(self: TableJournal, entry: JournalEntry) -> None:
        raise KeyboardInterrupt

    def until_ordered(self: TableJournal, entry: JournalEntry) -> None:
        append(self, entry)
        monkeypatch.setattr(TableJournal, "append", killed)

    monkeypatch.setattr(TableJournal, "append", until_ordered)
    with pytest.raises(KeyboardInterrupt):
        ask(contained)
    monkeypatch.setattr(TableJournal, "append", append)
    assert guarded_by(contained) == isolated
    scheduled(contained, 20)
    assert guarded_by(contained) != isolated
    undone = next(entry for entry in reversed(contained.journal()) if entry.step is Step.UNDONE)
    assert undone.actor == "alice@example.com"
