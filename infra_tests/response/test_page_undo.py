"""The page of a link to an undo: how it stands, and what it may say of it."""

from __future__ import annotations

from infra_tests.response.linked import ADA, Linked
from infra_tests.response.test_page import opened
from response.actions import Plan, UndoResult
from response.containment import Containment
from response.journal import Step


def contained(linked: Linked) -> tuple[Containment, str]:
    """Let the proposal be approved; returns what came of it, and a link to its undo."""
    browser, url = opened(linked)
    browser.post(url, answer="approve")
    assert linked.settle().step is Step.APPLIED
    (containment,) = linked.account.stream("i-1").containments.values()
    return containment, linked.link(undoes=True)


def written(linked: Linked, containment: Containment, step: Step) -> None:
    linked.account.journal.append(linked.account.stream("i-1").entry(step, containment, now_ms=linked.account.now_ms))


def test_a_look_at_what_an_undo_would_find_is_not_where_it_stands(linked: Linked) -> None:
    containment, url = contained(linked)
    before = linked.browser().open(url).body
    written(linked, containment, Step.COMPARED)
    assert linked.browser().open(url).body.count("COMPARED") == 0
    assert "Stands at" in before
    assert "COMPARED" not in linked.browser().open(linked.link()).body, "the page of the plan that was answered"


def test_what_is_being_undone_was_not_undone_yet(linked: Linked) -> None:
    containment, url = contained(linked)
    undo, pages = linked.account.action.undo, []

    def opened_meanwhile(plan: Plan) -> UndoResult:
        pages.append(linked.browser(ADA).open(url).body)
        return undo(plan)

    linked.account.action.undo = opened_meanwhile  # type: ignore[method-assign]
    linked.account.undo(containment.id)
    pages.append(linked.browser(ADA).open(url).body)
    said = ("This is being undone", "This was undone")
    assert [[title for title in said if title in body] for body in pages] == [[each] for each in said]
    assert not any("<form" in body for body in pages)


def test_what_only_who_contains_says_was_undone_can_be_undone(linked: Linked) -> None:
    containment, url = contained(linked)
    before = linked.browser(ADA).open(url).body
    written(linked, containment, Step.UNDONE)
    assert linked.browser(ADA).open(url).body == before


def test_an_expired_link_to_an_undo_says_how_to_get_another(linked: Linked) -> None:
    containment, url = contained(linked)
    linked.account.now_ms = linked.proposal.expires_ms
    reply = linked.browser().open(url)
    assert (reply.status, f"breakwater undo {containment.id}" in reply.body, "verdict" in reply.body) == (410, True, False)
