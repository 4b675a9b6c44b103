"""One worker process: the real Functions library over a deploy folder, spoken to over gRPC as the Functions host does.

Protocol: ``FunctionRpc.proto`` of azure-functions-language-worker-protobuf. The host is the gRPC server; the worker connects,
opens one stream for both directions, and answers requests by their id.
"""

from __future__ import annotations

import contextlib
import queue
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from offline import processes
from offline.azure.functions_host.library import library_folder, messages, protocol

_SCRIPT = Path(__file__).with_name("worker.py")
_START_S = 60.0
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class WorkerFailed(Exception):
    """The worker did not start, or the library could not index the app. Carries what it said."""


class WorkerEnded(Exception):
    """The worker's process ended while it owed an answer."""


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One line that the app or the library logged.

    Attributes
    ----------
    invocation_id : str
        ``""`` outside an invocation.
    category : str
        Name of the logger.
    level : str
        As the protocol names it: ``Information``, ``Warning``, ``Error``, …
    message : str
    system : bool
        The library's own, not the app's.
    """

    invocation_id: str
    category: str
    level: str
    message: str
    system: bool


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python that workers run in.

    Attributes
    ----------
    program : str
        Path of the interpreter, not that of a virtual environment.
    version : tuple of int
    """

    program: str
    version: tuple[int, int]


#: Gets the port that the host listens on, returns the one that the worker connects to: what lies between them may look at it.
Way = Callable[[int], int]
#: The interpreter of this process, without its virtual environment.
THIS_PYTHON = Interpreter(getattr(sys, "_base_executable", sys.executable), sys.version_info[:2])


class WorkerProcess:
    """A started worker with an indexed and loaded app.

    Parameters
    ----------
    app : Path
        Deploy folder.
    environment : mapping
        The function app's settings; the process has these and the platform's own, nothing else.
    log : callable
        Gets every log record as it arrives, from another thread.
    python : Interpreter
    output : Path
        File of what the process prints.
    way : callable
        Nothing lies between host and worker, unless it is given.

    Raises
    ------
    WorkerFailed
    """

    def __init__(
        self,
        app: Path,
        *,
        environment: Mapping[str, str],
        log: Callable[[LogRecord], None],
        output: Path,
        python: Interpreter = THIS_PYTHON,
        way: Way = int,
    ) -> None:
        self._output_file = output
        self._log = log
        self._outgoing: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._waiting: dict[str, Future[Any]] = {}
        self._lock = threading.Lock()
        self._ended = False
        self._connected: Future[None] = Future()
        self._server = grpc.server(ThreadPoolExecutor(1, "worker-stream"), options=_UNLIMITED)
        rpc = protocol()
        rpc.add_FunctionRpcServicer_to_server(self, self._server)
        port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        try:
            self.process = self._spawn(app, environment, python, way(port))
            threading.Thread(target=self._watch, name="worker-watch", daemon=True).start()
            self.functions = self._load(app)
            self.ids = {each.name: each.function_id for each in self.functions}
        except BaseException:
            self.close()
            raise

    def invoke(self, request: Any, *, timeout_s: float) -> Any:
        """Send an ``InvocationRequest``, wait for its ``InvocationResponse``.

        Raises
        ------
        WorkerEnded
            The process ended first.
        TimeoutError
            No answer in time; what the function does goes on until the process is ended.
        """
        return self._ask(invocation_request=request).result(timeout_s).invocation_response

    def kill(self) -> None:
        """End the process at once, as running out of memory would. Whoever waits for an answer gets WorkerEnded."""
        processes.end(self.process)

    @property
    def alive(self) -> bool:
        """Whether invocations can be sent."""
        return not self._ended

    def close(self) -> None:
        """End the process and stop listening."""
        if hasattr(self, "process"):
            processes.end(self.process)
        self._outgoing.put(None)
        self._server.stop(0).wait()

    def EventStream(self, incoming: Iterator[Any], _: Any) -> Iterator[Any]:  # noqa: N802 - the service's own name
        """Serve the worker's stream: called by gRPC when it connects."""
        threading.Thread(target=self._receive, args=(incoming,), name="from-worker", daemon=True).start()
        return iter(self._outgoing.get, None)

    def _spawn(self, app: Path, environment: Mapping[str, str], python: Interpreter, port: int) -> subprocess.Popen[bytes]:
        # The platform's variables; the interpreter reads none of them (-I).
        variables = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "FUNCTIONS_WORKER_RUNTIME": "python",
            "FUNCTIONS_EXTENSION_VERSION": "~4",
            "AzureWebJobsScriptRoot": str(app),
            **environment,
        }
        # Nothing is compiled to disk: the folder is read-only on the platform, and stays here as it was built.
        command = [python.program, "-I", "-S", "-B", str(_SCRIPT)]
        arguments = [str(app), str(library_folder(python.version)), str(port), uuid.uuid4().hex]
        with self._output_file.open("ab") as output:
            return processes.spawn([*command, *arguments], env=variables, cwd=app, stdout=output, stderr=output)

    def _load(self, app: Path) -> tuple[Any, ...]:
        """Let the library index the app, and load every function. Returns the functions' metadata."""
        rpc, folder = messages(), str(app)
        try:
            self._connected.result(_START_S)
            init = self._ask(worker_init_request=rpc.WorkerInitRequest(host_version="4.0", function_app_directory=folder))
            _check(init.result(_START_S).worker_init_response.result)
            asked = self._ask(functions_metadata_request=rpc.FunctionsMetadataRequest(function_app_directory=folder))
            answer = asked.result(_START_S).function_metadata_response
            _check(answer.result)
            functions = tuple(answer.function_metadata_results)
            for each in functions:
                request = rpc.FunctionLoadRequest(function_id=each.function_id, metadata=each)
                _check(self._ask(function_load_request=request).result(_START_S).function_load_response.result)
        except (WorkerEnded, TimeoutError) as problem:
            printed = self._output_file.read_text(errors="replace")[-2000:]
            raise WorkerFailed(f"the worker did not start ({problem or 'no answer in time'}):\n{printed}") from None
        return functions

    def _ask(self, **content: Any) -> Future[Any]:
        identity = uuid.uuid4().hex
        answer: Future[Any] = Future()
        with self._lock:
            if self._ended:
                raise WorkerEnded("the worker's process has ended")
            self._waiting[identity] = answer
        self._outgoing.put(messages().StreamingMessage(request_id=identity, **content))
        return answer

    def _receive(self, incoming: Iterator[Any]) -> None:
        with contextlib.suppress(grpc.RpcError):
            for message in incoming:
                kind = message.WhichOneof("content")
                if kind == "start_stream":
                    self._connected.set_result(None)
                elif kind == "rpc_log":
                    self._log(_log_record(message.rpc_log))
                else:
                    with self._lock:
                        answer = self._waiting.pop(message.request_id, None)
                    if answer is not None:
                        answer.set_result(message)

    def _watch(self) -> None:
        """Tell everybody who waits that the process has ended."""
        status = self.process.wait()
        problem = WorkerEnded(f"the worker's process ended with status {status}")
        with self._lock:
            self._ended = True
            waiting, self._waiting = list(self._waiting.values()), {}
        if not self._connected.done():
            self._connected.set_exception(problem)
        for answer in waiting:
            answer.set_exception(problem)


def _check(result: Any) -> None:
    if result.status != messages().StatusResult.Success:
        raise WorkerFailed(f"{result.exception.message}\n{result.exception.stack_trace}".strip())


def _log_record(log: Any) -> LogRecord:
    rpc = messages()
    system = log.log_category == rpc.RpcLog.RpcLogCategory.Value("System")
    return LogRecord(log.invocation_id, log.category, rpc.RpcLog.Level.Name(log.level), log.message, system)
