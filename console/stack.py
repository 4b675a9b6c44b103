"""Where Breakwater was deployed: table and queue, by the names that the infrastructure gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lambdas.adapters.journal import DynamoJournal
from lambdas.clients import Clients
from lambdas.cloud_errors import in_core_words


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment, by its name prefix.

    Attributes
    ----------
    clients : Clients
        Under the operator's own identity.
    name : str
        As in the ``breakwater:name`` setting.
    """

    clients: Clients
    name: str = "breakwater"

    @property
    def journal(self) -> DynamoJournal:
        """The journal, to read."""
        return DynamoJournal(self.clients, f"{self.name}-journal")

    def streams(self) -> Iterator[str]:
        """Yield the name of every stream. Reads the whole table's keys: for a person, not for a function."""
        seen: set[str] = set()
        with in_core_words("journal"):
            pages = self.clients("dynamodb").get_paginator("scan")
            for page in pages.paginate(TableName=f"{self.name}-journal", ProjectionExpression="pk"):
                new = {item["pk"]["S"] for item in page["Items"]} - seen
                seen |= new
                yield from sorted(new)

    def ask_for_undo(self, body: str) -> None:
        """Send a request to the function that undoes."""
        with in_core_words("containments queue"):
            sqs = self.clients("sqs")
            url = sqs.get_queue_url(QueueName=f"{self.name}-containments")["QueueUrl"]
            sqs.send_message(QueueUrl=url, MessageBody=body)

    def operator(self) -> str:
        """ARN of whoever runs this command: the journal keeps it as who approved."""
        with in_core_words("caller identity"):
            return str(self.clients("sts").get_caller_identity()["Arn"])
