"""What event hubs say of themselves: how far each partition goes, or how much came, to who may not ask that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from azure_functions.cloud_errors import in_core_words
from azure_functions.registry import CONSUMER_GROUP
from azure_functions.rest import RestClient
from console.azure.estate import Json
from shared_model.errors import CloudUnavailable

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

_AUDIENCE = "https://eventhubs.azure.net/.default"
_ATOM = "{http://www.w3.org/2005/Atom}"
_CONNECT = "{http://schemas.microsoft.com/netservices/2010/10/servicebus/connect}"
_METRICS = "2018-01-01"
_STEP_MS = 300_000
#: What is asked of Azure Monitor: who is on call looks at a night.
_LOOKED_BACK_MS = 24 * 3_600_000
#: A person waits, and a namespace that lets nobody in from here may not even refuse.
_PATIENCE = {"connection_timeout": 5, "read_timeout": 20}


@dataclass(frozen=True, slots=True)
class Partition:
    """Numbers of the first and the last event that a partition holds, -1 where it never had one, and when that came (ms)."""

    first: int
    last: int
    last_ms: int

    def behind(self, read: int | None) -> int:
        """How many events wait behind one that was read, None where none was."""
        return max(0, self.last - (self.first - 1 if read is None else max(read, self.first - 1)))


@dataclass(frozen=True, slots=True)
class Incoming:
    """How many events came, by the beginning (ms) of each five minutes in which some did."""

    counted: tuple[tuple[int, int], ...] = ()

    def since(self, time_ms: int) -> tuple[int, int] | None:
        """When the first came in a step that began later, and how many in all; None where none did."""
        later = [(begin_ms, number) for begin_ms, number in self.counted if begin_ms >= time_ms]
        return (min(later)[0], sum(number for _, number in later)) if later else None


def partitions_of(endpoint: str, hub: str, credential: TokenCredential) -> dict[str, Partition]:
    """Ask a hub (https://learn.microsoft.com/rest/api/eventhub/list-partition-runtime-metadata). It takes the right to read it.

    Raises
    ------
    CloudUnavailable, CloudRefusal
    """
    client = RestClient(endpoint, credential, _AUDIENCE, retry_total=0)
    with in_core_words(f"event hub {hub}"):
        from azure.core.rest import HttpRequest

        path = f"{endpoint.rstrip('/')}/{hub}/consumergroups/{CONSUMER_GROUP}/partitions?timeout=20&api-version=2015-01"
        response = client.send_request(HttpRequest("GET", path), **_PATIENCE)
        response.raise_for_status()
        text = response.text()
    try:
        entries = ET.fromstring(text).iter(f"{_ATOM}entry")  # noqa: S314 - it comes from the namespace itself, over TLS
        return {str(entry.findtext(f"{_ATOM}title")): _partition(entry) for entry in entries}
    except (ET.ParseError, KeyError, ValueError) as error:
        raise CloudUnavailable(f"event hub {hub}: its answer is not understood: {error}") from error


def _partition(entry: ET.Element) -> Partition:
    said = {part.tag.removeprefix(_CONNECT): part.text or "" for part in entry.iter() if part.tag.startswith(_CONNECT)}
    last_ms = _read(said["LastEnqueuedTimeUtc"])
    if last_ms <= 0:  # the year 1: no event ever came
        return Partition(0, -1, 0)
    return Partition(int(said["BeginSequenceNumber"]), int(said["EndSequenceNumber"]), last_ms)


def incoming_of(arm: RestClient, space: Json, now_ms: int) -> Mapping[str, Incoming]:
    """Ask Azure Monitor how many events came to each hub of a namespace. It takes Reader.

    Raises
    ------
    CloudUnavailable, CloudRefusal
    """
    begin, end = (_written(each) for each in (now_ms - _LOOKED_BACK_MS, now_ms))
    query = {
        "api-version": _METRICS,
        "metricnames": "IncomingMessages",
        "timespan": f"{begin}/{end}",
        "interval": "PT5M",
        "aggregation": "Total",
        "$filter": "EntityName eq '*'",
    }
    with in_core_words("metrics of the event hubs"):
        answer = arm.call("GET", f"{space['id']}/providers/Microsoft.Insights/metrics", query=query)
    return {_entity(series): _incoming(series) for metric in answer["value"] for series in metric["timeseries"]}


def _entity(series: Json) -> str:
    return str(next(each["value"] for each in series["metadatavalues"] if each["name"]["value"].lower() == "entityname"))


def _incoming(series: Json) -> Incoming:
    counted = ((_read(str(step["timeStamp"])), int(step.get("total") or 0)) for step in series["data"])
    return Incoming(tuple((begin_ms, number) for begin_ms, number in counted if number))


def _read(text: str) -> int:
    said = datetime.fromisoformat(text)
    return round((said if said.tzinfo else said.replace(tzinfo=UTC)).timestamp() * 1000)


def _written(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
