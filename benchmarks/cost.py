"""What a million events of each kind cost on AWS, from what the deployed functions really did on the embedded AWS.

For each kind a typical batch goes through its function in the warm Lambda runtime, after others of the same entities ten minutes
apart: as many as fill what is remembered of them. Counted are the invocation's duration (the emulated services' share included,
which is slower than AWS's), its memory, every call that it made, the units of the table items that it read and wrote, and what
it logged. Prices: AWS list prices of us-east-1 as published in November 2026, without
free tier. Arm64 is priced; the duration is this machine's. ``python -m benchmarks.cost``
"""

from __future__ import annotations

import gzip
import json
import math
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.flow_lines import write_object
from benchmarks.machine import describe
from lambdas.registry import FUNCTIONS
from offline.aws.embedded import ACCOUNT, REGION, EmbeddedAws
from offline.findings import domain_request
from offline.seed import World, seed
from shared_model.events import Telemetry
from training.scenarios import envelope, generate

#: US dollars for one unit.
GB_SECOND = 0.0000133334
INVOCATION = 0.20e-6
SQS_REQUEST = 0.40e-6
TABLE_READ_UNIT = 0.125e-6  # 4 KB, strongly consistent, as entity memory is read
TABLE_WRITE_UNIT = 0.625e-6  # 1 KB
S3_PUT, S3_GET = 5e-6, 0.4e-6
KMS_REQUEST = 3e-6
LOG_GB = 0.50
_MESSAGES_A_REQUEST = 10
_TRIAGE_KEYS = 10
#: Batches before the one that is measured, and how far apart they are: ids are remembered for half an hour of events.
_BEFORE, _APART = 6, timedelta(minutes=10)

#: Items of entity memory by key.
Items = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars for a million events, by what they are paid for, and the batch that was measured."""

    kind: str
    batch: int
    duration_ms: float
    parts: dict[str, float]

    @property
    def total(self) -> float:
        """All parts together."""
        return sum(self.parts.values())


def measure(aws: EmbeddedAws, kind: str, function: str, events: int, batch: Callable[[timedelta], dict[str, Any]]) -> Cost:
    """Put one batch of ``events`` events through a warm function and price what it did; ``batch`` is told its time."""
    client, name = aws.client("lambda"), aws.function_name(function)
    for number in range(_BEFORE):
        _invoke(client, name, batch(number * _APART))
    before = _items(aws)
    position, logged, lines = aws.control.calls()[0], len(_metrics(aws, function)), len(aws.log_lines(function))
    event = batch(_BEFORE * _APART)
    _invoke(client, name, event)
    metrics = _metrics(aws, function)[logged:][0]
    duration_ms = metrics["OwnTime"][0] + metrics["ServiceTime"][0]
    calls = Counter(call.permission for call in aws.calls(function, since=position))
    log_bytes = sum(len(line) for line in aws.log_lines(function)[lines:])
    spec = next(each for each in FUNCTIONS if each.name == function)
    million = 1e6 / events
    messages = len(event["Records"])
    requests = messages + 2 * math.ceil(messages / _MESSAGES_A_REQUEST) + calls["sqs:SendMessage"] + calls["sqs:SendMessageBatch"]
    reads, writes = table_units(before, _items(aws), calls)
    return Cost(
        kind,
        events,
        duration_ms,
        {
            "compute": million * (duration_ms / 1000 * spec.memory_mb / 1024 * GB_SECOND + INVOCATION),
            "queues": million * SQS_REQUEST * requests,
            "tables": million * (reads * TABLE_READ_UNIT + writes * TABLE_WRITE_UNIT),
            "objects": million * (calls["s3:GetObject"] * S3_GET + calls["s3:PutObject"] * S3_PUT),
            "keys": million * (calls["s3:GetObject"] + calls["s3:PutObject"]) * KMS_REQUEST,
            "logs": million * log_bytes / 1e9 * LOG_GB,
        },
    )


def main() -> None:
    """Deploy, measure each kind, print a table."""
    print(describe())
    with EmbeddedAws.start() as aws, tempfile.TemporaryDirectory() as scratch:
        aws.deploy(say=lambda line: None)
        world = seed(aws)
        costs = [
            measure(aws, "flow records", "detect_flows", 100_000, lambda later: _flow_object(aws, Path(scratch), 100_000, later)),
            measure(aws, "API calls, fast path", "detect_api_calls", 50, lambda later: _envelopes(50, later)),
            measure(aws, "API calls, complete path", "detect_api_calls", 500, lambda later: _trail_object(aws, 500, later)),
            measure(aws, "system-log records", "detect_system_logs", 500, lambda later: _log_object(aws, 500, later)),
            measure(aws, "findings", "triage_findings", 1, lambda later: _finding(world, later)),
        ]
    names = list(costs[0].parts)
    print("US dollars for a million events")
    print(f"{'kind':26s} {'batch':>8s} {'duration':>10s} " + " ".join(f"{name:>9s}" for name in names) + f" {'total':>9s}")
    for cost in costs:
        parts = " ".join(f"{cost.parts[name]:9.4f}" for name in names)
        print(f"{cost.kind:26s} {cost.batch:8,d} {cost.duration_ms:7.1f} ms {parts} {cost.total:9.4f}")


def _memory(aws: EmbeddedAws) -> str:
    return next(name for name in aws.client("dynamodb").list_tables()["TableNames"] if "memory" in name)


def _items(aws: EmbeddedAws) -> Items:
    pages = aws.client("dynamodb").get_paginator("scan").paginate(TableName=_memory(aws))
    return {item["pk"]["S"]: item for page in pages for item in page["Items"]}


def table_units(before: Items, after: Items, calls: Counter[str]) -> tuple[int, int]:
    """Read and write units of one batch, from what lay in entity memory before and lies there after it.

    Each item that it wrote it has read as it was before; one that was not there costs a unit too. Reads are consistent.
    """
    written = [key for key, item in after.items() if before.get(key) != item]
    if not written:  # triage only reads: at most so many keys a call
        return calls["dynamodb:BatchGetItem"] * _TRIAGE_KEYS, 0
    reads = sum(max(1, math.ceil(_bytes(before.get(key, {})) / 4096)) for key in written)
    return reads, sum(math.ceil(_bytes(after[key]) / 1024) for key in written)


def _bytes(item: Mapping[str, Any]) -> int:
    return sum(len(name) + _size(value) for name, value in item.items())


def _size(value: dict[str, Any]) -> int:
    """Bytes of an attribute as DynamoDB counts them, to within a few."""
    ((kind, content),) = value.items()
    return 3 + sum(1 + _size(each) for each in content) if kind == "L" else len(content) // (2 if kind == "N" else 1) + 1


def _invoke(client: Any, name: str, event: dict[str, Any]) -> None:
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
    if answer.get("FunctionError") or json.loads(answer["Payload"].read()) != {"batchItemFailures": []}:
        raise RuntimeError(f"{name} failed: see its log")


def _metrics(aws: EmbeddedAws, function: str) -> list[dict[str, Any]]:
    return [entry for entry in aws.logs(function) if "OwnTime" in entry]


def _sqs(queue: str, *bodies: dict[str, Any]) -> dict[str, Any]:
    source = f"arn:aws:sqs:{REGION}:{ACCOUNT}:breakwater-{queue}"
    return {
        "Records": [
            {"messageId": f"message-{number}", "body": json.dumps(body), "attributes": {}, "eventSourceARN": source}
            for number, body in enumerate(bodies)
        ]
    }


def _stored(aws: EmbeddedAws, queue: str, key: str, content: bytes) -> dict[str, Any]:
    bucket = next(each["Name"] for each in aws.client("s3").list_buckets()["Buckets"] if "lake" in each["Name"])
    aws.client("s3").put_object(Bucket=bucket, Key=key, Body=content)
    return _sqs(queue, {"Records": [{"s3": {"bucket": {"name": bucket}, "object": {"key": key, "sequencer": "1"}}}]})


def _flow_object(aws: EmbeddedAws, scratch: Path, records: int, later: timedelta) -> dict[str, Any]:
    path = scratch / "flows.log.gz"
    write_object(path, records, version=5, begin=1_700_000_000 + int(later.total_seconds()))
    return _stored(aws, "flow-logs", f"benchmark/{later}/flows.log.gz", path.read_bytes())


def _records(count: int, later: timedelta) -> list[dict[str, Any]]:
    """Records of the same callers, ``later``."""
    stories = generate(0, telemetry=Telemetry.API_CALLS, cloud="aws")
    return [
        {
            **record,
            "eventID": f"{record['eventID']}-{later}",
            "eventTime": (datetime.fromisoformat(record["eventTime"]) + later).isoformat(),
        }
        for record in islice((record for story in stories for record in story.records), count)
    ]


def _envelopes(count: int, later: timedelta) -> dict[str, Any]:
    return _sqs("api-calls", *(envelope(record) for record in _records(count, later)))


def _trail_object(aws: EmbeddedAws, count: int, later: timedelta) -> dict[str, Any]:
    # A day later than what came by the fast path: it would be known.
    content = gzip.compress(json.dumps({"Records": _records(count, later + timedelta(days=1))}).encode())
    return _stored(aws, "api-calls", f"benchmark/CloudTrail/{later}.json.gz", content)


def _log_object(aws: EmbeddedAws, count: int, later: timedelta) -> dict[str, Any]:
    documents, found, shift = [], 0, int(later.total_seconds())
    for story in generate(0, telemetry=Telemetry.SYSTEM_LOGS, repeats=20):
        if story.log is None or found >= count:
            break
        taken = [
            {**line, "id": f"{line['id']}-{shift}", "timestamp": line["timestamp"] + 1000 * shift}
            for line in story.log["logEvents"][: count - found]
        ]
        found += len(taken)
        documents.append(json.dumps({**story.log, "logEvents": taken}))
    content = gzip.compress("\n".join(documents).encode())
    return _stored(aws, "system-logs", f"benchmark/system/{later}.gz", content)


def _finding(world: World, later: timedelta) -> dict[str, Any]:
    finding = domain_request(world, world.instances["database"])
    return _sqs("findings", {**finding, "id": f"{finding['detail']['id']}-{later}"})


if __name__ == "__main__":
    main()
