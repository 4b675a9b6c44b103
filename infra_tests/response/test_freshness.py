"""What is old is told of, and changes nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infra_tests.response.world import ACCOUNT, HOUR_MS, NOW_MS, Site, verdict
from response.actions import Mode
from response.journal import Step
from response.policy import Rule
from shared_model.events import Entity, EntityKind, Telemetry

OPEN = {"eni-a": "open", "eni-b": "web"}
MINUTE_MS = 60_000


def pair(site: Site, *, first_ms: int, second_ms: int) -> Step:
    """Bring two independent signals of these ages; return what the second one's rule came to."""
    site.respond(verdict("i-1", "first", Telemetry.FLOW_LOGS, time_ms=NOW_MS - first_ms))
    return site.respond(verdict("i-1", "second", Telemetry.DNS_LOGS, time_ms=NOW_MS - second_ms)).decisions[0].step


@pytest.mark.parametrize("mode", [Mode.ENFORCE, Mode.OBSERVE])
def test_signals_that_are_both_old_change_nothing_and_are_told_once(mode: Mode) -> None:
    site = Site(mode=mode)
    old = HOUR_MS + 1
    assert pair(site, first_ms=old, second_ms=old) is Step.REFUSED
    assert site.world["i-1"] == OPEN
    told = {notice.id for notice in site.notices}
    assert any("60 minutes old" in notice.text for notice in site.notices)
    assert pair(site, first_ms=old, second_ms=old) is Step.REFUSED
    assert {notice.id for notice in site.notices} == told


def test_a_fresh_signal_still_corroborates_what_only_old_ones_did_before() -> None:
    site = Site()
    pair(site, first_ms=HOUR_MS + 1, second_ms=HOUR_MS + 1)
    site.respond(verdict("i-1", "third", Telemetry.API_CALLS, time_ms=NOW_MS - 30 * MINUTE_MS))
    assert set(site.world["i-1"].values()) == {"locked"}


def test_just_within_the_limit_counts() -> None:
    assert pair(Site(), first_ms=HOUR_MS, second_ms=HOUR_MS) is Step.APPLIED


def test_an_old_one_lends_its_signal_to_a_newer_one_which_acts_for_itself() -> None:
    site = Site()
    assert pair(site, first_ms=65 * MINUTE_MS, second_ms=10 * MINUTE_MS) is Step.APPLIED
    assert site.stream("i-1").current.verdict_id == "second"  # type: ignore[union-attr]


def test_an_old_one_that_comes_after_the_newer_one_lets_that_act_and_is_itself_only_told_of() -> None:
    site = Site()
    assert pair(site, first_ms=10 * MINUTE_MS, second_ms=65 * MINUTE_MS) is Step.REFUSED
    assert site.stream("i-1").current.verdict_id == "first"  # type: ignore[union-attr]


def test_what_only_an_old_verdict_names_is_not_changed_for_a_newer_ones_sake() -> None:
    """The newer one shares a name with it, and is about another machine."""
    site, i_1 = Site(), Entity(EntityKind.INSTANCE, "i-1", ACCOUNT)
    site.respond(verdict("i-1", "old", Telemetry.FLOW_LOGS, time_ms=NOW_MS - 65 * MINUTE_MS))
    site.respond(verdict("i-2", "new", Telemetry.DNS_LOGS, time_ms=NOW_MS - 10 * MINUTE_MS, related=(i_1,)))
    assert site.world["i-1"] == OPEN
    assert set(site.world["i-2"].values()) == {"locked"}


def test_one_that_waited_until_it_was_old_does_not_act_when_its_second_signal_comes() -> None:
    site = Site()
    site.respond(verdict("i-1", "waits", Telemetry.FLOW_LOGS, time_ms=NOW_MS - 50 * MINUTE_MS))
    site.now_ms += 20 * MINUTE_MS
    i_1 = Entity(EntityKind.INSTANCE, "i-1", ACCOUNT)
    site.respond(verdict("i-2", "new", Telemetry.DNS_LOGS, time_ms=NOW_MS, related=(i_1,)))
    assert site.world["i-1"] == OPEN
    assert set(site.world["i-2"].values()) == {"locked"}


def test_a_rule_that_needs_no_second_signal_needs_a_fresh_one() -> None:
    site = Site()
    site.policy = replace(site.policy, rules=(Rule("alone", "isolate", EntityKind.INSTANCE, alone=True),))
    site.respond(verdict("i-1", "old", Telemetry.FLOW_LOGS, time_ms=NOW_MS - HOUR_MS - 1))
    site.respond(verdict("i-2", "new", Telemetry.FLOW_LOGS, time_ms=NOW_MS - HOUR_MS))
    assert (site.world["i-1"], set(site.world["i-2"].values())) == (OPEN, {"locked"})


def test_the_limit_is_the_policys() -> None:
    site = Site()
    site.policy = replace(site.policy, fresh_ms=10 * MINUTE_MS)
    assert pair(site, first_ms=11 * MINUTE_MS, second_ms=11 * MINUTE_MS) is Step.REFUSED


def test_what_is_old_uses_no_budget() -> None:
    site = Site()
    site.policy = replace(site.policy, containments_per_hour=1)
    pair(site, first_ms=2 * HOUR_MS, second_ms=2 * HOUR_MS)
    assert site.contain("i-2").decisions[0].step is Step.APPLIED
