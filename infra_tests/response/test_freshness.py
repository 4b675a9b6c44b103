"""What is old is told of, and changes nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infra_tests.response.world import HOUR_MS, NOW_MS, Site, verdict
from response.actions import Mode
from response.journal import Step
from shared_model.events import Telemetry

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


@pytest.mark.parametrize(("first_ms", "second_ms"), [(65 * MINUTE_MS, 10 * MINUTE_MS), (10 * MINUTE_MS, 65 * MINUTE_MS)])
def test_the_newer_of_the_two_decides_whichever_comes_first(first_ms: int, second_ms: int) -> None:
    assert pair(Site(), first_ms=first_ms, second_ms=second_ms) is Step.APPLIED


def test_the_limit_is_the_policys() -> None:
    site = Site()
    site.policy = replace(site.policy, fresh_ms=10 * MINUTE_MS)
    assert pair(site, first_ms=11 * MINUTE_MS, second_ms=11 * MINUTE_MS) is Step.REFUSED


def test_what_is_old_uses_no_budget() -> None:
    site = Site()
    site.policy = replace(site.policy, containments_per_hour=1)
    pair(site, first_ms=2 * HOUR_MS, second_ms=2 * HOUR_MS)
    assert site.contain("i-2").decisions[0].step is Step.APPLIED
