"""Beyond the budget: proposed, and one question for the whole burst."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import pytest

from infra_tests.response.world import ACCOUNT, HOUR_MS, IsolateMachine, Killed, Site, verdict
from response.actions import Mode, Plan, UndoResult
from response.budget import Line, share
from response.journal import Step
from response.policy import ActionPolicy, Rule
from response.proposals import WITH_ANOTHER
from response.remediation import of_entry
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
    """Its action says of what it takes one, and how many there are."""
    plan, changes = site.action.plan, {"kind": "machines", "population": population}
    site.action.plan = lambda target, verdict: replace(plan(target, verdict), **changes)  # type: ignore[method-assign]


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


def test_the_hour_is_any_sixty_minutes() -> None:
    site = crowded(containments_per_hour=2)
    site.now_ms -= site.now_ms % HOUR_MS + 60_000  # a minute to a full hour
    site.contain("m-0")
    site.contain("m-1")
    site.now_ms += 2 * 60_000
    site.contain("m-2")
    assert locked(site) == 2
    site.now_ms += HOUR_MS - 3 * 60_000  # a minute less than an hour after the first two
    site.contain("m-3")
    assert locked(site) == 2
    site.now_ms += 60_000
    site.contain("m-4")
    assert locked(site) == 3


def test_one_question_stands_for_any_sixty_minutes() -> None:
    site = crowded(containments_per_hour=0)
    site.now_ms -= site.now_ms % HOUR_MS + 60_000
    for number in range(3):
        site.contain(f"m-{number}")
        site.now_ms += 2 * 60_000
    asked = [entry for number in range(3) for entry in site.journal.stream(f"isolate#{ACCOUNT}/instance/m-{number}")]
    assert len({entry.detail["question"] for entry in asked if entry.step is Step.PROPOSED}) == 1
    assert len(questions(site)) == 1


def test_no_more_than_the_share_of_the_account_at_once_however_many_days_it_takes() -> None:
    site = crowded(containments_per_hour=5, percent_at_once=10)
    counted(site, BURST)
    for number in range(12):
        site.now_ms += 7 * HOUR_MS
        site.contain(f"m-{number}")
    assert locked(site) == 5
    assert "5 machines are contained, the most" in site.stream("m-11").entries[-1].detail["reason"]


def test_what_is_undone_makes_room_at_once() -> None:
    site = crowded(percent_at_once=2)
    counted(site, BURST)
    contained = site.contain("m-0").decisions[0].containment_id
    site.contain("m-1")
    assert locked(site) == 1
    site.undo(contained)
    site.contain("m-2")
    assert site.world["m-2"]["eni"] == "locked"


class _Refused(IsolateMachine):
    """Gives back a network, where the cloud lets it."""

    gives_back: ClassVar[str] = "its network to a machine"
    refused = True

    def undo(self, plan: Plan) -> UndoResult:
        locked = "locked" in self.world[plan.target.id].values()
        return UndoResult.holding("the cloud refused it") if self.refused and locked else super().undo(plan)


def test_an_undo_that_leaves_its_target_held_makes_no_room_until_one_gives_it_back() -> None:
    site = crowded(percent_at_once=2)
    action = _Refused(site.world)
    site.action, site.actions = action, {"isolate": action}
    counted(site, BURST)
    contained = site.contain("m-0").decisions[0].containment_id
    assert site.undo(contained).left == ("the cloud refused it",)
    assert site.stream("m-0").entries[-1].holds == ("the cloud refused it",)
    assert site.notices[-1].subject == "NOT undone: instance m-0"
    assert "STILL CONTAINED: the cloud refused it" in site.notices[-1].text
    assert of_entry(site.stream("m-0").entries[-1])["status"] == "Failure"
    assert f"until: breakwater undo {contained}" in site.notices[-1].text
    site.contain("m-1")
    assert site.world["m-1"]["eni"] == "open"
    action.refused = False
    assert site.undo(contained).left == ()
    assert site.world["m-0"]["eni"] == "open"
    site.contain("m-2")
    assert site.world["m-2"]["eni"] == "locked"


def test_what_an_undo_left_held_keeps_its_place_for_as_long_again_as_it_was_to_live() -> None:
    """Its target may be gone, and nobody undo it once more: no place is taken for ever."""
    site = crowded(percent_at_once=2)
    action = _Refused(site.world)
    site.action, site.actions = action, {"isolate": action}
    counted(site, BURST)
    contained = site.contain("m-0").decisions[0].containment_id
    lifetime_ms = site.policy.of("isolate").time_to_live_s * 1000
    site.now_ms += 3 * lifetime_ms  # its end was asked about long before
    site.undo(contained)
    site.now_ms += lifetime_ms - 1
    site.contain("m-1")
    assert site.world["m-1"]["eni"] == "open"
    site.now_ms += 1
    site.contain("m-2")
    assert site.world["m-2"]["eni"] == "locked"


def test_what_somebody_changed_since_or_took_away_is_held_no_more() -> None:
    site = crowded(percent_at_once=2)
    action = _Refused(site.world)
    site.action, site.actions = action, {"isolate": action}
    counted(site, BURST)
    contained = site.contain("m-0").decisions[0].containment_id
    site.world["m-0"]["eni"] = "another"
    site.undo(contained)
    site.contain("m-1")
    assert site.world["m-1"]["eni"] == "locked"


def test_what_is_held_is_not_given_back_beneath_a_later_containment() -> None:
    site = crowded()
    action = _Refused(site.world)
    site.action, site.actions = action, {"isolate": action}
    contained = site.contain("m-0").decisions[0].containment_id
    site.undo(contained)
    site.world["m-0"]["another"] = "open"
    site.now_ms += HOUR_MS
    site.contain("m-0", "2")
    action.refused = False
    assert "contained again since" in site.undo(contained).reason
    assert set(site.world["m-0"].values()) == {"locked"}


def test_what_is_contained_twice_is_one() -> None:
    """By two actions, or by a containment beside one that does not hold all: a machine is one machine."""
    site = crowded(percent_at_once=2)
    counted(site, BURST)
    site.contain("m-0")
    site.action.covering = False
    site.world["m-0"]["another"] = "open"
    site.contain("m-0", "2")
    assert set(site.world["m-0"].values()) == {"locked"}


def test_another_action_on_the_same_kind_shares_what_there_is() -> None:
    site = crowded(percent_at_once=2)
    counted(site, BURST)
    other = IsolateMachine(site.world)
    other.name = "unplug"  # type: ignore[misc]
    plan = other.plan
    other.plan = lambda target, verdict: replace(plan(target, verdict), kind="machines", population=BURST)  # type: ignore[method-assign]
    site.contain("m-0")
    site.actions = {"unplug": other}
    site.policy = replace(
        site.policy, rules=(Rule("unplug", "unplug", EntityKind.INSTANCE),), actions={"unplug": ActionPolicy(Mode.ENFORCE)}
    )
    site.contain("m-1")
    assert locked(site) == 1


def test_of_what_nobody_could_count_no_share_is_given() -> None:
    site = crowded(percent_at_once=10)
    counted(site, 0)
    site.contain("m-0")
    assert locked(site) == 0
    assert "nobody could count" in site.stream("m-0").entries[-1].detail["reason"]
    site.policy = replace(site.policy, percent_at_once=100)
    site.contain("m-1")
    assert locked(site) == 1


def test_killed_before_it_began_it_counts_once_and_not_for_ever() -> None:
    site = crowded(containments_per_hour=2, percent_at_once=2)
    counted(site, BURST)
    site.respond(verdict("m-0", "flow", Telemetry.FLOW_LOGS))
    for _ in range(3):
        site.journal.kill_before = Step.APPLYING
        with pytest.raises(Killed):
            site.respond(verdict("m-0", "dns", Telemetry.DNS_LOGS))
    assert len(site.budget.read(ACCOUNT)[0]) == 1
    site.contain("m-1")
    assert locked(site) == 0  # whoever took it may be about to begin
    site.now_ms += 16 * 60_000
    site.contain("m-2")
    assert locked(site) == 1


def test_what_failed_counts_until_it_would_have_ended() -> None:
    site = crowded(percent_at_once=2)
    counted(site, BURST)
    site.journal.kill_after = Step.APPLYING
    site.respond(verdict("m-0", "flow", Telemetry.FLOW_LOGS))
    with pytest.raises(Killed):
        site.respond(verdict("m-0", "dns", Telemetry.DNS_LOGS))
    site.world["m-0"]["eni"] = "changed by hand"
    site.respond(verdict("m-0", "dns", Telemetry.DNS_LOGS))
    assert Step.FAILED in site.steps("m-0")
    site.contain("m-1")
    assert locked(site) == 0
    site.now_ms += HOUR_MS + 1  # its time to live
    site.contain("m-2")
    assert locked(site) == 1


def test_a_person_who_goes_beyond_the_budget_uses_it_too() -> None:
    site = crowded(containments_per_hour=1)
    for number in range(2):
        site.contain(f"m-{number}")
    site.answer("m-1", beyond_budget=True)
    assert locked(site) == 2
    site.now_ms += HOUR_MS - 1
    site.contain("m-2")
    assert locked(site) == 2


def test_a_ledger_that_holds_no_more_asks_a_person() -> None:
    site = crowded()
    counted(site, 10_000)
    site.policy = replace(site.policy, containments_per_hour=5000)
    full = tuple(Line(f"{number:032}", site.now_ms, f"isolate#{number}" * 9, "others", "m") for number in range(2_000))
    assert site.budget.replace(ACCOUNT, full, "")
    site.contain("m-0")
    assert locked(site) == 0
    assert "is full" in site.stream("m-0").entries[-1].detail["reason"]


def test_a_long_ledger_is_swept_though_nobody_is_short() -> None:
    site = crowded()
    counted(site, 10_000)
    old = tuple(Line(f"{number:032}", site.now_ms - HOUR_MS, f"isolate#{number}", "others", "m") for number in range(120))
    assert site.budget.replace(ACCOUNT, old, "")
    for number in range(3):
        site.contain(f"m-{number}")
    assert len(site.budget.read(ACCOUNT)[0]) == 120 + 3 - 3 * 4


def test_a_rule_that_needs_no_second_signal_has_no_budget_of_its_own() -> None:
    site = crowded(containments_per_hour=2)
    site.policy = replace(site.policy, rules=(Rule("alone", "isolate", EntityKind.INSTANCE, alone=True),))
    for number in range(5):
        site.respond(verdict(f"m-{number}", f"v{number}", Telemetry.FLOW_LOGS))
    assert locked(site) == 2


@pytest.mark.parametrize(
    ("kind", "population", "percent", "most"),
    [
        ("machines", 50, 10, 5),
        ("machines", 59, 10, 5),
        ("machines", 3, 10, 1),
        ("machines", 0, 10, 0),
        ("machines", 0, 100, None),
        ("machines", 50, 100, None),
        ("machines", 1000, 1, 10),
        ("", 0, 10, None),
    ],
)
def test_a_share_is_rounded_down_and_one_at_least(kind: str, population: int, percent: int, most: int | None) -> None:
    target = Entity(EntityKind.INSTANCE, "m-0", ACCOUNT)
    assert share(Plan("isolate", target, {}, {}, (), "", kind=kind, population=population), percent) == most
