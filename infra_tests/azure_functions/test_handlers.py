"""What triggers bring, through the functions of the app: findings, containments, health, what is forgotten."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from azure_functions.actions.quarantine_instance import QuarantineInstance
from azure_functions.adapters.queues import VerdictQueue
from infra_tests.azure_functions.app import EVENTS, App, event
from infra_tests.response.world import SCRIPTS, Killed, verdict
from response.journal import Step
from shared_model.errors import CloudUnavailable
from shared_model.events import Entity, EntityKind, Telemetry

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
MACHINE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.Compute/virtualMachines/web-1"
HOUR_MS = 3_600_000


def incident(app: App) -> bytes:
    """The recorded incident, about this app's web server and under this app's incident."""
    body = event("sentinel_incident.json")
    body["object"]["id"] = app.services.world.incident
    return json.dumps(body).replace(MACHINE, app.services.world.web).encode()


def machine(app: App) -> Entity:
    return Entity(EntityKind.INSTANCE, app.services.world.web.lower(), app.services.world.subscription_id)


def two_signals(app: App) -> list[str]:
    """Bring an independent pair of verdicts about the web server."""
    signals = [
        verdict(
            "", f"v-{telemetry}", telemetry, time_ms=app.now_ms, entity=machine(app), correlation_id=app.services.world.incident
        )
        for telemetry in (Telemetry.FLOW_LOGS, Telemetry.API_CALLS)
    ]
    return [each.to_json() for each in signals]


def guarded_by(app: App) -> str:
    """The security group of the web server's own interface, ``""`` where it has none."""
    interface = app.clients("network", "undo").network_interfaces.get("shop", "web-nic")
    return interface.network_security_group.id if interface.network_security_group else ""


class TestFindings:
    def test_an_incident_is_a_verdict_about_what_it_names(self, app: App) -> None:
        answer = app.incident(incident(app))
        assert answer.status_code == 200
        (found,) = app.verdicts()
        assert found.detector == "sentinel"
        assert found.correlation_id == app.services.world.incident
        assert machine(app) in (found.entity, *found.related)
        assert [row["Kind"] for row in app.rows()] == ["verdict"]
        assert any(name.startswith("ocsf/class=2004/") for name in app.lake())

    @pytest.mark.parametrize("caller", ["", "33333333-0000-4000-8000-000000000009"])
    def test_only_the_playbook_may_call(self, app: App, caller: str) -> None:
        assert app.incident(incident(app), caller=caller).status_code == 403
        assert app.verdicts() == []

    def test_without_the_setting_nobody_may(self, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
        from azure_functions import triage_findings

        monkeypatch.setitem(triage_findings.FUNCTION.__dict__, "settings", replace(app.settings, playbook_principal_id=""))
        assert app.incident(incident(app), caller="").status_code == 403

    @pytest.mark.parametrize("body", [b"{", b"[]", b'{"object": {}}'])
    def test_what_can_never_be_handled_says_why(self, app: App, body: bytes) -> None:
        answer = app.incident(body)
        assert answer.status_code == 400
        (letter,) = app.dead_letters("findings")
        assert json.loads(answer.get_body())["reason"] == letter["reason"] != ""
        assert letter["body"].encode() == body

    def test_what_may_be_handled_later_is_to_be_sent_again(self, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
        def down(*_: Any, **__: Any) -> None:
            raise CloudUnavailable("the queue does not answer")

        monkeypatch.setattr(VerdictQueue, "send", down)
        answer = app.incident(incident(app))
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
        assert app.dead_letters("findings") == []

    def test_exported_alerts_and_their_duplicates_are_the_same_verdicts(self, app: App) -> None:
        body = (EVENTS / "exported_alerts.json").read_bytes()
        app.events("triage_alerts", body, body)
        ids = [each.id for each in app.verdicts()]
        assert ids
        app.events("triage_alerts", body, b"{")
        assert [each.id for each in app.verdicts()] == ids
        assert len(app.dead_letters("findings")) == 1


class TestContainment:
    def test_two_signals_contain_and_a_person_undoes(self, app: App) -> None:
        before = guarded_by(app)
        for body in two_signals(app):
            app.message("respond", body)
        assert [each.step for each in app.journal() if each.stream.startswith("quarantine")][-2:] == [Step.APPLIED, Step.VERIFIED]
        assert guarded_by(app) != before
        applied = next(each for each in app.journal() if each.step is Step.APPLIED)
        app.message("undo_containment", json.dumps({"undo": applied.containment_id, "approved_by": "alice@example.com"}))
        assert guarded_by(app) == before
        assert app.steps()[-1] == Step.UNDONE
        assert {row["Step"] for row in app.rows() if row["Kind"] == "action"} >= {"APPLYING", "APPLIED", "VERIFIED", "UNDONE"}
        assert any(name.startswith("ocsf/class=7001/") for name in app.lake())

    def test_what_was_done_stands_under_the_incident_once(self, app: App) -> None:
        bodies = two_signals(app)
        for body in bodies:
            app.message("respond", body)
        told = app.comments()
        assert any(comment.startswith("Contained: instance") for comment in told)
        for body in bodies:
            app.message("respond", body)
        assert [comment.partition("\n")[0] for comment in app.comments()] == [comment.partition("\n")[0] for comment in told]

    def test_killed_between_journal_and_change_the_next_delivery_finishes(
        self, app: App, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def killed(*_: object) -> None:
            raise Killed

        first, second = two_signals(app)
        app.message("respond", first)
        with monkeypatch.context() as patch:
            patch.setattr(QuarantineInstance, "apply", killed)
            with pytest.raises(Killed):
                app.message("respond", second)
        assert app.steps()[-1] == Step.APPLYING
        assert guarded_by(app) == ""
        app.message("respond", second)
        assert app.steps()[-2:] == [Step.APPLIED, Step.VERIFIED]
        assert guarded_by(app) != ""

    def test_many_instances_and_threads_contain_once(self, app: App) -> None:
        """A storage queue keeps no order and may deliver twice at once: the journal's numbers decide."""
        bodies = two_signals(app) * 3
        with ThreadPoolExecutor(len(bodies)) as pool:
            outcomes = [pool.submit(app.message, "respond", body) for body in bodies]
        for body, outcome in zip(bodies, outcomes, strict=True):
            if outcome.exception() is not None:  # lost its place too often: the queue delivers it again
                assert isinstance(outcome.exception(), CloudUnavailable)
                app.message("respond", body)
        assert app.steps().count(Step.APPLIED) == 1
        assert len(app.rows()) >= len(app.journal())

    def test_one_signal_is_told_and_nothing_is_changed(self, app: App) -> None:
        before = guarded_by(app)
        app.message("respond", two_signals(app)[0])
        assert app.steps() == [Step.REFUSED]
        assert guarded_by(app) == before
        assert "one signal" in app.comments()[0]

    def test_in_observe_mode_nothing_is_changed(self, app: App) -> None:
        app.set_policy("observe")
        for body in two_signals(app):
            app.message("respond", body)
        assert guarded_by(app) == ""
        assert Step.OBSERVED in app.steps()
        assert Step.APPLYING not in app.steps()

    def test_breakwaters_own_resources_are_never_touched(self, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
        from azure_functions import respond

        own = replace(app.settings, own_resource_ids=app.services.world.group.upper())
        monkeypatch.setitem(respond.FUNCTION.__dict__, "settings", own)
        for body in two_signals(app):
            app.message("respond", body)
        assert set(app.steps()) == {Step.REFUSED}
        assert "never-touch" in app.journal()[-1].detail["reason"]

    @pytest.mark.parametrize(("listed", "tag"), SCRIPTS)
    def test_a_tag_in_any_script_protects(self, app: App, listed: str, tag: str) -> None:
        app.set_policy(never_touch={"tags": [listed]})
        app.services.arm.change(app.services.world.web, lambda machine: machine.update(tags={tag: "1"}))
        for body in two_signals(app):
            app.message("respond", body)
        assert set(app.steps()) == {Step.REFUSED}
        assert tag.lower() in app.journal()[-1].detail["reason"].lower()

    @pytest.mark.parametrize("body", ["{", "[]", "{}", '{"id":"v"}'])
    def test_what_is_no_verdict_is_buried(self, app: App, body: str) -> None:
        app.message("respond", body)
        assert [letter["body"] for letter in app.dead_letters("verdicts")] == [body]

    def test_a_policy_that_does_not_validate_keeps_the_verdict(self, app: App) -> None:
        app.set_policy(version=9)
        with pytest.raises(Exception, match="version"):
            app.message("respond", two_signals(app)[0])
        assert app.steps() == []
        assert app.dead_letters("verdicts") == []

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ("{}", "undo"),
            ('{"undo": 7}', "undo"),
            ('{"undo": "0123", "approved_by": ""}', "approved_by"),
            ('{"undo": "0123", "approved_by": "alice@example.com"}', "undo"),
        ],
    )
    def test_an_undo_that_cannot_be_done_says_what_is_wrong(self, app: App, body: str, field: str) -> None:
        app.message("undo_containment", body)
        (letter,) = app.dead_letters("containments")
        assert (letter["body"], letter["field"]) == (body, field)

    def test_the_schedule_asks_when_the_time_is_over(self, app: App) -> None:
        for body in two_signals(app):
            app.message("respond", body)
        app.scheduled()
        assert Step.EXPIRY_DUE not in app.steps()
        app.now_ms += 24 * HOUR_MS + 1
        app.scheduled()
        assert Step.EXPIRY_DUE in app.steps()
        assert any("time to live is over" in comment for comment in app.comments())


class TestHealth:
    def test_it_says_what_is_there_and_when_something_last_came(self, app: App) -> None:
        app.events("triage_alerts", (EVENTS / "exported_alerts.json").read_bytes())
        app.now_ms += 60_000
        answer = app.health()
        said = json.loads(answer.get_body())
        assert answer.status_code == 200, said
        assert said["seconds_since"] == {"verdict": 60, "events": {"triage_alerts": 60}}
        assert set(said["models"]) == {"network", "audit"}
        assert all(said["models"].values())

    def test_missing_settings_are_named(self, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("BREAKWATER_DETECT_CLIENT_ID")
        answer = app.health()
        assert answer.status_code == 503
        assert json.loads(answer.get_body())["missing_settings"] == ["BREAKWATER_DETECT_CLIENT_ID"]


class TestForgetting:
    def test_what_has_ended_goes_and_what_was_written_again_stays(self, app: App) -> None:
        app.events("detect_api_calls", (EVENTS / "activity_log.json").read_bytes())
        for body in two_signals(app):
            app.message("respond", body)
        memory, signals = (app.storage.tables.get_table_client(name) for name in ("memory", "signals"))
        journal = len(app.journal())
        assert list(memory.list_entities())
        assert list(signals.list_entities())
        app.set_policy("observe")
        app.now_ms += 15 * 86_400_000
        for _ in range(16):
            app.scheduled()
            app.now_ms += 5 * 60_000
        assert list(memory.list_entities()) == []
        # What stands is still in the budget's ledger: nobody has ended the containment.
        assert [row["PartitionKey"].partition("!")[0] for row in signals.list_entities()] == ["ledger"]
        assert len(app.journal()) >= journal


def test_one_correlation_id_runs_from_the_incident_to_the_containment(app: App) -> None:
    app.incident(incident(app))
    (finding,) = app.verdicts()
    other = next(each for each in (Telemetry.FLOW_LOGS, Telemetry.DNS_LOGS) if each is not finding.telemetry)
    partner = verdict("", "v-other", other, time_ms=finding.time_ms, entity=machine(app))
    app.now_ms = finding.time_ms + 60_000  # the incident was recorded long before the tests' own time
    for each in (partner, finding):
        app.message("respond", each.to_json())
    seen = {
        (line["function"], line["message"]) for line in app.lines() if line.get("correlation_id") == app.services.world.incident
    }
    assert {("triage_findings", "verdict"), ("respond", "decision"), ("respond", "journal"), ("respond", "notice")} <= seen
    assert any(comment.startswith("Contained") for comment in app.comments())
