"""The hourly budget: it ends at its limit, who has taken has it, and the next hour is another."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from infra_tests.contracts.conftest import Stores
from infra_tests.response.world import HOUR_MS, NOW_MS
from response.guard import DAY_MS, Budget


def take(budget: Budget, containment: str, *, hour: int = 0, account: str = "123456789012", limit: int = 2) -> bool:
    return budget.take(account, containment, limit=limit, now_ms=NOW_MS + hour * HOUR_MS)


def test_it_ends_at_its_limit_and_starts_anew_with_the_hour(stores: Stores) -> None:
    assert [take(stores.budget(), name) for name in ("a", "b", "c")] == [True, True, False]
    assert take(stores.budget(), "c", hour=1) is True


def test_who_has_taken_has_it(budget: Budget) -> None:
    assert [take(budget, name) for name in ("a", "a", "b", "a", "c")] == [True, True, True, True, False]


def test_accounts_have_budgets_of_their_own(budget: Budget) -> None:
    assert [take(budget, name, account=account, limit=1) for account in ("one", "two") for name in "ab"] == [True, False] * 2


def test_a_budget_of_nothing_gives_nothing(budget: Budget) -> None:
    assert take(budget, "a", limit=0) is False


def test_a_limit_that_was_lowered_holds_at_once(budget: Budget) -> None:
    assert [take(budget, name, limit=3) for name in "ab"] == [True, True]
    assert take(budget, "c", limit=1) is False


def test_a_day_is_another_period_than_an_hour_and_starts_anew_too(budget: Budget) -> None:
    def take_of_day(taker: str, day: int = 0) -> bool:
        return budget.take("share", taker, limit=1, now_ms=NOW_MS + day * DAY_MS, period_ms=DAY_MS)

    assert [take_of_day(name) for name in ("a", "b", "a")] == [True, False, True]
    assert take_of_day("b", day=1) is True


def test_whoever_takes_at_the_same_time_no_more_is_given_than_there_is(stores: Stores) -> None:
    purses = [stores.budget() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda number: take(purses[number], f"c{number}", limit=3), range(8)))
    assert sum(given) == 3
