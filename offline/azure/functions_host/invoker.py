"""Sends invocations to the app, replaces a worker that ended, and keeps what was logged."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offline.azure.functions_host.functions import Function, read_functions
from offline.azure.functions_host.host_settings import HostSettings, read_host_settings
from offline.azure.functions_host.library import messages
from offline.azure.functions_host.worker_process import THIS_PYTHON, Interpreter, LogRecord, Way, WorkerEnded, WorkerProcess


@dataclass(frozen=True, slots=True)
class Logged:
    """A log record, the function that wrote it (``""`` outside an invocation), and the second of the epoch it arrived in."""

    function: str
    record: LogRecord
    at_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one invocation.

    Attributes
    ----------
    function, invocation_id : str
    error : str
        ``""`` where it succeeded, else exception and message.
    returned : TypedData or None
    took_s : float
    """

    function: str
    invocation_id: str
    error: str
    returned: Any
    took_s: float

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return not self.error


class Invoker:
    """The app in its worker.

    Parameters
    ----------
    app : Path
        Deploy folder.
    environment : mapping
        The function app's settings.
    folder : Path
        Where the worker's own output goes.
    python : Interpreter
    way : callable
        As :class:`~offline.azure.functions_host.worker_process.WorkerProcess` takes it.

    Raises
    ------
    HostJsonWrong, AppUnusable, WorkerFailed
    """

    def __init__(
        self, app: Path, *, environment: Mapping[str, str], folder: Path, python: Interpreter = THIS_PYTHON, way: Way = int
    ) -> None:
        self._app, self.environment, self._python, self._way = app.resolve(), dict(environment), python, way
        self.output = folder / "worker.log"
        self.settings: HostSettings = read_host_settings(app)
        self._lock, self._log_lock = threading.Lock(), threading.Lock()
        self._logged: list[Logged] = []
        self._running: dict[str, str] = {}
        self._watchers: list[Callable[[Logged], None]] = []
        self._worker = self._start()
        self.functions: Mapping[str, Function] = {}
        try:
            self.functions = read_functions(self._worker.functions, self.environment, self.settings)
        except BaseException:
            self.close()
            raise

    def invoke(
        self,
        function: Function,
        data: Any,
        *,
        metadata: Mapping[str, Any] | None = None,
        retry: tuple[int, int] | None = None,
    ) -> Outcome:
        """Call a function with its trigger's data, and wait for it.

        Parameters
        ----------
        function : Function
        data : TypedData
        metadata : mapping of str to TypedData
            What the trigger says besides.
        retry : tuple of int, optional
            How often it was tried before, and how often it may be tried again (-1: for ever).
        """
        rpc, invocation_id, started = messages(), str(uuid.uuid4()), time.perf_counter()
        request = rpc.InvocationRequest(
            invocation_id=invocation_id,
            function_id=function.id,
            input_data=[rpc.ParameterBinding(name=function.trigger["name"], data=data)],
            trigger_metadata=metadata or {},
            trace_context=rpc.RpcTraceContext(trace_parent=_trace_parent()),
        )
        if retry is not None:
            request.retry_context.retry_count, request.retry_context.max_retry_count = retry
        with self._log_lock:
            self._running[invocation_id] = function.name
        error, returned = "", None
        try:
            worker = self._living()
            # Ids are the worker's own: after a restart the same function has another.
            request.function_id = worker.ids[function.name]
            limit_s = min(self.settings.function_timeout.total_seconds(), threading.TIMEOUT_MAX)
            answer = worker.invoke(request, timeout_s=limit_s)
            if answer.result.status == rpc.StatusResult.Success:
                returned = answer.return_value
            else:
                error = answer.result.exception.message or "the function failed and did not say why"
        except WorkerEnded as problem:
            error = f"WorkerEnded: {problem}"
        except TimeoutError:
            worker.kill()
            error = f"Timeout: the function took longer than {self.settings.function_timeout}; its worker was ended"
        return Outcome(function.name, invocation_id, error, returned, time.perf_counter() - started)

    def kill_worker(self) -> None:
        """End the worker at once, whatever it is doing. The next invocation starts another."""
        self._worker.kill()

    def watch(self, watcher: Callable[[Logged], None]) -> None:
        """Call it for every log record from now on, from another thread."""
        self._watchers.append(watcher)

    def logs(self, function: str = "", invocation_id: str = "", *, system: bool = False) -> list[Logged]:
        """What was logged so far: of one function or one invocation or all; the library's own lines only where asked for."""
        with self._log_lock:
            return [
                each
                for each in self._logged
                if (not function or each.function == function)
                and (not invocation_id or each.record.invocation_id == invocation_id)
                and (system or not each.record.system)
            ]

    @property
    def pid(self) -> int:
        """The present worker's process."""
        return self._living().process.pid

    def close(self) -> None:
        """End the worker."""
        self._worker.close()

    def _start(self) -> WorkerProcess:
        return WorkerProcess(
            self._app,
            environment=self.environment,
            log=self._record,
            output=self.output,
            python=self._python,
            way=self._way,
        )

    def _living(self) -> WorkerProcess:
        with self._lock:
            if not self._worker.alive:
                self._worker.close()
                self._worker = self._start()
            return self._worker

    def _record(self, record: LogRecord) -> None:
        with self._log_lock:
            logged = Logged(self._running.get(record.invocation_id, ""), record, time.time())
            self._logged.append(logged)
        for watcher in self._watchers:
            watcher(logged)


def _trace_parent() -> str:
    digits = os.urandom(24).hex()
    return f"00-{digits[:32]}-{digits[32:]}-01"
