"""The chain of a stream: whatever was changed afterwards is found, and named."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra_tests.response.world import NOW_MS, Site
from response.chain import Fault, check
from response.journal import JournalEntry, Step, link
from response.switch import STREAM as SWITCH
from response.switch import turn

STREAM = "isolate#123456789012/instance/i-1"


def entry(sequence: int, previous: str = "", **changes: Any) -> JournalEntry:
    made = JournalEntry(STREAM, sequence, "c1", Step.NOOP, NOW_MS, "event-1", "v1", "policy:rule", None, {}, previous=previous)
    made = replace(made, **changes)
    return replace(made, sealed=made.digest)


def chained(texts: list[str], unchained: int = 0) -> list[JournalEntry]:
    entries: list[JournalEntry] = []
    for number, text in enumerate(texts, 1):
        previous = link(STREAM, entries) if number > unchained else ""
        entries.append(entry(number, previous, detail={"reason": text}))
    return entries


def faults(entries: list[JournalEntry], known: dict[int, str] | None = None) -> list[tuple[int, Fault]]:
    return [(each.sequence, each.fault) for each in check(STREAM, entries, known or {})]


TEXTS = st.lists(st.text(max_size=8), min_size=1, max_size=8)


@settings(deadline=None)
@given(TEXTS, st.integers(0, 8))
def test_what_was_written_in_order_is_sound(texts: list[str], unchained: int) -> None:
    assert faults(chained(texts, unchained)) == []


@settings(deadline=None)
@given(TEXTS, st.data())
def test_what_is_altered_in_place_is_named(texts: list[str], data: st.DataObject) -> None:
    entries = chained(texts)
    number = data.draw(st.integers(1, len(entries)))
    entries[number - 1] = replace(entries[number - 1], actor="somebody", sealed=entries[number - 1].sealed)
    assert faults(entries) == [(number, Fault.ALTERED)]


@settings(deadline=None)
@given(TEXTS, st.data())
def test_what_is_altered_and_sealed_anew_is_named_by_what_follows_it(texts: list[str], data: st.DataObject) -> None:
    entries = chained([*texts, "last"])
    number = data.draw(st.integers(1, len(texts)))
    changed = replace(entries[number - 1], actor="somebody")
    entries[number - 1] = replace(changed, sealed=changed.digest)
    assert faults(entries) == [(number, Fault.ALTERED)]


@settings(deadline=None)
@given(TEXTS, st.data())
def test_what_is_missing_is_named(texts: list[str], data: st.DataObject) -> None:
    entries = chained([*texts, "last"])
    number = data.draw(st.integers(1, len(texts)))
    assert faults(entries[: number - 1] + entries[number:]) == [(number, Fault.MISSING)]


@settings(deadline=None)
@given(TEXTS, st.data())
def test_a_stream_that_was_written_anew_is_found_by_its_anchor(texts: list[str], data: st.DataObject) -> None:
    """Whoever has the responder's identity can make the chain fit again, but not the anchors."""
    entries = chained(texts)
    number = data.draw(st.integers(1, len(entries)))
    known = {each.sequence: each.digest for each in (entries[number - 1], entries[-1])}
    anew = chained([*texts[: number - 1], texts[number - 1] + "!", *texts[number:]])
    assert faults(anew, known) == [(each, Fault.ALTERED) for each in sorted(known)]
    assert faults(entries, known) == []
    assert faults(entries[:-1], known) == [(len(entries), Fault.MISSING)]


def test_an_entry_that_knows_no_chain_was_put_there() -> None:
    entries = [*chained(["a", "b"]), entry(3)]
    assert faults(entries) == [(3, Fault.INSERTED)]


def test_an_anchor_says_which_of_two_neighbours_was_put_there() -> None:
    entries = chained(["a", "b", "c"])
    foreign = entry(3, link(STREAM, [entry(1)]))
    assert faults([*entries[:2], foreign]) == [(2, Fault.ALTERED)]
    assert faults([*entries[:2], foreign], {2: entries[1].digest}) == [(3, Fault.INSERTED)]


def test_a_stream_of_another_name_cannot_take_its_place() -> None:
    moved = entry(1, link("another", ()))
    assert faults([moved]) == [(1, Fault.INSERTED)]


def test_a_stream_that_is_gone_is_missed_where_an_anchor_holds_it() -> None:
    assert faults([], {2: "1:00"}) == [(1, Fault.MISSING), (2, Fault.MISSING)]


def test_each_field_counts() -> None:
    """A field that the digest left out could be changed unseen."""
    whole = entry(2, "1:00", plan={"a": 1}, detail={"b": 2}, expires_ms=5, verdict="{}")
    other: dict[str, Any] = {"step": Step.FAILED, "sequence": 3, "time_ms": 4, "plan": {"a": 2}, "detail": {}, "expires_ms": None}
    other["more"] = {"tenant": "t"}
    for field in fields(JournalEntry):
        if field.name != "sealed":
            assert replace(whole, **{field.name: other.get(field.name, "other")}).digest != whole.digest, field.name


@pytest.mark.parametrize(("field", "value"), [("actor", "mallory"), ("case", "")])
def test_what_a_later_version_adds_cannot_say_what_a_field_said(field: str, value: str) -> None:
    whole = entry(2, "1:00", case="case-1")
    altered = replace(whole, **{field: value}, more={field: getattr(whole, field)})
    assert altered.digest != whole.digest


def test_a_digest_is_of_what_is_written_not_of_how_it_is_held() -> None:
    held = entry(1, plan={"b": ("x", 0.25), "a": "ü"}, detail={"step": Step.NOOP})
    assert held.digest == replace(held, plan=json.loads(json.dumps(held.plan)), detail=json.loads(json.dumps(held.detail))).digest


def test_the_digest_of_version_1_stays_what_it_is() -> None:
    """Other programs verify it too: docs/audit.md says how it is made."""
    assert entry(1, detail={"reason": "ü"}).digest == "1:596b4ca717ccc5ac330ba67497dacaf9b5234a4c39638815ae15204b6386f2ce"


def test_all_that_a_response_writes_is_chained() -> None:
    site = Site()
    contained = site.contain("i-1").decisions[0].containment_id
    site.contain("i-1", "2")
    site.undo(contained)
    turn(site.journal, armed=False, by="me", reason="drill", now_ms=NOW_MS)
    turn(site.journal, armed=True, by="me", reason="", now_ms=NOW_MS)
    for name in (STREAM, SWITCH):
        entries = site.journal.stream(name)
        assert len(entries) > 1
        assert all(each.previous for each in entries)
        assert list(check(name, entries, {})) == []
