"""How far the functions have read the event hubs, and how much waits: a batch that fails for ever holds one partition alone.

Checkpoints: Azure/azure-sdk-for-net, ``BlobCheckpointStoreInternal.cs``, which the Functions extension for Event Hubs carries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from azure_functions.cloud_errors import CloudRefusal, in_core_words
from azure_functions.registry import CHECKPOINTS, CONSUMER_GROUP, EVENT_HUBS, FUNCTIONS, Trigger
from azure_infra.names import READER
from console.azure.estate import Estate, Json
from console.azure.hub_partitions import Incoming, Partition
from console.azure.spans import ago, span
from console.deployment import Health, NotPossible, Sign
from shared_model.errors import CloudUnavailable

#: Longer than a function's timeout and every pause between its tries.
_STUCK_MS = 30 * 60_000
#: ``maxEventBatchSize`` of host.json: more than one batch that nobody has taken for so long did not all come just now.
_BATCH = 64
#: So many events to each partition, were they spread evenly: that none of them came to one of four happens once in 10^10 times.
_EVENLY = 20
_READERS = {spec.source: spec.name for spec in FUNCTIONS if spec.trigger is Trigger.EVENT_HUB}
_EXACT = (
    "the hub says how many wait to who has Azure Event Hubs Data Receiver on it (which reads the events too, so no template "
    "gives it to people), from an address that the namespace lets in"
)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far one partition was read: the last event's number (None: an extension wrote none), and when that was said (ms)."""

    sequence_number: int | None
    moved_ms: int


def of_checkpoints(
    estate: Estate,
    blobs_at: Callable[[str], Any],
    partitions: Callable[[str, str], Mapping[str, Partition]],
    incoming: Callable[[Json], Mapping[str, Incoming]],
    now_ms: int,
) -> Iterator[Sign]:
    """Yield, for each event hub, how much waits and since when.

    Parameters
    ----------
    estate : Estate
    blobs_at : callable
        Client of a storage account's blobs, by its address.
    partitions : callable
        What a namespace, by its address, says of a hub's partitions. Raises CloudUnavailable, CloudRefusal, NotPossible.
    incoming : callable
        What came to each hub of a namespace, as Azure Monitor counted it. Raises CloudUnavailable, CloudRefusal.
    now_ms : int
    """
    space, host = estate.hub_namespace(), estate.account(f"h{READER.name[0]}")
    if space is None or host is None:
        return  # said where the hubs and the apps are looked at
    address = str(space["properties"]["serviceBusEndpoint"])
    found = _read(blobs_at(str(host["properties"]["primaryEndpoints"]["blob"])), urlsplit(address).hostname or "")
    counted: Mapping[str, Incoming] | None = None
    why = ""
    for hub in estate.hubs(space).values():
        if why == "":
            try:
                yield from _exactly(str(hub["name"]), found[hub["name"]], partitions(address, hub["name"]), now_ms)
                continue
            except (CloudUnavailable, CloudRefusal, NotPossible) as error:
                why = str(error)  # of the other hubs it would be the same: a network or a right
        if counted is None:
            try:
                counted = incoming(space)
            except (CloudUnavailable, CloudRefusal) as error:
                yield Sign(Health.UNKNOWN, f"what waits in the event hubs: could not look: {why}; {error}", _EXACT)
                return
        yield from _roughly(hub, found[hub["name"]], counted.get(hub["name"], Incoming()), now_ms)


def _read(blobs: Any, namespace: str) -> dict[str, dict[str, Checkpoint]]:
    """Checkpoints by hub and partition; none where the container is not there."""
    found: dict[str, dict[str, Checkpoint]] = {name: {} for name in EVENT_HUBS}
    try:
        with in_core_words(f"container {CHECKPOINTS}"):
            for hub, partitions in found.items():
                prefix = f"{namespace}/{hub}/{CONSUMER_GROUP}/checkpoint/".lower()
                for blob in blobs.get_container_client(CHECKPOINTS).list_blobs(name_starts_with=prefix, include=["metadata"]):
                    said = (blob.metadata or {}).get("sequencenumber") or ""
                    number = int(said) if said.lstrip("-").isdigit() else None
                    partitions[blob.name[len(prefix) :]] = Checkpoint(number, round(blob.last_modified.timestamp() * 1000))
    except CloudRefusal as refusal:
        if not refusal.is_missing:
            raise
    return found


def _exactly(hub: str, read: Mapping[str, Checkpoint], partitions: Mapping[str, Partition], now_ms: int) -> Iterator[Sign]:
    waiting, wrong = 0, False
    for name, partition in sorted(partitions.items()):
        checkpoint = read.get(name)
        behind = partition.behind(checkpoint.sequence_number if checkpoint else None)
        waiting += behind
        sign = _of_partition(f"event hub {hub}, partition {name}", hub, checkpoint, partition, behind, now_ms)
        if sign:
            wrong = True
            yield sign
    if not wrong:
        yield Sign(Health.GOOD, f"event hub {hub}: {waiting} events wait in {len(partitions)} partitions, {_taken(read, now_ms)}")


def _of_partition(
    where: str, hub: str, checkpoint: Checkpoint | None, partition: Partition, behind: int, now_ms: int
) -> Sign | None:
    read = checkpoint.sequence_number if checkpoint else None
    if read is not None and partition.first > read + 1:
        lost = f"{partition.first - read - 1} events were deleted before anybody took them"
        return Sign(Health.BAD, f"{where}: {lost}: a hub keeps them for a week", _look(hub))
    if checkpoint is not None and now_ms - checkpoint.moved_ms <= _STUCK_MS:
        return None
    if read is not None and read > partition.last:
        beyond = (
            f"its checkpoint stands at event {read}, and its last is {partition.last}: the hub was made anew, and is not read"
        )
        return Sign(
            Health.BAD, f"{where}: {beyond}", f"stop the app, delete its blobs in {CHECKPOINTS} of its host's account, start it"
        )
    if not behind:
        return None
    waits = f"{where}: {behind} events wait, " + (
        f"and nothing was taken for {span(checkpoint.moved_ms, now_ms)}" if checkpoint else "and nothing was ever taken"
    )
    if behind > _BATCH or now_ms - partition.last_ms > _STUCK_MS:
        return Sign(Health.BAD, waits, _look(hub))
    last = f"the last came {ago(partition.last_ms, now_ms)}"
    return Sign(Health.UNKNOWN, f"{waits}; {last}", f"look again in a minute: where they grow more, {_READERS[hub]} is stuck")


def _roughly(hub: Json, read: Mapping[str, Checkpoint], incoming: Incoming, now_ms: int) -> Iterator[Sign]:
    """What can be said without asking the hub: a checkpoint holds no event that came after it was written."""
    name, many = str(hub["name"]), int(hub["properties"].get("partitionCount", 0))
    newest = max((each.moved_ms for each in read.values()), default=0)
    if since := incoming.since(newest):
        first_ms, number = since
        if now_ms - first_ms > _STUCK_MS:
            came = f"at least {number} events came since, the first {ago(first_ms, now_ms)}"
            yield Sign(Health.BAD, f"event hub {name}: {_taken(read, now_ms)}, and {came}", _look(name))
            return
    silent = False
    for partition in map(str, range(many)):
        moved_ms = read[partition].moved_ms if partition in read else 0
        _, number = incoming.since(moved_ms) or (0, 0)
        if newest - moved_ms > _STUCK_MS and number >= _EVENLY * many:
            silent = True
            taken = f"nothing was taken for {span(moved_ms, now_ms)}" if moved_ms else "nothing was ever taken"
            said = f"{taken}, while {number} events came to the hub and other partitions were read"
            yield Sign(Health.UNKNOWN, f"event hub {name}, partition {partition}: {said}", f"{_look(name)}; {_EXACT}")
    if not silent:
        yield Sign(Health.GOOD, f"event hub {name}: {_taken(read, now_ms)}, and nothing has waited long since")


def _taken(read: Mapping[str, Checkpoint], now_ms: int) -> str:
    newest = max((each.moved_ms for each in read.values()), default=0)
    return f"events were last taken {ago(newest, now_ms)}" if newest else "no event was ever taken"


def _look(hub: str) -> str:
    what = f"exceptions | where operation_Name == '{_READERS[hub]}' | top 5 by timestamp"
    return (
        f"{_READERS[hub]} fails on what comes first there, or its app does not run (above): "
        f'az monitor app-insights query --apps NAME-insights -g GROUP --analytics-query "{what}"'
    )
