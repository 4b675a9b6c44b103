"""A further verdict about what is contained lets it end later, as far as the policy lets it, and stacks nothing beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from infra_tests.response.world import HOUR_MS, NOW_MS, Killed, Site, verdict
from response import orders
from response.actions import Mode
from response.containment import fold
from response.ends import Ended
from response.expiry import expire
from response.journal import JournalEntry, Step
from response.policy import AtEnd, NeverTouch
from response.switch import turn
from shared_model.events import Telemetry

STREAM = "isolate#123456789012/instance/i-1"


class Extended(Site):
    """Contained for an hour, and half of it is over."""

    def __init__(self, at_end: AtEnd = AtEnd.ASK, extend_to_s: int = 7 * 86_400) -> None:
        super().__init__(at_end=at_end)
        self.set(extend_to_s=extend_to_s)
        self.contained = self.contain("i-1").decisions[0].containment_id
        self.notices.clear()
        self.now_ms += HOUR_MS // 2

    def set(self, **changes: Any) -> None:
        self.policy = replace(self.policy, actions={"isolate": replace(self.policy.of("isolate"), **changes)})

    @property
    def entries(self) -> list[JournalEntry]:
        return self.journal.stream(STREAM)

    @property
    def last(self) -> JournalEntry:
        return self.entries[-1]

    def expire(self) -> tuple[Ended, ...]:
        done, errors = expire(
            policy=self.policy, actions=self.actions, journal=self.journal, now_ms=self.now_ms, notify=self.notices.append
        )
        assert not errors
        return done


def further(site: Site, name: str = "further", telemetry: Telemetry = Telemetry.API_CALLS) -> JournalEntry:
    site.respond(verdict("i-1", name, telemetry, time_ms=site.now_ms))
    return site.journal.stream(STREAM)[-1]


def test_it_ends_later_and_nothing_is_stacked() -> None:
    site = Extended(at_end=AtEnd.UNDO)
    extended = further(site)
    assert (extended.step, extended.containment_id, extended.verdict_id) == (Step.EXTENDED, site.contained, "further")
    assert extended.expires_ms == site.now_ms + HOUR_MS
    assert len(fold(STREAM, site.entries).containments) == 1
    assert [told.subject.split(":")[0] for told in site.notices] == ["Containment extended"]
    site.now_ms = NOW_MS + HOUR_MS
    assert site.expire() == ()
    site.now_ms = (extended.expires_ms or 0) - 1
    assert site.expire() == ()
    site.now_ms += 1
    assert [each.step for each in site.expire()] == [Step.UNDONE]


def test_who_was_asked_about_the_end_is_asked_again_at_the_new_one() -> None:
    site = Extended()
    site.now_ms = NOW_MS + HOUR_MS + 1
    assert [each.step for each in site.expire()] == [Step.EXPIRY_DUE]
    further(site, "first", Telemetry.API_CALLS)
    assert further(site, "second", Telemetry.DNS_LOGS).step in (Step.EXTENDED, Step.NOOP)
    assert Step.EXTENDED in site.steps("i-1")
    assert site.expire() == ()
    site.now_ms += HOUR_MS + 1
    assert [each.step for each in site.expire()] == [Step.EXPIRY_DUE]


def test_the_policy_bounds_it() -> None:
    site = Extended(extend_to_s=5400)
    assert further(site).expires_ms == NOW_MS + 5400 * 1000
    site.now_ms += 1_200_000
    assert further(site, "next").step is Step.NOOP
    assert Extended(extend_to_s=60).last.step is Step.VERIFIED


def test_where_there_is_little_to_gain_it_is_noted() -> None:
    site = Extended()
    site.now_ms = NOW_MS + HOUR_MS // 12 - 1
    assert further(site).step is Step.NOOP
    site.now_ms += 1
    assert further(site, "next").step is Step.EXTENDED


def lone(site: Extended) -> None:
    site.now_ms = NOW_MS + 3 * HOUR_MS


def observing(site: Extended) -> None:
    site.set(mode=Mode.OBSERVE)


def approving(site: Extended) -> None:
    site.set(mode=Mode.APPROVE)


def disarmed(site: Extended) -> None:
    turn(site.journal, armed=False, by="me", reason="drill", now_ms=NOW_MS)


def never_touched(site: Extended) -> None:
    site.policy = replace(site.policy, never_touch=NeverTouch(instances=("i-1",)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lone, "one signal"),
        (observing, "mode observe"),
        (approving, "mode approve"),
        (disarmed, "disarmed by me"),
        (never_touched, "never"),
    ],
)
def test_it_takes_what_a_containment_takes(change: Any, said: str) -> None:
    site = Extended()
    change(site)
    noted = further(site)
    assert noted.step is Step.NOOP
    assert noted.detail["reason"].startswith(f"already contained by {site.contained}, and not extended: ")
    assert said in noted.detail["reason"]


def test_a_verdict_that_comes_again_extends_once() -> None:
    site = Extended()
    site.journal.kill_after = Step.EXTENDED
    with pytest.raises(Killed):
        further(site)
    site.notices.clear()
    site.now_ms += 60_000
    further(site)
    assert site.steps("i-1").count(Step.EXTENDED) == 1
    assert [told.subject.split(":")[0] for told in site.notices].count("Containment extended") == 1


def test_undo_takes_back_what_was_extended() -> None:
    site = Extended()
    further(site)
    assert site.undo(site.contained).step is Step.UNDONE
    assert site.world["i-1"] == {"eni-a": "open", "eni-b": "web"}


def extend(site: Extended) -> None:
    """Two further signals: those that began it are too old to count."""
    further(site, "first", Telemetry.API_CALLS)
    further(site, "second", Telemetry.DNS_LOGS)
    assert Step.EXTENDED in site.steps("i-1")


def ends(site: Extended) -> list[Step]:
    return [entry.step for entry in site.journal.stream(orders.stream_of(site.now_ms))]


def test_what_is_extended_while_the_schedule_is_about_to_undo_it_stays_until_its_new_end() -> None:
    site = Extended(at_end=AtEnd.UNDO)
    site.now_ms = NOW_MS + HOUR_MS + 1
    append = site.journal.append

    def extended_meanwhile(entry: JournalEntry) -> None:
        if entry.step is Step.UNDOING:
            site.journal.append = append  # type: ignore[method-assign]
            extend(site)
        append(entry)

    site.journal.append = extended_meanwhile  # type: ignore[method-assign]
    (left,) = site.expire()
    assert (left.step, left.entries) == (Step.EXTENDED, ())
    assert "extended it until" in left.reason
    assert set(site.world["i-1"].values()) == {"locked"}
    assert ends(site) == [Step.ORDERED, Step.SETTLED], "what was decided on is not going to be done"
    site.now_ms += HOUR_MS - 1
    assert site.expire() == ()
    site.now_ms += 1
    assert [each.step for each in site.expire()] == [Step.UNDONE]


def test_an_order_of_the_schedules_that_was_left_behind_ends_when_it_is_extended() -> None:
    site = Extended(at_end=AtEnd.UNDO)
    site.now_ms = NOW_MS + HOUR_MS + 1
    site.journal.kill_after = Step.ORDERED
    with pytest.raises(Killed):
        site.expire()
    extend(site)
    site.now_ms += HOUR_MS // 2
    assert [each.step for each in site.expire()] == [Step.EXTENDED]
    assert set(site.world["i-1"].values()) == {"locked"}
    assert ends(site) == [Step.ORDERED, Step.SETTLED]
    assert site.undo(site.contained).step is Step.UNDONE, "a person may undo it before"
