"""The budget's ledgers: replaced only as they were read; on each store the budget gives no more than there is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from infra_tests.contracts.conftest import Stores
from infra_tests.response.world import HOUR_MS, NOW_MS
from response.actions import Plan
from response.budget import Ledgers, Limits, Line, contain, line_for, one_of_a_few
from response.containment import Containment, containment_id, fold, stream_name
from response.journal import Step
from shared_model.events import Entity, EntityKind

ACCOUNT = "123456789012"
LINES = (Line("a" * 32, NOW_MS, f"isolate#{ACCOUNT}/instance/ü", "machines", "ü", begun=True), Line("b", 1))


def plan(machine: str, *, account: str = ACCOUNT, population: int = 4) -> Plan:
    target = Entity(EntityKind.INSTANCE, machine, account)
    return Plan("isolate", target, {}, {"": ""}, (), "", kind="machines", population=population)


def made(machine: str, now_ms: int, account: str = ACCOUNT) -> Containment:
    wanted = plan(machine, account=account)
    one, name = containment_id("isolate", wanted.target, "v"), stream_name("isolate", wanted.target)
    return Containment(one, name, "v", "event", "policy:rule", wanted, Step.APPLYING, now_ms, now_ms + 7 * 24 * HOUR_MS)


def write(stores: Stores, containment: Containment, step: Step, now_ms: int) -> None:
    """Append the containment's next entry."""
    stream = fold(containment.stream, stores.journal().stream(containment.stream))
    entry = stream.entry(step, containment, now_ms=now_ms, plan=step is Step.APPLYING, expires=step is Step.APPLYING)
    stores.journal().append(entry)


def take(
    stores: Stores, machine: str, *, minute: int = 0, per_hour: int = 1000, percent: int = 100, account: str = ACCOUNT
) -> str:
    """Take a place, as whoever is about to contain the machine."""
    now_ms = NOW_MS + minute * 60_000
    one = made(machine, now_ms, account)
    line = line_for(one.id, one.stream, one.plan, now_ms)
    return contain(stores.budget(), stores.journal(), one.plan, line, Limits(per_hour, percent), now_ms=now_ms)


def begin(stores: Stores, machine: str, *, minute: int = 0, **limits: int) -> bool:
    """Take a place and begin to contain; say whether there was one."""
    if take(stores, machine, minute=minute, **limits):
        return False
    now_ms = NOW_MS + minute * 60_000
    write(stores, made(machine, now_ms), Step.APPLYING, now_ms)
    return True


def test_a_ledger_that_nobody_wrote_is_empty(budget: Ledgers) -> None:
    assert budget.read("account") == ((), "")


def test_what_was_written_is_read_and_purses_are_apart(stores: Stores) -> None:
    assert stores.budget().replace("account/question", LINES, "") is True
    found, version = stores.budget().read("account/question")
    assert found == LINES
    assert version
    assert stores.budget().read("account") == ((), "")


def test_only_what_was_read_is_replaced(stores: Stores) -> None:
    one, other = stores.budget(), stores.budget()
    assert one.replace("account", LINES[:1], "") is True
    assert other.replace("account", LINES[1:], "") is False
    version = other.read("account")[1]
    assert one.replace("account", LINES, version) is True
    assert other.replace("account", (), version) is False
    assert other.read("account")[0] == LINES
    assert one.replace("account", (), one.read("account")[1]) is True
    assert other.read("account")[0] == ()


def test_a_ledger_of_a_thousand_lines(budget: Ledgers) -> None:
    many = tuple(
        Line(f"{number:032}", NOW_MS, f"isolate#{ACCOUNT}/instance/i-{number}", "machines", "i") for number in range(1000)
    )
    assert budget.replace("account", many, "") is True
    assert budget.read("account")[0] == many


def test_it_ends_at_its_limit_and_each_place_is_free_an_hour_after_it_was_taken(stores: Stores) -> None:
    begun = [begin(stores, name, minute=minute, per_hour=2) for name, minute in (("a", 0), ("b", 30), ("c", 59), ("c", 60))]
    assert begun == [True, True, False, True]
    assert [begin(stores, name, minute=minute, per_hour=2) for name, minute in (("d", 89), ("d", 90))] == [False, True]


def test_who_took_a_place_and_never_began_holds_it_for_as_long_as_he_may_live(stores: Stores) -> None:
    assert not take(stores, "a", per_hour=1)
    assert not take(stores, "a", minute=10, per_hour=1)  # the same message again
    assert take(stores, "b", minute=25, per_hour=1)
    assert not take(stores, "b", minute=26, per_hour=1)
    assert take(stores, "a", minute=26, per_hour=1)


def test_accounts_have_budgets_of_their_own(stores: Stores) -> None:
    taken = [take(stores, name, account=account, per_hour=1) for account in ("1" * 12, "2" * 12) for name in "ab"]
    assert list(map(bool, taken)) == [False, True] * 2


def test_a_budget_of_nothing_gives_nothing_and_one_that_was_lowered_holds_at_once(stores: Stores) -> None:
    assert take(stores, "a", per_hour=0)
    assert not take(stores, "a", per_hour=3)
    assert take(stores, "b", per_hour=1)


def test_a_share_counts_what_stands_and_not_what_the_journal_has_ended(stores: Stores) -> None:
    one = made("a", NOW_MS)
    assert begin(stores, "a", percent=25)
    days = 24 * 60
    for step, full in ((Step.APPLIED, True), (Step.UNDOING, True), (Step.UNDONE, False)):
        write(stores, one, step, NOW_MS)
        assert bool(take(stores, "b", minute=days, percent=25)) is full


def test_one_of_a_few_names_who_holds_the_oldest(stores: Stores) -> None:
    def ask(taker: str, minute: int) -> tuple[bool, str]:
        return one_of_a_few(stores.budget(), "account/question", taker, limit=1, now_ms=NOW_MS + minute * 60_000)

    assert [ask("a", 0), ask("b", 59), ask("a", 59), ask("b", 61)] == [(True, "a"), (False, "a"), (True, "a"), (False, "a")]
    assert ask("b", 119) == (True, "b")


@pytest.mark.parametrize("limits", [{"per_hour": 3}, {"percent": 75}], ids=["an hour", "a share"])
def test_whoever_takes_at_the_same_time_no_more_is_given_than_there_is(stores: Stores, limits: dict[str, int]) -> None:
    with ThreadPoolExecutor(8) as pool:
        refused = list(pool.map(lambda number: take(stores, f"m-{number}", **limits), range(8)))
    assert sum(not reason for reason in refused) == 3
