"""What a principal did in other sessions, remembered beside the session at hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from infra_tests.shared_model.test_audit_detection import ACCOUNT, NOW_MS, SESSION, FailureCounter, call, detect, windows
from infra_tests.shared_model.test_audit_encoder import CALL
from shared_model.encoders.audit import FEATURES
from shared_model.events import Entity, EntityKind
from shared_model.memory import InProcessMemory, Remembered


def firsts(detector: FailureCounter) -> list[bool]:
    """Of the newest window that was scored: which events are of an operation that their principal never used before."""
    (window,) = detector.seen[-1][-1:]
    return [bool(event[FEATURES.index("first_operation")]) for event in window if event[FEATURES.index("present")]]


def test_what_a_role_did_in_one_session_is_no_first_in_the_next():
    memory, detector = InProcessMemory(), FailureCounter()
    for number, operation in enumerate(["GetSecretValue", "GetSecretValue", "CreateAccessKey"]):
        session = Entity(EntityKind.SESSION, f"AROAEXAMPLE:run-{number}", ACCOUNT)
        result = detect([call(number, session=session, operation=operation)], memory, detector)
        memory.store(result.states, now_ms=NOW_MS)
        assert firsts(detector) == [number == 2]


class Asked(InProcessMemory):
    """Memory that says what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def load(self, keys: Iterable[str]) -> dict[str, Remembered]:
        wanted = list(keys)
        self.asked += wanted
        return super().load(wanted)


def test_most_calls_of_a_session_ask_for_one_row_and_write_one():
    memory, session, role = Asked(), f"audit#{SESSION.key}", f"audit#{CALL.principal.key}/past"
    told = [(0, "GetSecretValue"), (60, "GetSecretValue"), (120, "CreateAccessKey"), (180, "GetSecretValue")]
    asked, written = [], []
    for seconds, operation in [*told, (86_400, "GetSecretValue"), (86_460, "GetSecretValue")]:
        memory.asked.clear()
        states = detect([call(seconds, session=SESSION, operation=operation)], memory).states
        memory.store(states, now_ms=NOW_MS)
        asked.append(list(memory.asked))
        written.append(set(states))
    needed = [True, False, True, False, True, False]  # a new session, a first, another day
    assert asked == [[session, role] if both else [session] for both in needed]
    assert written == [{session, role} if both else {session} for both in needed]


def test_a_call_in_a_session_leaves_what_its_principal_did_without_one() -> None:
    """Else whoever can come either way would clear his own window by changing between them."""
    memory = InProcessMemory()
    failed = [call(number, failed=True) for number in range(3)]
    memory.store(detect(failed, memory).states, now_ms=NOW_MS)
    memory.store(detect([call(10, session=SESSION)], memory).states, now_ms=NOW_MS)
    assert detect(failed, memory).duplicates == 3
    (verdict,) = detect([call(20, failed=True)], memory).verdicts
    assert verdict.probability == 1.0


def test_what_another_session_of_the_role_has_shown_meanwhile_is_no_first():
    memory, detector = InProcessMemory(), FailureCounter()
    other = replace(SESSION, id="AROAEXAMPLE:other")
    for number, (session, operation) in enumerate(
        [(SESSION, "GetSecretValue"), (other, "CreateAccessKey"), (SESSION, "CreateAccessKey"), (SESSION, "DeleteTrail")]
    ):
        states = detect([call(60 * number, session=session, operation=operation)], memory, detector).states
        memory.store(states, now_ms=NOW_MS)
    assert firsts(detector) == [False, False, True]


def test_a_batch_that_comes_again_is_judged_alike_whatever_of_it_was_stored():
    """Sketch and rows are two items: the first delivery may have been killed between them."""
    calls = [call(0), call(60), call(120, operation="CreateAccessKey"), call(180, operation="CreateAccessKey")]
    calls = [replace(each, session=SESSION) for each in calls]
    whole = FailureCounter()
    states = detect(calls, detector=whole).states
    for kept in states:
        memory, detector = InProcessMemory(), FailureCounter()
        memory.store({kept: states[kept]}, now_ms=NOW_MS)
        detect(calls, memory, detector)
        assert not detector.seen or firsts(detector) == firsts(whole) == [False, False, True, False]


def test_a_call_that_arrives_late_makes_nothing_known_before_its_time():
    memory, detector = InProcessMemory(), FailureCounter()
    memory.store(detect([call(0), call(500, operation="CreateAccessKey")], memory).states, now_ms=NOW_MS)
    detect([call(400, operation="CreateAccessKey")], memory, detector)
    assert firsts(detector) == [False, True, True]


def test_rows_that_were_remembered_before_they_told_of_habits_are_still_context():
    memory, detector = InProcessMemory(), FailureCounter()
    ((key, state),) = windows(detect([call(1), call(2)], memory)).items()
    former = b"".join(state.rows[begin : begin + 32] for begin in (0, len(state.rows) // 2))
    memory.store({key: replace(state, rows=former, habits=b"")}, now_ms=NOW_MS)
    detect([call(3)], memory, detector)
    assert firsts(detector) == [False, False, False]
