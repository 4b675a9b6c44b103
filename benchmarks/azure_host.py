"""The Function app in the real Functions library: cold start, and one API call → verdict over the host's protocol.

Each cold start is a process of its own over the packaged folder, from its start until every function is indexed and loaded.
Each warm invocation brings one Activity-log record as an event hub delivers it, in a batch of one. Its time is the worker's,
taken on the wire between it and the host (:mod:`benchmarks.wire`): protocol, library and function. What the embedded host takes
besides stands apart, since on Azure another program is the host; so do the emulated services, by the function's own metric. The
worker has one core, as an instance of 2,048 MB, and where there are more, host and services are kept off it: they are other
machines on Azure. Its processor time stands beside: all of its threads, HTTP and TLS to the services included, whatever else the
machine does. Two baselines: in turn with the records, the same function with an export that holds none, which is what protocol
and library take for a batch of an event hub whatever the function does; and a refused request.
``python -m benchmarks.azure_host``
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
from benchmarks.wire import Wire
from cdk.packaging.interpreters import find_python
from offline.azure.embedded import EmbeddedAzure
from offline.azure.functions_host.event_hubs import EventHub
from offline.azure.functions_host.invoker import Outcome
from offline.azure.functions_host.worker_process import Interpreter, WorkerProcess
from offline.azure.seed import SUBSCRIPTION_ID
from offline.processes import on_one_core, processor_s

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
    host_ms : float
        What the embedded host took besides, to say the one and hear the other.
    """

    own_ms: float
    function_ms: float
    services_ms: float
    empty_ms: float
    host_ms: float


def cold_starts(app: Path, python: Interpreter, folder: Path) -> list[float]:
    """Seconds from starting the process until all functions are loaded, for each of some starts."""
    taken = []
    for _ in range(_STARTS):
        started = time.perf_counter()
        worker = WorkerProcess(app, environment={}, log=lambda record: None, output=folder / "cold.log", python=python)
        taken.append(time.perf_counter() - started)
        worker.close()
    return taken


def warm(azure: EmbeddedAzure, wire: Wire, records: Iterator[dict[str, Any]], count: int) -> list[Timing]:
    """Invoke ``detect_api_calls`` with one record each, then with none; return the timing of each pair, in order."""
    timings = []
    for _ in range(count):
        outcome, metrics = _invoked(azure, [next(records)])
        took_ms, services_ms = wire.took_ms(outcome.invocation_id), metrics["ServiceTimeMs"]
        nothing, _ = _invoked(azure, [])
        empty_ms, host_ms = wire.took_ms(nothing.invocation_id), outcome.took_s * 1000 - took_ms
        timings.append(Timing(took_ms - services_ms, metrics["OwnTimeMs"], services_ms, empty_ms, host_ms))
    return timings


def _invoked(azure: EmbeddedAzure, records: list[dict[str, Any]]) -> tuple[Outcome, dict[str, float]]:
    """What became of one invocation, and what the function measured."""
    hub: EventHub = azure.host.hub("api-calls")
    hub.send(json.dumps({"records": records}).encode())
    (delivery,) = [each for each in azure.host.drain() if each.source == hub.name]
    if not delivery.outcome.ok:
        raise RuntimeError(f"the function failed: {delivery.outcome.error}")
    lines = [json.loads(each.record.message) for each in azure.host.logs(invocation_id=delivery.outcome.invocation_id)]
    metrics: dict[str, float] = next(line["metrics"] for line in lines if line["message"] == "metrics")
    if metrics.get("DeadLetters"):
        raise RuntimeError(f"the function could not read the record: {lines}")
    return delivery.outcome, metrics


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
        with Wire.tap() as wire, EmbeddedAzure.start(folder / "azure", app=app, python=python, way=wire.way) as azure:
            records, worker = activity_records(), azure.host.invoker.pid
            warm(azure, wire, records, _WARM_UP)
            anywhere = warm(azure, wire, records, _MEASURED)
            on_one_core(worker)
            warm(azure, wire, records, _WARM_UP)
            timings = warm(azure, wire, records, _MEASURED)
            before_s = processor_s(worker)
            for _ in range(_MEASURED):
                _invoked(azure, [next(records)])
            processor_ms = (processor_s(worker) - before_s) * 1000 / _MEASURED
            tiny = statistics.median(_tiny(azure, wire) for _ in range(_MEASURED))
    own = sorted(timing.own_ms for timing in timings)
    p50, p99 = own[len(own) // 2], own[len(own) * 99 // 100]
    empty = statistics.median(timing.empty_ms for timing in timings)
    services = statistics.median(timing.services_ms for timing in timings)
    on_all, whole = (statistics.median(part(timing) for timing in anywhere) for part in (_own, _with_host))
    judged = "" if p50 <= WARM_LIMIT_MS else ": OVER"
    version = f"Python {python.version[0]}.{python.version[1]}"
    print(f"API call → verdict over the host's protocol, {version}, one record an invocation, {len(own)} warm invocations")
    print(f"  own time            p50 {p50:6.2f} ms   p99 {p99:6.2f} ms   (limit p50 {WARM_LIMIT_MS} ms{judged})")
    print(f"  of it the function  p50 {statistics.median(timing.function_ms for timing in timings):6.2f} ms")
    print(f"  processor time    mean {processor_ms:6.2f} ms   (the whole worker, HTTP and TLS to the services included)")
    print(f"  an empty export     p50 {empty:6.2f} ms   own time is {p50 / empty:.1f} times that")
    print(f"  a refused request   p50 {tiny:6.2f} ms   own time is {p50 / tiny:.1f} times that")
    print(f"  emulated services   p50 {services:6.2f} ms   (Azurite; on Azure: Table storage, single-digit milliseconds a call)")
    print(f"  with every core     p50 {on_all:6.2f} ms   own time; {whole:.2f} ms with what the embedded host does besides")
    print(f"  the paper's decision latency {PAPER_MS:.0f} ms: {PAPER_MS / p50:.0f} times our p50")


def _own(timing: Timing) -> float:
    return timing.own_ms


def _with_host(timing: Timing) -> float:
    return timing.own_ms + timing.host_ms


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


def _tiny(azure: EmbeddedAzure, wire: Wire) -> float:
    """Milliseconds of a request that is refused before anything is looked at."""
    answer = azure.host.request("triage_findings", body=b"{}")
    if answer.status not in (401, 403):
        raise RuntimeError(f"a request of nobody was answered {answer.status}")
    return wire.took_ms(answer.invocation_id)


if __name__ == "__main__":
    main()
