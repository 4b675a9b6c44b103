"""An event hub in memory, and the event hub trigger.

Rules: https://learn.microsoft.com/azure/azure-functions/functions-bindings-event-hubs-trigger and
https://learn.microsoft.com/azure/azure-functions/functions-bindings-error-pages. One batch of a partition at a time, in order.
The checkpoint moves behind a batch when the function succeeded **or** when its retries are used up, so only an unlimited retry
policy never loses an event.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from offline.azure.functions_host.checkpoints import Checkpoints
from offline.azure.functions_host.delivery import Delivery, Fate, NotDraining, document
from offline.azure.functions_host.functions import Function
from offline.azure.functions_host.invoker import Invoker
from offline.azure.functions_host.library import messages

_NAMESPACE = "offline.servicebus.windows.net"


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a partition: body, key of the sender, position, and when it arrived."""

    body: bytes
    partition_key: str
    sequence_number: int
    offset: int
    enqueued: datetime


class EventHub:
    """One event hub: partitions that only ever grow. Safe to use from several threads."""

    def __init__(self, name: str, *, partitions: int = 4) -> None:
        self.name = name
        self.partitions: tuple[list[Event], ...] = tuple([] for _ in range(partitions))
        self._lock = threading.Lock()
        self._sent = 0

    def send(self, body: bytes, *, partition_key: str = "") -> None:
        """Append an event to the partition of its key; without a key, to each partition in turn."""
        with self._lock:
            index = (zlib.crc32(partition_key.encode()) if partition_key else self._sent) % len(self.partitions)
            self._sent += 1
            partition = self.partitions[index]
            offset = partition[-1].offset + len(partition[-1].body) if partition else 0
            partition.append(Event(body, partition_key, len(partition), offset, datetime.now(UTC)))


class EventHubListener:
    """Feeds one function from its hub, with checkpoints of its own (a consumer group has one listener here).

    Parameters
    ----------
    function : Function
    invoker : Invoker
    hub : EventHub
    watch : callable
        Told of every delivery.
    kept : Checkpoints, optional
        Where checkpoints are kept besides, for others to read.
    """

    def __init__(
        self,
        function: Function,
        invoker: Invoker,
        hub: EventHub,
        watch: Callable[[Delivery], None],
        kept: Checkpoints | None = None,
    ) -> None:
        self.function, self.hub, self._kept = function, hub, kept
        self.checkpoints = [0] * len(hub.partitions)
        self._read = [0] * len(hub.partitions)
        self._batches = [0] * len(hub.partitions)
        self._invoker, self._watch = invoker, watch

    def pump(self, partition: int, *, most_attempts: float, pause: Callable[[float], bool]) -> Delivery | None:
        """Deliver the next batch of a partition until it is done; None where nothing is new.

        Parameters
        ----------
        partition : int
        most_attempts : float
            After so many tries of one batch give up with NotDraining, where the function's own policy would go on for ever.
        pause : callable
            Waits so many seconds between tries. True: it is time to stop, and the batch stays undelivered.
        """
        settings = self._invoker.settings.event_hubs
        start = self._read[partition]
        events = tuple(self.hub.partitions[partition][start : start + settings.max_batch_size])
        if not events:
            return None
        delivery = self._deliver(events, partition, most_attempts=most_attempts, pause=pause)
        if delivery.fate is Fate.AGAIN:
            return delivery
        self._read[partition] += len(events)
        self._batches[partition] += 1
        if self._batches[partition] % settings.checkpoint_frequency == 0:
            self.checkpoints[partition] = self._read[partition]
            if self._kept:
                self._kept.move(partition, events[-1].sequence_number, events[-1].offset)
        return delivery

    def restart(self) -> None:
        """Go back to the checkpoints, as after the host itself ended: what came after them is delivered again."""
        self._read = list(self.checkpoints)

    @property
    def waiting(self) -> int:
        """Events that were not delivered yet."""
        return sum(len(events) - read for events, read in zip(self.hub.partitions, self._read, strict=True))

    def _deliver(
        self, events: tuple[Event, ...], partition: int, *, most_attempts: float, pause: Callable[[float], bool]
    ) -> Delivery:
        retry = self.function.retry
        attempt = 0
        while True:
            attempt += 1
            again = None if retry is None else (attempt - 1, -1 if retry.most is None else retry.most)
            data, metadata = _data(self.function, events), _metadata(self.hub, partition, events)
            outcome = self._invoker.invoke(self.function, data, metadata=metadata, retry=again)
            exhausted = retry is None or (retry.most is not None and attempt > retry.most)
            fate = Fate.DONE if outcome.ok else Fate.LOST if exhausted else Fate.AGAIN
            delivery = Delivery(self.hub.name, tuple(event.body for event in events), attempt, outcome, fate)
            self._watch(delivery)
            if retry is None or fate is not Fate.AGAIN:
                return delivery
            if attempt >= most_attempts:
                raise NotDraining(f"{self.function.name} failed {attempt} times on one batch of {self.hub.name}: {outcome.error}")
            if pause(retry.delay.total_seconds()):
                return delivery


def _data(function: Function, events: tuple[Event, ...]) -> Any:
    rpc = messages()
    bodies = [event.body for event in events]
    if str(function.trigger.get("cardinality", "many")).lower() != "many":
        raise NotImplementedError(f"{function.name}: the embedded host hands over batches only (cardinality many)")
    if str(function.trigger.get("dataType", "")).lower() == "binary":
        return rpc.TypedData(collection_bytes=rpc.CollectionBytes(bytes=bodies))
    # Without a data type the host turns bodies into text, and what is no UTF-8 into replacement characters.
    return rpc.TypedData(collection_string=rpc.CollectionString(string=[body.decode(errors="replace") for body in bodies]))


def _dotnet(moment: datetime) -> str:
    """A time as the host's extension of bundle 4 writes it: in UTC, without saying so, and without zeros at its end.

    It takes ``EventData.EnqueuedTime.DateTime``, a DateTime of no kind: ``2023-03-13T01:25:02.25``. The extensions before took
    one of kind UTC, which ends in ``Z``.
    """
    written = moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    return written.rstrip("0").rstrip(".")


def _metadata(hub: EventHub, partition: int, events: tuple[Event, ...]) -> dict[str, Any]:
    return {
        "PartitionContext": document(
            {"FullyQualifiedNamespace": _NAMESPACE, "EventHubName": hub.name, "PartitionId": str(partition)}
        ),
        "SystemPropertiesArray": document(
            [
                {
                    "SequenceNumber": event.sequence_number,
                    "Offset": event.offset,
                    "PartitionKey": event.partition_key or None,
                    "EnqueuedTimeUtc": _dotnet(event.enqueued),
                }
                for event in events
            ]
        ),
        "PropertiesArray": document([{} for _ in events]),
        "SequenceNumberArray": document([event.sequence_number for event in events]),
        "OffsetArray": document([str(event.offset) for event in events]),
        "PartitionKeyArray": document([event.partition_key or None for event in events]),
        "EnqueuedTimeUtcArray": document([_dotnet(event.enqueued) for event in events]),
    }
