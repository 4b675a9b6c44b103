"""What who holds the responder writes into the journal has nothing given back: neither by the schedule nor by a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from infra_tests.response.world import HOUR_MS, Killed, Site
from response import anchors, orders
from response.ends import Ended
from response.expiry import expire
from response.journal import JournalEntry, Step, link
from response.orders import BY_EXPIRY
from response.people import Person
from response.policy import AtEnd

STREAM = "isolate#123456789012/instance/i-1"
LOCKED = {"eni-a": "locked", "eni-b": "locked"}
OPEN = {"eni-a": "open", "eni-b": "web"}
CHOSEN = {"eni-a": "mallory's", "eni-b": "mallory's"}
ADA = Person("arn:aws:iam::123456789012:user/ada", "AIDAADA")


@pytest.fixture(params=["", "its networks"])
def site(request: pytest.FixtureRequest) -> Site:
    """A machine that was contained, by an action whose undo gives nothing, or something, back."""
    made = Site(at_end=AtEnd.ASK)
    made.action.gives_back = request.param  # type: ignore[misc]
    made.contain("i-1")
    return made


def contained(site: Site) -> str:
    return next(iter(site.stream("i-1").containments))


def forge(site: Site, step: Step, *, time_ms: int | None = None, **changes: Any) -> None:
    """Append an entry in the usual form, as the responder can."""
    stream = site.stream("i-1")
    made = stream.entry(step, stream.containments[contained(site)], now_ms=time_ms or site.now_ms)
    site.journal.append(replace(made, **changes))


def scheduled(site: Site) -> list[Step]:
    ended, errors = expire(
        policy=site.policy, actions=site.actions, journal=site.journal, now_ms=site.now_ms, notify=site.notices.append
    )
    assert errors == ()
    return [each.step for each in ended]


def rewritten(site: Site, change: Callable[[JournalEntry], JournalEntry]) -> None:
    """Write the whole stream anew, so that its chain fits, as who may put items without a condition can on AWS."""
    entries = [change(entry) for entry in site.journal.stream(STREAM)]
    site.journal._streams[STREAM] = chained = []
    for entry in entries:
        fits = replace(entry, previous=link(STREAM, chained))
        chained.append(replace(fits, sealed=fits.digest))


def with_chosen_before(entry: JournalEntry) -> JournalEntry:
    return replace(entry, plan={**entry.plan, "before": CHOSEN}) if entry.plan else entry


@pytest.mark.parametrize("actor", [ADA.name, BY_EXPIRY])
@pytest.mark.parametrize("backdated", [0, 24 * HOUR_MS])
def test_the_schedule_does_not_go_on_with_an_undo_that_nobody_asked_for(site: Site, actor: str, backdated: int) -> None:
    forge(site, Step.EXTENDED, expires_ms=site.now_ms - 1)
    forge(site, Step.UNDOING, time_ms=site.now_ms - backdated, actor=actor, detail={"requested_by": "AIDAADA"})
    asked = []
    for _ in range(6):
        site.now_ms += HOUR_MS // 4
        asked += scheduled(site)
        assert site.world["i-1"] == LOCKED
    assert asked == [Step.EXPIRY_DUE], "a person is told, once"
    assert "nobody is known to have asked for" in site.notices[-1].text
    assert site.undo(contained(site), ADA).step is Step.UNDONE, "and a person can still undo it"
    assert site.world["i-1"] == OPEN


def test_what_is_given_back_is_the_state_with_which_it_was_begun_whatever_is_added_later(site: Site) -> None:
    plan = {**site.stream("i-1").containments[contained(site)].plan.to_json_value(), "before": CHOSEN}
    forge(site, Step.APPLYING, plan=plan, expires_ms=site.now_ms + HOUR_MS)
    forge(site, Step.APPLIED, expires_ms=site.now_ms + HOUR_MS)
    site.now_ms += HOUR_MS // 2
    assert site.undo(contained(site), ADA).step is Step.UNDONE
    assert site.world["i-1"] == OPEN


def test_a_stream_that_was_written_anew_since_it_was_anchored_is_not_undone(site: Site) -> None:
    anchors.anchor(site.journal, now_ms=site.now_ms)
    rewritten(site, with_chosen_before)
    site.now_ms += 30 * HOUR_MS  # on another day than its anchor
    assert_refused(site, site.undo(contained(site), ADA), "an anchor holds another digest")


def test_nor_where_it_is_dated_to_another_day_than_its_anchors(site: Site) -> None:
    anchors.anchor(site.journal, now_ms=site.now_ms)
    site.now_ms += 70 * HOUR_MS
    rewritten(site, lambda entry: replace(with_chosen_before(entry), time_ms=site.now_ms))
    assert_refused(site, site.undo(contained(site), ADA), "an anchor holds another digest")


def test_nor_by_time_and_a_person_is_told_once() -> None:
    site = Site(at_end=AtEnd.UNDO)
    site.contain("i-1")
    anchors.anchor(site.journal, now_ms=site.now_ms)
    rewritten(site, with_chosen_before)
    site.now_ms += 2 * HOUR_MS
    assert [scheduled(site), scheduled(site)] == [[Step.EXPIRY_DUE], []]
    assert "restore by hand" in site.notices[-1].text
    assert site.world["i-1"] == LOCKED


def test_nor_is_one_of_which_an_entry_was_written_over(site: Site) -> None:
    entries = site.journal._streams[STREAM]
    number = next(n for n, entry in enumerate(entries) if entry.step is Step.APPLYING)
    changed = with_chosen_before(entries[number])
    entries[number] = replace(changed, sealed=changed.digest)
    assert_refused(site, site.undo(contained(site), ADA), "was written after another one")


def test_nor_what_bears_its_id_in_another_stream(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index leads to any entry that has the id: on both clouds the responder can add one elsewhere."""
    aside = "isolate#123456789012/instance/i-0"
    entries: list[JournalEntry] = []
    for entry in site.journal.stream(STREAM):
        moved = replace(with_chosen_before(entry), stream=aside, sequence=len(entries) + 1, previous=link(aside, entries))
        entries.append(moved)
        site.journal.append(moved)
    monkeypatch.setattr(site.journal, "find", lambda _: aside)
    assert_refused(site, site.undo(contained(site), ADA), "a plan of something else")


def assert_refused(site: Site, ended: Ended, why: str) -> None:
    assert ended.step is Step.REFUSED
    assert why in ended.reason
    assert "restore by hand" in site.notices[-1].text
    assert site.world["i-1"] == LOCKED
    assert Step.ORDERED not in {entry.step for entry in site.journal.stream(orders.stream_of(site.now_ms))}


def test_a_lifetime_is_not_shortened_by_an_entry_that_says_that_it_was_applied_earlier() -> None:
    site = Site(at_end=AtEnd.UNDO)
    site.action.min_lifetime_s = 4 * 3600
    site.contain("i-1")
    forge(site, Step.APPLIED, time_ms=site.now_ms - 24 * HOUR_MS, expires_ms=site.now_ms - 1)
    site.now_ms += HOUR_MS
    assert scheduled(site) == []
    assert site.undo(contained(site), ADA).step is Step.REFUSED
    assert site.world["i-1"] == LOCKED


@pytest.mark.parametrize("step", [Step.ORDERED, Step.UNDOING, Step.UNDONE, Step.SETTLED])
@pytest.mark.parametrize("when", ["before", "after"])
def test_what_a_person_asked_for_is_done_all_the_same_wherever_its_function_is_killed(site: Site, step: Step, when: str) -> None:
    """Long before its time to live is over, and without another request."""
    setattr(site.journal, f"kill_{when}", step)
    with pytest.raises(Killed):
        site.undo(contained(site), ADA)
    for _ in range(4):
        site.now_ms += HOUR_MS // 6
        scheduled(site)
    ordered = {Step.ORDERED, Step.SETTLED} if (step, when) != (Step.ORDERED, "before") else set()
    assert {entry.step for entry in site.journal.stream(orders.stream_of(site.now_ms))} == ordered
    if ordered:
        assert site.world["i-1"] == OPEN
        undoing = [entry for entry in site.stream("i-1").entries if entry.step is Step.UNDOING]
        assert {(entry.actor, entry.detail["requested_by"]) for entry in undoing} == {(ADA.name, "AIDAADA")}
        assert "Containment undone" in site.notices[-1].subject
        told = len(site.notices)
        assert scheduled(site) == []
        assert len(site.notices) == told
    else:
        assert site.world["i-1"] == LOCKED, "its queue delivers the request again"


def test_an_order_is_carried_out_for_the_plan_that_it_was_given_for_and_no_other(site: Site) -> None:
    site.journal.kill_after = Step.ORDERED
    with pytest.raises(Killed):
        site.undo(contained(site), ADA)
    rewritten(site, with_chosen_before)
    for _ in range(3):
        site.now_ms += HOUR_MS // 3
        assert scheduled(site) == []
    assert site.world["i-1"] == LOCKED
    assert [notice.subject for notice in site.notices].count("Undo NOT done: THE JOURNAL WAS CHANGED") == 1


def test_an_order_that_must_not_be_carried_out_by_now_is_refused_once(site: Site) -> None:
    site.journal.kill_after = Step.ORDERED
    with pytest.raises(Killed):
        site.undo(contained(site), ADA)
    forge(site, Step.APPLIED, previous="1:" + "0" * 64)
    site.now_ms += HOUR_MS
    assert [scheduled(site), scheduled(site)] == [[Step.REFUSED], []]
    assert site.world["i-1"] == LOCKED


def test_two_who_ask_at_once_are_one_order(site: Site) -> None:
    undo = site.action.undo

    def bob_asks_meanwhile(plan: Any) -> Any:
        site.action.undo = undo  # type: ignore[method-assign]
        site.undo(contained(site), Person("bob", "AIDABOB"))
        return undo(plan)

    site.action.undo = bob_asks_meanwhile  # type: ignore[method-assign]
    site.undo(contained(site), ADA)
    assert site.world["i-1"] == OPEN
    written = site.journal.stream(orders.stream_of(site.now_ms))
    assert [entry.step for entry in written] == [Step.ORDERED, Step.SETTLED]
    assert orders.standing(written) == []
