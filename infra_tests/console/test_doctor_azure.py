"""``doctor`` on Azure: what it says of the state account, where all is well and where one thing is wrong."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from azure.storage.blob import BlobClient

from azure_functions.adapters.heartbeat import Heartbeat
from azure_functions.registry import FUNCTIONS, Group
from infra_tests.azure_functions.app import App
from infra_tests.azure_functions.test_handlers import two_signals
from infra_tests.console.conftest import Console
from infra_tests.console.deployed import bad, now_ms, upload
from infra_tests.console.sign_in import SignIn
from offline.azure.services import Services
from offline.azure.storage import Storage
from response.anchors import anchor
from response.journal import Step
from response.switch import turn

HOUR_MS = 3_600_000


def test_where_all_is_well_it_says_so(alive: Console) -> None:
    assert bad(alive) == []
    assert [line for line in alive.printed if line.startswith("?")] == []
    assert (
        "good  detect_api_calls: events were last read 2 minutes ago, scored with audit 7, a verdict was sent 2 minutes ago"
        in (alive.printed)
    )
    assert "good  respond: no dead letters, 0 waiting" in alive.printed
    assert "good  14 of 14 alerts are quiet" in alive.printed
    assert any("only observes" in line and line.startswith("good  policy of 20") for line in alive.printed)
    assert sum("has every right that the templates give it" in line for line in alive.printed) == len(Group)
    assert sum("and every setting that they need" in line for line in alive.printed) == 4
    assert alive.printed[-1].startswith("nothing is bad (Azure, ")


class TestTelemetry:
    def test_silence_is_bad_and_what_never_came_is_not_known(self, alive: Console, storage: Storage) -> None:
        Heartbeat(storage, "detect_api_calls").beat(now_ms() - 3 * HOUR_MS, verdicts=0)
        Heartbeat(storage, "triage_findings").beat(now_ms() - 30 * HOUR_MS, verdicts=0)
        storage.tables.get_table_client("progress").delete_entity("~heartbeat", "detect_system_logs")
        (found,) = bad(alive)
        assert found.startswith("detect_api_calls: events were last read 3 hours ago")
        assert "activityLog" in found
        assert "?     detect_system_logs: no event was ever read" in alive.printed


class TestQueues:
    def test_poison_says_how_much_and_since_when(self, alive: Console, storage: Storage) -> None:
        storage.queues.get_queue_client("verdicts-poison").send_message("e30=")
        (found,) = bad(alive)
        assert found.startswith("respond: 1 poison messages in verdicts-poison, the oldest for ")
        assert "no dead letters, 0 waiting" in found
        assert "send it again" in found
        assert len(list(storage.queues.get_queue_client("verdicts-poison").peek_messages(2))) == 1

    def test_a_dead_letter_says_why(self, alive: Console, storage: Storage) -> None:
        letter = base64.b64encode(json.dumps({"reason": "not a verdict", "body": "{}"}).encode()).decode()
        storage.queues.get_queue_client("verdicts-dead-letters").send_message(letter)
        (found,) = bad(alive)
        assert "1 dead letters in verdicts-dead-letters" in found
        assert "(not a verdict)" in found

    def test_what_nobody_takes_is_bad_and_what_waits_since_a_moment_is_not(
        self, alive: Console, storage: Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        storage.queues.get_queue_client("verdicts").send_message("e30=")
        assert bad(alive) == []
        assert "good  respond: no dead letters, 1 waiting" in alive.printed
        monkeypatch.setattr("console.azure.signs._STUCK_MS", -1)
        (found,) = bad(alive)
        assert "1 waiting, the oldest for " in found

    def test_a_queue_that_is_gone_is_not_an_empty_one(self, alive: Console, storage: Storage) -> None:
        storage.queues.delete_queue("answers")
        (found,) = bad(alive)
        assert found.startswith("the queue answers is not there -> deploy again")

    def test_each_function_that_takes_messages_has_its_line(self, alive: Console) -> None:
        alive("doctor")
        letters = {spec.dead_letters for spec in FUNCTIONS if spec.dead_letters}
        assert sum("no dead letters" in line for line in alive.printed) == len(letters)


class TestPolicy:
    def test_one_that_does_not_validate_is_bad_with_its_line(self, alive: Console, storage: Storage) -> None:
        upload(storage, b"version: 1\nrulez: []\n")
        (found,) = bad(alive)
        assert "policy/policy.yaml:2: rulez: there is no such key" in found
        assert "policy upload" in found

    def test_it_is_downloaded_once(self, alive: Console, monkeypatch: pytest.MonkeyPatch) -> None:
        read, download = list[str](), BlobClient.download_blob

        def counted(blob: BlobClient, *arguments: Any, **options: Any) -> Any:
            read.append(blob.blob_name)
            return download(blob, *arguments, **options)

        monkeypatch.setattr(BlobClient, "download_blob", counted)
        assert bad(alive) == []
        assert read == ["policy.yaml"]

    def test_none_is_bad(self, alive: Console, storage: Storage) -> None:
        storage.blobs.get_blob_client("policy", "policy.yaml").delete_blob()
        (found,) = bad(alive)
        assert found.startswith("there is no policy policy/policy.yaml")


class TestSchedule:
    def test_an_entry_that_no_anchor_holds_says_that_the_schedule_stands_still(
        self, alive: Console, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        in_forty_minutes(monkeypatch)
        assert bad(alive) == []
        for armed in (False, True):
            turn(alive.journal(), armed=armed, by="alice", reason="drill", now_ms=now_ms())
        (found,) = bad(alive)
        assert found.startswith("expire_containments: master-switch/1 of ")
        assert "is not anchored" in found
        anchor(alive.journal(), now_ms=now_ms() + 1)
        assert bad(alive) == []

    def test_no_anchor_at_all_is_bad(self, alive: Console, storage: Storage) -> None:
        table = storage.tables.get_table_client("anchors")
        for row in list(table.list_entities()):
            table.delete_entity(row)
        (found,) = bad(alive)
        assert found.startswith("expire_containments: no anchor of today or yesterday")

    def test_a_containment_that_nobody_ended_or_asked_about_is_named(self, on_azure: Console, app: App) -> None:
        app.now_ms = now_ms() - 48 * HOUR_MS
        for body in two_signals(app):
            app.message("respond", body)
        (ends,) = [entry.containment_id for entry in app.journal() if entry.step is Step.APPLIED]
        on_azure("doctor")
        assert any(line.startswith(f"BAD   {ends} should have ended, or a person been asked, at ") for line in on_azure.printed)
        app.now_ms = now_ms()
        app.scheduled()
        on_azure("doctor")
        assert not any("should have ended" in line for line in on_azure.printed)
        assert any(line.startswith("good  expire_containments: last anchor ") for line in on_azure.printed)


def in_forty_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Later than the schedule takes, and sooner than telemetry counts as silent."""
    monkeypatch.setattr("console.doctor.time_ns", lambda: time.time_ns() + 40 * 60 * 1_000_000_000)


class TestWhoAsks:
    def test_without_reader_the_rest_is_told_all_the_same(self, alive: Console, services: Services, sign_in: SignIn) -> None:
        services.grants.enforced = True  # whoever is signed in has been given nothing in Resource Manager
        assert bad(alive) == []
        assert any(line.startswith("?     alerts, apps, hubs, Sentinel, rights, consent: ") for line in alive.printed)
        assert any(line.startswith("      -> Reader on the deployment's resource group") for line in alive.printed)
        assert "1 not known" in alive.printed[-1]

    def test_where_nobody_is_signed_in_nothing_is_said_of_the_deployment(
        self, alive: Console, sign_in: SignIn, capsys: pytest.CaptureFixture[str]
    ) -> None:
        sign_in.ends("ERROR: Please run 'az login' to setup account.")
        assert alive("doctor") == 1
        assert alive.printed == []
        assert "not signed in" in capsys.readouterr().err

    def test_where_nothing_answers_each_line_says_so_and_none_is_lost(
        self, alive: Console, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("ARM", "TABLE", "QUEUE", "BLOB"):
            monkeypatch.setenv(f"BREAKWATER_{name}_ENDPOINT", "https://127.0.0.1:1/none")
        found = bad(alive)
        assert [line.partition(": ")[0] for line in found] == ["telemetry", "queues", "tables", "policy", "schedule and switch"]
        assert all("or this machine does not reach it" in line for line in found)
        assert any(line.startswith("      -> Resource Manager does not answer from here") for line in alive.printed)
        assert alive.printed[-1].startswith("5 of 6 signs are bad, 1 not known (Azure, https://127.0.0.1:1/none")

    def test_a_switch_that_is_off_is_bad(self, alive: Console) -> None:
        turn(alive.journal(), armed=False, by="alice", reason="drill", now_ms=now_ms())
        (found,) = bad(alive)
        assert found.startswith("disarmed by alice")
