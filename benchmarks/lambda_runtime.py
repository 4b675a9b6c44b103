"""API call → verdict in the warm Lambda runtime: our own time, and the emulated services' share apart.

The packaged ``detect_api_calls`` runs deployed on the embedded AWS, in the real Lambda runtime. Each invocation brings one
CloudTrail record of a scenario as EventBridge delivers it. Own time and services' time are the function's own metrics.
The baseline is an invocation without any message: the runtime, the batch loop and the metrics.
``python -m benchmarks.lambda_runtime``
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, cycle, islice
from typing import Any

from benchmarks.machine import describe
from offline.aws.embedded import ACCOUNT, REGION, EmbeddedAws
from shared_model.events import Telemetry
from training.scenarios import envelope, generate

LIMIT_MS = 5.0
#: The paper's decision latency on AWS.
PAPER_MS = 140.0
_WARM_UP, _MEASURED = 30, 300


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of one invocation: our own computing, and waiting for AWS services."""

    own_ms: float
    services_ms: float


def invocations(aws: EmbeddedAws, events: Iterator[dict[str, Any]]) -> list[Timing]:
    """Invoke ``detect_api_calls`` with each event; return the timing of each invocation, in order."""
    client, name = aws.client("lambda"), aws.function_name("detect_api_calls")
    before = len(_metrics(aws))
    for event in events:
        answer = client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        if answer.get("FunctionError") or json.loads(answer["Payload"].read()) != {"batchItemFailures": []}:
            raise RuntimeError("the function failed; its log ends:\n" + "\n".join(aws.log_lines("detect_api_calls")[-6:]))
    return [Timing(entry["OwnTime"][0], entry["ServiceTime"][0]) for entry in _metrics(aws)[before:]]


def main() -> None:
    """Deploy, invoke, print."""
    print(describe())
    with EmbeddedAws.start() as aws:
        aws.deploy(say=lambda line: None)
        invocations(aws, islice(_one_call_each(), _WARM_UP))
        calls = invocations(aws, islice(_one_call_each(), _WARM_UP, _WARM_UP + _MEASURED))
        empty = invocations(aws, iter([{"Records": []}] * 50))
    own = sorted(timing.own_ms for timing in calls)
    baseline = statistics.median(timing.own_ms for timing in empty)
    services = statistics.median(timing.services_ms for timing in calls)
    p50, p99 = own[len(own) // 2], own[len(own) * 99 // 100]
    print(f"API call → verdict, one record an invocation, {len(own)} warm invocations in the Lambda runtime")
    judged = "" if p50 <= LIMIT_MS else ": OVER"
    print(f"  own time            p50 {p50:6.2f} ms   p99 {p99:6.2f} ms   (limit p50 {LIMIT_MS} ms{judged})")
    print(f"  without a message   p50 {baseline:6.2f} ms   own time is {p50 / baseline:.1f} times that")
    print(f"  emulated services   p50 {services:6.2f} ms   (moto; on AWS: DynamoDB and SQS, single-digit milliseconds a call)")
    print(f"  the paper's decision latency {PAPER_MS:.0f} ms: {PAPER_MS / p50:.0f} times our p50")


def _one_call_each() -> Iterator[dict[str, Any]]:
    stories = cycle(generate(5, telemetry=Telemetry.API_CALLS, cloud="aws"))
    for number, record in enumerate(chain.from_iterable(story.records for story in stories)):
        body = json.dumps(envelope({**record, "eventID": f"{record['eventID']}-{number}"}))
        yield {
            "Records": [
                {
                    "messageId": f"message-{number}",
                    "body": body,
                    "attributes": {},
                    "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:breakwater-api-calls",
                }
            ]
        }


def _metrics(aws: EmbeddedAws) -> list[dict[str, Any]]:
    return [entry for entry in aws.logs("detect_api_calls") if "OwnTime" in entry]


if __name__ == "__main__":
    main()
