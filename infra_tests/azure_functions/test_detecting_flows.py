"""Flow-log blobs, through the function that detects in them: what is new is read once, whatever happens in between."""

from __future__ import annotations

import json
from typing import Any

import pytest

from azure_functions import detect_flows
from azure_functions.registry import VNET_FLOW_LOGS
from infra_tests.azure_functions.app import NOW_MS, App
from shared_model.errors import CloudUnavailable, UnreadableTelemetry


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
