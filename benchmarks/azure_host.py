"""The Function app in the real Functions library: cold start, and one API call → verdict over the host's protocol.

Each cold start is a process of its own over the packaged folder, from its start until every function is indexed and loaded.
Each warm invocation brings one Activity-log record as an event hub delivers it, in a batch of one. Its time is the host's:
protocol, library and function; the emulated services' share is the function's own metric and stands apart. The worker's
processor time stands beside it: all of its threads, HTTP and TLS to the services included, whatever else the machine does.
Two baselines: in turn with the records, the same function with an export that holds none, which is what host, protocol and
library take for a batch of an event hub whatever the function does; and a refused request. ``python -m benchmarks.azure_host``
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure_infra.packaging.folder import build
from azure_infra.packaging.targets import CLOUD, LOCAL
from benchmarks.machine import describe
from cdk.packaging.interpreters import find_python
from offline.azure.embedded import EmbeddedAzure
from offline.azure.functions_host.event_hubs import EventHub
from offline.azure.functions_host.worker_process import Interpreter, WorkerProcess
from offline.azure.seed import SUBSCRIPTION_ID
from offline.processes import processor_s

ROOT = Path(__file__).resolve().parents[1]
COLD_LIMIT_S, WARM_LIMIT_MS = 0.8, 5.0
#: The paper's decision latency on Azure.
PAPER_MS = 142.0
_STARTS, _WARM_UP, _MEASURED = 7, 30, 200


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of one invocation.

    Attributes
    ----------
    own_ms : float
        Protocol, library and function together, without waiting for services.
    function_ms : float
        The function's share of that.
    services_ms : float
        Waiting for services.
    empty_ms : float
        What the next invocation took, whose export held no record.
    """

    own_ms: float
    function_ms: float
    services_ms: float
    empty_ms: float


def cold_starts(app: Path, python: Interpreter, folder: Path) -> list[float]:
    """Seconds from starting the process until all functions are loaded, for each of some starts."""
    taken = []
    for _ in range(_STARTS):
        started = time.perf_counter()
        worker = WorkerProcess(app, environment={}, log=lambda record: None, output=folder / "cold.log", python=python)
        taken.append(time.perf_counter() - started)
        worker.close()
    return taken


def warm(azure: EmbeddedAzure, records: Iterator[dict[str, Any]], count: int) -> list[Timing]:
    """Invoke ``detect_api_calls`` with one record each, then with none; return the timing of each pair, in order."""
    timings = []
    for _ in range(count):
        took_ms, metrics = _invoked(azure, [next(records)])
        empty_ms, _ = _invoked(azure, [])
        timings.append(Timing(took_ms - metrics["ServiceTimeMs"], metrics["OwnTimeMs"], metrics["ServiceTimeMs"], empty_ms))
    return timings


def _invoked(azure: EmbeddedAzure, records: list[dict[str, Any]]) -> tuple[float, dict[str, float]]:
    """Milliseconds of one invocation, and what the function measured."""
    hub: EventHub = azure.host.hub("api-calls")
    hub.send(json.dumps({"records": records}).encode())
    (delivery,) = [each for each in azure.host.drain() if each.source == hub.name]
    if not delivery.outcome.ok:
        raise RuntimeError(f"the function failed: {delivery.outcome.error}")
    lines = [json.loads(each.record.message) for each in azure.host.logs(invocation_id=delivery.outcome.invocation_id)]
    metrics: dict[str, float] = next(line["metrics"] for line in lines if line["message"] == "metrics")
    if metrics.get("DeadLetters"):
        raise RuntimeError(f"the function could not read the record: {lines}")
    return delivery.outcome.took_s * 1000, metrics


def main() -> None:
    """Build, start, invoke, print."""
    print(describe())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for target in (LOCAL, CLOUD):
            program = find_python(target.python)
            if program is None:
                print(f"cold start, Python {target.version}: not measured, this machine has none")
                continue
            app, python = build(target, ROOT).path, Interpreter(program, target.python)
            taken = sorted(cold_starts(app, python, folder))
            judged = "" if taken[0] <= COLD_LIMIT_S else ": OVER"
            share = f"best {taken[0]:.2f} s   median {statistics.median(taken):.2f} s   of {len(taken)}"
            print(f"cold start to loaded, Python {target.version}   {share}   (limit {COLD_LIMIT_S} s{judged})")
        with EmbeddedAzure.start(folder / "azure", app=app, python=python) as azure:
            records = activity_records()
            warm(azure, records, _WARM_UP)
            timings = warm(azure, records, _MEASURED)
            worker = azure.host.invoker.pid
            before_s = processor_s(worker)
            for _ in range(_MEASURED):
                _invoked(azure, [next(records)])
            processor_ms = (processor_s(worker) - before_s) * 1000 / _MEASURED
            tiny = statistics.median(_tiny(azure) for _ in range(_MEASURED))
    own = sorted(timing.own_ms for timing in timings)
    p50, p99 = own[len(own) // 2], own[len(own) * 99 // 100]
    empty = statistics.median(timing.empty_ms for timing in timings)
    services = statistics.median(timing.services_ms for timing in timings)
    judged = "" if p50 <= WARM_LIMIT_MS else ": OVER"
    version = f"Python {python.version[0]}.{python.version[1]}"
    print(f"API call → verdict over the host's protocol, {version}, one record an invocation, {len(own)} warm invocations")
    print(f"  own time            p50 {p50:6.2f} ms   p99 {p99:6.2f} ms   (limit p50 {WARM_LIMIT_MS} ms{judged})")
    print(f"  of it the function  p50 {statistics.median(timing.function_ms for timing in timings):6.2f} ms")
    print(f"  processor time    mean {processor_ms:6.2f} ms   (the whole worker, HTTP and TLS to the services included)")
    print(f"  an empty export     p50 {empty:6.2f} ms   own time is {p50 / empty:.1f} times that")
    print(f"  a refused request   p50 {tiny:6.2f} ms   own time is {p50 / tiny:.1f} times that")
    print(f"  emulated services   p50 {services:6.2f} ms   (Azurite; on Azure: Table storage, single-digit milliseconds a call)")
    print(f"  the paper's decision latency {PAPER_MS:.0f} ms: {PAPER_MS / p50:.0f} times our p50")


def activity_records() -> Iterator[dict[str, Any]]:
    """Records of the Activity log, as diagnostic settings write them: one principal that reads and starts machines."""
    group = f"/SUBSCRIPTIONS/{SUBSCRIPTION_ID.upper()}/RESOURCEGROUPS/SHOP/PROVIDERS/MICROSOFT.COMPUTE/VIRTUALMACHINES"
    operations = ("START/ACTION", "RESTART/ACTION", "WRITE", "DEALLOCATE/ACTION")
    base = time.time()
    number = 0
    while True:
        operation = f"MICROSOFT.COMPUTE/VIRTUALMACHINES/{operations[number % len(operations)]}"
        yield {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(base + number)) + ".0000000Z",
            "resourceId": f"{group}/VM-{number % 5}",
            "operationName": operation,
            "category": "Administrative",
            "resultType": "Success",
            "resultSignature": "Succeeded.OK",
            "durationMs": "120",
            "callerIpAddress": "203.0.113.25",
            "correlationId": f"00000000-0000-4000-8000-{number:012d}",
            "identity": {
                "claims": {
                    "appid": "c44b4083-3bb0-49c1-b47d-974e53cbdf3c",
                    "http://schemas.microsoft.com/identity/claims/objectidentifier": "5e471e1a-0000-4000-8000-0000000000aa",
                    "idtyp": "app",
                }
            },
            "level": "Information",
        }
        number += 1


def _tiny(azure: EmbeddedAzure) -> float:
    """Milliseconds of a request that is refused before anything is looked at."""
    started = time.perf_counter()
    answer = azure.host.request("triage_findings", body=b"{}")
    if answer.status not in (401, 403):
        raise RuntimeError(f"a request of nobody was answered {answer.status}")
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
