"""The boundary around what a trigger brings: handled, buried, or delivered again; and what it logs."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from azure_functions.function import Function, Message, Poison
from azure_functions.settings import Settings
from shared_model.errors import CloudUnavailable, UnreadableTelemetry


class NoCloud:
    waited_s = 0.0

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("no cloud is needed here")


class Letters:
    def __init__(self) -> None:
        self.sent: list[tuple[bytes, str]] = []

    def send(self, body: bytes, *, reason: str, **_: Any) -> None:
        self.sent.append((body, reason))


@pytest.fixture
def function() -> Function:
    made = Function("detect_api_calls", needs=(), clients=NoCloud(), settings=Settings())
    made.__dict__["dead_letters"] = Letters()
    return made


@pytest.fixture
def letters(function: Function) -> Letters:
    return function.__dict__["dead_letters"]  # type: ignore[no-any-return]


def messages(*bodies: str) -> list[Message]:
    return [Message(body, body.encode()) for body in bodies]


class Work:
    """Fails for bodies as they say, and remembers the others."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def __call__(self, message: Message) -> None:
        kind = message.body.decode().partition(" ")[0]
        if kind == "poison":
            raise Poison("no time", source="s", field="time")
        if kind == "unreadable":
            raise UnreadableTelemetry("s", "not gzip")
        if kind == "busy":
            raise CloudUnavailable("throttled")
        if kind == "bug":
            raise ZeroDivisionError("division by zero")
        self.done.append(message.id)


def test_poison_is_buried_with_its_reason_and_the_others_are_handled(function: Function, letters: Letters) -> None:
    work = Work()
    outcome = function.run(messages("a", "poison 1", "b", "unreadable 2"), work)
    assert outcome.failure is None
    assert work.done == ["a", "b"]
    assert letters.sent == [(b"poison 1", "no time"), (b"unreadable 2", "not gzip")]


def test_a_batch_that_comes_again_buries_its_poison_once(function: Function, letters: Letters) -> None:
    outcome = function.run(messages("poison 1", "busy 1"), Work())
    assert letters.sent == []
    with pytest.raises(CloudUnavailable):
        outcome.or_raise()
    function.run(messages("poison 1", "now"), Work(), tries=1).or_raise()
    assert len(letters.sent) == 1


def test_what_is_done_together_fails_together(function: Function) -> None:
    def finish() -> None:
        raise CloudUnavailable("the table is gone")

    work = Work()
    assert isinstance(function.run(messages("a", "b"), work, finish).failure, CloudUnavailable)
    assert work.done == ["a", "b"]


def test_one_event_that_always_fails_does_not_hold_the_others_for_ever(function: Function, letters: Letters) -> None:
    batch = messages("a", "bug 1", "b")
    for tries in range(5):
        with pytest.raises(ZeroDivisionError):
            function.run(batch, Work(), tries=tries).or_raise()
    assert letters.sent == []
    work = Work()
    function.run(batch, work, tries=5).or_raise()
    assert work.done == ["a", "b"]
    assert letters.sent == [(b"bug 1", "failed 5 times: ZeroDivisionError: division by zero")]


def test_when_all_events_fail_it_is_hardly_the_events(function: Function, letters: Letters) -> None:
    batch = messages("bug 1", "bug 2")
    with pytest.raises(ZeroDivisionError):
        function.run(batch, Work(), tries=59).or_raise()
    assert letters.sent == []
    function.run(batch, Work(), tries=60).or_raise()
    assert [body for body, _ in letters.sent] == [b"bug 1", b"bug 2"]


def test_it_is_found_also_in_what_is_done_together(function: Function, letters: Letters) -> None:
    waiting: list[str] = []
    scored: list[str] = []

    def finish() -> None:
        taken = waiting.copy()
        waiting.clear()
        if "worst" in taken:
            raise ZeroDivisionError("division by zero")
        scored.extend(taken)

    function.run(messages("a", "worst", "b"), lambda m: waiting.append(m.id), finish, tries=5).or_raise()
    assert scored == ["a", "b"]
    assert [body for body, _ in letters.sent] == [b"worst"]


def test_an_unavailable_cloud_never_makes_a_dead_letter(function: Function, letters: Letters) -> None:
    with pytest.raises(CloudUnavailable):
        function.run(messages("busy 1", "poison 1"), Work(), tries=10_000).or_raise()
    assert letters.sent == [(b"poison 1", "no time")]


def test_a_dead_letter_that_is_not_taken_brings_the_batch_back(function: Function) -> None:
    class Full(Letters):
        def send(self, body: bytes, *, reason: str, **_: Any) -> None:
            raise CloudUnavailable("the queue is gone")

    function.__dict__["dead_letters"] = Full()
    with pytest.raises(CloudUnavailable, match="the queue is gone"):
        function.run(messages("poison 1"), Work()).or_raise()


def test_the_same_body_is_the_same_message() -> None:
    assert Message.of("api-calls", b"{}") == Message.of("api-calls", b"{}")
    assert Message.of("api-calls", b"{}").id != Message.of("api-calls", b"[]").id


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b"\xff", b"[" * 200_000])
def test_a_body_that_is_no_object_is_poison(body: bytes) -> None:
    with pytest.raises(Poison):
        Message("m", body).document("s")


def test_every_line_is_json_with_the_ids_of_its_message(function: Function, caplog: pytest.LogCaptureFixture) -> None:
    def handle(message: Message) -> None:
        function.correlate("event-1")
        function.count("Events", 2)
        function.milliseconds("Decision", 1.5)
        function.logger.info("100 % done", extra={"größe": {"a": 1}})

    caplog.set_level(logging.INFO, "breakwater")
    function.run(messages("m1"), handle)
    said, metrics = [json.loads(record.getMessage()) for record in caplog.records]
    assert said == {
        "message": "100 % done",
        "function": "detect_api_calls",
        "message_id": "m1",
        "correlation_id": "event-1",
        "größe": {"a": 1},
    }
    assert metrics["message"] == "metrics"
    assert {"Events": 2, "DecisionMs": 1.5, "MessagesHandled": 1}.items() <= metrics["metrics"].items()


def test_what_failed_is_counted_and_logged_with_its_cause(function: Function, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "breakwater")
    function.run(messages("bug 1"), Work())
    failed = caplog.records[0]
    assert failed.levelname == "ERROR"
    assert failed.exc_info is not None
    assert json.loads(caplog.records[-1].getMessage())["metrics"]["MessagesToRetry"] == 1
