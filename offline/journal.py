"""The journal of the embedded AWS, read as an operator reads it: with the functions' own adapter, under an operator's keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lambdas.adapters.journal import DynamoJournal
from offline.aws.embedded import ACCOUNT, EmbeddedAws
from response.journal import JournalEntry


@dataclass(slots=True)
class OperatorClients:
    """Clients of the embedded AWS in the adapters' own form."""

    aws: EmbeddedAws
    waited_s: float = 0.0

    def __call__(self, service: str, region: str = "") -> Any:
        return self.aws.client(service)


def entries(aws: EmbeddedAws, action: str, kind: str, identifier: str) -> list[JournalEntry]:
    """Everything that the journal holds of an action on one target, oldest first."""
    journal = DynamoJournal(OperatorClients(aws), aws.outputs()["JournalTableName"])
    return journal.stream(f"{action}#{ACCOUNT}/{kind}/{identifier}")
