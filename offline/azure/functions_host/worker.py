"""First code of the child process: connects the real Functions library with the host, as Azure's own worker does.

Runs as a script under ``python -I -S`` (no site packages, no environment variables that Python reads), started by
:mod:`offline.azure.functions_host.worker_process`: ``worker.py APP LIBRARY HOST_PORT WORKER_ID``. It imports nothing of ours.
The path holds the deploy folder, the distributions in it, and behind them the library: what the folder lacks cannot be imported.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import queue
import sys
import threading
import traceback
from typing import Any

app, library, port, worker_id = sys.argv[1:5]
sys.path[:0] = [app, f"{app}/.python_packages/lib/site-packages"]
sys.path.append(library)

import functions_protocol as protos  # noqa: E402
import grpc  # noqa: E402

_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_LEVELS = {10: "Debug", 20: "Information", 30: "Warning", 40: "Error", 50: "Critical"}
#: Kind of request → kind of its answer. The library has a function of each request's name.
_ANSWERS = {
    "worker_init_request": "worker_init_response",
    "functions_metadata_request": "function_metadata_response",
    "function_load_request": "function_load_response",
    "invocation_request": "invocation_response",
}
Outgoing = queue.SimpleQueue[Any]


class Request:
    """A request in the form that the library takes."""

    def __init__(self, name: str, message: Any) -> None:
        self.name, self.request, self.properties = name, message, {"protos": protos, "host": "127.0.0.1"}


class HostLog(logging.Handler):
    """Sends log records to the host, each with the invocation that it belongs to."""

    def __init__(self, outgoing: Outgoing) -> None:
        super().__init__()
        self._outgoing = outgoing

    def emit(self, record: logging.LogRecord) -> None:
        """As logging.Handler."""
        runtime = sys.modules.get("azure_functions_runtime")
        invocation_id = runtime.invocation_id_cv.get() if runtime else None
        log = protos.RpcLog(
            level=getattr(protos.RpcLog, _LEVELS.get(record.levelno, "Information")),
            message=self.format(record),
            category=record.name,
            log_category=getattr(protos.RpcLog, "System" if record.name.startswith("azure.functions") else "User"),
            invocation_id=invocation_id or "",
        )
        self._outgoing.put(protos.StreamingMessage(request_id=worker_id, rpc_log=log))


class Worker:
    """Answers the host's requests, each as a task of its own."""

    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, channel: grpc.Channel) -> None:
        """Serve until the host hangs up or says so."""
        self._outgoing.put(protos.StreamingMessage(request_id=worker_id, start_stream=protos.StartStream(worker_id=worker_id)))
        threading.Thread(target=self._receive, args=(channel,), name="from-host", daemon=True).start()
        await self._ended

    def _receive(self, channel: grpc.Channel) -> None:
        with contextlib.suppress(grpc.RpcError):
            for message in protos.FunctionRpcStub(channel).EventStream(iter(self._outgoing.get, None)):
                self._loop.call_soon_threadsafe(self._begin, message)
        self._loop.call_soon_threadsafe(self._ended.set_result, None)

    def _begin(self, message: Any) -> None:
        task = self._loop.create_task(self._answer(message))
        self._tasks.add(task)  # the loop itself keeps only a weak reference
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, message: Any) -> None:
        kind = message.WhichOneof("content")
        if kind not in _ANSWERS:
            return
        try:
            answer = {_ANSWERS[kind]: await self._ask(kind, message)}
        except BaseException:  # noqa: BLE001 - a defect of the library or of this script: the host must see it and not wait
            traceback.print_exc()
            os._exit(70)
        self._outgoing.put(protos.StreamingMessage(request_id=message.request_id, **answer))

    async def _ask(self, kind: str, message: Any) -> Any:
        import azure_functions_runtime as runtime

        if kind == "worker_init_request":
            runtime.start_threadpool_executor()
        if kind == "invocation_request":
            runtime.invocation_id_cv.set(message.invocation_request.invocation_id)  # this task's own context
        return await getattr(runtime, kind)(Request(kind, message))


async def main() -> None:
    """Connect and serve."""
    outgoing: Outgoing = queue.SimpleQueue()
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.addHandler(HostLog(outgoing))
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=_UNLIMITED) as channel:
        await Worker(outgoing).run(channel)


asyncio.run(main())
os._exit(0)  # threads of a function that still runs do not keep the process
