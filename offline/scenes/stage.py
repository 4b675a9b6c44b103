"""What every scene plays on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from offline import journal
from offline.aws import on_call
from offline.aws.deployment import HOST_LOGS
from offline.aws.embedded import EmbeddedAws
from offline.replay.replayed import ReplayedCalls, ReplayedFlows, ReplayedLines
from offline.report.record import Kind
from offline.seed import Instance, Role, World, groups_of, launch
from offline.telemetry import put_cloudtrail, put_flow_log
from offline.timeline import Timeline
from response.journal import JournalEntry
from training.scenarios import envelope


@dataclass(frozen=True, slots=True)
class Stage:
    """The embedded AWS, the seeded account and the timeline."""

    aws: EmbeddedAws
    world: World
    timeline: Timeline

    @staticmethod
    def now() -> datetime:
        """When what is replayed has just happened."""
        return datetime.now(UTC).replace(microsecond=0)

    def launch(self, name: str) -> Instance:
        """Start a web server of its own for a scene, so that no scene sees another one's signals."""
        web, management = self.world.groups["web"], self.world.groups["management"]
        return launch(self.aws, name, self.world.subnets, [[web, management], [web]])

    @property
    def lake(self) -> str:
        """Name of the lake's bucket."""
        return str(self.aws.outputs()["LakeBucketName"])

    # --- telemetry in ----------------------------------------------------------------------------------------

    def put(self, event: Mapping[str, Any], text: str, detail: str = "") -> str:
        """Put an event on the bus and show it; return its correlation id."""
        correlation_id = self.aws.put_event(event)
        self.timeline.handed(text, correlation_id, detail, events=1)
        return correlation_id

    def flow_log(self, flows: ReplayedFlows, *, objects: int = 1) -> None:
        """Put flow logs into the lake, as the service delivers them, and let the functions work."""
        for text in flows.objects(objects):
            key = put_flow_log(self.aws, text)
            self.timeline.handed(f"flow-log object, {text.count(10) - 1:,} records", self._url(key))
        self.timeline.count(flows.records)
        self.timeline.drain()

    def trail(self, records: Sequence[Mapping[str, Any]], what: str) -> None:
        """Put a CloudTrail log file into the lake, as the trail does, and let the functions work."""
        key = put_cloudtrail(self.aws, records)
        self.timeline.handed(f"CloudTrail object, {len(records)} records: {what}", self._url(key))
        self.timeline.count(len(records))
        self.timeline.drain()

    def calls(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Send CloudTrail records over the bus, the fast path, and let the functions work."""
        for record in records:
            who = str(record["userIdentity"]["arn"]).rpartition(":")[2]
            self.put(envelope(dict(record)), f"{record['eventName']}, over the bus", f"by {who}")
        self.timeline.drain()

    def host_log(self, lines: ReplayedLines, machine: Instance) -> None:
        """Write lines into the machine's stream of the subscribed log group, and let the functions work."""
        logs = self.aws.client("logs")
        logs.create_log_stream(logGroupName=HOST_LOGS, logStreamName=machine.id)
        events = [{"timestamp": time_ms, "message": line} for time_ms, line in lines.lines]
        logs.put_log_events(logGroupName=HOST_LOGS, logStreamName=machine.id, logEvents=events)
        self.timeline.handed(f"{len(events)} lines of {machine.name}'s log, over the subscription", "")
        self.timeline.count(len(events))
        self.timeline.drain()

    def whole_story(self, calls: ReplayedCalls) -> None:
        """The principal's history by the trail, then the attack over the bus."""
        if calls.history:
            self.trail(calls.history, "what the session did before")
        self.calls(calls.attack)

    def _url(self, key: str) -> str:
        return f"s3://{self.lake}/{key}"

    # --- response --------------------------------------------------------------------------------------------

    def journal(self, action: str, kind: str, identifier: str) -> list[JournalEntry]:
        """What the journal holds of an action on one target."""
        return journal.entries(self.aws, action, kind, identifier)

    def steps(self, action: str, kind: str, identifier: str) -> list[str]:
        """The steps of an action on one target, in order."""
        return [str(entry.step) for entry in self.journal(action, kind, identifier)]

    def send(self, queue: str, body: Mapping[str, Any]) -> None:
        """Put a message into a queue, given its name in the outputs (``Containments``)."""
        self.send_text(queue, json.dumps(body))

    def send_text(self, queue: str, body: str) -> None:
        """As :meth:`send`, for a body that is written already."""
        url = self.aws.outputs()[f"{queue}QueueUrl"]
        self.aws.client("sqs").send_message(QueueUrl=url, MessageBody=body)

    def undo(self, containment_id: str, person: str) -> None:
        """Ask for an undo as the operator's command does."""
        body = json.dumps({"undo": containment_id, "approved_by": on_call.arn_of(person)})
        on_call.send(self.aws, person, "breakwater-containments", body)

    def take_back(self, action: str, kind: str, identifier: str) -> bool:
        """A person asks for the last containment of a target to be undone; False where nothing was contained."""
        applied = [entry for entry in self.journal(action, kind, identifier) if entry.step == "APPLIED"]
        if applied:
            self.timeline.note(
                Kind.EVENT, f"ada asks for the undo of {action}", f"{kind} {identifier}", applied[-1].correlation_id
            )
            self.undo(applied[-1].containment_id, "ada")
            self.timeline.drain()
        return bool(applied)

    def groups(self, machine: Instance) -> dict[str, list[str]]:
        """The machine's security groups by interface, by name where the account's own."""
        names = {identifier: f"{identifier} ({name})" for name, identifier in self.world.groups.items()}
        found = groups_of(self.aws, machine)
        return {interface: [names.get(each, f"{each} (quarantine)") for each in ids] for interface, ids in found.items()}

    def policies(self, role: Role) -> dict[str, Any]:
        """The role's inline policies."""
        iam = self.aws.client("iam")
        names = iam.list_role_policies(RoleName=role.name)["PolicyNames"]
        return {name: iam.get_role_policy(RoleName=role.name, PolicyName=name)["PolicyDocument"] for name in names}
