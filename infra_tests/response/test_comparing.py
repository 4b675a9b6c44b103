"""Undo of what was changed since: the three-way difference beforehand and in the result, and writing over only when told."""

from __future__ import annotations

from typing import Any

import pytest

from infra_tests.response.world import HOUR_MS, IsolateMachine, Killed, Site
from response.actions import Difference, Plan, UndoResult
from response.comparing import compare
from response.ends import Ended
from response.journal import JournalEntry, Step
from response.people import Person
from response.undoing import UnknownContainment, undo
from shared_model.errors import RefusedByCloud

STREAM = "isolate#123456789012/instance/i-1"
ME = "arn:aws:iam::123456789012:role/on-call"


class Locks(IsolateMachine):
    """Each lock is one value."""

    def overwrite(self, plan: Plan) -> UndoResult:
        for lock, state in plan.before.items():
            self._write(plan.target.id, lock, state)
        return UndoResult(tuple(plan.before))


class Changed(Site):
    """Contained, and one lock was changed since."""

    def __init__(self, *, overwriting: bool = True) -> None:
        super().__init__()
        if overwriting:
            self.action = Locks(self.world)
            self.actions = {"isolate": self.action}
        self.contained = self.contain("i-1").decisions[0].containment_id
        self.world["i-1"]["eni-a"] = "forensics"
        self.notices.clear()

    def undone(self, *, overwrite: bool = False) -> Ended:
        return undo(self.contained, approved_by=Person(ME), overwrite=overwrite, **self.room())

    def compared(self) -> Ended:
        return compare(self.contained, asked_by=ME, **self.room())

    def room(self) -> dict[str, Any]:
        return {"actions": self.actions, "journal": self.journal, "now_ms": self.now_ms, "notify": self.notices.append}

    @property
    def last(self) -> JournalEntry:
        return self.journal.stream(STREAM)[-1]


def test_a_dry_run_that_the_cloud_refuses_answers_who_asked() -> None:
    """It was a dead letter, and nobody heard of it."""
    site = Changed()

    def refused(plan: Plan) -> tuple[Difference, ...]:
        raise RefusedByCloud("the subscription is disabled")

    site.action.compare = refused  # type: ignore[method-assign]
    ended = site.compared()
    assert (ended.step, site.last.step, site.last.detail["parts"]) == (Step.COMPARED, Step.COMPARED, [])
    assert "the subscription is disabled" in ended.reason
    assert ended.reason in site.notices[-1].text


def test_a_dry_run_says_what_an_undo_would_find_and_changes_nothing() -> None:
    site = Changed()
    before = dict(site.world["i-1"])
    assert site.compared().step is Step.COMPARED
    assert site.world["i-1"] == before
    assert site.last.actor == ME
    assert site.last.detail["parts"] == [
        "eni-a: before open; as applied locked; now forensics  CHANGED SINCE",
        "eni-b: before web; as applied locked; now locked",
    ]
    assert "1 of 2 parts were changed since" in site.notices[0].text
    assert site.undone().step is Step.UNDONE  # it stands in nobody's way


def test_by_default_what_was_changed_since_is_left_and_the_result_says_how() -> None:
    site = Changed()
    assert site.undone().left == ("eni-a",)
    assert site.world["i-1"] == {"eni-a": "forensics", "eni-b": "web"}
    assert site.last.detail["changed_since"] == ["eni-a: before open; as applied locked; now forensics"]
    assert f"breakwater undo {site.contained} --overwrite" in site.notices[-1].text


def test_told_to_it_writes_over_and_the_journal_says_what_beforehand() -> None:
    site = Changed()
    assert site.undone(overwrite=True).left == ()
    assert site.world["i-1"] == {"eni-a": "open", "eni-b": "web"}
    undoing, undone = site.journal.stream(STREAM)[-2:]
    assert undoing.detail["overwrites"] == ["eni-a: before open; as applied locked; now forensics"]
    assert (undone.step, undone.detail["left"]) == (Step.UNDONE, [])


def test_what_the_cloud_refuses_to_show_ends_all_the_same_and_is_not_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(plan: Plan) -> tuple[Difference, ...]:
        raise RefusedByCloud("no such machine")

    site = Changed()
    monkeypatch.setattr(site.action, "compare", refuse)
    refused = site.undone(overwrite=True)
    assert (refused.step, "undo it without --overwrite" in refused.reason) == (Step.REFUSED, True)
    assert site.world["i-1"]["eni-a"] == "forensics"
    assert site.undone().step is Step.UNDONE
    assert site.last.detail["not_compared"] == "no such machine"
    assert "cannot be seen: no such machine" in site.notices[-1].text
    assert site.world["i-1"] == {"eni-a": "forensics", "eni-b": "web"}


def test_what_an_undo_left_can_be_written_over_afterwards_once() -> None:
    site = Changed()
    site.undone()
    assert site.undone(overwrite=True).step is Step.UNDONE
    assert site.world["i-1"] == {"eni-a": "open", "eni-b": "web"}
    entries = len(site.journal.stream(STREAM))
    site.world["i-1"]["eni-a"] = "another"
    assert site.undone(overwrite=True).reason == "it was undone before"
    assert (len(site.journal.stream(STREAM)), site.world["i-1"]["eni-a"]) == (entries, "another")


def test_a_killed_overwrite_is_finished_by_its_message() -> None:
    site = Changed()
    site.action.kill_after = 0
    with pytest.raises(Killed):
        site.undone(overwrite=True)
    site.action.kill_after = None
    assert site.undone(overwrite=True).step is Step.UNDONE
    assert site.world["i-1"] == {"eni-a": "open", "eni-b": "web"}


def test_what_is_contained_again_is_not_written_over() -> None:
    site = Changed()
    site.undone()
    site.now_ms += 2 * HOUR_MS
    again = site.contain("i-1", "2").decisions[0].containment_id
    refused = site.undone(overwrite=True)
    assert (refused.step, again in refused.reason) == (Step.REFUSED, True)
    assert set(site.world["i-1"].values()) == {"locked"}


def test_an_action_that_has_nothing_to_write_over_says_so() -> None:
    site = Changed(overwriting=False)
    refused = site.undone(overwrite=True)
    assert refused.step is Step.REFUSED
    assert "without --overwrite" in refused.reason
    assert "1 of 2 parts" in site.compared().reason
    assert site.undone().left == ("eni-a",)


def test_there_must_be_something_to_compare() -> None:
    site = Changed()
    with pytest.raises(UnknownContainment):
        compare("0" * 32, asked_by=ME, **site.room())
