"""The local services as a process of their own, with a small control interface for tests and the demo.

``python -m offline.azure.services_server FOLDER`` makes certificates in the folder, listens on 127.0.0.1, writes what callers
must know to its standard output as one line of JSON, and serves until its standard input closes.
:class:`offline.azure.services_process.ServicesProcess` starts it.

Control requests (JSON in, JSON out, plain http):

======================== ==========================================================================
``GET calls?since=n``    calls recorded from position n on, and the position after them
``GET resource?id=``     a resource, rule or subnet as Resource Manager would answer it now
``GET assignments?id=``  the role assignments of a principal
``GET directory?id=``    what the directory holds of an object
``GET rows?id=``         the rows that a stream took
``GET comments?id=``     the messages on an incident
``POST faults``          ``{"service": "arm", "order": "throttle", "arguments": {"times": 3}}``
``POST grants``          ``{"client_id": …, "operations": […]}``: exactly what it may do from now on
``POST finish``          ends all asynchronous operations
======================== ==========================================================================
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from offline.azure.certificates import make_certificates
from offline.azure.endpoint import Endpoint, Refusal
from offline.azure.services import Services
from offline.azure.web import Answer, BadBody, Request, WebService

ORDERS = ("throttle", "conflict", "changed_meanwhile", "fail", "tear_off", "slow", "fail_operation", "clear")


class Control:
    """Answers the control requests of :mod:`offline.azure.services_server`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._reads: Mapping[str, Callable[[str], Any]] = {
            "resource": services.arm.resource,
            "assignments": services.arm.roles.assignments,
            "directory": services.graph.object,
            "rows": services.logs.rows,
            "comments": services.arm.incidents.comments,
        }

    def answer(self, request: Request) -> Answer:
        """Answer one request; what cannot be done says why."""
        name = request.path.strip("/")
        try:
            if request.method == "GET" and name == "calls":
                return self._calls(int(request.query.get("since", "0")))
            if request.method == "GET" and name in self._reads:
                return Answer(200, self._reads[name](request.query.get("id", "")))
            if request.method == "POST":
                return self._do(name, request.object())
        except Refusal as refusal:
            return refusal.answer()
        except (BadBody, KeyError, TypeError, ValueError) as error:
            return Answer(400, {"error": {"code": "BadControlRequest", "message": f"{name}: {error!r}"}})
        return Answer(404, {"error": {"code": "NoSuchControlRequest", "message": f"{request.method} {name}"}})

    def _calls(self, since: int) -> Answer:
        calls = self._services.calls.calls(since=since)
        return Answer(200, {"position": since + len(calls), "calls": [asdict(call) for call in calls]})

    def _do(self, name: str, body: Mapping[str, Any]) -> Answer:
        if name == "finish":
            self._services.arm.finish_operations()
        elif name == "grants":
            self._services.grants.allow(str(body["client_id"]), [str(one) for one in body["operations"]])
        elif name == "faults":
            if body["order"] not in ORDERS:
                raise ValueError(f"{body['order']} is none of {', '.join(ORDERS)}")
            endpoints: Mapping[str, Endpoint] = {
                endpoint.name: endpoint for endpoint in (self._services.arm, self._services.graph, self._services.logs)
            }
            getattr(endpoints[body["service"]].faults, body["order"])(**body.get("arguments", {}))
        else:
            return Answer(404, {"error": {"code": "NoSuchControlRequest", "message": f"POST {name}"}})
        return Answer(200, {})


def main(folder: Path) -> None:
    """Serve until standard input closes."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started us; our input closes then

    def watch() -> None:
        sys.stdin.buffer.read()
        ended.set()

    threading.Thread(target=watch, daemon=True).start()
    with Services(make_certificates(folder)) as services, WebService(Control(services).answer) as control:
        known = {
            "control": control.url,
            "environment": services.environment,
            "settings": dict(services.settings),
            "world": asdict(services.world),
            "identities": {group: asdict(one) for group, one in services.identities.items()},
        }
        print(json.dumps(known), flush=True)
        ended.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
