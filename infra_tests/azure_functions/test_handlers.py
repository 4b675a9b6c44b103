"""What triggers bring, through the functions of the app: handled, refused, buried, contained, told and undone."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Any

import pytest

from azure_functions import detect_api_calls, detect_flows
from azure_functions.actions.quarantine_instance import QuarantineInstance
from azure_functions.adapters.queues import VerdictQueue
from azure_functions.function import Message
from azure_functions.registry import VNET_FLOW_LOGS
from azure_functions.waiting import before_an_answer
from infra_tests.azure_functions.app import EVENTS, NOW_MS, App, event
from infra_tests.response.world import Killed, verdict
from response.journal import Step
from shared_model.errors import CloudUnavailable, UnreadableTelemetry
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


class TestApiCalls:
    def test_records_are_kept_scored_and_remembered(self, app: App) -> None:
        app.events("detect_api_calls", (EVENTS / "activity_log.json").read_bytes(), (EVENTS / "entra.json").read_bytes())
        assert {name.split("/")[1] for name in app.lake() if name.startswith("ocsf/")} >= {"class=3002", "class=6003"}
        remembered = [row["RowKey"] for row in app.storage.tables.get_table_client("memory").list_entities()]
        sessions, others = set[str](), set[str]()
        for line in app.lines("scored"):
            (sessions if "/session/" in line["entity"] else others).add(line["entity"])
        assert sum("session" in key for key in remembered) == len(sessions) > 1
        assert len(remembered) > len(sessions) + len(others)  # and what the principals of the sessions have done
        (metrics,) = app.lines("metrics")
        assert metrics["metrics"]["Events"] > 1
        assert metrics["metrics"]["DecisionMs"] > 0

    def test_a_batch_delivered_again_changes_nothing(self, app: App) -> None:
        body = (EVENTS / "activity_log.json").read_bytes()
        app.events("detect_api_calls", body)
        before = (app.lake(), [each.id for each in app.verdicts()])
        app.events("detect_api_calls", body, body)
        assert app.lake() == before[0]
        again = app.lines("metrics")[-1]["metrics"]
        assert again["Duplicates"] == again["Events"] > 0
        assert app.verdicts() == []

    @pytest.mark.parametrize(("body", "reason"), [(b"\xff", "not JSON"), (b'{"records":[7]}', ""), (b'{"records":[{}]}', "")])
    def test_poison_is_buried_and_the_rest_of_its_batch_is_scored(self, app: App, body: bytes, reason: str) -> None:
        app.events("detect_api_calls", body, (EVENTS / "activity_log.json").read_bytes())
        (letter,) = app.dead_letters("api-calls")
        assert reason in letter["reason"]
        assert letter["source"].startswith("azure_audit:api-calls/")
        assert letter.get("body", "").encode() in (body, b"")
        assert app.lines("scored")

    def test_an_event_may_be_a_list_or_a_single_record(self, app: App) -> None:
        records = event("activity_log.json")["records"]
        app.events("detect_api_calls", json.dumps(records[:3]).encode(), json.dumps(records[3]).encode())
        assert app.dead_letters("api-calls") == []
        assert app.lines("metrics")[0]["metrics"]["Events"] > 1

    def test_a_bad_record_inside_a_good_event_is_kept_in_the_lake(self, app: App) -> None:
        body = event("activity_log.json")
        body["records"].append({"category": "Unheard"})
        app.events("detect_api_calls", json.dumps(body).encode())
        assert [name for name in app.lake() if name.startswith("rejected/source=azure_audit/")]
        assert app.dead_letters("api-calls") == []

    def test_storage_that_does_not_answer_brings_the_batch_back(self, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
        def down(*_: Any, **__: Any) -> None:
            raise CloudUnavailable("tables do not answer")

        body = (EVENTS / "activity_log.json").read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr(type(detect_api_calls.ROOM.memory), "store", down)
            with pytest.raises(CloudUnavailable):
                app.events("detect_api_calls", body, tries=1000)
        assert app.dead_letters("api-calls") == []
        sent = [each.id for each in app.verdicts()]
        app.events("detect_api_calls", body)
        assert [each.id for each in app.verdicts()] == sent != []

    def test_a_batch_that_comes_again_with_one_more_event_gives_the_same_verdicts(
        self, app: App, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def down(*_: Any, **__: Any) -> None:
            raise CloudUnavailable("tables do not answer")

        body = (EVENTS / "activity_log.json").read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr(type(detect_api_calls.ROOM.memory), "store", down)
            with pytest.raises(CloudUnavailable):
                app.events("detect_api_calls", body)
        sent = {each.entity: each.id for each in app.verdicts()}
        one_more = body.replace(b"2026-03-02T", b"2026-03-03T").replace(b"cdab1f54", b"cdab1f55")  # other operations, a day later
        app.events("detect_api_calls", body, one_more)
        again = {each.entity: each.id for each in app.verdicts()}
        assert sent
        assert {entity: again[entity] for entity in sent} == sent

    def test_a_lake_that_does_not_answer_brings_the_batch_back_and_holds_no_verdict_up(
        self, app: App, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def down(*_: Any, **__: Any) -> None:
            raise CloudUnavailable("the lake does not answer")

        body = (EVENTS / "activity_log.json").read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr(detect_api_calls.FUNCTION.lake, "put_ocsf", down)
            patch.setattr(type(detect_api_calls.ROOM), "publish", lambda room, verdicts: room.verdicts.send(verdicts))
            with pytest.raises(CloudUnavailable, match="lake"):
                app.events("detect_api_calls", body)
        assert app.verdicts()
        app.events("detect_api_calls", body)
        assert any("class=6003" in name for name in app.lake())
        again = app.lines("metrics")[-1]["metrics"]
        assert again["Duplicates"] == again["Events"] > 0

    def test_the_lakes_answer_is_read_while_the_table_is_waited_for(self, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
        def stored(*_: Any, **__: Any) -> None:
            done.append(not wait(detect_api_calls.ROOM._asides, timeout=30).not_done)

        done: list[bool] = []
        monkeypatch.setattr("azure_functions.waiting._UNREAD_S", 60)
        monkeypatch.setattr(type(detect_api_calls.ROOM.memory), "store", stored)
        app.events("detect_api_calls", (EVENTS / "activity_log.json").read_bytes())
        assert done == [True]

    def test_scores_are_logged_while_the_table_is_waited_for(self, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
        def stored(*_: Any, **__: Any) -> None:
            logged.append(len(app.lines("scored")))
            before_an_answer()
            logged.append(len(app.lines("scored")))

        logged: list[int] = []
        monkeypatch.setattr(type(detect_api_calls.ROOM.memory), "store", stored)
        app.events("detect_api_calls", (EVENTS / "activity_log.json").read_bytes())
        assert logged[0] == 0 < logged[1] == len(app.lines("scored"))

    @pytest.mark.parametrize("failing", ["load", "store"])
    def test_a_memory_that_fails_takes_neither_the_lakes_lines_nor_the_log_with_it(
        self, app: App, monkeypatch: pytest.MonkeyPatch, failing: str
    ) -> None:
        def down(*_: Any, **__: Any) -> None:
            raise CloudUnavailable("tables do not answer")

        monkeypatch.setattr(type(detect_api_calls.ROOM.memory), failing, down)
        with pytest.raises(CloudUnavailable, match="tables"):
            app.events("detect_api_calls", (EVENTS / "activity_log.json").read_bytes())
        assert any("class=6003" in name for name in app.lake())
        assert bool(app.lines("scored")) is (failing == "store")

    def test_what_is_written_beside_belongs_to_its_own_batch(self, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
        def down(*_: Any, **__: Any) -> None:
            raise CloudUnavailable("the lake does not answer")

        with monkeypatch.context() as patch:
            patch.setattr(detect_api_calls.FUNCTION.lake, "put_ocsf", down)
            with pytest.raises(CloudUnavailable):
                app.events("detect_api_calls", (EVENTS / "activity_log.json").read_bytes())
        app.events("detect_api_calls", b"{}")  # in the same thread: nothing of the batch before is left to fail
        assert len(app.dead_letters("api-calls")) == 1


def test_invocations_share_the_process_and_nothing_else(app: App) -> None:
    """Each thread has a detector, metrics and log keys of its own."""
    body = (EVENTS / "activity_log.json").read_bytes()
    bodies = [body.replace(b"2026-03-02", f"2026-03-{day:02}".encode()) for day in range(3, 9)]
    with ThreadPoolExecutor(len(bodies)) as pool:
        for done in [pool.submit(app.events, "detect_api_calls", each) for each in bodies]:
            done.result()
    events = {line["metrics"]["Events"] for line in app.lines("metrics")}
    assert len(app.lines("metrics")) == len(bodies)
    assert len(events) == 1
    ids = {Message.of("api-calls", each).id for each in bodies}
    assert {line["correlation_id"] for line in app.lines("verdict")} <= ids


def test_system_logs_are_scored_by_host(app: App) -> None:
    app.events("detect_system_logs", (EVENTS / "system_logs.json").read_bytes(), b"{")
    assert {line["entity"].split("/")[1] for line in app.lines("scored")} <= {"host", "instance"}
    assert app.lines("scored")
    assert len(app.dead_letters("system-logs")) == 1


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


class TestFlows:
    BLOB = f"{VNET_FLOW_LOGS}/flowLogResourceID=/X/y=2026/PT1H.json"

    def write(self, app: App, seconds: range, blob: str = BLOB) -> None:
        world = app.services.world
        nic = app.clients("arm", "detect").call("GET", world.web_interface, query={"api-version": "2024-05-01"})
        tuples = [f"{NOW_MS + s * 1000},198.51.100.7,10.20.1.4,{40000 + s},22,6,I,E,NX,9,900,8,800" for s in seconds]
        record = {
            "time": "2026-09-21T13:33:20.0000000Z",
            "flowLogVersion": 4,
            "flowLogGUID": "66666666-0000-4000-8000-000000000001",
            "macAddress": nic["properties"]["macAddress"].replace("-", "").upper(),
            "category": "FlowLogFlowEvent",
            "flowLogResourceID": f"/SUBSCRIPTIONS/{world.subscription_id.upper()}/RESOURCEGROUPS/SHOP/X",
            "targetResourceID": world.network,
            "operationName": "FlowLogFlowEvent",
            "flowRecords": {
                "flows": [{"aclID": "66666666-0000-4000-8000-000000000002", "flowGroups": [{"rule": "r", "flowTuples": tuples}]}]
            },
        }
        text = json.dumps({"records": [record]})
        container, _, name = blob.partition("/")
        self.records: dict[str, list[str]] = getattr(self, "records", {})
        self.records.setdefault(blob, []).append(text[len('{"records":[') : -2])
        whole = '{"records":[' + ",".join(self.records[blob]) + "]}"
        app.storage.flow_blobs.get_blob_client(container, name).upload_blob(whole, overwrite=True)

    def test_flows_are_scored_once_and_know_their_machine(self, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
        from shared_model import flow_detection

        seen: list[Any] = []
        original = flow_detection.detect
        monkeypatch.setattr(flow_detection, "detect", lambda batch, *a, **k: (seen.append(batch), original(batch, *a, **k))[1])
        self.write(app, range(3))
        app.written(self.BLOB)
        app.written(self.BLOB)
        assert [len(batch) for batch in seen] == [3]
        (interface,) = seen[0].interfaces
        world = app.services.world
        assert (interface.interface_id, interface.instance_id) == (world.web_interface.lower(), world.web.lower())
        assert interface.account == world.subscription_id
        assert [line["events"] for line in app.lines("scored")] == [3]

    def test_interfaces_that_may_not_be_read_do_not_stop_detection(self, app: App) -> None:
        self.write(app, range(3))
        app.services.grants.enforced = True
        app.written(self.BLOB)
        assert app.lines("interfaces not readable")
        assert app.lines("scored")

    def test_killed_after_the_verdicts_the_same_part_is_no_new_one(self, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
        def down(*_: Any) -> None:
            raise CloudUnavailable("killed before the commit")

        self.write(app, range(3))
        with monkeypatch.context() as patch:
            patch.setattr(type(detect_flows.ROOM.blobs), "commit", down)
            with pytest.raises(CloudUnavailable):
                app.written(self.BLOB)
        app.written(self.BLOB)
        assert [line["metrics"].get("Duplicates") for line in app.lines("metrics")] == [0, 3]

    def test_a_part_that_cannot_be_read_holds_nothing_up(self, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
        def damaged(*_: Any, **__: Any) -> Any:
            raise UnreadableTelemetry("part", "damaged gzip data")

        self.write(app, range(3))
        with monkeypatch.context() as patch:
            patch.setattr("shared_model.parsers.vnet_flow_logs.read_flows", damaged)
            app.written(self.BLOB)
        assert [letter["reason"] for letter in app.dead_letters("flow-logs")] == ["damaged gzip data"]
        self.write(app, range(3, 5))
        app.written(self.BLOB)
        assert [line["events"] for line in app.lines("scored")] == [2]

    @pytest.fixture
    def hours(self) -> tuple[str, str]:
        """The blobs of the last hour of a day and of the first of the next."""
        path = f"{VNET_FLOW_LOGS}/flowLogResourceID=/X/y=2026/m=09/d={{}}/m=00/macAddress=A/PT1H.json"
        return path.format("21/h=23"), path.format("22/h=00")

    def test_the_end_of_an_hour_that_was_never_read_is_read_with_the_next(self, app: App, hours: tuple[str, str]) -> None:
        """The host gives up an event after five failures, and a blob that is complete is not announced again."""
        over, present = hours
        self.write(app, range(3), over)
        app.written(over)
        self.write(app, range(3, 7), over)  # and of this nobody hears
        self.write(app, range(7, 9), present)
        app.written(present)
        assert [line["events"] for line in app.lines("scored")] == [3, 4, 2]
        app.written(over)
        self.write(app, range(9, 14), present)
        app.written(present)
        assert [line["events"] for line in app.lines("scored")] == [3, 4, 2, 5]
        assert app.dead_letters("flow-logs") == []

    def test_what_a_silent_interface_left_is_read_in_a_later_turn(self, app: App) -> None:
        """Its last event failed for good, and no hour of its own follows: another interface's events bring the turn."""
        path = f"{VNET_FLOW_LOGS}/flowLogResourceID=/X/y=2026/m=09/d=21/h={{}}/m=00/macAddress={{}}/PT1H.json"
        silent, busy = path.format("10", "A"), path.format("{}", "B")
        self.write(app, range(3), silent)
        app.written(silent)
        self.write(app, range(3, 7), silent)  # and of this nobody hears
        app.now_ms += 40 * 60_000
        self.write(app, range(7, 9), busy.format("11"))
        app.written(busy.format("11"))
        assert [line["events"] for line in app.lines("scored")] == [3, 2]  # it may still be written to
        app.now_ms += 60 * 60_000
        self.write(app, range(9, 14), busy.format("12"))
        app.written(busy.format("12"))
        assert [line["events"] for line in app.lines("scored")] == [3, 2, 5, 4]
        app.now_ms += 60 * 60_000
        app.written(busy.format("12"))
        assert [line["events"] for line in app.lines("scored")] == [3, 2, 5, 4]

    def test_a_blob_that_could_never_be_read_is_read_in_a_later_turn(self, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
        path = f"{VNET_FLOW_LOGS}/flowLogResourceID=/X/y=2026/m=09/d=21/h=10/m=00/macAddress={{}}/PT1H.json"
        self.write(app, range(3), path.format("A"))

        def closed(*_: Any, **__: Any) -> Any:
            raise CloudUnavailable("the account's firewall")

        with monkeypatch.context() as patch:
            patch.setattr("azure_functions.adapters.flow_blobs._Version", closed)
            with pytest.raises(CloudUnavailable):
                app.written(path.format("A"))
        app.now_ms += 100 * 60_000
        self.write(app, range(3, 5), path.format("B"))
        app.written(path.format("B"))
        assert [line["events"] for line in app.lines("scored")] == [2, 3]

    def test_what_cannot_be_read_of_others_does_not_fail_the_present_event(
        self, app: App, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def down(*_: Any) -> Any:
            raise CloudUnavailable("storage does not answer")

        self.write(app, range(3))
        with monkeypatch.context() as patch:
            patch.setattr("azure_functions.adapters.flow_progress.ProgressTable.take_turn", down)
            app.written(self.BLOB)
        assert [line["events"] for line in app.lines("scored")] == [3]
        assert app.lines("flow logs left behind not looked for")

    def test_an_hour_is_not_begun_before_the_last_one_could_be_read(
        self, app: App, hours: tuple[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        over, present = hours
        self.write(app, range(3), over)
        self.write(app, range(3, 7), present)
        real = detect_flows.ROOM.blobs.new_parts

        def down_for_the_hour_before(container: str, blob: str, **how: bool) -> Any:
            if how:
                raise CloudUnavailable("storage does not answer")
            return real(container, blob)

        with monkeypatch.context() as patch:
            patch.setattr(type(detect_flows.ROOM.blobs), "new_parts", staticmethod(down_for_the_hour_before))
            with pytest.raises(CloudUnavailable):
                app.written(present)
        assert app.lines("scored") == []
        app.written(present)
        assert [line["events"] for line in app.lines("scored")] == [3, 4]

    def test_an_hour_that_cannot_be_read_does_not_hold_up_the_next(
        self, app: App, hours: tuple[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from shared_model.parsers import vnet_flow_logs

        over, present = hours
        self.write(app, range(3), over)
        self.write(app, range(3, 7), present)
        real = vnet_flow_logs.read_flows

        def broken(stream: Any, *, source: str) -> Any:
            if "/h%3D23/" in source:
                raise KeyError("a mistake of ours")
            return real(stream, source=source)

        with monkeypatch.context() as patch:
            patch.setattr(vnet_flow_logs, "read_flows", broken)
            with pytest.raises(KeyError):
                app.written(present)
        assert [line["events"] for line in app.lines("scored")] == [4]

    def test_a_blob_that_is_gone_is_buried(self, app: App) -> None:
        app.written(f"{VNET_FLOW_LOGS}/gone/PT1H.json")
        (letter,) = app.dead_letters("flow-logs")
        assert letter["body"] == f"{VNET_FLOW_LOGS}/gone/PT1H.json"


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
