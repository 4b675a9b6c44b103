"""The embedded Functions host does with triggers what the platform documents."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from infra_tests.offline.azure.tiny_app import HOST_JSON, settings, tiny_host, write_app
from offline import processes
from offline.azure.functions_host.blob_events import POISON_QUEUE
from offline.azure.functions_host.checkpoints import Checkpoints
from offline.azure.functions_host.delivery import Fate, NotDraining
from offline.azure.functions_host.event_hubs import EventHub, EventHubListener
from offline.azure.functions_host.functions import AppUnusable
from offline.azure.functions_host.host import FunctionsHost
from offline.azure.functions_host.host_settings import HostJsonWrong
from offline.azure.functions_host.worker_process import WorkerFailed
from offline.azure.storage import Storage


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory, storage_clients: Storage) -> Iterator[FunctionsHost]:
    with tiny_host(tmp_path_factory.mktemp("tiny"), storage_clients) as running:
        yield running


@pytest.fixture
def host(tiny: FunctionsHost, storage: Storage) -> FunctionsHost:
    storage.create(queues=["orders"], containers=["flows", "large"])
    return tiny


def send(storage: Storage, *messages: object) -> None:
    for message in messages:
        storage.queues.get_queue_client("orders").send_message(base64.b64encode(json.dumps(message).encode()).decode())


def contents(storage: Storage, queue: str) -> list[object]:
    return [json.loads(base64.b64decode(message.content)) for message in storage.queues.get_queue_client(queue).peek_messages(10)]


def said(host: FunctionsHost, invocation_id: str) -> list[str]:
    return [logged.record.message for logged in host.logs(invocation_id=invocation_id)]


def test_it_indexes_every_function_with_its_bindings(tiny: FunctionsHost) -> None:
    assert {name: function.kind for name, function in tiny.functions.items()} == {
        "on_message": "queueTrigger",
        "on_events": "eventHubTrigger",
        "on_events_once": "eventHubTrigger",
        "on_blob": "blobTrigger",
        "on_reference": "blobTrigger",
        "on_time": "timerTrigger",
        "on_request": "httpTrigger",
    }
    assert tiny.functions["on_message"].trigger["queueName"] == "orders"  # %QUEUE%, a setting
    retry = tiny.functions["on_events"].retry
    assert retry is not None
    assert (retry.most, retry.delay.total_seconds()) == (None, 10)


def test_a_message_is_handed_over_once_and_deleted(host: FunctionsHost, storage: Storage) -> None:
    send(storage, {"order": 1})
    (delivery,) = host.drain()
    assert (delivery.fate, delivery.attempt, delivery.bodies) == (Fate.DONE, 1, (b'{"order": 1}',))
    assert said(host, delivery.outcome.invocation_id)[0].startswith("try 1 of ")
    assert storage.queues.get_queue_client("orders").get_queue_properties().approximate_message_count == 0


def test_a_failing_message_comes_again_and_is_poison_at_last(host: FunctionsHost, storage: Storage) -> None:
    send(storage, {"do": "fail"}, {"order": 2})
    deliveries = host.drain()
    failing = [delivery for delivery in deliveries if not delivery.outcome.ok]
    assert [delivery.attempt for delivery in failing] == [1, 2, 3]
    assert [delivery.fate for delivery in failing] == [Fate.AGAIN, Fate.AGAIN, Fate.POISON]
    assert "ValueError: told to fail" in failing[0].outcome.error
    assert contents(storage, "orders-poison") == [{"do": "fail"}]
    assert storage.queues.get_queue_client("orders").get_queue_properties().approximate_message_count == 0


def test_what_fails_is_hidden_for_the_visibility_timeout_when_time_is_real(host: FunctionsHost, storage: Storage) -> None:
    send(storage, {"do": "fail"})
    (listener,) = host._queue_listeners
    assert [delivery.fate for delivery in listener.pump(wait=True)] == [Fate.AGAIN]
    assert listener.pump(wait=True) == []
    assert storage.queues.get_queue_client("orders").get_queue_properties().approximate_message_count == 1


def test_a_message_that_is_not_base64_is_poison_at_once(host: FunctionsHost, storage: Storage) -> None:
    storage.queues.get_queue_client("orders").send_message("{not base64}")
    (delivery,) = host.drain()
    assert delivery.fate is Fate.POISON
    assert delivery.outcome.invocation_id == ""
    assert [message.content for message in storage.queues.get_queue_client("orders-poison").peek_messages()] == ["{not base64}"]


def test_a_batch_is_no_larger_than_host_json_says(host: FunctionsHost, storage: Storage) -> None:
    send(storage, *({"order": number} for number in range(6)))
    (listener,) = host._queue_listeners
    assert [len(listener.pump(wait=False)) for _ in range(3)] == [4, 2, 0]


def test_a_worker_that_dies_is_replaced_and_its_message_comes_again(host: FunctionsHost, storage: Storage) -> None:
    send(storage, {"do": "die"})
    deliveries = host.drain()
    assert [delivery.fate for delivery in deliveries] == [Fate.AGAIN, Fate.AGAIN, Fate.POISON]
    assert all(delivery.outcome.error.startswith("WorkerEnded") for delivery in deliveries)
    send(storage, {"order": 3})
    assert [delivery.fate for delivery in host.drain()] == [Fate.DONE]


def test_events_come_in_batches_of_one_partition_in_order(host: FunctionsHost) -> None:
    for number in range(5):
        host.hub("patient").send(json.dumps({"event": number}).encode(), partition_key="vm-1")
    deliveries = host.drain()
    assert [len(delivery.bodies) for delivery in deliveries] == [3, 2]
    assert [json.loads(body)["event"] for delivery in deliveries for body in delivery.bodies] == [0, 1, 2, 3, 4]


def test_an_event_says_when_it_was_enqueued_as_the_platforms_host_writes_it(host: FunctionsHost) -> None:
    """In UTC without saying so: the host's extension of bundle 4 takes a .NET DateTime of no kind."""
    host.hub("patient").send(b"{}", partition_key="vm-1")
    (delivery,) = host.drain()
    (line,) = [each for each in said(host, delivery.outcome.invocation_id) if each.startswith("enqueued ")]
    enqueued = datetime.fromisoformat(line.removeprefix("enqueued "))
    assert enqueued.tzinfo is None
    assert abs(enqueued.replace(tzinfo=UTC) - datetime.now(UTC)) < timedelta(hours=1)


def test_an_unlimited_retry_policy_holds_the_checkpoint_until_the_batch_is_done(host: FunctionsHost) -> None:
    host.hub("patient").send(b'{"do": "fail-twice", "id": 1}', partition_key="vm-2")
    host.hub("patient").send(b'{"event": "behind"}', partition_key="vm-2")
    deliveries = host.drain()
    assert [(delivery.attempt, delivery.fate) for delivery in deliveries] == [(1, Fate.AGAIN), (2, Fate.AGAIN), (3, Fate.DONE)]
    assert {delivery.bodies for delivery in deliveries} == {(b'{"do": "fail-twice", "id": 1}', b'{"event": "behind"}')}
    assert "retry 2" in said(host, deliveries[-1].outcome.invocation_id)[0]


def test_a_batch_that_fails_for_ever_stops_the_drain_and_is_still_there(host: FunctionsHost) -> None:
    host.hub("patient").send(b'{"do": "fail"}', partition_key="vm-3")
    with pytest.raises(NotDraining, match="told to fail"):
        host.drain(most_attempts=2)
    listener = next(each for each in host._hub_listeners if each.function.name == "on_events")
    assert listener.waiting == 1
    partition = next(events for events in listener.hub.partitions if events and events[-1].body == b'{"do": "fail"}')
    partition.pop()  # the other tests' events come behind it


def test_without_a_retry_policy_the_checkpoint_moves_over_a_failed_batch(host: FunctionsHost) -> None:
    host.hub("careless").send(b'{"do": "fail"}')
    (delivery,) = host.drain()
    assert (delivery.attempt, delivery.fate) == (1, Fate.LOST)
    assert host.drain() == []


def test_after_a_restart_events_behind_the_checkpoint_come_again(host: FunctionsHost) -> None:
    host.hub("careless").send(b'{"event": "once more"}', partition_key="vm-4")
    assert len(host.drain()) == 1
    listener = next(each for each in host._hub_listeners if each.function.name == "on_events_once")
    listener.restart()
    assert host.drain() == []
    listener.checkpoints = [0] * len(listener.checkpoints)
    listener.restart()
    assert b'{"event": "once more"}' in [body for delivery in host.drain() for body in delivery.bodies]


def test_a_checkpoint_is_kept_as_the_extension_keeps_it_and_waits_for_a_batch_that_fails(
    host: FunctionsHost, storage: Storage
) -> None:
    container = storage.blobs.get_container_client("azure-webjobs-eventhub")
    hub, kept = EventHub("patient", partitions=1), Checkpoints(container, "X.servicebus.windows.net", "patient", "breakwater")
    listener = EventHubListener(host.functions["on_events"], host.invoker, hub, lambda _: None, kept)

    def read() -> dict[str, str]:
        name = "x.servicebus.windows.net/patient/breakwater/checkpoint/0"
        return {blob.name: blob.metadata["sequencenumber"] for blob in container.list_blobs(name, include=["metadata"])}

    hub.send(b'{"event": 1}')
    hub.send(b'{"event": 2}')
    listener.pump(0, most_attempts=1, pause=lambda _: False)
    assert read() == {"x.servicebus.windows.net/patient/breakwater/checkpoint/0": "1"}
    hub.send(b'{"do": "fail"}')
    with pytest.raises(NotDraining):
        listener.pump(0, most_attempts=1, pause=lambda _: False)
    assert [*read().values()] == ["1"]


def test_an_event_of_a_blob_hands_over_its_name_and_content(host: FunctionsHost, storage: Storage) -> None:
    storage.blobs.get_blob_client("flows", "y=2026/PT1H.json").upload_blob(b'{"records": []}')
    host.blob_created("flows", "y=2026/PT1H.json")
    (delivery,) = host.drain()
    assert delivery.fate is Fate.DONE
    assert said(host, delivery.outcome.invocation_id) == ["blob flows/y=2026/PT1H.json of 15", 'got {"records": []}']


def test_a_parameter_of_an_sdk_type_gets_where_the_blob_is_and_not_what_is_in_it(host: FunctionsHost, storage: Storage) -> None:
    storage.blobs.get_blob_client("large", "y=2026/PT1H.json").upload_blob(b"content" * 1000)
    host.blob_created("large", "y=2026/PT1H.json")
    (delivery,) = host.drain()
    assert delivery.outcome.error == ""
    (line,) = said(host, delivery.outcome.invocation_id)
    assert json.loads(line) == {
        "kind": "model_binding_data",
        "source": "AzureStorageBlobs",
        "content": {"Connection": "LOGS", "ContainerName": "large", "BlobName": "y=2026/PT1H.json"},
    }
    assert [host.functions[name].takes_reference for name in ("on_blob", "on_reference")] == [False, True]


def test_a_failing_blob_event_is_poison_after_the_threshold(host: FunctionsHost, storage: Storage) -> None:
    storage.blobs.get_blob_client("flows", "bad.json").upload_blob(b'{"do": "fail"}')
    host.blob_created("flows", "bad.json")
    assert [delivery.fate for delivery in host.drain()] == [Fate.AGAIN, Fate.POISON]
    (letter,) = contents(storage, POISON_QUEUE)
    assert isinstance(letter, dict)
    assert (letter["ContainerName"], letter["BlobName"]) == ("flows", "bad.json")


def test_an_event_that_no_function_wants_is_an_error_of_the_test(host: FunctionsHost) -> None:
    with pytest.raises(KeyError, match="no function is triggered by elsewhere/x"):
        host.blob_created("elsewhere", "x")


def test_a_timer_fires_when_it_is_told_to(host: FunctionsHost) -> None:
    delivery = host.fire_timer("on_time")
    assert delivery.fate is Fate.DONE
    assert said(host, delivery.outcome.invocation_id) == ["past due False"]


def test_a_request_carries_the_identity_that_the_platform_saw_and_no_other(host: FunctionsHost) -> None:
    forged = {"X-MS-CLIENT-PRINCIPAL-ID": "forged", "X-Mine": "kept"}
    answer = host.request("on_request", body=b"{}", headers=forged, query={"a": "1"}, principal_id="playbook")
    assert answer.status == 201
    echoed = answer.json()
    assert echoed["headers"]["x-ms-client-principal-id"] == "playbook"
    assert echoed["headers"]["x-mine"] == "kept"
    assert (echoed["path"], echoed["query"]) == ("https://127.0.0.1/api/echo", {"a": "1"})
    anonymous = host.request("on_request", body=b"{}", headers=forged).json()
    assert "x-ms-client-principal-id" not in anonymous["headers"]


def test_a_request_that_fails_is_answered_500_and_one_of_another_method_404(host: FunctionsHost) -> None:
    assert host.request("on_request", body=b'{"do": "fail"}').status == 500
    assert host.request("on_request", method="DELETE").status == 404


def test_the_app_sees_its_settings_and_nothing_of_this_process(host: FunctionsHost, storage: Storage) -> None:
    seen = set(host.request("on_request", body=b"{}").json()["environment"])
    platform = {"PATH", "LANG", "TZ", "FUNCTIONS_WORKER_RUNTIME", "FUNCTIONS_EXTENSION_VERSION", "AzureWebJobsScriptRoot"}
    assert seen - platform == set(settings(storage.azurite))


def test_in_real_time_messages_are_delivered_without_asking(host: FunctionsHost, storage: Storage) -> None:
    arrived = Event()
    host.watch(lambda delivery: arrived.set() if delivery.bodies == (b'{"order": "live"}',) else None)
    with host.live():
        send(storage, {"order": "live"})
        assert arrived.wait(30)


def test_the_worker_ends_with_its_host(tmp_path: Path, storage: Storage) -> None:
    with tiny_host(tmp_path, storage) as host:
        pid = host.invoker._worker.process.pid
        listening = processes.listening_addresses([pid])
        assert listening == set()
    assert not processes.alive(pid)


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (None, AppUnusable, "no function"),
        ("import azure.functions as func\napp = func.FunctionApp()\n", AppUnusable, "no function"),
        ("import numpy\n", WorkerFailed, "No module named 'numpy'"),
        ("import offline\n", WorkerFailed, "No module named 'offline'"),
        ("import grpc_status\n", WorkerFailed, "No module named 'grpc_status'"),
        ("import os; os._exit(3)\n", WorkerFailed, "status 3"),
    ],
)
def test_an_app_that_the_platform_could_not_run_does_not_start(
    tmp_path: Path, storage: Storage, source: str | None, error: type[Exception], message: str
) -> None:
    app = write_app(tmp_path / "app", source=source)
    with (
        pytest.raises(error, match=message),
        FunctionsHost.start(app, environment=settings(storage.azurite), storage=storage, folder=tmp_path),
    ):
        pass


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": "1.0"}, "version"),
        ({"extensions": {"queues": {"batchSize": 33}}}, "batchSize"),
        ({"functionTimeout": "ten minutes"}, "no duration"),
    ],
)
def test_a_host_json_that_the_platform_refuses_is_refused(
    tmp_path: Path, storage: Storage, change: dict[str, object], message: str
) -> None:
    app = write_app(tmp_path / "app", host_json={**HOST_JSON, **change})
    with (
        pytest.raises(HostJsonWrong, match=message),
        FunctionsHost.start(app, environment=settings(storage.azurite), storage=storage, folder=tmp_path),
    ):
        pass


@pytest.mark.parametrize(
    ("left_out", "message"),
    [("QUEUE", "QUEUE"), ("STATE__queueServiceUri", "STATE__"), ("LOGS__blobServiceUri", "LOGS__blobServiceUri")],
)
def test_a_trigger_without_its_settings_does_not_start(tmp_path: Path, storage: Storage, left_out: str, message: str) -> None:
    app = write_app(tmp_path / "app")
    given = {name: value for name, value in settings(storage.azurite).items() if name != left_out}
    with pytest.raises(AppUnusable, match=message), FunctionsHost.start(app, environment=given, storage=storage, folder=tmp_path):
        pass


def test_a_connection_string_is_refused(tmp_path: Path, storage: Storage) -> None:
    app = write_app(tmp_path / "app")
    given = settings(storage.azurite) | {"STATE": "DefaultEndpointsProtocol=https;AccountKey=x"}
    with (
        pytest.raises(AppUnusable, match="connection string"),
        FunctionsHost.start(app, environment=given, storage=storage, folder=tmp_path),
    ):
        pass


def test_other_triggers_need_the_extension_bundle(tmp_path: Path, storage: Storage) -> None:
    app = write_app(tmp_path / "app", host_json={"version": "2.0"})
    with (
        pytest.raises(AppUnusable, match="extension bundle"),
        FunctionsHost.start(app, environment=settings(storage.azurite), storage=storage, folder=tmp_path),
    ):
        pass
