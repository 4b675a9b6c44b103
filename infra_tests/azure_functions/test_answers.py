"""Answers to proposals, through the function of the app, in the small Azure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra_tests.azure_functions.app import App
from infra_tests.azure_functions.test_handlers import guarded_by, two_signals
from response.answers import answer_body
from response.containment import fold
from response.journal import Step
from response.proposals import Proposal, digest

ALICE = "alice@example.com (33333333-0000-4000-8000-000000000001)"


@pytest.fixture
def proposal(app: App) -> Proposal:
    """What the response proposes about the web server."""
    app.set_policy(mode="approve")
    for body in two_signals(app):
        app.message("respond", body)
    return proposal_of(app)


def proposal_of(app: App) -> Proposal:
    entries = [entry for entry in app.journal() if entry.stream.startswith("quarantine")]
    return next(iter(fold(entries[0].stream, entries).proposals.values()))


def answer(app: App, proposal: Proposal, **changes: Any) -> None:
    fields: dict[str, Any] = {"approves": True, "by": ALICE, "request": "r", "plan": digest(proposal.plan)} | changes
    app.message("answer_proposals", answer_body(proposal.id, **fields))


def test_approved_it_is_contained_and_told_under_the_incident(app: App, proposal: Proposal) -> None:
    before = guarded_by(app)
    answer(app, proposal)
    answer(app, proposal)  # delivered again
    assert guarded_by(app) != before
    steps = [entry.step for entry in app.journal() if entry.containment_id == proposal.id]
    assert steps == [Step.PROPOSED, Step.APPROVED, Step.APPLYING, Step.APPLIED, Step.VERIFIED]
    assert any(f"breakwater approve {proposal.id}" in comment for comment in app.comments())
    assert {row["Step"] for row in app.rows() if row["Kind"] == "action"} >= {"PROPOSED", "APPROVED", "VERIFIED"}


def test_denied_nothing_is_changed(app: App, proposal: Proposal) -> None:
    before = guarded_by(app)
    answer(app, proposal, approves=False, reason="ours")
    assert guarded_by(app) == before
    assert [entry.step for entry in app.journal() if entry.containment_id == proposal.id][-1] is Step.DENIED


def test_two_people_are_not_taken_from_a_queue_that_attests_nobody(app: App, proposal: Proposal) -> None:
    actions = {"quarantine_instance": {"mode": "approve", "four_eyes": "two"}}
    app.set_policy(actions=actions)
    app.now_ms += 120_000  # functions notice within a minute
    answer(app, proposal)
    last = [entry for entry in app.journal() if entry.containment_id == proposal.id][-1]
    assert last.step is Step.REFUSED
    assert "attests" in last.detail["reason"]


@pytest.mark.parametrize(
    ("body", "field"),
    [("{}", "by"), ('{"by": "alice", "approve": "nobody", "plan": "p", "request": "r"}', "approve"), ('{"by": "a"}', "approve")],
)
def test_what_is_no_answer_is_buried_with_its_reason(app: App, body: str, field: str) -> None:
    app.message("answer_proposals", body)
    (letter,) = app.dead_letters("answers")
    assert (letter["field"], json.loads(letter["body"])) == (field, json.loads(body))
