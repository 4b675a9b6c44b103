"""The embedded DynamoDB: of writers that come at the same time, a condition lets through one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from infra_tests.lambdas.account import Account
from infra_tests.lambdas.conftest import account
from lambdas.adapters.signals import DynamoLedgers
from response.budget import Line

__all__ = ["account"]

_ROUNDS, _WRITERS = 20, 8


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Threads that are interrupted every few instructions, so that whatever can come in between does."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def test_a_condition_holds_among_writers_of_the_same_moment(account: Account, restless_threads: None) -> None:
    ledgers = [DynamoLedgers(account.clients, "signals") for _ in range(_WRITERS)]
    with ThreadPoolExecutor(_WRITERS) as pool:
        for number in range(_ROUNDS):
            first = pool.map(lambda n, r=number: ledgers[n].replace(f"p{r}", (Line(f"c{n}", 0),), ""), range(_WRITERS))
            assert sum(first) == 1
            second = pool.map(lambda n, r=number: ledgers[n].replace(f"p{r}", (Line(f"d{n}", 0),), "1"), range(_WRITERS))
            assert sum(second) == 1
