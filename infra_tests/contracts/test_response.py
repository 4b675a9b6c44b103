"""The response from signal to undo, on the stores of each cloud: the same steps, whoever keeps them."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from infra_tests.contracts.conftest import Stores
from infra_tests.response.test_arrival_order import BOTH, CALLS, FLOWS, Rules
from infra_tests.response.world import HOUR_MS, NOW_MS, Killed, Site, verdict
from lambdas.registry import FUNCTIONS
from response.actions import Mode
from response.containment import LONGEST_RUN_MS
from response.expiry import expire
from response.journal import Journal, JournalEntry, Step
from response.orders import BY_EXPIRY
from response.policy import AtEnd
from response.switch import ID as SWITCH
from response.switch import STREAM as STREAM_OF_SWITCH
from response.switch import turn
from shared_model.events import Telemetry

STREAM = "isolate#123456789012/instance/i-1"


class Mortal:
    """Some journal, with a function that may be killed right after an append."""

    def __init__(self, journal: Journal, kill_after: Step) -> None:
        self._journal = journal
        self.kill_after: Step | None = kill_after
        self.stream, self.expiring, self.find = journal.stream, journal.expiring, journal.find

    def append(self, entry: JournalEntry) -> None:
        self._journal.append(entry)
        if entry.step is self.kill_after:
            self.kill_after = None
            raise Killed


def on(stores: Stores, site: Site) -> Site:
    site.journal = stores.journal()  # type: ignore[assignment]
    site.signals, site.budget = stores.signals(), stores.budget()  # type: ignore[assignment]
    return site


def test_two_signals_contain_and_undo_restores(stores: Stores) -> None:
    site = on(stores, Site())
    before = dict(site.world["i-1"])
    contained = site.contain("i-1").decisions[0].containment_id
    assert set(site.world["i-1"].values()) == {"locked"}
    assert site.undo(contained).step is Step.UNDONE
    assert site.world["i-1"] == before
    assert site.steps("i-1") == [Step.REFUSED, Step.APPLYING, Step.APPLIED, Step.VERIFIED, Step.UNDOING, Step.UNDONE]


def test_what_was_undone_is_not_begun_again_by_a_batch_that_comes_again_in_pieces(stores: Stores) -> None:
    site = on(stores, Site())
    contained = site.contain("i-1").decisions[0].containment_id
    site.now_ms += 10 * 60_000
    site.respond(verdict("i-1", "noted", Telemetry.FLOW_LOGS, time_ms=site.now_ms))
    site.undo(contained)
    site.now_ms += 10 * 60_000
    for name, time_ms, ends in (("piece", NOW_MS + 10 * 60_000, contained), ("newer", NOW_MS + 10 * 60_000 + 1, None)):
        outcome = site.respond(verdict("i-1", name, Telemetry.DNS_LOGS, time_ms=time_ms))
        assert stores.journal().stream(STREAM)[-1].detail.get("belongs_to") == ends
    assert outcome.decisions[0].step is Step.APPLIED


@pytest.mark.parametrize("order", [(FLOWS, CALLS), (CALLS, FLOWS)], ids=["flows first", "calls first"])
def test_the_order_of_arrival_does_not_matter(stores: Stores, order: tuple[object, ...]) -> None:
    site = Rules()
    on(stores, site)
    for each in (*order, *order):
        site.respond(each)  # type: ignore[arg-type]
    assert site.contained() == BOTH


@pytest.mark.parametrize("step", [Step.REFUSED, Step.APPLYING, Step.APPLIED, Step.VERIFIED])
def test_a_kill_after_any_step_is_mended_by_the_next_delivery(stores: Stores, step: Step) -> None:
    site = on(stores, Site())
    site.journal = Mortal(stores.journal(), step)  # type: ignore[assignment]
    pair = [verdict("i-1", "v1", Telemetry.FLOW_LOGS), verdict("i-1", "v2", Telemetry.DNS_LOGS)]
    handed = set()
    for each in pair:
        for _ in range(2):
            with contextlib.suppress(Killed):
                outcome = site.respond(each)
                handed |= {entry.id for decision in outcome.decisions for entry in decision.entries}
                handed |= {entry.id for entry in outcome.earlier}
    steps = site.steps("i-1")
    assert list(dict.fromkeys(steps)) == [Step.REFUSED, Step.APPLYING, Step.APPLIED, Step.VERIFIED]
    assert handed == {f"{STREAM}/{number}" for number in range(1, len(steps) + 1)}
    assert site.action.writes == 2


def test_what_is_due_ends_by_itself(stores: Stores) -> None:
    site = on(stores, Site(at_end=AtEnd.UNDO))
    site.contain("i-1")
    now_ms = NOW_MS + HOUR_MS + 1
    ended, errors = expire(
        policy=site.policy, actions=site.actions, journal=site.journal, now_ms=now_ms, notify=site.notices.append
    )
    assert ([each.step for each in ended], errors) == ([Step.UNDONE], ())
    assert site.journal.stream(STREAM)[-1].actor == BY_EXPIRY


def test_the_budget_holds_across_targets(stores: Stores) -> None:
    site = on(stores, Site())
    site.policy = replace(site.policy, containments_per_hour=1)
    assert [site.contain(machine).decisions[0].step for machine in ("i-1", "i-2")] == [Step.APPLIED, Step.PROPOSED]


def test_what_was_proposed_is_answered_once_or_lapses(stores: Stores) -> None:
    site = on(stores, Site(mode=Mode.APPROVE))
    assert [site.contain(machine).decisions[0].step for machine in ("i-1", "i-2", "i-3")] == [Step.PROPOSED] * 3
    site.world["i-2"]["eni-c"] = "web"  # changed since it was shown
    assert [site.answer(machine).step for machine in ("i-1", "i-2")] == [Step.APPLIED, Step.PROPOSED]
    assert site.answer("i-1", "bob", approves=False).step is Step.REFUSED
    assert site.answer("i-2").step is Step.APPLIED
    now_ms = NOW_MS + 4 * HOUR_MS + 1
    ended, errors = expire(
        policy=site.policy, actions=site.actions, journal=site.journal, now_ms=now_ms, notify=site.notices.append
    )
    assert (Step.LAPSED in [each.step for each in ended], errors) == (True, ())
    assert site.steps("i-3")[-1] is Step.LAPSED
    assert (site.world["i-2"], site.world["i-3"]) == ({"eni-c": "locked"}, {"eni-d": "db"})


def test_no_function_that_responds_runs_for_so_long_that_it_could_apply_while_somebody_undoes() -> None:
    on_aws = {spec.name: spec.timeout_s for spec in FUNCTIONS if "response" in spec.packages}
    hours, minutes, seconds = map(
        int, json.loads((Path(__file__).parents[2] / "host.json").read_text(encoding="utf-8"))["functionTimeout"].split(":")
    )
    assert max(*on_aws.values(), 3600 * hours + 60 * minutes + seconds) * 1000 <= LONGEST_RUN_MS


def test_disarmed_no_store_lets_a_change_through_and_armed_again_it_does(stores: Stores) -> None:
    site = on(stores, Site())
    assert turn(stores.journal(), armed=False, by="alice", reason="drill", now_ms=NOW_MS).armed is False
    assert site.contain("i-1").decisions[0].step is Step.REFUSED
    assert stores.journal().find(SWITCH) == STREAM_OF_SWITCH
    turn(stores.journal(), armed=True, by="bob", reason="", now_ms=NOW_MS + 1)
    site.contain("i-1", "2")
    assert set(site.world["i-1"].values()) == {"locked"}
    assert [(e.step, e.actor) for e in stores.journal().stream(STREAM_OF_SWITCH)] == [
        (Step.DISARMED, "alice"),
        (Step.ARMED, "bob"),
    ]
