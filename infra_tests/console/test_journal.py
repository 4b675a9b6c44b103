"""What an auditor sees: the same on both clouds."""

from __future__ import annotations

import gzip
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from infra_tests.console.conftest import Console
from infra_tests.response.world import Site
from response import orders
from response.anchors import anchor, stream_of
from response.journal import Journal, JournalEntry, Step, link

NOW_MS = time.time_ns() // 1_000_000
STREAM = "isolate#123456789012/instance/i-1"


@pytest.fixture
def journal(console: Console) -> Journal:
    """One containment, undone again, and anchored."""
    site = Site()
    site.now_ms = NOW_MS
    site.journal = console.journal()  # type: ignore[assignment]
    site.undo(site.contain("i-1").decisions[0].containment_id)
    anchor(site.journal, now_ms=NOW_MS)
    return site.journal


def test_a_sound_journal(console: Console, journal: Journal) -> None:
    assert console("journal", "verify") == 0
    entries, anchors, copies, said, where = console.printed
    written = len(journal.stream(STREAM)) + len(journal.stream(orders.stream_of(NOW_MS)))
    assert entries == f"{written} entries in 2 streams"
    assert anchors.startswith("1 anchors, the last of 20")
    assert copies.startswith("no copies")
    assert said == "nothing altered, missing or put in"
    assert where.lower().startswith(f"({console.cloud}")


def test_what_was_put_in_is_named(console: Console, journal: Journal) -> None:
    last = journal.stream(STREAM)[-1]
    journal.append(replace(last, sequence=last.sequence + 1, previous=link("x", ()), actor="policy:forged"))
    assert console("journal", "verify") == 1
    assert console.printed[0].startswith(f"INSERTED  {STREAM}/{last.sequence + 1}: it was written after another entry")
    assert "NOT AS IT WAS WRITTEN: 1 findings" in console.printed


def test_copies_of_anchors_are_compared(console: Console, journal: Journal, tmp_path: Path) -> None:
    assert console("journal", "export", "--anchors") == 0
    (line,) = console.printed
    (tmp_path / "dt=2026-11-29").mkdir()
    (tmp_path / "dt=2026-11-29" / "a.jsonl.gz").write_bytes(gzip.compress(line.encode()))
    assert console("journal", "verify", "--copies", str(tmp_path)) == 0
    assert "1 copies of anchors from outside" in console.printed
    day = stream_of(NOW_MS)
    gone = JournalEntry(day, 2, day, Step.ANCHORED, NOW_MS, day, "", "policy:anchors", None, {"heads": []}, previous="1:00")
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps({"message": "journal anchored", "anchor": gone.id, "digest": gone.digest, "heads": 0}))
    assert console("journal", "verify", "--copies", str(log)) == 1
    assert console.printed[0].startswith(f"MISSING  {day}/2")


def test_one_case_is_verified_entry_by_entry(console: Console, journal: Journal) -> None:
    entries = journal.stream(STREAM)
    case, day = entries[0].case, stream_of(NOW_MS)
    assert console("journal", "verify", case) == 0
    *shown, _, _, said, _ = console.printed
    assert len(shown) == len(entries) + 2, "the order of the undo, and its settlement, belong to it"
    assert all("  held        " in line and line.endswith(f"{day}/1") for line in shown)
    assert {entry.step for entry in entries} <= {line.split()[3] for line in shown}
    assert f"{orders.stream_of(NOW_MS)}: 2 of 2 entries are of this case, anchors hold it up to 2" in console.printed
    assert said == f"{case}: nothing altered, missing or put in"


def test_what_is_no_case_is_said_so(console: Console, journal: Journal, capsys: pytest.CaptureFixture[str]) -> None:
    assert console("journal", "verify", journal.stream(STREAM)[-1].containment_id) == 1
    assert "is no id of a case" in capsys.readouterr().err
    assert console("journal", "verify", "case-20260101-0000-00000000") == 1
    assert console.printed[0] == "the journal has no case case-20260101-0000-00000000; breakwater cases --all lists them"


def test_what_was_put_into_a_case_is_named(console: Console, journal: Journal) -> None:
    last = journal.stream(STREAM)[-1]
    journal.append(replace(last, sequence=last.sequence + 1, previous=link("x", ()), actor="policy:forged"))
    assert console("journal", "verify", last.case) == 1
    assert any("INSERTED" in line and "by policy:forged" in line for line in console.printed)
    assert f"{last.case} IS NOT AS IT WAS WRITTEN: 1 findings" in console.printed


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "there is no copy of an anchor there"),
        (b"{", "line 1 is not JSON"),
        (b"\x1f\x8b\x08", "cut off"),
        (b"\xff", "no text"),
    ],
)
def test_what_is_no_copy_is_said_so(
    console: Console, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, said: str
) -> None:
    (tmp_path / "copies").write_bytes(content)
    assert console("journal", "verify", "--copies", str(tmp_path / "copies")) == 1
    assert said in capsys.readouterr().err


def test_a_file_that_is_not_there(console: Console, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert console("journal", "verify", "--copies", str(tmp_path / "nothing")) == 1
    assert "cannot read" in capsys.readouterr().err


def test_the_journal_leaves_as_ocsf(console: Console, journal: Journal) -> None:
    assert console("disarm", "--reason", "drill") == 0
    assert console("journal", "export") == 0
    lines = [json.loads(line) for line in console.printed]
    assert [line["unmapped"]["step"] for line in lines] == [entry.step for entry in journal.stream(STREAM)]
    assert {line["unmapped"]["case"] for line in lines} == {journal.stream(STREAM)[0].case}
    assert {(line["class_uid"], line["metadata"]["version"]) for line in lines} == {(7001, "1.5.0")}
