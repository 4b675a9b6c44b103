"""Lambda of the embedded AWS: unpacked packages, a pool of sandboxes per function, logs in CloudWatch Logs.

Runs inside the server process and takes the place of moto's own back end, which needs Docker.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import shutil
import tempfile
import threading
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from offline.aws.sandbox import FunctionSpec, Invocation, Sandbox

#: Sandboxes of one function at the same time; further invocations wait.
CONCURRENCY = 4
#: Unpacked packages that are kept from earlier runs.
_KEPT_PACKAGES = 12


@dataclass(frozen=True, slots=True)
class DeployedFunction:
    """A function as it was deployed; ``code`` is its zip."""

    name: str
    region: str
    handler: str
    role_arn: str
    code: bytes
    environment: Mapping[str, str]
    timeout_s: int
    memory_mb: int


@dataclass(slots=True)
class _Pool:
    slots: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(CONCURRENCY))
    idle: list[Sandbox] = field(default_factory=list)
    identity: object = None


class LambdaService:
    """Invoke deployed functions in sandboxes.

    Parameters
    ----------
    binary, runtime : Path
        See :mod:`offline.aws.emulator_binary`.
    packages : Path
        Where packages are unpacked, each in a folder named after its content.
    folder : Path
        Of this run: logs of the sandboxes.
    endpoint : str
        Where functions send their AWS calls.
    credentials : callable
        ``(role ARN, function name) -> environment``: temporary credentials of the function's role.
    """

    def __init__(
        self,
        *,
        binary: Path,
        runtime: Path,
        packages: Path,
        folder: Path,
        endpoint: str,
        credentials: Callable[[str, str], Mapping[str, str]],
    ) -> None:
        self._binary, self._runtime, self._packages, self._folder = binary, runtime, packages, folder
        self._endpoint, self._credentials = endpoint, credentials
        self._pools: dict[str, _Pool] = {}
        self._sandboxes: dict[str, Sandbox] = {}  # by access key, also of those that are gone
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)

    def invoke(self, function: DeployedFunction, payload: bytes) -> Invocation:
        """Run the function once; a sandbox that broke is thrown away and the next call gets a new one."""
        package = hashlib.sha256(function.code).hexdigest()
        identity = (package, function.handler, tuple(sorted(function.environment.items())), function.timeout_s)
        pool = self._pool(function.name, identity)
        with pool.slots:
            sandbox = self._take(pool) or self._start(function, self._unpack(package, function.code))
            invocation = sandbox.invoke(payload)
            if invocation.broken or pool.identity != identity:
                sandbox.close()
            else:
                with self._lock:
                    pool.idle.append(sandbox)
            return invocation

    def name_of(self, access_key: str) -> str:
        """Name of the function whose sandbox has (or had) that identity; ``""`` for everybody else."""
        sandbox = self._sandboxes.get(access_key)
        return sandbox.spec.name if sandbox else ""

    def lend(self, access_key: str, assumed_key: str) -> None:
        """Say that who has the first key has assumed a role, and got the second: it is the same sandbox that calls."""
        with self._lock:
            if access_key in self._sandboxes:
                self._sandboxes[assumed_key] = self._sandboxes[access_key]

    def kill(self, access_key: str) -> None:
        """End the process of the sandbox with that identity at once."""
        self._sandboxes[access_key].kill_runtime()

    def recycle(self, name: str) -> None:
        """End the idle sandboxes of a function: its next invocation is a cold start."""
        with self._lock:
            pool = self._pools.setdefault(name, _Pool())
            idle, pool.idle = pool.idle, []
        for sandbox in idle:
            sandbox.close()

    def close(self) -> None:
        """End every sandbox."""
        for sandbox in list(self._sandboxes.values()):
            sandbox.close()

    def _pool(self, name: str, identity: object) -> _Pool:
        with self._lock:
            pool = self._pools.setdefault(name, _Pool())
            stale, pool.idle = (pool.idle, []) if pool.identity != identity else ([], pool.idle)
            pool.identity = identity
        for sandbox in stale:  # deployed anew since
            sandbox.close()
        return pool

    def _take(self, pool: _Pool) -> Sandbox | None:
        with self._lock:
            return pool.idle.pop() if pool.idle else None

    def _start(self, function: DeployedFunction, task_root: Path) -> Sandbox:
        spec = FunctionSpec(
            name=function.name,
            region=function.region,
            handler=function.handler,
            task_root=task_root,
            environment=function.environment,
            timeout_s=function.timeout_s,
            memory_mb=function.memory_mb,
        )
        sandbox = Sandbox(
            spec,
            binary=self._binary,
            runtime=self._runtime,
            folder=self._folder / f"{function.name}-{next(self._numbers)}",
            credentials=self._credentials(function.role_arn, function.name),
            endpoint=self._endpoint,
        )
        with self._lock:
            self._sandboxes[sandbox.access_key] = sandbox
        return sandbox

    def _unpack(self, package: str, code: bytes) -> Path:
        # The folder is named after the zip's content, so an unpacked one is right and serves later runs too.
        target = self._packages / package[:24]
        with self._lock:
            if not target.exists():
                self._packages.mkdir(parents=True, exist_ok=True)
                partial = Path(tempfile.mkdtemp(dir=self._packages, prefix="partial-"))
                with zipfile.ZipFile(io.BytesIO(code)) as archive:
                    archive.extractall(partial)  # our own packages, as the CDK zipped them
                partial.rename(target)
            target.touch()
        return target


def prune_packages(packages: Path, keep: int = _KEPT_PACKAGES) -> None:
    """Remove the unpacked packages that were used longest ago."""
    if not packages.exists():
        return
    folders = [path for path in packages.iterdir() if path.is_dir()]
    for path in sorted(folders, key=lambda folder: folder.stat().st_mtime, reverse=True)[keep:]:
        shutil.rmtree(path, ignore_errors=True)


def as_payload(event: object) -> bytes:
    """Event of an invocation as bytes; text is taken as JSON already."""
    return event.encode() if isinstance(event, str) else json.dumps(event if event is not None else {}).encode()
