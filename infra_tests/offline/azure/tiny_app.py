"""A tiny Function app, one function per trigger, for tests of the host: each does what its message says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import azure.functions

from offline.azure.azurite import Azurite
from offline.azure.functions_host.host import FunctionsHost
from offline.azure.storage import Storage

#: A message ``{"do": "fail"}`` fails, ``"die"`` ends the process, ``"fail-twice"`` succeeds the third time; all others succeed.
SOURCE = """
import collections, json, logging, os, signal, typing
import azure.functions as func
import azurefunctions.extensions.base as extensions

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
log = logging.getLogger("tiny")
seen = collections.Counter()


def obey(text):
    log.info("got %s", text)
    wish = json.loads(text).get("do")
    seen[text] += 1
    if wish == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if wish == "fail" or (wish == "fail-twice" and seen[text] < 3):
        raise ValueError(f"told to {wish}")


@app.queue_trigger(arg_name="message", queue_name="%QUEUE%", connection="STATE")
def on_message(message: func.QueueMessage) -> None:
    log.info("try %s of %s", message.dequeue_count, message.id)
    obey(message.get_body().decode())


@app.event_hub_message_trigger(
    arg_name="events", event_hub_name="patient", connection="HUBS", cardinality="many", data_type="binary"
)
@app.retry(strategy="fixed_delay", max_retry_count="-1", delay_interval="00:00:10")
def on_events(events: typing.List[func.EventHubEvent], context: func.Context) -> None:
    log.info("batch %s retry %s", json.dumps([event.sequence_number for event in events]), context.retry_context.retry_count)
    log.info("enqueued %s", events[0].enqueued_time)
    for event in events:
        obey(event.get_body().decode())


@app.event_hub_message_trigger(arg_name="events", event_hub_name="careless", connection="HUBS", cardinality="many")
def on_events_once(events: typing.List[func.EventHubEvent]) -> None:
    for event in events:
        obey(event.get_body().decode())


@app.blob_trigger(arg_name="blob", path="flows/{name}", connection="LOGS", source="EventGrid")
def on_blob(blob: func.InputStream) -> None:
    log.info("blob %s of %s", blob.name, blob.length)
    obey(blob.read().decode())


class Reference(extensions.SdkType):
    pass


class ReferenceConverter(extensions.InConverter, binding="blob", trigger="blobTrigger"):
    @classmethod
    def check_input_type_annotation(cls, pytype):
        return issubclass(pytype, Reference)

    @classmethod
    def decode(cls, data, *, trigger_metadata, pytype):
        return Reference(data={"kind": data.type, "source": data.value.source, "content": json.loads(data.value.content)})


@app.blob_trigger(arg_name="blob", path="large/{name}", connection="LOGS", source="EventGrid")
def on_reference(blob: Reference) -> None:
    log.info("%s", json.dumps(blob._data))


@app.timer_trigger(arg_name="timer", schedule="0 */5 * * * *", run_on_startup=False)
def on_time(timer: func.TimerRequest) -> None:
    log.info("past due %s", timer.past_due)


@app.route(route="echo", methods=["POST"])
def on_request(req: func.HttpRequest) -> func.HttpResponse:
    obey(req.get_body().decode())
    answer = {"headers": dict(req.headers), "path": req.url, "query": dict(req.params), "environment": sorted(os.environ)}
    return func.HttpResponse(json.dumps(answer), status_code=201, mimetype="application/json")
"""
HOST_JSON: dict[str, Any] = {
    "version": "2.0",
    "extensionBundle": {"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)"},
    "extensions": {
        "queues": {"batchSize": 4, "maxDequeueCount": 3, "visibilityTimeout": "00:00:30"},
        "eventHubs": {"maxEventBatchSize": 3},
        "blobs": {"poisonBlobThreshold": 2},
    },
}


def write_app(folder: Path, *, source: str | None = SOURCE, host_json: Mapping[str, Any] | None = None) -> Path:
    """Write a deploy folder that carries the programming model's distributions as links to those of this environment."""
    folder.mkdir(parents=True)
    if source is not None:
        (folder / "function_app.py").write_text(source)
    (folder / "host.json").write_text(json.dumps(HOST_JSON if host_json is None else host_json))
    packages = folder / ".python_packages" / "lib" / "site-packages"
    (packages / "azure").mkdir(parents=True)
    installed = Path(azure.functions.__file__).parents[2]
    (packages / "azure" / "functions").symlink_to(installed / "azure" / "functions")
    for name in ("werkzeug", "markupsafe"):
        (packages / name).symlink_to(installed / name)
    return folder


def settings(azurite: Azurite) -> dict[str, str]:
    """The tiny app's settings."""
    return {
        "QUEUE": "orders",
        "STATE__queueServiceUri": azurite.queue_endpoint(),
        "HUBS__fullyQualifiedNamespace": "offline.servicebus.windows.net",
        "LOGS__blobServiceUri": azurite.blob_endpoint(),
        "LOGS__queueServiceUri": azurite.queue_endpoint(),
    }


@contextmanager
def tiny_host(folder: Path, storage: Storage) -> Iterator[FunctionsHost]:
    """The tiny app, running."""
    app = write_app(folder / "app")
    with FunctionsHost.start(app, environment=settings(storage.azurite), storage=storage, folder=folder) as host:
        yield host
