"""What a namespace of Event Hubs says over HTTP of its hubs' partitions: how far each goes.

API: https://learn.microsoft.com/rest/api/eventhub/list-partition-runtime-metadata. Of a partition that never had an event the
service says the year 1.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from xml.sax.saxutils import escape

from offline.azure.callers import Caller
from offline.azure.calls import CallLog, Grants
from offline.azure.endpoint import Endpoint, Link, Refusal, Wanted
from offline.azure.functions_host.event_hubs import EventHub
from offline.azure.web import Answer, Request

OPERATION = "Microsoft.EventHub/namespaces/messages/receive/action"
"""The data action of the role Azure Event Hubs Data Receiver."""

_PATH = re.compile(r"/([^/]+)/consumergroups/([^/]+)/partitions", re.IGNORECASE)
_NEVER = "0001-01-01T00:00:00"


class HubNamespace(Endpoint):
    """A local namespace over hubs in memory.

    Parameters
    ----------
    hubs : iterable of EventHub
    calls, grants, clock
        As :class:`~offline.azure.endpoint.Endpoint`.

    Attributes
    ----------
    first : dict
        By hub and partition, the sequence number of the oldest event that is still kept, where that is not the first one.
    """

    name = "event hubs"
    audiences = ("https://eventhubs.azure.net",)

    def __init__(
        self,
        hubs: Iterable[EventHub],
        *,
        calls: CallLog | None = None,
        grants: Grants | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(calls=calls, grants=grants, clock=clock)
        self.hubs = {hub.name: hub for hub in hubs}
        self.first: dict[tuple[str, int], int] = {}

    def wanted(self, request: Request) -> Wanted:
        found = _PATH.fullmatch(request.path)
        if found is None or request.method != "GET" or found[1] not in self.hubs:
            raise Refusal(404, "404", f"The messaging entity {request.path} could not be found.")
        version = request.query.get("api-version", "2014-01")
        return Wanted(OPERATION, (), lambda _: self._partitions(self.hubs[found[1]], found[2], version))

    def denied(self, caller: Caller, wanted: Wanted, link: Link | None, request: Request) -> Refusal:
        return Refusal(401, "401", "Unauthorized access. 'Listen' claim(s) are required to perform this operation.")

    def _partitions(self, hub: EventHub, group: str, version: str) -> Answer:
        entries = "".join(self._entry(hub, partition, version) for partition in range(len(hub.partitions)))
        title = escape(f"{hub.name}/consumergroups/{group}/partitions")
        feed = f'<feed xmlns="http://www.w3.org/2005/Atom"><title type="text">{title}</title>{entries}</feed>'
        return Answer(200, feed.encode(), {"Content-Type": "application/atom+xml;type=feed;charset=utf-8"})

    def _entry(self, hub: EventHub, partition: int, version: str) -> str:
        events = hub.partitions[partition]
        last = events[-1] if events else None
        when = last.enqueued.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if last else _NEVER
        said: dict[str, object] = {
            "SizeInBytes": sum(len(event.body) for event in events),
            "BeginSequenceNumber": self.first.get((hub.name, partition), 0),
            "EndSequenceNumber": last.sequence_number if last else -1,
            "IncomingBytesPerSecond": 0,
            "OutgoingBytesPerSecond": 0,
        }
        if version >= "2015-01":  # older ones do not know these two
            said |= {"LastEnqueuedOffset": last.offset if last else -1, "LastEnqueuedTimeUtc": when}
        fields = "".join(f"<{name}>{value}</{name}>" for name, value in said.items())
        description = (
            '<PartitionDescription xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect">'
            f"{fields}</PartitionDescription>"
        )
        return f'<entry><title type="text">{partition}</title><content type="application/xml">{description}</content></entry>'
