"""API calls and system events to verdicts. The model here is a rule that can be worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from infra_tests.shared_model.test_audit_encoder import CALL, EVENT
from shared_model.audit_detection import detect_api_calls, detect_system_events
from shared_model.detection import Detection
from shared_model.encoders.audit import FEATURES
from shared_model.events import ApiCall, Entity, EntityKind, SystemEvent, Telemetry
from shared_model.memory import InProcessMemory, Remembered
from shared_model.trust import trust
from shared_model.verdicts import SEEN, Verdict, seen_in

NOW_MS = CALL.time_ms + 3_600_000
ACCOUNT = CALL.account
SESSION = Entity(EntityKind.SESSION, "AROAEXAMPLE:i-0123456789abcdef0", ACCOUNT)


@dataclass(frozen=True)
class Threat:
    name: str
    technique: str


@dataclass
class FailureCounter:
    """Probability = failures in the window / 4, at most 1; weight of an event = whether it failed."""

    name: str = "audit"
    version: str = "test-1"
    window: int = 16
    stride: int = 8
    threshold: float = 0.75
    classes: Sequence[Threat] = (Threat("benign", ""), Threat("credential_access", "T1110"))
    seen: list[NDArray[np.float32]] = field(default_factory=list)

    def score(self, windows: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
        self.seen.append(windows)
        probability = np.minimum(windows[..., FEATURES.index("outcome=failure")].sum(axis=1) / 4, 1)
        return probability, np.ones(len(windows), np.intp)

    def explain(self, window: NDArray[np.float32]) -> NDArray[Any]:
        return window[:, FEATURES.index("outcome=failure")]


def call(number: int, *, failed: bool = False, **changes: Any) -> ApiCall:
    error = "AccessDenied" if failed else ""
    return replace(
        CALL, event_id=f"e-{number}", time_ms=CALL.time_ms + 1000 * number, succeeded=not failed, error_code=error, **changes
    )


def line(number: int, *, failed: bool = False, **changes: Any) -> SystemEvent:
    outcome = "failure" if failed else "success"
    return replace(
        EVENT, event_id=f"s-{number}", time_ms=EVENT.time_ms + 1000 * number, outcome=outcome, message=f"line {number}", **changes
    )


def detect(calls: Sequence[ApiCall], memory: InProcessMemory | None = None, detector: FailureCounter | None = None) -> Detection:
    return detect_api_calls(calls, detector or FailureCounter(), memory or InProcessMemory(), now_ms=NOW_MS, correlation_id="c-1")


def windows(found: Detection) -> dict[str, Remembered]:
    """What is kept of windows, without the principals' pasts."""
    return {key: state for key, state in found.states.items() if not key.endswith("/past")}


def test_a_verdict_is_of_the_time_of_the_last_window_that_alarms() -> None:
    """Not of the highest one: what goes on is new, and fresh, though what went before it was worse."""
    failed = {*range(8), 24, 25, 26}
    detection = detect([call(number, failed=number in failed) for number in range(32)])
    (verdict,) = detection.verdicts
    assert verdict.probability == 1.0
    assert verdict.time_ms == CALL.time_ms + 31_000
    assert max(each.time_ms for each in verdict.evidence) <= CALL.time_ms + 7_000
    quiet = detect([call(number, failed=number in range(8)) for number in range(48)])
    assert quiet.verdicts[0].time_ms < CALL.time_ms + 31_000, "benign calls behind make it no younger"


def test_failures_of_one_session_make_one_verdict_with_its_evidence():
    calls = [
        call(number, failed=number >= 3, session=SESSION, session_issued_ms=7, instance_id="i-0123456789abcdef0")
        for number in range(6)
    ]
    result = detect(calls)
    (verdict,) = result.verdicts
    assert verdict.entity == SESSION
    assert verdict.related == (CALL.principal, Entity(EntityKind.INSTANCE, "i-0123456789abcdef0", ACCOUNT))
    assert (verdict.probability, verdict.threshold, verdict.technique) == (0.75, 0.75, "T1110")
    assert (verdict.telemetry, verdict.correlation_id, verdict.session_issued_ms) == (Telemetry.API_CALLS, "c-1", 7)
    assert verdict.time_ms == calls[-1].time_ms
    assert {item.event_id for item in verdict.evidence[:3]} == {"e-3", "e-4", "e-5"}
    assert verdict.evidence[0].summary == "GetSecretValue on secretsmanager of prod/db, failure (AccessDenied), from 198.51.100.7"
    assert "credential access" in verdict.title


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ("AKIAIOSFODNN7EXAMPLE", (Entity(EntityKind.ACCESS_KEY, "AKIAIOSFODNN7EXAMPLE", ACCOUNT),)),
        ("ASIAIOSFODNN7EXAMPLE", ()),  # a console session's: it ends by itself, and nothing deactivates it
        ("", ()),
    ],
)
def test_a_users_verdict_names_the_key_that_was_used(key: str, named: tuple[Entity, ...]):
    (verdict,) = detect([call(number, failed=True, access_key_id=key) for number in range(6)]).verdicts
    assert verdict.entity == CALL.principal
    assert verdict.related == named


def test_a_trust_that_a_call_made_is_named_where_the_call_weighs():
    trusted = trust(f"arn:aws:iam::{ACCOUNT}:role/web", "210987654321", ACCOUNT)
    weighing = [call(number, failed=True, trusts=(trusted,) if number == 1 else ()) for number in range(6)]
    (verdict,) = detect(weighing).verdicts
    assert trusted in verdict.related
    assert Verdict.from_json(verdict.to_json()) == verdict


def test_what_its_calls_show_is_kept_for_lists_of_the_operators_also_of_a_call_that_does_not_weigh():
    canary = f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:canary"
    calls = [call(number, failed=number > 0, targets=(canary,) if number == 0 else ("prod/db",)) for number in range(6)]
    (verdict,) = detect([replace(each, access_key_id="AKIAIOSFODNN7EXAMPLE") for each in calls]).verdicts
    assert set(verdict.seen) == {"198.51.100.7", "AKIAIOSFODNN7EXAMPLE", CALL.principal.id, canary, "prod/db"}
    assert Verdict.from_json(verdict.to_json()) == verdict


@pytest.mark.parametrize("last", [3, 120, 199])
def test_what_the_alarm_is_about_is_shown_however_many_calls_came_before_or_after(last: int):
    """Four of 200 calls fail, at the beginning, in the middle or at the end; each call names something else."""
    calls = [
        call(number, failed=number in range(last - 3, last + 1), targets=(f"arn:aws:s3:::bucket-{number}",))
        for number in range(200)
    ]
    (verdict,) = detect(calls).verdicts
    assert {f"arn:aws:s3:::bucket-{number}" for number in range(last - 3, last + 1)} <= set(verdict.seen)
    assert verdict.seen[:3] == ("198.51.100.7", CALL.access_key_id, CALL.principal.id)


def test_of_calls_outside_the_alarming_window_the_newest_are_shown_and_who_made_them_before_what_they_name():
    calls = [call(number, source_address=f"203.0.113.{number}", targets=(f"t-{number}",)) for number in range(90)]
    calls += [call(number, failed=True, targets=()) for number in range(190, 210)]
    (verdict,) = detect(calls).verdicts
    others = [name for name in verdict.seen if name.startswith("203.")]
    assert (len(verdict.seen), others[-1], verdict.seen[-1]) == (SEEN, f"203.0.113.{90 - len(others)}", others[-1])


def test_a_long_name_is_shown_too_and_one_that_does_not_fit_makes_way():
    long = f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:{'n' * 900}"
    calls = [call(0, failed=True, targets=(long, "x" * 1025))]
    calls += [call(number, failed=True, targets=("y" * 1000 + str(number),)) for number in range(1, 4)]
    (verdict,) = detect(calls).verdicts
    assert long in verdict.seen
    assert "x" * 1025 not in verdict.seen
    assert sum(map(len, seen_in("ü" * 1000 + str(number) for number in range(20)))) * 6 < 16 * 1024
    assert seen_in(["ü" * 1000 + str(number) for number in range(20)] + ["last"])[-1] == "last"


def test_no_more_is_kept_of_it_than_a_message_holds():
    calls = [call(number, failed=True, targets=tuple(f"{'x' * 240}-{number}-{n}" for n in range(9))) for number in range(16)]
    (verdict,) = detect(calls).verdicts
    assert len(verdict.seen) == SEEN
    assert len(verdict.to_json()) < 40_000


def test_below_the_threshold_there_is_a_score_and_no_verdict():
    result = detect([call(1, failed=True), call(2)])
    assert result.verdicts == ()
    (score,) = result.scores
    assert (score.entity, score.probability, score.events) == (CALL.principal, 0.25, 2)
    assert list(windows(result)) == [f"audit#{CALL.principal.key}"]


def test_what_came_before_counts_and_its_words_are_evidence():
    memory = InProcessMemory()
    memory.store(detect([call(number, failed=True) for number in range(3)], memory).states, now_ms=NOW_MS)
    (verdict,) = detect([call(9, failed=True)], memory).verdicts
    assert verdict.probability == 1
    assert [item.event_id for item in verdict.evidence] == ["e-0", "e-1", "e-2", "e-9"]
    assert verdict.evidence[0].summary == "earlier: get secret on secret, failure"


def test_entities_do_not_mix():
    other = Entity(EntityKind.PRINCIPAL, "arn:aws:iam::123456789012:user/bob", ACCOUNT)
    calls = [call(number, failed=True, **({"principal": other} if number % 2 else {})) for number in range(4)]
    result = detect(calls)
    assert result.verdicts == ()
    assert {score.entity: score.probability for score in result.scores} == {CALL.principal: 0.5, other: 0.5}


def test_a_verdict_is_never_dated_in_the_future():
    (verdict,) = detect([call(10**7 + number, failed=True) for number in range(4)]).verdicts
    assert verdict.time_ms == NOW_MS


def test_a_host_is_judged_by_its_log_and_names_the_remote_side():
    detector = FailureCounter()
    lines = [line(number, failed=True) for number in range(4)]
    result = detect_system_events(lines, detector, InProcessMemory(), now_ms=NOW_MS, correlation_id="c-1")
    (verdict,) = result.verdicts
    assert (verdict.entity, verdict.telemetry) == (EVENT.host, Telemetry.SYSTEM_LOGS)
    assert verdict.related == (Entity(EntityKind.ADDRESS, "198.51.100.7", ACCOUNT),)
    assert verdict.evidence[0].summary == "sshd: line 0"
    assert not verdict.completed_flow
    assert verdict.seen == ("198.51.100.7",)


def test_nothing_in_gives_nothing_out():
    assert detect([]) == Detection((), {}, ())


def test_many_events_are_scored_in_bounded_portions():
    detector = FailureCounter()
    detect([call(number) for number in range(20_000)], detector=detector)
    assert max(len(windows) for windows in detector.seen) <= 1024
    assert sum(len(windows) for windows in detector.seen) >= 20_000 / 8


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.booleans(), st.sampled_from("abc")),
        min_size=1,
        max_size=60,
        unique_by=lambda item: (item[0], item[2]),
    ),
    st.integers(0, 60),
)
def test_every_event_is_scored_however_the_batches_fall(steps: list[tuple[int, bool, str]], border: int):
    """Every call is in a scored window, in whichever of two batches it comes, and none is counted twice."""
    calls = [
        replace(call(time, failed=failed), event_id=f"{name}-{time}", principal=Entity(EntityKind.PRINCIPAL, name, ACCOUNT))
        for time, failed, name in steps
    ]
    memory = InProcessMemory()
    scored = 0
    for batch in (calls[:border], calls[border:], calls):
        result = detect(batch, memory)
        memory.store(result.states, now_ms=NOW_MS)
        scored += sum(score.events for score in result.scores)
        assert sum(score.events for score in result.scores) + result.duplicates == len(batch)
        assert all(len(state.times_ms) <= 20 for state in result.states.values())
    assert scored == len(calls)


@pytest.mark.parametrize("rows", [b"", b"x", b"x" * 31, b"\xff" * 32, b"\xff" * 64])
def test_rows_of_another_format_in_memory_are_forgotten_and_not_fatal(rows: bytes):
    memory = InProcessMemory()
    ((key, state),) = windows(detect([call(1)], memory)).items()
    memory.store({key: replace(state, rows=rows)}, now_ms=NOW_MS)
    result = detect([call(2, failed=True)], memory)
    assert result.scores[0].events == 1
