"""Follow one event through the deployed functions: by its correlation id, into the journal, and back."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

from offline import journal
from offline.aws import on_call
from offline.aws.embedded import EmbeddedAws
from offline.findings import domain_request, port_probe
from offline.seed import Instance, World, launch
from response.answers import answer_body
from response.containment import fold
from response.journal import JournalEntry
from response.proposals import Proposal, digest

#: Who answers, and asks for undos.
ADA = on_call.arn_of("ada")


@dataclass(frozen=True)
class Followed:
    """An embedded AWS seen through its logs and its journal."""

    aws: EmbeddedAws

    def fresh_instance(self, world: World, **tags: str) -> Instance:
        """A machine of three interfaces that no other test knows."""
        web, management = world.groups["web"], world.groups["management"]
        groups = [[web, management], [web], [management]]
        return launch(self.aws, f"fresh-{uuid.uuid4().hex[:8]}", world.subnets, groups, tags=tags)

    def attack(self, world: World, instance: Instance) -> tuple[str, str]:
        """Two independent findings about a machine; their correlation ids."""
        return self.aws.put_event(port_probe(world, instance)), self.aws.put_event(domain_request(world, instance))

    def log(self, function: str, correlation_id: str, message: str = "") -> list[dict[str, Any]]:
        """Log entries of a function about one event."""
        entries = self.aws.logs(function)
        return [each for each in entries if each.get("correlation_id") == correlation_id and message in ("", each["message"])]

    def journal(self, action: str, kind: str, identifier: str) -> list[JournalEntry]:
        """The journal's stream about one target, as the functions' own adapter reads it."""
        return journal.entries(self.aws, action, kind, identifier)

    def steps(self, instance: Instance) -> list[str]:
        """Steps of the quarantine of a machine."""
        return [str(entry.step) for entry in self.journal("quarantine_instance", "instance", instance.id)]

    def containment_id(self, instance: Instance) -> str:
        """Id of the applied quarantine of a machine."""
        entries = self.journal("quarantine_instance", "instance", instance.id)
        return next(entry.containment_id for entry in entries if entry.step == "APPLIED")

    def send(self, queue: str, body: str | dict[str, Any]) -> str:
        """Put a message into a queue (logical name); its message id."""
        sqs = self.aws.client("sqs")
        url = sqs.get_queue_url(QueueName=f"breakwater-{queue}")["QueueUrl"]
        text = body if isinstance(body, str) else json.dumps(body)
        return str(sqs.send_message(QueueUrl=url, MessageBody=text)["MessageId"])

    def undo(self, containment_id: str) -> None:
        """What ``breakwater undo`` sends."""
        on_call.send(self.aws, "ada", "breakwater-containments", json.dumps({"undo": containment_id, "approved_by": ADA}))

    def proposal(self, instance: Instance) -> Proposal:
        """What is proposed about a machine."""
        entries = self.journal("quarantine_instance", "instance", instance.id)
        return next(iter(fold(entries[0].stream, entries).proposals.values()))

    def approve(self, proposal: Proposal) -> None:
        """What ``breakwater approve`` sends, as the person on call."""
        body = answer_body(proposal.id, approves=True, by=ADA, request=str(uuid.uuid4()), plan=digest(proposal.plan))
        on_call.send(self.aws, "ada", "breakwater-answers", body)

    def dead_letter(self, queue: str, body: str) -> dict[str, Any]:
        """The one dead letter with that body."""
        found = [letter for letter in self.aws.dead_letters(queue) if letter["Body"] == body]
        assert len(found) == 1, f"{len(found)} dead letters with that body"
        return found[0]
