"""What every scene plays on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from offline import journal
from offline.aws.embedded import ACCOUNT, EmbeddedAws
from offline.seed import World
from offline.timeline import Timeline
from response.journal import JournalEntry


@dataclass(frozen=True, slots=True)
class Stage:
    """The embedded AWS, the seeded account and the timeline."""

    aws: EmbeddedAws
    world: World
    timeline: Timeline

    def journal(self, action: str, kind: str, identifier: str) -> list[JournalEntry]:
        """What the journal holds of an action on one target."""
        return journal.entries(self.aws, action, kind, identifier)

    def send(self, queue: str, body: Mapping[str, Any]) -> None:
        """Put a message into a queue, given its name in the outputs (``Containments``)."""
        url = self.aws.outputs()[f"{queue}QueueUrl"]
        self.aws.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(body))

    def undo(self, containment_id: str, person: str) -> None:
        """Ask for an undo as the operator's command does."""
        self.send("Containments", {"undo": containment_id, "approved_by": f"arn:aws:iam::{ACCOUNT}:user/{person}"})
