"""Calls that come twice, late or in another batch: scored once, known by the same id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra_tests.shared_model.test_audit_detection import NOW_MS, FailureCounter, call, detect, windows
from infra_tests.shared_model.test_audit_encoder import CALL
from shared_model.audit_detection import detect_api_calls
from shared_model.memory import InProcessMemory
from shared_model.recent_ids import AT_MOST
from shared_model.verdicts import verdict_id


def test_the_second_delivery_path_adds_nothing():
    memory = InProcessMemory()
    calls = [call(number, failed=True) for number in range(2)]
    memory.store(detect(calls, memory).states, now_ms=NOW_MS)
    result = detect(calls, memory)
    assert (result.verdicts, result.scores, result.duplicates) == ((), (), 2)
    assert detect([*calls, *calls]).duplicates == 2


@pytest.mark.parametrize("first_is_fast", [True, False])
@pytest.mark.parametrize("calls_in_five_minutes", [200, 257, 6000, AT_MOST])
def test_a_session_is_scored_once_however_many_calls_it_makes_until_the_other_path_brings_them(
    calls_in_five_minutes: int, first_is_fast: bool
):
    """One path brings small batches, as EventBridge does, the other files of many calls, as CloudTrail does."""
    memory, detector = InProcessMemory(), FailureCounter()
    calls = [
        replace(call(number), time_ms=CALL.time_ms + number * 300_000 // calls_in_five_minutes)
        for number in range(calls_in_five_minutes)
    ]
    fast, slow = max(50, len(calls) // 40), 2000
    results = []
    for size in (fast, slow) if first_is_fast else (slow, fast):
        for start in range(0, len(calls), size):
            part = calls[start : start + size]
            results.append(detect_api_calls(part, detector, memory, now_ms=NOW_MS, correlation_id="c"))
            memory.store(results[-1].states, now_ms=NOW_MS)
    assert sum(score.events for each in results for score in each.scores) == len(calls)
    assert sum(each.duplicates for each in results) == len(calls)


def remembered(minutes: Sequence[int], *, now_ms: int = NOW_MS + 10**9) -> tuple[str, ...]:
    """Ids that are remembered after 300 calls in each of these minutes, each minute a batch."""
    memory, number = InProcessMemory(), 0
    for minute in minutes:
        batch = [replace(call(0), event_id=f"m-{number + n}", time_ms=60_000 * minute + n) for n in range(300)]
        number += 300
        found = detect_api_calls(batch, FailureCounter(), memory, now_ms=now_ms, correlation_id="c")
        memory.store(found.states, now_ms=now_ms)
    (state,) = memory.load([f"audit#{CALL.principal.key}"]).values()
    return state.recent


def test_ids_are_remembered_for_half_an_hour_of_events_and_a_number_of_them_for_ever():
    start = CALL.time_ms // 60_000
    assert len(remembered([start + minute for minute in range(60)])) == 300 * 31
    assert len(remembered([start, start + 1000])) == 300
    assert len(remembered([start] * 60)) == AT_MOST


def test_an_event_that_is_dated_ahead_makes_nothing_be_forgotten():
    start = CALL.time_ms // 60_000
    assert len(remembered([start, start, start + 20_000, start], now_ms=60_000 * (start + 1))) == 1200


def test_ids_of_a_version_that_kept_no_time_still_tell_duplicates():
    memory, first = InProcessMemory(), [call(number) for number in range(3)]
    (found,) = windows(detect(first, memory)).items()
    key, state = found
    memory.store({key: replace(state, recent=tuple(text[:12] for text in state.recent))}, now_ms=NOW_MS)
    assert detect(first, memory).duplicates == 3
    memory.store(detect([call(9)], memory).states, now_ms=NOW_MS)
    assert {len(text) for text in memory.load([key])[key].recent} == {12, 16}
    assert detect([*first, call(9)], memory).duplicates == 4


def test_a_batch_that_is_scored_again_gives_the_same_verdicts():
    calls = [call(number, failed=True) for number in range(5)]
    assert detect(calls).verdicts == detect(list(reversed(calls))).verdicts


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=4, max_size=30),
    st.integers(0, 30),
    st.integers(1, 40),
    st.booleans(),
    st.randoms(),
)
def test_calls_that_come_again_are_known_by_the_same_id_whatever_came_behind(
    steps: list[tuple[int, bool]], before: int, more: int, stored: bool, random: Random
):
    """Killed after the verdict was sent: in another order, with others behind, or after those were remembered."""
    calls, second = [], 0
    for number, (pause, failed) in enumerate(steps):
        second += pause  # CloudTrail's times are whole seconds: several calls share one
        calls.append(replace(call(second, failed=failed), event_id=f"e-{number}"))
    behind = [replace(call(second + 1 + n, failed=n % 2 == 0), event_id=f"later-{n}") for n in range(more)]
    memory = InProcessMemory()
    memory.store(detect([replace(call(-n), event_id=f"b-{n}") for n in range(1, before)], memory).states, now_ms=NOW_MS)
    sent = detect(calls, memory).verdicts
    if stored:
        memory.store(detect(behind, memory).states, now_ms=NOW_MS)
    again = [*calls, *(() if stored else behind)]
    random.shuffle(again)
    come = detect(again, memory).verdicts
    assert not (sent and come) or sent[0].id == come[0].id


def test_what_weighs_most_is_evidence_and_what_a_verdict_is_known_by_is_not():
    quiet = [call(number) for number in range(3)]
    (verdict,) = detect([*quiet, *(call(number, failed=True) for number in range(3, 9))]).verdicts
    assert verdict.id == verdict_id("audit", "test-1", CALL.principal, "e-0")
    assert "e-0" not in {item.event_id for item in verdict.evidence[:4]}
