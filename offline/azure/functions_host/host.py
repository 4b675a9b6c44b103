"""The Functions host: one app, its triggers, and what became of everything that they brought.

Example
-------
>>> with FunctionsHost.start(app, environment=settings, storage=storage, folder=folder) as host:    # doctest: +SKIP
...     host.hub("api-calls").send(json.dumps({"records": [record]}).encode())
...     host.drain()
...     host.logs("detect_api_calls")
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self

from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from offline.azure.functions_host.blob_events import BlobListener
from offline.azure.functions_host.delivery import Delivery, Fate, document
from offline.azure.functions_host.event_hubs import EventHub, EventHubListener
from offline.azure.functions_host.functions import AppUnusable, Function, connection_setting
from offline.azure.functions_host.http_calls import HttpAnswer, methods_of, read_answer, request_data, route_of
from offline.azure.functions_host.invoker import Invoker, Logged
from offline.azure.functions_host.storage_queues import QueueListener
from offline.azure.functions_host.worker_process import THIS_PYTHON, Interpreter, Way

#: A batch that a function tries for ever is given up here after so many tries, when nobody waits in between.
_MOST_ATTEMPTS = 10
_SUPPORTED = ("blobTrigger", "eventHubTrigger", "httpTrigger", "queueTrigger", "timerTrigger")


class HostStorage(Protocol):
    """The host's own way to storage: :class:`offline.azure.storage.Storage` has it."""

    def queues_at(self, endpoint: str) -> QueueServiceClient:
        """Client of the queues at an address."""
        ...

    def blobs_at(self, endpoint: str) -> BlobServiceClient:
        """Client of the blobs at an address."""
        ...


class FunctionsHost:
    """A running host. Use :meth:`start`.

    Parameters
    ----------
    invoker : Invoker
    storage : HostStorage
    """

    def __init__(self, invoker: Invoker, storage: HostStorage) -> None:
        self.invoker = invoker
        self.deliveries: list[Delivery] = []
        self._watchers: list[Callable[[Delivery], None]] = []
        self._hubs: dict[str, EventHub] = {}
        self._queue_listeners: list[QueueListener] = []
        self._hub_listeners: list[EventHubListener] = []
        self._blob_listeners: list[BlobListener] = []
        for function in invoker.functions.values():
            self._listen(function, storage)

    @classmethod
    @contextmanager
    def start(
        cls,
        app: Path,
        *,
        environment: Mapping[str, str],
        storage: HostStorage,
        folder: Path,
        python: Interpreter = THIS_PYTHON,
        way: Way = int,
    ) -> Iterator[Self]:
        """Start the app's worker and listen; end both with the block.

        Parameters
        ----------
        app : Path
            Deploy folder.
        environment : mapping
            The function app's settings, those of its triggers' connections included.
        storage : HostStorage
        folder : Path
            Where the worker's own output goes.
        python : Interpreter
        way : callable
            What lies between host and worker.

        Raises
        ------
        HostJsonWrong, AppUnusable, WorkerFailed
        """
        invoker = Invoker(app, environment=environment, folder=folder, python=python, way=way)
        host = None
        try:
            host = cls(invoker, storage)
            yield host
        finally:
            for listener in host._queue_listeners if host else ():
                listener.close()
            invoker.close()

    @property
    def functions(self) -> Mapping[str, Function]:
        """The app's functions, by name."""
        return self.invoker.functions

    def hub(self, name: str) -> EventHub:
        """The event hub of that name. Raises KeyError where no function reads it."""
        return self._hubs[name]

    def blob_created(self, container: str, blob: str) -> None:
        """Take Event Grid's event that a blob was written or appended to. Raises KeyError where no function wants it."""
        takers = [listener for listener in self._blob_listeners if listener.created(container, blob)]
        if not takers:
            raise KeyError(f"no function is triggered by {container}/{blob}")

    def fire_timer(self, name: str) -> Delivery:
        """Let a timer function's schedule come round now."""
        function = self._of_kind(name, "timerTrigger")
        now = datetime.now(UTC).isoformat()
        status = {"Last": now, "Next": now, "LastUpdated": now}
        data = document({"Schedule": {"AdjustForDST": True}, "ScheduleStatus": status, "IsPastDue": False})
        outcome = self.invoker.invoke(function, data)
        delivery = Delivery(str(function.trigger["schedule"]), (), 1, outcome, Fate.DONE if outcome.ok else Fate.LOST)
        self._delivered(delivery)
        return delivery

    def request(
        self,
        name: str,
        *,
        body: bytes = b"",
        method: str = "",
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        principal_id: str = "",
        claims: Mapping[str, str] | None = None,
        route_params: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        """Call an HTTP function, as the platform does after it has authenticated the caller.

        Parameters
        ----------
        name : str
        body : bytes
        method : str
            POST with a body and GET without one, where left out.
        headers, query : mapping
        principal_id : str
            Object id of the identity whose token the caller showed; ``""`` for none.
        claims : mapping
            What that token says, as the platform hands it on.
        route_params : mapping
            What stands in place of the names in the function's route.
        """
        function = self._of_kind(name, "httpTrigger")
        method = method.upper() or ("POST" if body else "GET")
        if method not in methods_of(function):
            return HttpAnswer(404, {}, b"", "")
        route, given = route_of(function), route_params or {}
        for key, value in given.items():
            route = route.replace(f"{{{key}}}", value)
        url = f"https://127.0.0.1/{self.invoker.settings.route_prefix}/{route}"
        data = request_data(
            url,
            method=method,
            headers=headers or {},
            query=query or {},
            body=body,
            principal_id=principal_id,
            claims=claims or {},
            route=given,
        )
        outcome = self.invoker.invoke(function, data)
        self._delivered(Delivery(route, (body,), 1, outcome, Fate.DONE if outcome.ok else Fate.LOST))
        if not outcome.ok:
            return HttpAnswer(500, {}, b"", outcome.invocation_id)
        return read_answer(outcome.returned, outcome.invocation_id)

    def drain(self, *, most_attempts: int = _MOST_ATTEMPTS) -> list[Delivery]:
        """Deliver until nothing waits any more; waits between tries are skipped, not shortened in number.

        Raises
        ------
        NotDraining
            A batch of events fails ``most_attempts`` times and its function would try for ever.
        """
        before = len(self.deliveries)
        while self._round(most_attempts):
            pass
        return self.deliveries[before:]

    @contextmanager
    def live(self, *, interval_s: float = 0.05) -> Iterator[None]:
        """Deliver in real time, from threads, until the block ends; what is being worked on then is waited for."""
        stop = threading.Event()

        def serve(pump: Callable[[], Any]) -> None:
            while not stop.is_set():
                if not pump():
                    stop.wait(interval_s)

        threads = [threading.Thread(target=serve, args=(pump,), daemon=True) for pump in self._pumps(stop)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def watch(self, watcher: Callable[[Delivery], None]) -> None:
        """Call it for every delivery from now on."""
        self._watchers.append(watcher)

    def logs(self, function: str = "", invocation_id: str = "") -> list[Logged]:
        """What the app logged: of one function, of one invocation, or all."""
        return self.invoker.logs(function, invocation_id)

    def kill_worker(self) -> None:
        """End the app's process at once, whatever it is doing; the next invocation starts another."""
        self.invoker.kill_worker()

    def _listen(self, function: Function, storage: HostStorage) -> None:
        def setting(name: str) -> str:
            return connection_setting(function, name, self.invoker.environment)

        match function.kind:
            case "queueTrigger":
                queues = storage.queues_at(setting("queueServiceUri"))
                self._queue_listeners.append(QueueListener(function, self.invoker, queues, self._delivered))
            case "eventHubTrigger":
                setting("fullyQualifiedNamespace")
                hub = self._hubs.setdefault(
                    str(function.trigger["eventHubName"]), EventHub(str(function.trigger["eventHubName"]))
                )
                self._hub_listeners.append(EventHubListener(function, self.invoker, hub, self._delivered))
            case "blobTrigger":
                blobs, queues = storage.blobs_at(setting("blobServiceUri")), storage.queues_at(setting("queueServiceUri"))
                self._blob_listeners.append(BlobListener(function, self.invoker, blobs, queues, self._delivered))
            case kind if kind not in _SUPPORTED:
                raise AppUnusable(f"{function.name} has a {kind}, which the embedded host does not feed: add a listener for it")

    def _round(self, most_attempts: int) -> bool:
        """Let every listener deliver once; whether any had something."""
        progress = False
        for blob_listener in self._blob_listeners:
            while blob_listener.pump():
                progress = True
        for hub_listener in self._hub_listeners:
            for partition in range(len(hub_listener.hub.partitions)):
                while hub_listener.pump(partition, most_attempts=most_attempts, pause=_go_on):
                    progress = True
        for queue_listener in self._queue_listeners:
            while queue_listener.pump(wait=False):
                progress = True
        return progress

    def _pumps(self, stop: threading.Event) -> Iterator[Callable[[], Any]]:
        for blob_listener in self._blob_listeners:
            yield blob_listener.pump
        for hub_listener in self._hub_listeners:
            for partition in range(len(hub_listener.hub.partitions)):
                yield partial(hub_listener.pump, partition, most_attempts=math.inf, pause=stop.wait)
        for queue_listener in self._queue_listeners:
            yield partial(queue_listener.pump, wait=True)

    def _of_kind(self, name: str, kind: str) -> Function:
        function = self.functions[name]
        if function.kind != kind:
            raise KeyError(f"{name} has a {function.kind}, not a {kind}")
        return function

    def _delivered(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
        for watcher in self._watchers:
            watcher(delivery)


def _go_on(_: float) -> bool:
    """Wait no time at all, and try again."""
    return False
