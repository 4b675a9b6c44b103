"""The schedule anchors the journal; copies leave the system, and a journal that was changed is told of."""

from __future__ import annotations

import gzip

import pytest

from azure_functions.adapters.journal import TableJournal
from azure_functions.adapters.table_rows import encode_key
from infra_tests.azure_functions.app import App
from infra_tests.azure_functions.test_handlers import two_signals
from response.anchors import heads, stream_of
from response.audit import read_copies
from shared_model.errors import CloudUnavailable


@pytest.fixture
def contained(app: App) -> App:
    for body in two_signals(app):
        app.message("respond", body)
    return app


def test_the_schedule_anchors_the_journal_and_a_copy_leaves_the_system(contained: App) -> None:
    for _ in range(2):
        contained.scheduled()
    (anchor,) = TableJournal(contained.clients).stream(stream_of(contained.now_ms))
    assert {head.stream for head in heads(anchor)} == {entry.stream for entry in contained.journal()}
    (said,) = contained.lines("journal anchored")
    assert (said["anchor"], said["digest"]) == (anchor.id, anchor.digest)
    (kept,) = [name for name in contained.lake() if name.startswith("journal-anchors/")]
    blob = contained.storage.blobs.get_blob_client("lake", kept).download_blob().readall()
    assert [copy.entry for copy in read_copies(gzip.decompress(blob).decode().splitlines())] == [anchor]


def test_a_journal_that_was_changed_is_told_of(contained: App) -> None:
    entry = contained.journal()[0]
    table = contained.storage.tables.get_table_client("journal")
    row = table.get_entity(encode_key(entry.stream), f"{entry.sequence:010}")
    row["entry0"] = row["entry0"].replace('"actor":"policy:', '"actor":"policy:not-')
    table.update_entity(row)
    contained.scheduled()
    (problem,) = contained.lines("journal does not verify")
    assert problem["problem"].startswith(f"ALTERED  {entry.id}")
    assert [line["subject"] for line in contained.lines("notice") if "DOES NOT VERIFY" in line["subject"]]


def test_a_journal_that_cannot_be_anchored_now_is_tried_again(contained: App, monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(*_: object) -> None:
        raise CloudUnavailable("throttled")

    with monkeypatch.context() as patch:
        patch.setattr(TableJournal, "written", unavailable)
        with pytest.raises(CloudUnavailable):
            contained.scheduled()
    contained.scheduled()
    assert len(TableJournal(contained.clients).stream(stream_of(contained.now_ms))) == 1
