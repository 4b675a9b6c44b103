"""That a containment is over is believed where who undoes has ordered it: who holds the responder writes UNDONE for nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from infra_tests.response.test_forged_undo import ADA, LOCKED, OPEN, STREAM, contained, forge, scheduled
from infra_tests.response.world import HOUR_MS, Killed, Site
from response import orders
from response.anchors import anchor
from response.audit import verify
from response.chain import Fault
from response.journal import Step
from response.policy import AtEnd


@pytest.fixture(params=["", "its networks"])
def site(request: pytest.FixtureRequest) -> Site:
    made = Site(at_end=AtEnd.ASK)
    made.action.gives_back = request.param  # type: ignore[misc]
    made.contain("i-1")
    anchor(made.journal, now_ms=made.now_ms)
    return made


def believed(site: Site) -> Step:
    return orders.Book(site.journal).stream(STREAM).containments[contained(site)].step


def unordered(site: Site) -> list[tuple[str, int]]:
    found = verify(site.journal, [*site.journal._streams], now_ms=site.now_ms)
    assert {each.fault for each in found.problems} <= {Fault.UNORDERED}
    return [(each.stream, each.sequence) for each in found.problems]


def an_order(site: Site, **changes: Any) -> str:
    """An order for the containment, as only who undoes can write it; return its id."""
    containment = site.stream("i-1").containments[contained(site)]
    given = orders.give(site.journal, replace(containment, **changes), actor=ADA.name, now_ms=site.now_ms, detail={})
    return given.entry.id


def of_nothing(site: Site) -> dict[str, Any]:
    return {}


def of_no_order(site: Site) -> dict[str, Any]:
    return {"order": f"{orders.stream_of(site.now_ms)}/1"}


def of_what_is_no_order(site: Site) -> dict[str, Any]:
    return {"order": f"{STREAM}/1"}


def of_another_containments_order(site: Site) -> dict[str, Any]:
    return {"order": an_order(site, id="another")}


def of_an_order_of_another_stream(site: Site) -> dict[str, Any]:
    return {"order": an_order(site, stream="isolate#123456789012/instance/i-2")}


def of_an_order_that_was_not_carried_out(site: Site) -> dict[str, Any]:
    name = an_order(site)
    (order,) = orders.standing(site.journal.stream(orders.stream_of(site.now_ms)))
    orders.settle(site.journal, order, now_ms=site.now_ms, reason="it was extended")
    return {"order": name}


@pytest.mark.parametrize(
    "said",
    [
        of_nothing,
        of_no_order,
        of_what_is_no_order,
        of_another_containments_order,
        of_an_order_of_another_stream,
        of_an_order_that_was_not_carried_out,
    ],
)
def test_what_says_undone_without_an_order_ends_nothing(site: Site, said: Callable[[Site], dict[str, Any]]) -> None:
    forge(site, Step.UNDOING, actor=ADA.name)
    forge(site, Step.UNDONE, actor=ADA.name, detail={"restored": [*LOCKED], "left": [], **said(site)})
    forged = site.journal.stream(STREAM)[-1]
    assert believed(site) is Step.UNDOING
    assert unordered(site) == [(STREAM, forged.sequence)]
    (problem,) = anchor(site.journal, now_ms=site.now_ms).problems
    assert (problem.fault, problem.sequence) == (Fault.UNORDERED, forged.sequence)
    assert contained(site) in problem.what
    assert "counts as in force" in problem.what


def test_a_person_undoes_it_all_the_same_and_then_it_is_over(site: Site) -> None:
    forge(site, Step.UNDONE, actor=ADA.name, detail={"restored": [*LOCKED], "left": []})
    forged = site.journal.stream(STREAM)[-1]
    assert site.world["i-1"] == LOCKED
    assert site.undo(contained(site), ADA).step is Step.UNDONE
    assert (site.world["i-1"], believed(site)) == (OPEN, Step.UNDONE)
    assert unordered(site) == [(STREAM, forged.sequence)], "and no other one"


def test_its_end_is_asked_about_and_what_ends_by_itself_ends(site: Site) -> None:
    forge(site, Step.UNDONE, actor=ADA.name, detail={"restored": [*LOCKED], "left": []})
    site.now_ms += HOUR_MS + 1
    assert [scheduled(site), scheduled(site)] == [[Step.EXPIRY_DUE], []]
    assert site.world["i-1"] == LOCKED


def test_by_time_too() -> None:
    site = Site(at_end=AtEnd.UNDO)
    site.contain("i-1")
    forge(site, Step.UNDONE, actor=ADA.name, detail={"restored": [*LOCKED], "left": []})
    site.now_ms += HOUR_MS + 1
    assert scheduled(site) == [Step.UNDONE]
    assert site.world["i-1"] == OPEN


@pytest.mark.parametrize("step", [Step.ORDERED, Step.UNDOING, Step.UNDONE, Step.SETTLED])
def test_what_who_undoes_wrote_is_believed_wherever_its_function_was_killed(site: Site, step: Step) -> None:
    site.journal.kill_after = step
    with pytest.raises(Killed):
        site.undo(contained(site), ADA)
    for _ in range(4):
        assert unordered(site) == []
        site.now_ms += HOUR_MS // 6
        scheduled(site)
    assert (site.world["i-1"], believed(site), unordered(site)) == (OPEN, Step.UNDONE, [])


def test_what_was_contained_again_since_is_undone_first(site: Site) -> None:
    """The forged end lets the responder contain the same target once more: below that one the first is not given back."""
    first = contained(site)
    forge(site, Step.UNDONE, actor=ADA.name, detail={"restored": [*LOCKED], "left": []})
    site.world["i-1"] = dict(OPEN)
    site.now_ms += 1000
    site.contain("i-1", "2")
    first, second = site.stream("i-1").containments
    refused = site.undo(first, ADA)
    assert (refused.step, f"by {second}" in refused.reason) == (Step.REFUSED, True)
    assert site.undo(second, ADA).step is Step.UNDONE
    assert site.undo(first, ADA).step is Step.UNDONE
    assert site.world["i-1"] == OPEN


def test_an_order_that_came_after_the_day_was_read_is_found(site: Site) -> None:
    book = orders.Book(site.journal)
    an_order(site, id="another")
    forge(site, Step.UNDONE, detail={"order": f"{orders.stream_of(site.now_ms)}/1"})
    assert book.stream(STREAM).disbelieved
    site.journal._streams[STREAM].pop()
    site.undo(contained(site), ADA)
    assert book.stream(STREAM).disbelieved == {}


def test_what_a_person_decides_does_not_rest_on_what_time_decided(site: Site) -> None:
    """Time's order ends when it is extended: an undo by that order would not be believed."""
    containment = site.stream("i-1").containments[contained(site)]

    def given_by(actor: str) -> str:
        return orders.give(site.journal, containment, actor=actor, now_ms=site.now_ms, detail={}).entry.id

    by_time, by_ada = given_by(orders.BY_EXPIRY), given_by(ADA.name)
    assert by_time != by_ada
    assert given_by(orders.BY_EXPIRY) == by_time
    assert given_by("bob") == by_ada
