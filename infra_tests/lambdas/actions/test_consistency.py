"""What IAM reads late is not called drift, and what somebody changed is."""

from __future__ import annotations

from typing import Any

import pytest

from infra_tests.contracts import on_aws, subjects
from infra_tests.contracts.subjects import Subject
from infra_tests.lambdas.account import Account
from lambdas.actions.consistency import PAUSES_S, verified_in_time
from lambdas.registry import Group
from response.actions import Verification

VERIFIED, DRIFTED, UNREACHABLE = Verification.VERIFIED, Verification.DRIFTED, Verification.UNREACHABLE
ON_IDENTITIES = [make for make in subjects.ON_AWS if make is not on_aws.aws_quarantine_instance]


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


@pytest.mark.parametrize("make", ON_IDENTITIES, ids=lambda make: make.__name__)
def test_every_action_on_identities_is_patient(make: Any, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    subject: Subject = make(account)
    if subject.action.group is not Group.IDENTITY:  # type: ignore[attr-defined]
        pytest.skip("EC2's and other reads are its own matter")
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
