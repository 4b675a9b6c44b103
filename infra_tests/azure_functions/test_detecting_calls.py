"""Audit records and system logs, through the functions that detect in them: handled, refused, buried, tried again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from azure.functions.eventhub import EventHubTriggerConverter
from azure.functions.meta import Datum

from azure_functions import detect_api_calls
from azure_functions.adapters.heartbeat import last_beats
from azure_functions.function import Message
from azure_functions.waiting import before_an_answer
from infra_tests.azure_functions.app import EVENTS, App, event
from shared_model.errors import CloudUnavailable


@contextmanager
def away(monkeypatch: pytest.MonkeyPatch, service: Any, method: str) -> Iterator[pytest.MonkeyPatch]:
    """Let a method find that its service does not answer, and what is done within fail for that."""

    def down(*_: Any, **__: Any) -> None:
        raise CloudUnavailable(f"{method} finds nobody")

    with monkeypatch.context() as patch:
        patch.setattr(service, method, down)
        with pytest.raises(CloudUnavailable, match=f"{method} finds nobody"):
            yield patch


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
        body = (EVENTS / "activity_log.json").read_bytes()
        with away(monkeypatch, type(detect_api_calls.ROOM.memory), "store"):
            app.events("detect_api_calls", body, tries=1000)
        assert app.dead_letters("api-calls") == []
        sent = [each.id for each in app.verdicts()]
        app.events("detect_api_calls", body)
        assert [each.id for each in app.verdicts()] == sent != []

    def test_a_batch_that_comes_again_with_one_more_event_gives_the_same_verdicts(
        self, app: App, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        body = (EVENTS / "activity_log.json").read_bytes()
        with away(monkeypatch, type(detect_api_calls.ROOM.memory), "store"):
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
        body = (EVENTS / "activity_log.json").read_bytes()
        with away(monkeypatch, detect_api_calls.FUNCTION.lake, "put_ocsf") as patch:
            patch.setattr(type(detect_api_calls.ROOM), "publish", lambda room, verdicts, _: room.verdicts.send(verdicts))
            app.events("detect_api_calls", body)
        assert app.verdicts()
        app.events("detect_api_calls", body)
        assert any("class=6003" in name for name in app.lake())
        again = app.lines("metrics")[-1]["metrics"]
        assert again["Duplicates"] == again["Events"] > 0

    @pytest.mark.parametrize("zone", ["", "Z", "+00:00"])
    @pytest.mark.parametrize("fraction", ["", ".25", ".2512345"])
    def test_however_the_host_writes_when_an_event_was_enqueued_it_is_read(self, app: App, zone: str, fraction: str) -> None:
        """Bundle 4's extension names no zone, those before wrote ``Z``; .NET leaves out zeros and has seven digits."""
        written = f"2026-03-13T01:25:02{fraction}{zone}"
        told = {"SystemPropertiesArray": [{"EnqueuedTimeUtc": written}], "EnqueuedTimeUtcArray": [written]}
        metadata = {name: Datum(json.dumps(value), "json") for name, value in told.items()}
        bodies = SimpleNamespace(bytes=[(EVENTS / "activity_log.json").read_bytes()])
        events = EventHubTriggerConverter.decode(Datum(bodies, "collection_bytes"), trigger_metadata=metadata)
        app.triggered("detect_api_calls", events)
        assert app.verdicts()
        assert app.dead_letters("api-calls") == []

    def test_the_heartbeat_says_which_detector_scored(self, app: App) -> None:
        app.events("detect_api_calls", (EVENTS / "activity_log.json").read_bytes())
        beat = last_beats(app.clients)["detect_api_calls"]
        detector = detect_api_calls.ROOM.detector("audit")
        assert (beat.events_ms, beat.detector) == (app.now_ms, f"audit {detector.version}")

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
