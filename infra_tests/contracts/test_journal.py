"""The journal: appended in order, each number once, found by what is due and by id."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from infra_tests.contracts.conftest import Stores
from infra_tests.response.world import HOUR_MS, NOW_MS, verdict
from response.anchors import anchor, as_copy, stream_of
from response.audit import read_copies, verify
from response.chain import check
from response.containment import stream_name
from response.journal import CORROBORATION, Journal, JournalEntry, SequenceTaken, Step, link
from response.signals import kept
from shared_model.events import Entity, EntityKind, Telemetry
from shared_model.verdicts import Evidence

STREAM = "isolate#123456789012/instance/i-1"


def entry(sequence: int, step: Step = Step.APPLIED, **changes: Any) -> JournalEntry:
    made = JournalEntry(
        stream=STREAM,
        sequence=sequence,
        containment_id="c1",
        step=step,
        time_ms=NOW_MS,
        correlation_id="event-1",
        verdict_id="v1",
        actor="policy:rule",
        plan={"before": {"eni-a": ["sg-1"]}, "share": 0.25},
        detail={"reason": "", "left": ["eni-b"]},
        expires_ms=NOW_MS + HOUR_MS,
    )
    return replace(made, **changes)


def test_entries_come_back_in_order_as_they_were_written(stores: Stores) -> None:
    entries = [entry(number, Step.APPLYING if number % 2 else Step.APPLIED) for number in range(1, 13)]
    entries[3] = replace(entries[3], plan=None, expires_ms=None)
    for each in entries:
        stores.journal().append(each)
    assert stores.journal().stream(STREAM) == entries
    assert stores.journal().stream("isolate#nobody") == []


def test_the_chain_is_kept(stores: Stores) -> None:
    first = entry(1, previous=link(STREAM, ()), plan={"share": 1.0, "names": ["ü", "\u0000"]})
    entries = [first, entry(2, previous=link(STREAM, [first]), verdict="{}", case="case-1")]
    for each in entries:
        stores.journal().append(each)
    read = stores.journal().stream(STREAM)
    assert read == entries
    assert [each.sealed for each in read] == [each.digest for each in entries]
    assert list(check(STREAM, read, {})) == []


def test_of_two_writers_of_a_number_one_wins(journal: Journal) -> None:
    journal.append(entry(1))
    with pytest.raises(SequenceTaken):
        journal.append(entry(1, verdict_id="v2"))
    assert journal.stream(STREAM) == [entry(1)]


def test_an_entry_that_stands_there_already_is_written(journal: Journal) -> None:
    """A client that retries finds its own first attempt."""
    journal.append(entry(1))
    journal.append(entry(1))
    assert journal.stream(STREAM) == [entry(1)]


def test_a_refusal_that_waits_keeps_its_verdict(journal: Journal) -> None:
    long = verdict("i-1", "v1", Telemetry.FLOW_LOGS, evidence=(Evidence("e", NOW_MS, 0.5, "ü" * 4000),))
    waiting = entry(1, Step.REFUSED, detail={"reason": "one", "wants": CORROBORATION}, verdict=kept(long), expires_ms=None)
    journal.append(waiting)
    (read,) = journal.stream(STREAM)
    assert read == waiting
    assert read.awaits_corroboration


def test_a_large_plan_is_kept_whole(journal: Journal) -> None:
    large = entry(1, plan={"rules": [{"name": f"rule-{number}", "note": "x" * 80} for number in range(1000)]})
    journal.append(large)
    assert journal.stream(STREAM) == [large]


@pytest.mark.parametrize("step", [Step.PROPOSED, Step.APPLYING, Step.APPLIED, Step.EXTENDED])
def test_expiring_names_streams_with_what_is_due_or_stuck(journal: Journal, step: Step) -> None:
    journal.append(entry(1, Step.REFUSED))
    assert list(journal.expiring(NOW_MS + 2 * HOUR_MS)) == []
    journal.append(entry(2, step))
    assert list(journal.expiring(NOW_MS + HOUR_MS)) == []
    assert set(journal.expiring(NOW_MS + HOUR_MS + 1)) == {STREAM}


def test_what_was_written_since_names_streams_but_no_anchors(journal: Journal) -> None:
    journal.append(entry(1, Step.REFUSED))
    journal.append(entry(1, stream="other", time_ms=NOW_MS + 5))
    journal.append(entry(1, Step.ANCHORED, stream="anchors#2026-09-21", containment_id="anchors#2026-09-21"))
    assert set(journal.written(0)) == {STREAM, "other"}
    assert set(journal.written(NOW_MS)) == {STREAM, "other"}
    assert set(journal.written(NOW_MS + 1)) == {"other"}
    assert list(journal.written(NOW_MS + 6)) == []


def test_anchors_hold_what_was_written(journal: Journal) -> None:
    journal.append(entry(1, previous=link(STREAM, ())))
    journal.append(entry(1, previous=link("other", ()), stream="other"))
    (first,) = anchor(journal, now_ms=NOW_MS).anchors
    assert anchor(journal, now_ms=NOW_MS + 1).anchors == ()
    journal.append(entry(2, previous=link(STREAM, journal.stream(STREAM))))
    anchor(journal, now_ms=NOW_MS + 1)
    anchor(journal, now_ms=NOW_MS + 24 * HOUR_MS)
    days = [stream_of(NOW_MS), stream_of(NOW_MS + 24 * HOUR_MS)]
    copies = read_copies([json.dumps(as_copy(first))])
    found = verify(journal, [STREAM, "other", *days], now_ms=NOW_MS + 24 * HOUR_MS, copies=copies)
    assert (found.problems, found.entries, found.anchors, found.since) == ((), 3, 3, 0)


def test_what_a_later_version_wrote_is_read_after_a_roll_back_and_still_verifies(journal: Journal) -> None:
    later = entry(1, Step("RELEASED"), previous=link(STREAM, ()), more={"tenant": "t", "weights": [1, 2], "kept": {"a": "b"}})
    journal.append(later)
    journal.append(entry(2, previous=later.digest))
    (read, _) = journal.stream(STREAM)
    assert (read, read.more, read.sealed) == (later, later.more, later.digest)
    anchor(journal, now_ms=NOW_MS)
    assert verify(journal, [STREAM, stream_of(NOW_MS)], now_ms=NOW_MS, copies=()).problems == ()


def test_a_containment_is_found_by_its_id(journal: Journal) -> None:
    journal.append(entry(1, Step.APPLYING))
    journal.append(entry(2))
    journal.append(entry(1, stream="isolate#123456789012/instance/i-2", containment_id="c2"))
    assert journal.find("c1") == STREAM
    assert journal.find("c2") == "isolate#123456789012/instance/i-2"
    assert journal.find("c3") is None


def test_a_name_of_any_length_is_a_stream(journal: Journal) -> None:
    written = entry(1, stream=stream_name("revoke_sessions", Entity(EntityKind.SESSION, "ü" * 4000, "123456789012")))
    journal.append(written)
    assert journal.stream(written.stream) == [written]
    assert journal.find("c1") == written.stream
    assert list(journal.expiring(NOW_MS + 2 * HOUR_MS)) == [written.stream]


def test_nothing_can_update_or_delete(journal: Journal) -> None:
    public = {name for name in dir(journal) if not name.startswith("_")}
    assert public >= {"append", "stream", "expiring", "written", "find"}
    assert not {name for name in public if any(word in name for word in ("delete", "remove", "update", "put", "clear", "set"))}
