"""Client of the server's control interface: clock, recorded calls, faults, queue depths."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import asdict, dataclass
from typing import Any

from offline.aws.calls import Call, Fault


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """Messages of one queue: visible now, hidden (in flight or delayed), and when the next of those turns visible."""

    visible: int
    hidden: int
    next_s: float | None


class Control:
    """What tests and demo may ask of the server beyond the AWS APIs."""

    def __init__(self, endpoint: str) -> None:
        self._base = f"{endpoint}/_embedded/"

    def advance_clock(self, seconds: float) -> None:
        """Move the queues' clock forward."""
        self._ask("clock", {"advance_s": seconds})

    def calls(self, since: int = 0) -> tuple[int, list[Call]]:
        """Calls recorded from that position on, and the position after them."""
        answer = self._ask(f"calls?since={since}")
        return answer["position"], [Call(**call) for call in answer["calls"]]

    def arm(self, fault: Fault) -> None:
        """Kill a function's process once, at the call that the fault names."""
        self._ask("faults", asdict(fault))

    def queues(self) -> dict[str, QueueDepth]:
        """Depth of every queue, by ARN."""
        return {arn: QueueDepth(**depth) for arn, depth in self._ask("queues")["queues"].items()}

    def recycle(self, function: str) -> None:
        """End the idle sandboxes of a function: its next invocation is a cold start."""
        self._ask("recycle", {"function": function})

    def _ask(self, name: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self._base + name, data), timeout=30) as answer:  # noqa: S310 - our own server
            return json.load(answer)  # type: ignore[no-any-return]
