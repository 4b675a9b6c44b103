"""``doctor`` on Azure: how far the functions have read the event hubs, and what waits there."""

from __future__ import annotations

import ssl
import time
from datetime import UTC, datetime, timedelta

import pytest

from infra_tests.console.conftest import Console
from infra_tests.console.deployed import bad, checkpoint, named
from infra_tests.console.test_doctor_azure import in_forty_minutes
from offline.azure.certificates import Certificates
from offline.azure.faults import Fault
from offline.azure.functions_host.event_hubs import Event
from offline.azure.hub_namespace import HubNamespace
from offline.azure.services import Services
from offline.azure.storage import Storage
from offline.azure.web import EMPTY, Answer, WebService

GET = frozenset({"GET"})
HUB = "api-calls"


def come(hubs: HubNamespace, number: int, *, hub: str = HUB, partition: int = 2, minutes: int = 0) -> None:
    """Let events come to one partition, in so many minutes."""
    kept = hubs.hubs[hub].partitions[partition]
    when = datetime.now(UTC) + timedelta(minutes=minutes)
    for _ in range(number):
        kept.append(Event(b"{}", "", len(kept), 2 * len(kept), when))


def said(console: Console, part: str) -> list[str]:
    return [line for line in console.printed if part in line]


class TestExactly:
    """Who signed in may ask the hub."""

    def test_where_all_was_taken_it_says_when(self, alive: Console) -> None:
        assert bad(alive) == []
        for hub in ("api-calls", "system-logs", "findings"):
            (line,) = said(alive, f"event hub {hub}: ")
            assert line.startswith(f"good  event hub {hub}: 0 events wait in 4 partitions, events were last taken ")

    def test_what_waits_since_a_moment_is_counted_and_not_bad(self, alive: Console, hubs: HubNamespace) -> None:
        come(hubs, 500)
        assert bad(alive) == []
        assert said(alive, f"good  event hub {HUB}: 500 events wait in 4 partitions, events were last taken ")

    def test_one_partition_that_nobody_takes_from_is_bad_though_others_are_read(
        self, alive: Console, hubs: HubNamespace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        come(hubs, 70, minutes=39)
        in_forty_minutes(monkeypatch)
        (found,) = bad(alive)
        assert found.startswith(f"event hub {HUB}, partition 2: 70 events wait, and nothing was taken for 4")
        assert "detect_api_calls fails on what comes first there, or its app does not run" in found
        assert "operation_Name == 'detect_api_calls'" in found
        assert not said(alive, f"good  event hub {HUB}: ")

    def test_few_that_wait_for_long_are_bad_too(
        self, alive: Console, hubs: HubNamespace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        come(hubs, 1, hub="findings")
        in_forty_minutes(monkeypatch)
        (found,) = bad(alive)
        assert found.startswith("event hub findings, partition 2: 1 events wait, and nothing was taken for 4")

    def test_few_that_have_just_come_after_a_quiet_hour_are_for_a_second_look(
        self, alive: Console, hubs: HubNamespace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        come(hubs, 3, minutes=39)
        in_forty_minutes(monkeypatch)
        assert bad(alive) == []
        assert said(alive, f"?     event hub {HUB}, partition 2: 3 events wait, and nothing was taken for 4")
        assert "      -> look again in a minute: where they grow more, detect_api_calls is stuck" in alive.printed

    def test_a_hub_of_which_nothing_was_ever_taken_is_bad(
        self, alive: Console, storage: Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        storage.blobs.delete_container("azure-webjobs-eventhub")
        in_forty_minutes(monkeypatch)
        assert len(bad(alive)) == 12
        assert f"BAD   event hub {HUB}, partition 0: 2 events wait, and nothing was ever taken" in alive.printed

    def test_a_hub_to_which_nothing_ever_came_is_no_fault(self, alive: Console, hubs: HubNamespace, storage: Storage) -> None:
        for partition in hubs.hubs["findings"].partitions:
            partition.clear()
        container = storage.blobs.get_container_client("azure-webjobs-eventhub")
        for blob in container.list_blob_names(name_starts_with="127.0.0.1/findings/"):
            container.delete_blob(blob)
        assert bad(alive) == []
        assert "good  event hub findings: 0 events wait in 4 partitions, no event was ever taken" in alive.printed

    def test_what_was_deleted_before_anybody_took_it_is_bad(self, alive: Console, hubs: HubNamespace) -> None:
        come(hubs, 20)
        hubs.first[HUB, 2] = 10
        (found,) = bad(alive)
        assert found.startswith(f"event hub {HUB}, partition 2: 8 events were deleted before anybody took them")

    def test_a_checkpoint_of_a_hub_that_was_made_anew_is_bad(
        self, alive: Console, storage: Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        checkpoint(storage, HUB, 1, 500)
        in_forty_minutes(monkeypatch)
        (found,) = bad(alive)
        assert found.startswith(
            f"event hub {HUB}, partition 1: its checkpoint stands at event 500, and its last is 1: the hub was made"
        )


@pytest.fixture
def closed(alive: Console, hubs: HubNamespace) -> None:
    """The namespace lets nobody in from here: as deployed, for whoever is not in its subnet."""
    hubs.faults.order(Fault(401, "401", "Ip has been prevented to connect to the endpoint.", times=99, methods=GET))


@pytest.mark.usefixtures("closed")
class TestRoughly:
    """Who signed in may not ask the hub: Azure Monitor has counted what came."""

    def count(self, services: Services, placed: list[str], *, minutes_ago: float, number: int = 1) -> None:
        space, when = named(placed, "/Microsoft.EventHub/namespaces/"), time.time() - 60 * minutes_ago
        services.arm.metrics.count(space, "IncomingMessages", HUB, when, number)

    def test_where_nothing_came_since_it_says_when_events_were_last_taken(
        self, alive: Console, services: Services, placed: list[str]
    ) -> None:
        self.count(services, placed, minutes_ago=120, number=7)
        assert bad(alive) == []
        (line,) = said(alive, f"event hub {HUB}: ")
        assert line.startswith("good  ")
        assert line.endswith(", and nothing has waited long since")

    def test_what_came_long_after_anything_was_taken_is_bad(
        self, alive: Console, services: Services, placed: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.count(services, placed, minutes_ago=-6, number=9)
        in_forty_minutes(monkeypatch)
        (found,) = bad(alive)
        assert found.startswith(
            f"event hub {HUB}: events were last taken 40 minutes ago, and at least 9 events came since, the first 3"
        )

    def test_a_partition_that_alone_is_silent_is_named_and_how_to_know_more(
        self, alive: Console, services: Services, storage: Storage, placed: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        container = storage.blobs.get_container_client("azure-webjobs-eventhub")
        container.delete_blob(f"127.0.0.1/{HUB}/breakwater/checkpoint/3")
        self.count(services, placed, minutes_ago=60, number=80)
        assert bad(alive) == []
        assert said(
            alive, f"?     event hub {HUB}, partition 3: nothing was ever taken, while 80 events came to the hub and other"
        )
        assert any("Azure Event Hubs Data Receiver" in line for line in alive.printed)

    def test_of_few_events_none_may_have_come_to_a_partition(
        self, alive: Console, services: Services, storage: Storage, placed: list[str]
    ) -> None:
        container = storage.blobs.get_container_client("azure-webjobs-eventhub")
        container.delete_blob(f"127.0.0.1/{HUB}/breakwater/checkpoint/3")
        self.count(services, placed, minutes_ago=60, number=79)
        assert bad(alive) == []
        assert not said(alive, f"event hub {HUB}, partition 3")

    def test_it_is_asked_once_and_not_of_each_hub_again(self, alive: Console, services: Services) -> None:
        bad(alive)
        assert len([call for call in services.calls.calls() if call.service == "event hubs"]) == 1

    def test_where_azure_monitor_cannot_be_asked_either_nobody_is_told_that_all_is_well(
        self, alive: Console, services: Services
    ) -> None:
        services.arm.faults.order(Fault(403, "AuthorizationFailed", path="/Microsoft.Insights/metrics", methods=GET))
        assert bad(alive) == []
        assert said(alive, "?     what waits in the event hubs: could not look: event hub api-calls: 401 ")
        assert not said(alive, "good  event hub ")


def test_who_may_not_read_checkpoints_is_told_whose_right_it_is(
    alive: Console, services: Services, placed: list[str], certificates: Certificates
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificates.certificate, certificates.key)
    refused = Answer(403, EMPTY, {"x-ms-error-code": "AuthorizationPermissionMismatch"})
    with WebService(lambda _: refused, tls) as elsewhere:
        endpoints = {"primaryEndpoints": {"blob": elsewhere.url}}
        services.arm.change(named(placed, "/storageAccounts/breakwatehd"), lambda kept: kept["properties"].update(endpoints))
        assert bad(alive) == []
    assert said(alive, "?     checkpoints: container azure-webjobs-eventhub: 403 ")
    assert any("operatorPrincipalIds" in line for line in alive.printed)
