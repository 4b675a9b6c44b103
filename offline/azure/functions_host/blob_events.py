"""The blob trigger with the Event Grid source: each event names a blob, and waits in a queue of the host's own.

Rules: https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-blob-trigger, "Poison blobs". Azurite has no
Event Grid: whoever writes a blob tells this host of it (:meth:`BlobListener.created`).
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobClient, BlobServiceClient
from azure.storage.queue import QueueServiceClient

from offline.azure.functions_host.delivery import Delivery, Fate, document, text
from offline.azure.functions_host.functions import AppUnusable, Function
from offline.azure.functions_host.invoker import Invoker
from offline.azure.functions_host.library import messages

POISON_QUEUE = "webjobs-blobtrigger-poison"
_PARAMETER = re.compile(r"\\\{(\w+)\\\}")


class BlobListener:
    """Feeds one function from its container.

    Parameters
    ----------
    function : Function
    invoker : Invoker
    blobs, queues : BlobServiceClient, QueueServiceClient
        Of the account that the trigger's connection names.
    watch : callable
        Told of every delivery.

    Raises
    ------
    AppUnusable
        The trigger polls, which the plan does not do.
    """

    def __init__(
        self,
        function: Function,
        invoker: Invoker,
        blobs: BlobServiceClient,
        queues: QueueServiceClient,
        watch: Callable[[Delivery], None],
    ) -> None:
        if str(function.trigger.get("source", "")).lower() != "eventgrid":
            raise AppUnusable(f"{function.name}: Flex Consumption has blob triggers with the Event Grid source only")
        self.function = function
        self.container, _, pattern = str(function.trigger["path"]).partition("/")
        self._pattern = re.compile(_PARAMETER.sub(r"(?P<\1>.+)", re.escape(pattern)) if pattern else ".+")
        self._invoker, self._blobs, self._queues, self._watch = invoker, blobs, queues, watch
        self._events: deque[tuple[str, int]] = deque()
        self._lock = threading.Lock()

    def created(self, container: str, blob: str) -> bool:
        """Take an event of a blob that was written; False where it is not this function's."""
        mine = container == self.container and self._pattern.fullmatch(blob) is not None
        if mine:
            with self._lock:
                self._events.append((blob, 1))
        return mine

    def pump(self) -> Delivery | None:
        """Deliver the next event; None where none waits. What failed waits again, behind the others."""
        with self._lock:
            if not self._events:
                return None
            blob, attempt = self._events.popleft()
        client = self._blobs.get_blob_client(self.container, blob)
        try:
            properties = client.get_blob_properties()
            data = self._reference(blob) if self.function.takes_reference else _content(client)
        except ResourceNotFoundError:
            return None  # gone since: the host has nothing to hand over
        outcome = self._invoker.invoke(self.function, data, metadata=self._metadata(blob, client.url, properties))
        last = attempt >= self._invoker.settings.blobs.max_attempts
        fate = Fate.DONE if outcome.ok else Fate.POISON if last else Fate.AGAIN
        if fate is Fate.AGAIN:
            with self._lock:
                self._events.append((blob, attempt + 1))
        if fate is Fate.POISON:
            self._send_poison(blob, str(properties.etag))
        delivery = Delivery(f"{self.container}/{blob}", (), attempt, outcome, fate)
        self._watch(delivery)
        return delivery

    def _reference(self, blob: str) -> Any:
        """What the blob extension sends in place of the content, for whose parameter has an SDK type."""
        said = {"Connection": self.function.trigger["connection"], "ContainerName": self.container, "BlobName": blob}
        rpc = messages()
        data = rpc.ModelBindingData(
            version="1.0", source="AzureStorageBlobs", content_type="application/json", content=json.dumps(said).encode()
        )
        return rpc.TypedData(model_binding_data=data)

    def _metadata(self, blob: str, url: str, properties: Any) -> dict[str, Any]:
        match = self._pattern.fullmatch(blob)
        return {
            "BlobTrigger": text(f"{self.container}/{blob}"),
            "Uri": text(url),
            "Properties": document({"ContentLength": properties.size, "ETag": properties.etag}),
            "Metadata": document(properties.metadata or {}),
            **{name: text(value) for name, value in (match.groupdict() if match else {}).items()},
        }

    def _send_poison(self, blob: str, etag: str) -> None:
        with contextlib.suppress(ResourceExistsError):
            self._queues.create_queue(POISON_QUEUE)
        letter = {
            "FunctionId": f"Host.Functions.{self.function.name}",
            "ContainerName": self.container,
            "BlobName": blob,
            "ETag": etag,
        }
        content = base64.b64encode(json.dumps(letter).encode()).decode()
        self._queues.get_queue_client(POISON_QUEUE).send_message(content)


def _content(client: BlobClient) -> Any:
    """The whole blob, as the host sends it for every other parameter."""
    return messages().TypedData(bytes=client.download_blob().readall())
