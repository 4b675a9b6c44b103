"""Beyond the budget: proposed, and one question for the whole burst."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infra_tests.response.world import ACCOUNT, HOUR_MS, Killed, Site, verdict
from response.actions import Plan
from response.guard import DAY_MS, share
from response.journal import Step
from response.policy import Rule
from response.proposals import WITH_ANOTHER
from shared_model.events import Entity, EntityKind, Telemetry

BURST = 50


def crowded(**policy: int) -> Site:
    """Fifty machines of which each is found by two signals."""
    site = Site()
    site.world |= {f"m-{number}": {"eni": "open"} for number in range(BURST)}
    site.policy = replace(site.policy, **policy)
    return site


def locked(site: Site) -> int:
    return sum(locks["eni"] == "locked" for machine, locks in site.world.items() if machine.startswith("m-"))


def questions(site: Site) -> set[str]:
    return {notice.id for notice in site.notices if notice.subject.startswith("BUDGET USED UP")}


def counted(site: Site, population: int) -> None:
    plan = site.action.plan
    site.action.plan = lambda target, verdict: replace(plan(target, verdict), population=population)  # type: ignore[method-assign]


def test_a_burst_of_fifty_becomes_five_containments_and_one_question() -> None:
    site = crowded(containments_per_hour=5)
    for number in range(BURST):
        site.contain(f"m-{number}")
    assert locked(site) == 5
    assert len(questions(site)) == 1
    written = [entry for number in range(BURST) for entry in site.journal.stream(f"isolate#{ACCOUNT}/instance/m-{number}")]
    beyond = [entry for entry in written if entry.step is Step.PROPOSED]
    assert len({entry.stream for entry in beyond}) == BURST - 5
    assert all("budget of 5" in str(entry.detail["reason"]) for entry in beyond)
    assert {entry.detail.get("told") for entry in beyond} == {None, WITH_ANOTHER}
    assert len({entry.detail["question"] for entry in beyond}) == 1


def test_the_next_hour_may_ask_again() -> None:
    site = crowded(containments_per_hour=1)
    for number in range(3):
        site.contain(f"m-{number}")
    site.now_ms += HOUR_MS
    for number in range(3, 6):
        site.contain(f"m-{number}")
    assert len(questions(site)) == 2


def test_killed_after_the_question_was_taken_it_is_still_asked() -> None:
    site = crowded(containments_per_hour=0)
    site.respond(verdict("m-0", "flow", Telemetry.FLOW_LOGS))
    site.journal.kill_before = Step.PROPOSED
    with pytest.raises(Killed):
        site.respond(verdict("m-0", "dns", Telemetry.DNS_LOGS))
    site.contain("m-1")
    site.respond(verdict("m-0", "dns", Telemetry.DNS_LOGS))
    assert len(questions(site)) == 1


def test_delivered_again_the_question_has_the_same_id() -> None:
    site = crowded(containments_per_hour=0)
    site.contain("m-0")
    site.contain("m-0")
    assert len(questions(site)) == 1


def test_no_more_than_the_share_of_the_account_in_a_day_whatever_the_hours_allow() -> None:
    site = crowded(containments_per_hour=5, percent_a_day=10)
    counted(site, BURST)
    site.now_ms -= site.now_ms % DAY_MS
    for number in range(12):
        site.now_ms += HOUR_MS
        site.contain(f"m-{number}")
    assert locked(site) == 5
    site.now_ms += DAY_MS
    site.contain("m-20")
    assert locked(site) == 6


def test_what_is_contained_again_is_none_more() -> None:
    site = crowded(percent_a_day=1)
    counted(site, BURST)
    contained = site.contain("m-0").decisions[0].containment_id
    site.undo(contained)
    site.contain("m-0", "2")
    assert locked(site) == 1
    site.contain("m-1")
    assert locked(site) == 1


def test_a_rule_that_needs_no_second_signal_has_no_budget_of_its_own() -> None:
    site = crowded(containments_per_hour=2)
    site.policy = replace(site.policy, rules=(Rule("alone", "isolate", EntityKind.INSTANCE, alone=True),))
    for number in range(5):
        site.respond(verdict(f"m-{number}", f"v{number}", Telemetry.FLOW_LOGS))
    assert locked(site) == 2


@pytest.mark.parametrize(
    ("population", "percent", "most"), [(50, 10, 5), (59, 10, 5), (3, 10, 1), (0, 10, None), (50, 100, None), (1000, 1, 10)]
)
def test_a_share_is_rounded_down_and_one_at_least(population: int, percent: int, most: int | None) -> None:
    target = Entity(EntityKind.INSTANCE, "m-0", ACCOUNT)
    assert share(Plan("isolate", target, {}, {}, (), "", population=population), percent) == most
