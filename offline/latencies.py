"""Where the time of a containment went, from the functions' own metrics and the poller's deliveries."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from offline.report.record import Latency

_CONTAINED = "APPLIED"


class Latencies:
    """Follows one scene: telemetry handed over, a detecting function's delivery, the response's delivery.

    Kept is the chain that led to a change; where nothing was changed, the last one that came to a decision.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._handed = clock()
        self._telemetry_ms = 0.0
        self._decision_ms: float | None = None
        self._result: Latency | None = None
        self._contained = False

    def handed(self) -> None:
        """Telemetry is handed to the cloud now."""
        self._handed = self._clock()

    def delivered(self, function: str, duration_s: float, entries: Iterable[Mapping[str, Any]]) -> None:
        """A delivery to a function has just ended, and this is what it logged."""
        entries = list(entries)
        own_ms, services_ms = metric(entries, "OwnTime"), metric(entries, "ServiceTime")
        if function.startswith("detect_") or function.startswith("triage_"):
            self._telemetry_ms = max(0.0, (self._clock() - duration_s - self._handed) * 1000)
            self._decision_ms = own_ms
        elif function == "respond" and self._decision_ms is not None and not self._contained:
            self._result = Latency(self._telemetry_ms, self._decision_ms, own_ms + services_ms)
            self._contained = any(entry.get("step") == _CONTAINED for entry in entries)

    def result(self) -> Latency | None:
        """The scene's latency; None where nothing was decided."""
        return self._result


def metric(entries: Iterable[Mapping[str, Any]], name: str) -> float:
    """Sum of a metric in what a function logged: CloudWatch's embedded format, or the line of metrics of an Azure function."""
    total = 0.0
    for entry in entries:
        if "_aws" in entry:
            total += sum(entry.get(name, ()))
        elif entry.get("message") == "metrics":
            total += entry["metrics"].get(f"{name}Ms", 0.0)
    return total
