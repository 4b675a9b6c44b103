"""What every scene on the embedded Azure plays on."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from azure_functions.function import Message
from azure_functions.registry import API_CALLS, SYSTEM_LOGS, VNET_FLOW_LOGS
from offline.azure.embedded import PLAYBOOK_PRINCIPAL_ID, EmbeddedAzure
from offline.azure.estate import Estate, Machine
from offline.azure.incident_bodies import Entity, Rule, open_incident
from offline.azure.operator import Operator
from offline.azure.seed import SUBSCRIPTION_ID
from offline.replay.activity import Person
from offline.replay.replayed import ReplayedLines
from offline.replay.system_tables import syslog_rows
from offline.replay.traffic import Traffic, site_start_ms
from offline.report.record import Kind
from offline.timeline import Timeline
from shared_model.events import EntityKind
from training.scenarios.site import Site
from training.scenarios.vnet_flow_log import FlowRecord, document, write_records

#: Bytes of a blob behind its last record.
_END = len(b"]}")


@dataclass(frozen=True, slots=True)
class AzureStage:
    """The embedded Azure, the machines of its subscription, and the timeline."""

    azure: EmbeddedAzure
    estate: Estate
    timeline: Timeline
    operator: Operator
    _blobs: dict[str, list[FlowRecord | str]] = field(default_factory=dict)

    @staticmethod
    def now() -> datetime:
        """When what is replayed has just happened."""
        return datetime.now(UTC).replace(microsecond=0)

    def site(self, at: datetime, seed: str, *machines: Machine) -> Site:
        """The machines' network, as the writer of flow logs knows it, with neighbours that nothing happens to."""
        around = ("web-1", "database-1", "bastion")
        chosen = {each.id: each.host for each in (*(self.estate.machines[name] for name in around), *machines)}
        hosts = tuple(chosen.values())
        by_address = {host.address: host for host in hosts}
        network = self.estate.services.world.network
        return Site(
            random.Random(seed),
            site_start_ms(at),
            hosts,
            "168.63.129.16",
            network,
            SUBSCRIPTION_ID,
            "westeurope",
            None,
            by_address,
        )

    def person(self, object_id: str, name: str, token: str) -> Person:
        """A user of the subscription with a token."""
        return Person(object_id, name, self.estate.services.world.tenant_id, SUBSCRIPTION_ID, token)

    # --- telemetry in ----------------------------------------------------------------------------------------

    def flow_log(
        self, traffic: Traffic, machine: Machine, *, steps: int = 1, damaged: Sequence[str] = (), alone: bool = False
    ) -> None:
        """Let Network Watcher append to the interfaces' blobs, some minutes at a time, and let the functions work.

        ``damaged`` stands in the first of the machine's records' places. With ``alone`` only the machine's own blobs come: what
        the other ends' interfaces saw is late.
        """
        records = write_records(traffic.connections, traffic.site, self.estate.flow_log)
        if alone:
            records = tuple(record for record in records if record.mac in machine.macs)
        size = -(-len(records) // steps)
        for begin in range(0, len(records), size):
            self._append(records[begin : begin + size], machine, damaged if begin == 0 else ())
            self.timeline.drain()

    def recorded_flow_log(self, records: Sequence[FlowRecord], machine: Machine) -> None:
        """Let Network Watcher append records that it wrote of another machine once, and let the functions work."""
        self._append(records, machine, ())
        self.timeline.drain()

    def operations(self, records: Sequence[Mapping[str, Any]], what: str) -> None:
        """Send Activity records through their event hub, as the subscription's diagnostic setting does."""
        self._send(API_CALLS, records, f"{len(records)} Activity records: {what}")

    def host_log(self, lines: ReplayedLines, machine: Machine) -> None:
        """Send a machine's Syslog through its event hub, as the workspace's data export does."""
        self._send(SYSTEM_LOGS, syslog_rows(lines, machine.name, machine.id), f"{len(lines.lines)} Syslog rows of {machine.name}")

    def event(self, hub: str, body: bytes, what: str) -> str:
        """Send one event to a hub and show it; return its correlation id."""
        correlation_id = Message.of(hub, body).id
        self.azure.host.hub(hub).send(body)
        self.timeline.handed(what, correlation_id, events=1)
        return correlation_id

    def incident(self, rule: Rule, entities: Sequence[Entity], about: str) -> str:
        """Open an incident in Sentinel, let its playbook call the app, and the functions work; return the incident's id."""
        incident_id, body = open_incident(self.azure.services, rule, entities)
        self.timeline.handed(f"incident: {rule.title}", incident_id, about, events=1)
        self.azure.host.request("triage_findings", body=json.dumps(body).encode(), principal_id=PLAYBOOK_PRINCIPAL_ID)
        self.timeline.drain()
        return incident_id

    def _send(self, hub: str, records: Sequence[Mapping[str, Any]], what: str) -> None:
        body = json.dumps({"records": list(records)}).encode()
        self.azure.host.hub(hub).send(body)
        self.timeline.handed(f"{what}, over {hub}", Message.of(hub, body).id, events=len(records))
        self.timeline.drain()

    def _append(self, records: Sequence[FlowRecord], machine: Machine, damaged: Sequence[str]) -> None:
        """Write each blob that these records belong to anew, so much longer; only the machine's own, the last, are shown."""
        blobs = self._by_blob(records)
        for name, new in sorted(blobs.items(), key=lambda blob: blob[1][0].mac in machine.macs):
            known = self._blobs.get(name, [])
            begin = len(document(known)) - _END if known else 0
            own = new[0].mac in machine.macs
            if own:
                known, damaged = [*known, *damaged], ()
            self._blobs[name] = known = [*known, *new]
            content = document(known)
            self.azure.write_flow_blob(VNET_FLOW_LOGS, name, content)
            tuples = sum(len(record.labels) for record in new)
            self.timeline.count(tuples)
            if own:
                what = f"flow-log blob of {machine.name} grew by {tuples:,} tuples"
                url = self.azure.storage.flow_blobs.get_blob_client(VNET_FLOW_LOGS, name).url
                self.timeline.handed(what, f"{url}@{begin}-{len(content) - _END}")

    def _by_blob(self, records: Sequence[FlowRecord]) -> dict[str, list[FlowRecord]]:
        found: dict[str, list[FlowRecord]] = {}
        for record in records:
            found.setdefault(self.estate.flow_log.blob(record.mac, record.time_ms), []).append(record)
        return found

    # --- response --------------------------------------------------------------------------------------------

    def take_back(self, action: str, kind: EntityKind, identifier: str) -> bool:
        """A person asks for the last containment of a target to be undone; False where nothing was contained."""
        applied = [entry for entry in self.operator.journal(action, kind, identifier) if entry.step == "APPLIED"]
        if applied:
            name = identifier.rpartition("/")[2]
            self.timeline.note(Kind.EVENT, f"ada asks for the undo of {action}", f"{kind} {name}", applied[-1].correlation_id)
            self.operator.undo(applied[-1].containment_id)
            self.timeline.drain()
        return bool(applied)

    def groups(self, machine: Machine) -> dict[str, str]:
        """The security group of each interface's own, by name."""
        return {nic: group or "none of its own" for nic, group in self.estate.groups_of(machine).items()}
