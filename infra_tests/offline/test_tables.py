"""The embedded DynamoDB: of writers that come at the same time, a condition lets through as many as it says."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from infra_tests.lambdas.account import Account
from infra_tests.lambdas.conftest import account
from lambdas.adapters.signals import DynamoBudget

__all__ = ["account"]

_ROUNDS, _WRITERS, _LIMIT = 20, 8, 3


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Threads that are interrupted every few instructions, so that whatever can come in between does."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def test_a_condition_holds_among_writers_of_the_same_moment(account: Account, restless_threads: None) -> None:
    budgets = [DynamoBudget(account.clients, "signals") for _ in range(_WRITERS)]
    with ThreadPoolExecutor(_WRITERS) as pool:
        for number in range(_ROUNDS):
            taken = pool.map(lambda n, r=number: budgets[n].take(f"p{r}", f"c{n}", limit=_LIMIT, now_ms=0), range(_WRITERS))
            assert sum(taken) == _LIMIT
