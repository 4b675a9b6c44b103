"""Which permissions the calls of an action need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from infra_tests.lambdas.account import Account

#: What a call needs where the permission is named otherwise, or needs more than its own.
_ALSO = {"ec2:CreateSecurityGroup": ("ec2:CreateTags",), "ec2:CreateSnapshots": ("ec2:CreateTags",)}


@pytest.fixture
def calls(account: Account) -> Callable[[], set[str]]:
    """Say which permissions the calls since then needed."""
    made: set[str] = set()

    def record(model: Any, **_: Any) -> None:
        name = f"{model.service_model.signing_name}:{model.name}"
        made.update((name, *_ALSO.get(name, ())))

    account.clients.listen("before-call", record)

    def taken() -> set[str]:
        permissions = set(made)
        made.clear()
        return permissions

    return taken
