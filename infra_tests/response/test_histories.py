"""Generated histories: never-touch, budget, journal before change, exact undo, once, nothing lost, whatever happens.

``make histories`` plays more of them; docs/histories.md has its figures.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra_tests.response.histories import history as histories
from infra_tests.response.histories.history import (
    Does,
    Fails,
    Fault,
    History,
    Job,
    Moment,
    Setting,
    Signalled,
    drawn,
    written,
)
from infra_tests.response.histories.mutations import MUTATIONS, Mutation
from infra_tests.response.histories.playing import Figures, failing, fails, smallest
from infra_tests.response.histories.sweeps import crashes, interruptions, net
from shared_model.events import Telemetry

#: How many are drawn here; the sweeps come on top.
DRAWN = 10_000
#: Everything that leaves a function.
ENDS = "EXPIRY_DUE, ORDERED, UNDOING, UNDONE, SETTLED"
STEPS = f"REFUSED, APPLYING, APPLIED, VERIFIED, NOOP, {ENDS}, PROPOSED, APPROVED, DENIED, LAPSED"
CALLS = (
    *(f"append {step}" for step in STEPS.split(", ")),
    *("read a stream", "read the switch", "look for what expires", "find a containment", "record a signal", "look for signals"),
    *("read a ledger", "write a ledger", "read a resource", "read tags", "change a resource", "undo a change", "tell"),
)


def assert_none_fails(histories: Iterator[History]) -> Figures:
    figures = Figures()
    found = next(failing(histories, figures), None)
    if found is not None:
        history, error = found
        pytest.fail(f"{error}\nThe smallest history that fails too:\n{written(smallest(history))}")
    return figures


def test_ten_thousand_drawn_histories_keep_every_invariant() -> None:
    figures = assert_none_fails(map(drawn, range(DRAWN)))
    assert figures.histories == DRAWN
    assert figures.killed > DRAWN / 3
    assert figures.entries.keys() >= {"APPLIED", "FAILED", "UNDONE", "OBSERVED", "PROPOSED", "EXPIRY_DUE", "DRIFTED", "DISARMED"}
    assert figures.entries.keys() >= {"APPROVED", "DENIED", "LAPSED", "EXTENDED"}


def test_each_story_survives_every_fault_at_every_call() -> None:
    figures = assert_none_fails(crashes())
    for kill in (Fails.KILLED_BEFORE, Fails.KILLED_AFTER):
        never = {what for what in CALLS if not figures.calls[what, kill]}
        assert not never, f"nobody was {kill} these calls: {never}"


def test_two_and_three_that_interrupt_each_other_anywhere_keep_every_invariant() -> None:
    assert assert_none_fails(interruptions()).histories > 2_000


def test_an_undo_that_saw_its_target_as_it_was_a_minute_ago_does_not_say_that_it_is_held() -> None:
    """A person changed the lock, and the undo leaves it: a look at what is there now may show it as it was before."""
    stale = Fault(at=10, fails=Fails.STALE)
    story = History(
        verdicts=tuple(Signalled(Telemetry.DNS_LOGS, (about,)) for about in (0, 1, 0)),
        moments=(
            Moment((Job(Does.DELIVER, 1),), then_ms=3_660_000),
            Moment((Job(Does.CHANGE, 2),)),
            Moment((Job(Does.UNDO, 1, faults=(stale,)),)),
        ),
        setting=Setting(gives_back=True),
    )
    assert fails(story) == ""


def test_a_verdict_waits_for_who_ends_an_undo_and_not_for_who_was_killed_in_it() -> None:
    killed = Fault(at=13, fails=Fails.KILLED_BEFORE)
    story = History(
        verdicts=(Signalled(Telemetry.DNS_LOGS, (0,)), Signalled(Telemetry.FLOW_LOGS, (0,))),
        moments=(
            Moment((Job(Does.DELIVER, 0),), then_ms=3_660_000),
            Moment((Job(Does.EXPIRE, faults=(killed,)), Job(Does.DELIVER, 1))),
        ),
        setting=Setting(),
    )
    assert fails(story) == ""


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_what_keeps_an_invariant_is_missed_when_it_is_gone(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    mutation(monkeypatch)
    assert next(failing(net(), Figures()), None) is not None, mutation.__doc__


@pytest.mark.parametrize("seed", [0, 1, 4711])
def test_a_seed_is_the_same_history_every_time(seed: int) -> None:
    assert drawn(seed) == drawn(seed)
    calls = []
    for _ in range(2):
        figures = Figures()
        assert list(failing([drawn(seed)], figures)) == []
        calls.append(figures.calls)
    assert calls[0] == calls[1]


@pytest.mark.parametrize("seed", range(8))
def test_a_history_is_printed_as_what_makes_it_again(seed: int) -> None:
    assert eval(written(drawn(seed)), vars(histories)) == drawn(seed)
