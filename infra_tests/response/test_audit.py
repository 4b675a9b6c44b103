"""Anchors, and what verifying the whole journal finds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra_tests.response.world import NOW_MS, Site
from response.anchors import OVERLAP_MS, anchor, as_copy, heads, of_problem, stream_of
from response.audit import NotACopy, Report, read_copies, verify
from response.chain import Fault
from response.journal import InProcessJournal, JournalEntry, SequenceTaken, Step, link

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000


class Rewritable(InProcessJournal):
    """The journal in the hands of an attacker who may write wherever he likes."""

    def names(self) -> list[str]:
        return [*self._streams]

    def put(self, entry: JournalEntry) -> None:
        stream = self._streams.setdefault(entry.stream, [])
        stream[:] = sorted(
            [each for each in stream if each.sequence != entry.sequence] + [sealed(entry)], key=lambda e: e.sequence
        )

    def take(self, stream: str, sequence: int) -> None:
        self._streams[stream] = [each for each in self._streams[stream] if each.sequence != sequence]

    def rewrite(self, stream: str, sequence: int, change: Callable[[JournalEntry], JournalEntry]) -> None:
        """Change an entry, and make all that follows fit again."""
        entries = self._streams[stream]
        for position in range(sequence - 1, len(entries)):
            entry = change(entries[position]) if position == sequence - 1 else entries[position]
            entries[position] = sealed(replace(entry, previous=link(stream, entries[:position])))


def sealed(entry: JournalEntry) -> JournalEntry:
    return replace(entry, sealed=entry.digest)


def write(journal: InProcessJournal, stream: str, now_ms: int, reason: str = "") -> JournalEntry:
    before = journal.stream(stream)
    entry = JournalEntry(
        stream,
        len(before) + 1,
        "c1",
        Step.NOOP,
        now_ms,
        "event",
        "v1",
        "policy:rule",
        None,
        {"reason": reason},
        previous=link(stream, before),
    )
    journal.append(entry)
    return entry


def report(journal: Rewritable, now_ms: int, copies: list[str] | None = None) -> Report:
    return verify(journal, journal.names(), now_ms=now_ms, copies=read_copies(copies or []))


def faults(found: Report) -> list[tuple[str, int, Fault]]:
    return [(each.stream, each.sequence, each.fault) for each in found.problems]


@pytest.fixture
def journal() -> Rewritable:
    """Two streams, three entries each, anchored after each; the last two are not anchored yet."""
    made = Rewritable()
    for number in range(3):
        for stream in ("a", "b"):
            write(made, stream, NOW_MS + number * 5 * MINUTE_MS)
        if number < 2:
            anchor(made, now_ms=NOW_MS + number * 5 * MINUTE_MS + 1)
    return made


LATER = NOW_MS + 20 * MINUTE_MS
DAY = stream_of(NOW_MS)


def test_a_sound_journal(journal: Rewritable) -> None:
    found = report(journal, LATER)
    assert found.problems == ()
    assert (found.streams, found.entries, found.anchors, found.unchained, found.since) == (2, 6, 2, 0, 2)


def test_an_anchor_holds_what_is_new_and_nothing_else(journal: Rewritable) -> None:
    write(journal, "c", LATER)
    (new,) = anchor(journal, now_ms=LATER).anchors
    assert [(head.stream, head.sequence) for head in heads(new)] == [("a", 3), ("b", 3), ("c", 1)]
    assert anchor(journal, now_ms=LATER + 1).anchors == ()


def test_a_quiet_day_has_one_anchor_that_names_the_day_before(journal: Rewritable) -> None:
    anchor(journal, now_ms=LATER)
    last = journal.stream(DAY)[-1]
    (new,) = anchor(journal, now_ms=LATER + 3 * DAY_MS).anchors
    assert (list(heads(new)), new.detail["after"]) == ([], {"anchor": last.id, "digest": last.digest})
    assert anchor(journal, now_ms=LATER + 3 * DAY_MS + MINUTE_MS).anchors == ()
    assert report(journal, LATER + 3 * DAY_MS + MINUTE_MS).problems == ()


def test_an_entry_that_bears_the_time_at_which_its_writer_began_is_anchored(journal: Rewritable) -> None:
    anchor(journal, now_ms=LATER)
    write(journal, "late", LATER - OVERLAP_MS + 1)
    (new,) = anchor(journal, now_ms=LATER + 1).anchors
    assert [head.stream for head in heads(new)] == ["late"]
    assert report(journal, LATER + 2).problems == ()


def test_many_heads_are_several_anchors() -> None:
    journal = Rewritable()
    for number in range(30):
        write(journal, f"{number:04}" + "x" * 9_000, NOW_MS)
    made = anchor(journal, now_ms=NOW_MS).anchors
    assert len(made) > 1
    assert len([head for each in made for head in heads(each)]) == 30
    assert all(len(json.dumps(as_copy(each))) < 200_000 for each in made)
    assert report(journal, NOW_MS).problems == ()


def test_of_two_runs_at_once_one_anchors(journal: Rewritable, monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(entry: JournalEntry) -> None:
        raise SequenceTaken(entry.id)

    with monkeypatch.context() as patch:
        patch.setattr(journal, "append", taken)
        assert anchor(journal, now_ms=LATER).anchors == ()
    assert len(anchor(journal, now_ms=LATER).anchors) == 1


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 400)), max_size=40), st.data())
def test_whatever_is_written_and_whenever_it_is_anchored_it_verifies(steps: list[tuple[str, int]], data: st.DataObject) -> None:
    journal, now_ms = Rewritable(), NOW_MS
    for stream, minutes in steps:
        now_ms += minutes * MINUTE_MS
        begun_ms = now_ms - data.draw(st.integers(0, 14)) * MINUTE_MS
        write(journal, stream, begun_ms)
        if data.draw(st.booleans()):
            assert anchor(journal, now_ms=now_ms).problems == ()
    anchor(journal, now_ms=now_ms)
    assert report(journal, now_ms).problems == ()


@settings(deadline=None)
@given(st.data())
def test_whatever_an_attacker_rewrites_is_found(data: st.DataObject) -> None:
    """He writes the stream anew so that it fits, but not the anchors: these only the schedule's identity can write."""
    journal = Rewritable()
    for number in range(6):
        write(journal, data.draw(st.sampled_from("ab")), NOW_MS + number * MINUTE_MS)
        anchor(journal, now_ms=NOW_MS + number * MINUTE_MS)
    stream = data.draw(st.sampled_from([name for name in journal.names() if name != DAY]))
    number = data.draw(st.integers(1, len(journal.stream(stream))))
    if data.draw(st.booleans()):
        journal.rewrite(stream, number, lambda entry: replace(entry, actor="policy:other"))
        assert (stream, number, Fault.ALTERED) in faults(report(journal, LATER))
    else:
        last = len(journal.stream(stream))
        for each in range(number, last + 1):
            journal.take(stream, each)
        assert faults(report(journal, LATER)) == [(stream, each, Fault.MISSING) for each in range(number, last + 1)]


def test_a_stream_that_was_taken_away_is_missed(journal: Rewritable) -> None:
    for number in (1, 2, 3):
        journal.take("a", number)
    journal._streams.pop("a")
    assert faults(report(journal, LATER)) == [("a", 1, Fault.MISSING), ("a", 2, Fault.MISSING)]


def test_an_entry_that_says_it_is_older_than_it_is_was_inserted(journal: Rewritable) -> None:
    at = NOW_MS + 300 * MINUTE_MS
    anchor(journal, now_ms=at)
    write(journal, "a", NOW_MS + 200 * MINUTE_MS)
    write(journal, "forged", NOW_MS + 210 * MINUTE_MS)
    anchor(journal, now_ms=at + 5 * MINUTE_MS)
    assert faults(report(journal, at + 6 * MINUTE_MS)) == [("a", 4, Fault.INSERTED), ("forged", 1, Fault.INSERTED)]


def test_what_was_written_while_the_schedule_stood_still_is_no_forgery() -> None:
    journal = Rewritable()
    write(journal, "a", NOW_MS)
    anchor(journal, now_ms=NOW_MS)
    for number in range(30):
        write(journal, f"{number:04}" + "x" * 9_000, NOW_MS + number * 30 * MINUTE_MS)
    assert len(anchor(journal, now_ms=NOW_MS + DAY_MS).anchors) > 1
    assert report(journal, NOW_MS + DAY_MS).problems == ()


def test_an_anchor_that_was_taken_away_is_missed(journal: Rewritable) -> None:
    anchor(journal, now_ms=LATER)
    journal.take(DAY, 2)
    assert (DAY, 2, Fault.MISSING) in faults(report(journal, LATER))


def test_the_last_anchors_of_a_day_are_missed_by_the_next_day(journal: Rewritable) -> None:
    anchor(journal, now_ms=LATER)
    anchor(journal, now_ms=LATER + DAY_MS)
    journal.take(DAY, 3)
    assert (DAY, 3, Fault.MISSING) in faults(report(journal, LATER + DAY_MS))
    journal.rewrite(DAY, 2, lambda entry: replace(entry, time_ms=entry.time_ms + 1))
    write(journal, DAY, LATER)
    assert (DAY, 3, Fault.ALTERED) in faults(report(journal, LATER + DAY_MS))


def test_a_day_whose_first_anchor_forgot_the_day_before(journal: Rewritable) -> None:
    anchor(journal, now_ms=LATER + DAY_MS)
    tomorrow = stream_of(LATER + DAY_MS)
    journal.rewrite(tomorrow, 1, lambda entry: replace(entry, detail={"heads": entry.detail["heads"]}))
    assert (tomorrow, 1, Fault.INSERTED) in faults(report(journal, LATER + DAY_MS))


def test_silence_is_seen(journal: Rewritable) -> None:
    assert (DAY, 3, Fault.MISSING) in faults(report(journal, NOW_MS + 3 * DAY_MS))
    assert {("a", 3, Fault.UNANCHORED), ("b", 3, Fault.UNANCHORED)} <= {*faults(report(journal, NOW_MS + 3 * DAY_MS))}
    bare = Rewritable()
    write(bare, "a", NOW_MS)
    assert report(bare, NOW_MS + HOUR_MS).problems == (), "the schedule of a deployment that is new has not run yet"
    assert ("anchors", 1, Fault.MISSING) in faults(report(bare, NOW_MS + 3 * HOUR_MS))
    assert report(Rewritable(), NOW_MS).problems == ()


def test_who_writes_also_the_anchors_anew_is_found_by_their_copies(journal: Rewritable) -> None:
    copies = [json.dumps(as_copy(each)) for each in journal.stream(DAY)]
    assert report(journal, LATER, copies).problems == ()
    journal.rewrite("a", 1, lambda entry: replace(entry, actor="policy:other"))
    fitting = {each.sequence: each.digest for each in journal.stream("a")}

    def forged(entry: JournalEntry) -> JournalEntry:
        held = [[name, number, fitting[number] if name == "a" else digest] for name, number, digest in entry.detail["heads"]]
        return replace(entry, detail={**entry.detail, "heads": held})

    journal.rewrite(DAY, 1, forged)
    journal.rewrite(DAY, 2, forged)
    assert report(journal, LATER).problems == ()  # it all fits, and nothing of it is true
    found = faults(report(journal, LATER, copies))
    assert {("a", 1, Fault.ALTERED), ("a", 2, Fault.ALTERED), (DAY, 1, Fault.ALTERED), (DAY, 2, Fault.ALTERED)} == {*found}
    named = [json.dumps({"message": "journal anchored", "anchor": f"{DAY}/1", "digest": json.loads(copies[0])["digest"]})]
    assert faults(report(journal, LATER, named)) == [(DAY, 1, Fault.ALTERED)]


def test_copies_that_differ_are_named(journal: Rewritable) -> None:
    """Whoever may add copies may add a forged one that fits a forged journal; the true one stays."""
    (first, _), copies = journal.stream(DAY), [json.dumps(as_copy(each)) for each in journal.stream(DAY)]
    forged = replace(first, time_ms=first.time_ms + 1)
    for order in ([*copies, json.dumps(as_copy(forged))], [json.dumps(as_copy(forged)), *copies]):
        found = report(journal, LATER, order).problems
        assert [(each.sequence, each.fault) for each in found if "copies of it that differ" in each.what] == [(1, Fault.ALTERED)]


def test_a_copy_of_an_anchor_that_is_gone(journal: Rewritable) -> None:
    anchor(journal, now_ms=LATER + DAY_MS)
    day = stream_of(LATER + DAY_MS)
    copies = [json.dumps(as_copy(each)) for each in journal.stream(day)]
    journal._streams.pop(day)
    assert (day, 1, Fault.MISSING) in faults(report(journal, LATER + DAY_MS, copies))


def test_a_copy_that_was_changed_is_no_copy(journal: Rewritable) -> None:
    copy = as_copy(journal.stream(DAY)[0])
    copy["entry"] |= {"time_ms": 1}
    for lines, said in (([json.dumps(copy)], "line 1.*was changed"), (["", "{"], "line 2 is not JSON")):
        with pytest.raises(NotACopy, match=said):
            list(read_copies(lines))
    with pytest.raises(NotACopy, match="line 1 is no copy"):
        list(read_copies(['{"anchor": "anchors#2026-11-29/x", "digest": ""}']))
    assert list(read_copies(['{"message": "ended"}', "START RequestId: 1", ""])) == []


def test_what_was_written_before_there_was_a_chain_is_counted_and_not_accused() -> None:
    site = Site()
    journal = Rewritable()
    site.journal = journal  # type: ignore[assignment]
    site.contain("i-1")
    stream = "isolate#123456789012/instance/i-1"
    for entry in journal.stream(stream):
        journal.put(replace(entry, previous="", sealed=""))
    anchor(journal, now_ms=NOW_MS + 90 * DAY_MS)
    site.now_ms = NOW_MS + 90 * DAY_MS
    before = len(journal.stream(stream))
    site.undo(next(entry.containment_id for entry in journal.stream(stream) if entry.step is Step.APPLIED))
    anchor(journal, now_ms=site.now_ms)
    found = report(journal, site.now_ms)
    assert (found.problems, found.unchained) == ((), before)


def test_the_schedule_tells_of_what_it_finds_in_passing(journal: Rewritable) -> None:
    journal.rewrite("a", 1, lambda entry: replace(entry, actor="policy:other"))
    write(journal, "a", LATER)
    problems = anchor(journal, now_ms=LATER).problems
    assert [(each.stream, each.sequence) for each in problems] == [("a", 1), ("a", 2)]
    told = of_problem(problems[0])
    assert "a/1" in told.subject
    assert "journal verify" in told.text
