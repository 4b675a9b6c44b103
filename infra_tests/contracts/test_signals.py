"""Recent signals: found under each name, in a window that includes both its ends, new once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from infra_tests.contracts.conftest import Stores
from infra_tests.response.world import HOUR_MS, NOW_MS
from response.signals import Signal, SignalStore, corroborating
from shared_model.events import Entity, EntityKind, Telemetry

NAMES = ("a/instance/i-1", "a/address/10.0.0.1")


def signal(**changes: Any) -> Signal:
    return replace(Signal("v1", "network", Telemetry.FLOW_LOGS, NOW_MS, NAMES, "case-20260921-1340-00000000"), **changes)


def test_a_signal_is_found_under_each_name_and_is_new_once(stores: Stores) -> None:
    assert stores.signals().record(signal(), window_ms=HOUR_MS, now_ms=NOW_MS) is True
    assert stores.signals().record(signal(), window_ms=HOUR_MS, now_ms=NOW_MS) is False
    for name in NAMES:
        assert list(stores.signals().recent(name, NOW_MS, NOW_MS)) == [signal()]
    assert list(stores.signals().recent("a/instance/i-2", NOW_MS, NOW_MS)) == []


@pytest.mark.parametrize(("since", "until", "found"), [(0, 1, 1), (1, 2, 0), (-2, -1, 0), (-1, 0, 1)])
def test_the_window_includes_both_its_ends(signals: SignalStore, since: int, until: int, found: int) -> None:
    signals.record(signal(), window_ms=HOUR_MS, now_ms=NOW_MS)
    assert len(list(signals.recent("a/instance/i-1", NOW_MS + since, NOW_MS + until))) == found


def test_a_name_that_begins_like_another_is_another(signals: SignalStore) -> None:
    signals.record(signal(names=("a/instance/i-1",)), window_ms=HOUR_MS, now_ms=NOW_MS)
    signals.record(signal(verdict_id="v2", names=("a/instance/i-10",)), window_ms=HOUR_MS, now_ms=NOW_MS)
    assert [each.verdict_id for each in signals.recent("a/instance/i-1", 0, NOW_MS)] == ["v1"]


def test_many_signals_of_one_name(signals: SignalStore) -> None:
    for number in range(120):
        signals.record(
            signal(verdict_id=f"v{number}", time_ms=NOW_MS + number, names=NAMES[:1]), window_ms=HOUR_MS, now_ms=NOW_MS
        )
    found = [each.verdict_id for each in signals.recent(NAMES[0], NOW_MS + 10, NOW_MS + 109)]
    assert sorted(found) == sorted(f"v{number}" for number in range(10, 110))


def test_corroboration_holds_both_ways_and_needs_other_telemetry(signals: SignalStore) -> None:
    one, same = signal(), signal(verdict_id="v2")
    other = signal(verdict_id="v3", telemetry=Telemetry.API_CALLS, names=NAMES[1:])
    for each in (one, same, other):
        signals.record(each, window_ms=HOUR_MS, now_ms=NOW_MS)
    assert corroborating(one, signals, HOUR_MS) == (other,)
    assert set(corroborating(other, signals, HOUR_MS)) == {one, same}


def test_a_name_of_any_length(signals: SignalStore) -> None:
    names = (Entity(EntityKind.SESSION, "ü" * 4000, "123456789012").key, "a/instance/i-1")
    assert signals.record(signal(names=names), window_ms=HOUR_MS, now_ms=NOW_MS) is True
    assert [list(signals.recent(name, NOW_MS, NOW_MS)) for name in names] == [[signal(names=names)]] * 2
