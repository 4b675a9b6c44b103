"""Requests to the function that undoes: look first, and write over what was changed since only when told."""

from __future__ import annotations

import json
from typing import Any

from infra_tests.azure_functions.app import App
from infra_tests.azure_functions.test_handlers import guarded_by, two_signals
from response.journal import Step


def ask(app: App, **how: Any) -> None:
    contained = next(entry.containment_id for entry in app.journal() if entry.step is Step.APPLIED)
    app.message("undo_containment", json.dumps({"undo": contained, "approved_by": "alice@example.com", **how}))


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
