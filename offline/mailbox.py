"""Somebody who is told: a queue that subscribes to the notices."""

from __future__ import annotations

import json
import re

from offline.aws.embedded import EmbeddedAws


class Mailbox:
    """What came to one subscriber, oldest first.

    Parameters
    ----------
    aws : EmbeddedAws
    name : str
        Of its queue.
    """

    def __init__(self, aws: EmbeddedAws, name: str) -> None:
        self._sqs = aws.client("sqs")
        self._url = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        aws.client("sns").subscribe(TopicArn=aws.outputs()["NotificationTopicArn"], Protocol="sqs", Endpoint=arn)
        self._texts: list[str] = []

    def texts(self) -> list[str]:
        """Return everything that came."""
        while found := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages", []):
            for message in found:
                self._texts.append(json.loads(message["Body"])["Message"])
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return self._texts

    def link_to(self, proposal_id: str) -> str:
        """Return the link to a proposal, as it stands in the newest notice that has one. Raises LookupError."""
        found = [link for text in self.texts() for link in re.findall(rf"https://\S+/proposals/{proposal_id}\?\S+", text)]
        if not found:
            raise LookupError(f"no notice has a link to proposal {proposal_id}")
        return str(found[-1])
