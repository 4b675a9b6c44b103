"""What the host reads from ``host.json``, with the platform's defaults.

https://learn.microsoft.com/azure/azure-functions/functions-host-json and the pages of each extension that it links to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any


class HostJsonWrong(Exception):
    """``host.json`` is missing or says what the host does not accept."""


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """``extensions.queues``.

    Attributes
    ----------
    batch_size : int
        Messages taken, and worked on, at once; 32 at most.
    max_dequeue_count : int
        Tries before a message goes to the poison queue.
    visibility_timeout : timedelta
        Between a failed try and the next.
    base64 : bool
        How the bodies are encoded.
    """

    batch_size: int = 16
    max_dequeue_count: int = 5
    visibility_timeout: timedelta = timedelta(0)
    base64: bool = True


@dataclass(frozen=True, slots=True)
class EventHubSettings:
    """``extensions.eventHubs``: the most events of one call, and how many calls of a partition share a checkpoint."""

    max_batch_size: int = 100
    checkpoint_frequency: int = 1


@dataclass(frozen=True, slots=True)
class BlobSettings:
    """``extensions.blobs``: tries before an event goes to the poison queue."""

    max_attempts: int = 5


@dataclass(frozen=True, slots=True)
class HostSettings:
    """All of it.

    Attributes
    ----------
    queues, event_hubs, blobs
    route_prefix : str
        Before every HTTP route.
    function_timeout : timedelta
        After which the host ends the worker.
    has_bundle : bool
        Whether the extensions that a Python app needs for other triggers than HTTP and timer are there.
    """

    queues: QueueSettings
    event_hubs: EventHubSettings
    blobs: BlobSettings
    route_prefix: str
    function_timeout: timedelta
    has_bundle: bool


def read_host_settings(folder: Path) -> HostSettings:
    """Read ``host.json`` of a deploy folder.

    Raises
    ------
    HostJsonWrong
    """
    path = folder / "host.json"
    try:
        document = json.loads(path.read_text())
    except FileNotFoundError:
        raise HostJsonWrong(f"{path} is not there: the host takes no folder without it") from None
    except ValueError as problem:
        raise HostJsonWrong(f"{path} is no JSON: {problem}") from None
    if document.get("version") != "2.0":
        raise HostJsonWrong(f'{path}: "version" must be "2.0"')
    extensions = document.get("extensions", {})
    queues, hubs = extensions.get("queues", {}), extensions.get("eventHubs", {})
    encoding = queues.get("messageEncoding", "base64")
    return HostSettings(
        queues=QueueSettings(
            batch_size=_whole(queues, "batchSize", 16, most=32),
            max_dequeue_count=_whole(queues, "maxDequeueCount", 5),
            visibility_timeout=_duration(queues.get("visibilityTimeout", "00:00:00")),
            base64=encoding == "base64",
        ),
        event_hubs=EventHubSettings(
            max_batch_size=_whole(hubs, "maxEventBatchSize", 100),
            checkpoint_frequency=_whole(hubs, "batchCheckpointFrequency", 1),
        ),
        blobs=BlobSettings(max_attempts=_whole(extensions.get("blobs", {}), "poisonBlobThreshold", 5)),
        route_prefix=extensions.get("http", {}).get("routePrefix", "api"),
        function_timeout=_duration(document.get("functionTimeout", "00:30:00")),
        has_bundle="Microsoft.Azure.Functions.ExtensionBundle" in document.get("extensionBundle", {}).get("id", ""),
    )


def _whole(section: Mapping[str, Any], name: str, default: int, *, most: int = 2**31 - 1) -> int:
    value = section.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise HostJsonWrong(f"host.json: {name} is {value!r}, it must be a whole number from 1 to {most}")
    return value


def _duration(text: str) -> timedelta:
    """``hh:mm:ss``; ``-1`` is the longest there is."""
    if text == "-1":
        return timedelta.max
    try:
        hours, minutes, seconds = (int(part) for part in text.split(":"))
    except ValueError:
        raise HostJsonWrong(f"host.json: {text!r} is no duration of the form hh:mm:ss") from None
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)
