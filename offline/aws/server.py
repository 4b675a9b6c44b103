"""The embedded AWS as a process: moto's server with the repairs, our Lambda, and a small control interface.

``python -m offline.aws.server RUN_FOLDER`` listens on 127.0.0.1, writes its port to its standard output as one line and
serves until its standard input closes or it is told to end. :class:`offline.aws.embedded.EmbeddedAws` starts it.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from offline.aws.calls import CallLog, Fault, access_key_of, action_of
from offline.aws.clock import Clock
from offline.aws.emulator_binary import CACHE, emulator_binary, runtime_folder
from offline.aws.lambda_service import LambdaService, prune_packages

CONTROL = "/_embedded/"


class EmbeddedApplication:
    """WSGI application: control requests are answered here, all else goes to moto.

    Control requests (JSON in, JSON out; only for tests and the demo):

    ========================== ===========================================================
    ``POST clock``             ``{"advance_s": seconds}``: moves the queues' clock
    ``GET calls?since=n``      calls recorded from position n, and the position after them
    ``POST faults``            a :class:`~offline.aws.calls.Fault`
    ``GET queues``             per queue: messages visible, in flight, seconds to the next
    ``POST recycle``           ``{"function": name}``: the next call is a cold start
    ========================== ===========================================================
    """

    def __init__(self, moto: Any, service: LambdaService, log: CallLog, clock: Clock) -> None:
        self._moto, self._service, self._log, self._clock = moto, service, log, clock

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path.startswith(CONTROL):
            return self._control(path.removeprefix(CONTROL), environ, start_response)
        if not self._log.armed:
            return self._moto(environ, start_response)  # type: ignore[no-any-return]
        return self._with_faults(environ, start_response)

    def _with_faults(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = _read_body(environ)
        environ["wsgi.input"] = io.BytesIO(body)
        access_key = access_key_of(environ.get("HTTP_AUTHORIZATION", ""))
        function = self._service.name_of(access_key)
        fault = self._log.strike(function, action_of(environ, body), body) if function else None
        if fault is None:
            return self._moto(environ, start_response)  # type: ignore[no-any-return]
        answer: list[bytes] = []
        if fault.when == "after":
            answer = list(self._moto(environ, start_response))
        else:
            start_response("500 Internal Server Error", [("Content-Length", "0")])
        self._service.kill(access_key)
        return answer

    def _control(self, name: str, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = json.loads(_read_body(environ) or b"{}")
        status = "200 OK"
        answer: dict[str, Any] = {}
        if name == "clock":
            self._clock.advance(float(body.get("advance_s", 0)))
            answer = {"now": self._clock.now()}
        elif name == "calls":
            position, calls = self._log.since(int(environ.get("QUERY_STRING", "").removeprefix("since=") or 0))
            answer = {"position": position, "calls": [_as_dict(call) for call in calls]}
        elif name == "faults":
            self._log.arm(Fault(**body))
        elif name == "queues":
            answer = {"queues": _queues(self._clock)}
        elif name == "recycle":
            self._service.recycle(str(body["function"]))
        else:
            status, answer = "404 Not Found", {"error": f"no control request {name!r}"}
        payload = json.dumps(answer).encode()
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(payload)))])
        return [payload]


def _as_dict(call: Any) -> dict[str, str]:
    return {name: getattr(call, name) for name in call.__slots__}


def _read_body(environ: dict[str, Any]) -> bytes:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    return environ["wsgi.input"].read(length) if length else b""


def _queues(clock: Clock) -> dict[str, dict[str, float | int | None]]:
    from moto.sqs.models import sqs_backends

    now_ms = clock.now() * 1000
    found: dict[str, dict[str, float | int | None]] = {}
    for account in sqs_backends.values():
        for backend in account.values():
            for queue in backend.queues.values():
                hidden = [max(message.visible_at, message.delayed_until) for message in queue._messages]
                waiting = [at for at in hidden if at >= now_ms]
                found[queue.queue_arn] = {
                    "visible": len(hidden) - len(waiting),
                    "hidden": len(waiting),
                    "next_s": (min(waiting) - now_ms) / 1000 + 0.001 if waiting else None,
                }
    return found


def build(folder: Path, port: int) -> tuple[EmbeddedApplication, LambdaService]:
    """Apply the repairs to moto in this process and put the application together."""
    from moto.core.config import default_user_config
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    from offline.aws.repairs import api_calls, cloudformation, deliveries, events, functions, interfaces, machines, queues, tables

    default_user_config["iam"]["load_aws_managed_policies"] = True
    clock, log = Clock(), CallLog()
    packages = CACHE / "packages"
    prune_packages(packages)
    service = LambdaService(
        binary=emulator_binary(),
        runtime=runtime_folder(),
        packages=packages,
        folder=folder / "sandboxes",
        # An address, not a name: the SDK then puts the bucket into the path instead of a host name that nothing resolves.
        endpoint=f"http://127.0.0.1:{port}",
        credentials=functions.role_credentials,
    )
    queues.repair(clock)
    functions.repair(service)
    api_calls.repair(log, service)
    cloudformation.repair()
    deliveries.repair()
    events.repair()
    interfaces.repair()
    machines.repair()
    tables.repair()
    moto = DomainDispatcherApplication(create_backend_app)
    return EmbeddedApplication(moto, service, log, clock), service


def main(folder: Path) -> None:
    """Serve until standard input closes."""
    from moto.moto_server.werkzeug_app import MotoRequestHandler
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, _not_ready, threaded=True, request_handler=_quiet(MotoRequestHandler))
    os.environ["MOTO_PORT"] = str(server.server_port)
    server.app, service = build(folder, server.server_port)

    def stop(*_: object) -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()

    def watch() -> None:
        sys.stdin.buffer.read()
        stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started us; our input closes then
    threading.Thread(target=watch, daemon=True).start()
    print(server.server_port, flush=True)
    try:
        server.serve_forever(poll_interval=0.05)
    finally:
        service.close()


def _not_ready(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("503 Service Unavailable", [])
    return []


def _quiet(base: type) -> type:
    """Request handler without a log line per request, and with TCP_NODELAY (small answers on kept connections)."""
    return type("QuietRequestHandler", (base,), {"log_request": lambda *args: None, "disable_nagle_algorithm": True})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
