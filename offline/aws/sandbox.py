"""One execution environment of one function: the real Lambda runtime client under the runtime interface emulator."""

from __future__ import annotations

import http.client
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offline import processes

_BOOTSTRAP = Path(__file__).with_name("sandbox_bootstrap.py")
_START_SECONDS = 20.0


class SandboxFailed(Exception):
    """The emulator did not start. Carries what it printed."""


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """What a sandbox runs: code, handler, limits and the environment that the function was deployed with."""

    name: str
    region: str
    handler: str
    task_root: Path
    environment: Mapping[str, str]
    timeout_s: int
    memory_mb: int


@dataclass(frozen=True, slots=True)
class Invocation:
    """What one call returned.

    Attributes
    ----------
    payload : bytes
        The answer, or Lambda's error document (``errorType``, ``errorMessage``).
    error : bool
        The handler raised, timed out or its process ended.
    broken : bool
        The sandbox cannot be used again.
    lines : tuple of str
        What the function printed meanwhile, then the platform's START, END and REPORT lines.
    """

    payload: bytes
    error: bool
    broken: bool
    lines: tuple[str, ...]


class Sandbox:
    """Runs invocations one after the other, as Lambda does within one execution environment.

    Parameters
    ----------
    spec : FunctionSpec
    binary, runtime : Path
        Runtime interface emulator and runtime folder (:mod:`offline.aws.emulator_binary`).
    folder : Path
        Where its two logs go.
    credentials : mapping
        ``AWS_ACCESS_KEY_ID`` and the two others: an identity of its own, by which its calls are recognised.
    endpoint : str
        Where its AWS calls go.
    """

    def __init__(
        self, spec: FunctionSpec, *, binary: Path, runtime: Path, folder: Path, credentials: Mapping[str, str], endpoint: str
    ) -> None:
        self.spec = spec
        self.access_key = credentials["AWS_ACCESS_KEY_ID"]
        folder.mkdir(parents=True)
        self._output = folder / "function.log"
        self._platform = folder / "platform.log"
        self._output.touch()
        self._read = {self._output: 0, self._platform: 0}
        self._port = processes.free_port()
        runtime_port = processes.free_port()
        # Lambda's reserved variables, then the function's own. The interpreter reads none of them (-I).
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "LAMBDA_TASK_ROOT": str(spec.task_root),
            "LAMBDA_RUNTIME_DIR": str(runtime),
            "AWS_LAMBDA_FUNCTION_NAME": spec.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(spec.timeout_s),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{spec.name}",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_REGION": spec.region,
            "AWS_DEFAULT_REGION": spec.region,
            **spec.environment,
            **credentials,
            "AWS_ENDPOINT_URL": endpoint,
        }
        # As on Lambda, whose task root is read-only: bytecode is what the package brings, and none is written.
        python = [getattr(sys, "_base_executable", sys.executable), "-I", "-S", "-B"]
        command = [
            str(binary),
            *("--runtime-interface-emulator-address", f"127.0.0.1:{self._port}"),
            *("--runtime-api-address", f"127.0.0.1:{runtime_port}"),
            *python,
            str(_BOOTSTRAP),
            str(spec.task_root),
            str(runtime),
            str(self._output),
            spec.handler,
        ]
        with self._platform.open("wb") as log:
            self.process = processes.spawn(command, env=environment, cwd=spec.task_root, stdout=log, stderr=log)
        self._await_start()

    def invoke(self, payload: bytes) -> Invocation:
        """Run one invocation and wait for its answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=self.spec.timeout_s + 30)
        try:
            connection.request("POST", "/2015-03-31/functions/function/invocations", payload)
            answer = connection.getresponse().read()
        except (OSError, http.client.HTTPException) as failure:
            answer = _error("Runtime.ExitError", f"the execution environment ended: {failure!r}")
        finally:
            connection.close()
        if answer.startswith(b"Task timed out"):
            answer = _error("Sandbox.Timedout", answer.decode())
        document = _document(answer)
        kind = str(document.get("errorType", "")) if isinstance(document, dict) else ""
        error = isinstance(document, dict) and {"errorType", "errorMessage"} <= document.keys()
        broken = kind.startswith(("Runtime.", "Sandbox.")) or self.process.poll() is not None
        return Invocation(answer, error or broken, broken, (*self._lines(self._output), *self._platform_lines()))

    def kill_runtime(self) -> None:
        """End the function's process at once, as running out of memory would; the emulator reports it."""
        for pid in processes.descendants(self.process.pid):
            processes.kill(pid)

    def close(self) -> None:
        """End emulator and function."""
        processes.end(self.process)

    def _await_start(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                http.client.HTTPConnection("127.0.0.1", self._port, timeout=1).connect()
            except OSError:
                time.sleep(0.01)
            else:
                return
        self.close()
        raise SandboxFailed(
            f"the runtime interface emulator for {self.spec.name} did not start: {self._platform.read_text(errors='replace')}"
        )

    def _platform_lines(self) -> list[str]:
        wanted = ("START RequestId", "END RequestId", "REPORT RequestId")
        return [line for line in self._lines(self._platform) if line.startswith(wanted)]

    def _lines(self, path: Path) -> list[str]:
        with path.open("rb") as log:
            log.seek(self._read[path])
            text = log.read()
        self._read[path] += len(text)
        return text.decode(errors="replace").splitlines()


def _document(answer: bytes) -> Any:
    try:
        return json.loads(answer)
    except ValueError:
        return None


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()
