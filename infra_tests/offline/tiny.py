"""Tiny functions on an embedded AWS without Breakwater: what the emulation itself is tested with."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from dataclasses import dataclass
from typing import Any

from offline.aws.embedded import EmbeddedAws

#: Answers as its events say: each record's body is a JSON object that names what to do.
TINY = """
import json, os, sys, time

STATE = {"calls": 0}

def handler(event, context):
    STATE["calls"] += 1
    if "Records" not in event:
        return do(event, context)
    failures = []
    for record in event["Records"]:
        body = json.loads(record["body"])
        print(json.dumps({"id": body.get("id"), "count": record["attributes"]["ApproximateReceiveCount"],
                          "group": record["attributes"].get("MessageGroupId"), "batch": len(event["Records"])}))
        if int(record["attributes"]["ApproximateReceiveCount"]) <= body.get("fail", 0):
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}

def do(event, context):
    what = event.get("do")
    if what == "raise":
        raise ValueError("as asked")
    if what == "exit":
        os._exit(3)
    if what == "sleep":
        time.sleep(event["seconds"])
    if what == "path":
        return sys.path
    if what == "import":
        __import__(event["module"])
    if what == "environment":
        return dict(os.environ)
    return {"calls": STATE["calls"], "remaining_ms": context.get_remaining_time_in_millis(), "arn": context.invoked_function_arn}
"""


@dataclass(frozen=True)
class Tiny:
    """A tiny function of its own for one test."""

    aws: EmbeddedAws
    name: str

    def invoke(self, event: Any) -> tuple[bool, Any]:
        answer = self.aws.client("lambda").invoke(FunctionName=self.name, Payload=json.dumps(event))
        return "FunctionError" in answer, json.loads(answer["Payload"].read())

    def fed_by(self, *, fifo: bool = False, receives: int = 3, **mapping: Any) -> Queue:
        sqs, suffix = self.aws.client("sqs"), ".fifo" if fifo else ""
        kind = {"FifoQueue": "true"} if fifo else {}
        dead = sqs.create_queue(QueueName=f"{self.name}-dead-letters{suffix}", Attributes=kind)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": receives})
        url = sqs.create_queue(
            QueueName=f"{self.name}-queue{suffix}", Attributes={"RedrivePolicy": redrive, "VisibilityTimeout": "360", **kind}
        )["QueueUrl"]
        source = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        settings = {"BatchSize": 10, "FunctionResponseTypes": ["ReportBatchItemFailures"], **mapping}
        self.aws.client("lambda").create_event_source_mapping(EventSourceArn=source, FunctionName=self.name, **settings)
        return Queue(self.aws, url, self.name)


@dataclass(frozen=True)
class Queue:
    aws: EmbeddedAws
    url: str
    function: str

    def send(self, body: dict[str, Any], group: str = "", deduplication: str = "") -> None:
        fifo = {"MessageGroupId": group, "MessageDeduplicationId": deduplication or uuid.uuid4().hex} if group else {}
        self.aws.client("sqs").send_message(QueueUrl=self.url, MessageBody=json.dumps(body), **fifo)

    def seen(self) -> list[dict[str, Any]]:
        """What the function printed of each record, in order."""
        return [entry for entry in self.aws.logs(self.function) if "count" in entry]

    def dead(self) -> list[Any]:
        return [json.loads(message["Body"]) for message in self.aws.dead_letters(self.function)]


def package(source: str = TINY, **files: str) -> bytes:
    """Zip of a function."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in {"app.py": source, **files}.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def deploy_tiny(aws: EmbeddedAws) -> Tiny:
    """Deploy one under a fresh name."""
    name = f"tiny-{uuid.uuid4().hex[:12]}"
    lambda_may = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [lambda_may]})
    role = aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    aws.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=role,
        Handler="app.handler",
        Code={"ZipFile": package()},
        Timeout=2,
        Environment={"Variables": {"GIVEN": "yes"}},
    )
    return Tiny(aws, name)
