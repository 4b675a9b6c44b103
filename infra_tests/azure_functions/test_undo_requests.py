"""Requests to the function that undoes: look first, and write over what was changed since only when told."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from infra_tests.azure_functions.app import App
from infra_tests.azure_functions.test_handlers import guarded_by, two_signals
from response.journal import Step
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict


def ask(app: App, **how: Any) -> None:
    contained = next(entry.containment_id for entry in app.journal() if entry.step is Step.APPLIED)
    app.message("undo_containment", json.dumps({"undo": contained, "approved_by": "alice@example.com", **how}))


def test_whom_the_verdict_is_about_cannot_undo(app: App) -> None:
    before = guarded_by(app)
    for body in two_signals(app):
        verdict = Verdict.from_json(body)
        alice = Entity(EntityKind.PRINCIPAL, "alice@example.com", verdict.entity.account)
        app.message("respond", replace(verdict, related=(*verdict.related, alice)).to_json())
    ask(app)
    ask(app, approved_by="Alice@Example.com (00000000-0000-4000-8000-000000000001)")
    refused = [entry for entry in app.journal() if "someone else must ask" in entry.detail.get("reason", "")]
    assert [entry.step for entry in refused] == [Step.REFUSED, Step.REFUSED]
    assert guarded_by(app) != before
    ask(app, approved_by="bob@example.com")
    assert guarded_by(app) == before


def test_look_leave_and_write_over(app: App) -> None:
    before = guarded_by(app)
    for body in two_signals(app):
        app.message("respond", body)
    change = {"id": app.services.world.open_group}
    app.services.arm.change(app.services.world.web_interface, lambda nic: nic["properties"].update(networkSecurityGroup=change))
    changed = guarded_by(app)

    ask(app, dry_run="yes")  # whatever it says: who wanted to look must not change anything
    assert (app.journal()[-1].step, guarded_by(app)) == (Step.COMPARED, changed)
    ask(app)
    assert guarded_by(app) == changed
    ask(app, overwrite=True)
    assert guarded_by(app) == before


def test_a_quarantine_of_a_machine_that_is_gone_ends(app: App) -> None:
    for body in two_signals(app):
        app.message("respond", body)
    world = app.services.world
    for gone in (world.web, world.web_interface):
        app.services.arm.remove(gone)
    ask(app, dry_run=True)
    assert any("now the interface is gone" in part for part in app.journal()[-1].detail["parts"])
    ask(app)
    undone = app.journal()[-1]
    assert (undone.step, undone.detail["left"]) == (Step.UNDONE, [f"{world.web_interface} is gone"])
