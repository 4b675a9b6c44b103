"""An AWS action that is interrupted at any of its writes, before it or before its answer came, ends as if it had not been."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from infra_tests.contracts import subjects
from infra_tests.contracts.subjects import Subject
from infra_tests.lambdas.account import Account
from response.actions import CloudUnavailable, Plan, UndoResult, Verification

_READS = ("Describe", "Get", "List")
every_action = pytest.mark.parametrize("make", subjects.ON_AWS, ids=lambda make: make.__name__)


class Interruption:
    """Fails the write of a number (from 1), once: before it is made, or after it was."""

    def __init__(self, account: Account, moment: str) -> None:
        self._left = 0
        account.clients.listen(moment, self._call)

    def at(self, number: int) -> None:
        self._left = number

    def _call(self, model: Any, **_: Any) -> None:
        if self._left and not model.name.startswith(_READS):
            self._left -= 1
            if not self._left:
                raise ReadTimeoutError(endpoint_url="https://example.invalid")


def through(step: Callable[[], UndoResult | None]) -> UndoResult | None:
    """Deliver again what failed for now, as the queue does."""
    for _ in range(3):
        try:
            return step()
        except CloudUnavailable:
            continue
    raise AssertionError("it was interrupted once only")


@every_action
@pytest.mark.parametrize("moment", ["before-call", "after-call"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_it_is_gone_on_from(make: Any, moment: str, number: int, account: Account) -> None:
    subject: Subject = make(account)
    action, interruption = subject.action, Interruption(account, moment)
    before = subject.state()
    plan = Plan.from_json_value(json.loads(json.dumps(action.plan(subject.target, subject.verdict).to_json_value())))

    def apply() -> None:
        assert action.check(plan) == ""
        action.apply(plan)

    interruption.at(number)
    through(apply)
    interruption.at(0)
    assert action.verify(plan) is Verification.VERIFIED
    interruption.at(number)
    result = through(lambda: action.undo(plan))
    assert result is not None
    assert result.left == ()
    assert subject.state() == before
