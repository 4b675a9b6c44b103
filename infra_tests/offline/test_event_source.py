"""How a function's answer decides about its batch, case by case as documented."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offline.aws.event_source import Mapped, handled

QUEUE = "arn:aws:sqs:us-east-1:123456789012:queue"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"
REPORTING = Mapped("m", QUEUE, FUNCTION, 10, 0, True, 2)
SILENT = Mapped("m", QUEUE, FUNCTION, 10, 0, False, 2)
BATCH = ["one", "two", "three"]
ALL, NONE = frozenset(BATCH), frozenset[str]()


@pytest.mark.parametrize("answer", ["", "null", "{}", '{"batchItemFailures": []}', '{"batchItemFailures": null}'])
def test_these_answers_are_a_complete_success(answer: str) -> None:
    assert handled(REPORTING, BATCH, error=False, answer=answer.encode()) == ALL


@pytest.mark.parametrize(
    "answer",
    [
        "not json",
        '"text"',
        '{"batchItemFailures": "one"}',
        '{"batchItemFailures": ["one"]}',
        '{"batchItemFailures": [{"itemIdentifier": ""}]}',
        '{"batchItemFailures": [{"itemIdentifier": null}]}',
        '{"batchItemFailures": [{"itemIdentifier": ["one"]}]}',
        '{"batchItemFailures": [{"itemId": "one"}]}',
        '{"batchItemFailures": [{"itemIdentifier": "of another batch"}]}',
    ],
)
def test_these_answers_are_a_complete_failure(answer: str) -> None:
    assert handled(REPORTING, BATCH, error=False, answer=answer.encode()) == NONE


def test_an_error_is_a_complete_failure_whatever_was_answered() -> None:
    assert handled(REPORTING, BATCH, error=True, answer=b"{}") == NONE
    assert handled(SILENT, BATCH, error=True, answer=b"{}") == NONE


def test_without_reporting_the_answer_is_not_read() -> None:
    assert handled(SILENT, BATCH, error=False, answer=b'{"batchItemFailures": [{"itemIdentifier": "one"}]}') == ALL


@given(st.sets(st.sampled_from(BATCH)))
def test_exactly_the_reported_messages_are_kept(failed: set[str]) -> None:
    answer = json.dumps({"batchItemFailures": [{"itemIdentifier": each} for each in failed]}).encode()
    assert handled(REPORTING, BATCH, error=False, answer=answer) == ALL - failed


@given(st.binary(max_size=200))
def test_any_answer_decides_about_the_batch_only(answer: bytes) -> None:
    assert handled(REPORTING, BATCH, error=False, answer=answer) <= ALL
