"""What is read late is not called drift, and what somebody changed is."""

from __future__ import annotations

from typing import Any

import pytest

from infra_tests.contracts import on_aws, subjects
from infra_tests.contracts.subjects import Subject
from infra_tests.lambdas.account import Account
from lambdas.actions.consistency import PAUSES_S, seen_in_time, verified_in_time
from response.actions import Verification

VERIFIED, DRIFTED, UNREACHABLE = Verification.VERIFIED, Verification.DRIFTED, Verification.UNREACHABLE
#: A customer's own function answers when it has done what it does.
OF_AWS = [make for make in subjects.ON_AWS if make is not on_aws.aws_invoke_function]


@pytest.mark.parametrize(
    ("answers", "found", "pauses"),
    [
        ([VERIFIED], VERIFIED, 0),
        ([UNREACHABLE], UNREACHABLE, 0),
        ([DRIFTED, DRIFTED, VERIFIED], VERIFIED, 2),
        ([DRIFTED, UNREACHABLE], UNREACHABLE, 1),
        ([DRIFTED] * (len(PAUSES_S) + 1), DRIFTED, len(PAUSES_S)),
    ],
)
def test_it_is_looked_at_again_before_it_is_called_drift(
    answers: list[Verification], found: Verification, pauses: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("lambdas.actions.consistency.sleep", waited.append)
    left = iter(answers)
    assert verified_in_time(lambda: next(left)) is found
    assert waited == list(PAUSES_S[:pauses])
    assert next(left, None) is None


@pytest.mark.parametrize(
    ("answers", "found"), [(["x"], "x"), ([None, None, "x"], "x"), ([None] * (len(PAUSES_S) + 1), None), (["", "x"], "")]
)
def test_what_was_made_is_looked_for_until_it_shows(answers: list[str | None], found: str | None) -> None:
    left = iter(answers)
    assert seen_in_time(lambda: next(left)) == found


@pytest.mark.parametrize("make", OF_AWS, ids=lambda make: make.__name__)
def test_every_action_is_patient(make: Any, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    subject: Subject = make(account)
    waited: list[float] = []
    plan = subject.action.plan(subject.target, subject.verdict)

    def pause(seconds: float) -> None:
        """What was written is read from now on."""
        if not waited:
            subject.action.apply(plan)
        waited.append(seconds)

    monkeypatch.setattr("lambdas.actions.consistency.sleep", pause)
    assert subject.action.verify(plan) is VERIFIED
    assert waited == [PAUSES_S[0]]
