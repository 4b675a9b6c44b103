"""What an action costs in calls of AWS, as docs/actions/aws.md says it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from infra_tests.contracts import subjects
from infra_tests.contracts.subjects import Subject
from infra_tests.lambdas.account import ROOT, Account
from lambdas.actions.catalogue import GROUPS
from lambdas.registry import Group

STEPS = ("plan", "check", "apply", "verify", "undo")
_ROW = re.compile(r"\| `(\w+)` \| " + r" \| ".join([r"(\d+)"] * len(STEPS)) + r" \|")
DOCUMENTED = {
    match[1]: tuple(map(int, match.groups()[1:]))
    for match in _ROW.finditer((ROOT / "docs" / "actions" / "aws.md").read_text(encoding="utf-8"))
}


def test_the_actions_on_identities_say_what_they_cost() -> None:
    assert {name for name, group in GROUPS.items() if group is Group.IDENTITY} <= set(DOCUMENTED)


@pytest.mark.parametrize("make", subjects.ON_AWS, ids=lambda make: make.__name__)
def test_each_step_makes_as_many_calls_as_is_said(make: Any, account: Account) -> None:
    subject: Subject = make(account)
    if subject.action.name not in DOCUMENTED:
        pytest.skip("its page gives no figures")
    made = [0]

    def count(**_: Any) -> None:
        made[0] += 1

    account.clients.listen("before-call", count)
    costs = []
    plan = subject.action.plan(subject.target, subject.verdict)
    for step in (None, subject.action.check, subject.action.apply, subject.action.verify, subject.action.undo):
        if step is not None:
            step(plan)
        costs.append(made[0])
        made[0] = 0
    assert tuple(costs) == DOCUMENTED[subject.action.name]
