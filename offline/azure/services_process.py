"""Starts the local services as a child process, which ends with this one, and asks it through its control interface."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from offline import processes
from offline.azure.calls import Call
from offline.azure.identity import ManagedIdentity
from offline.azure.seed import World

_ROOT = Path(__file__).resolve().parents[2]


class ServicesFailed(Exception):
    """The local services did not start, or refused a control request. Says why."""


class ServicesProcess:
    """The seeded local services in a process of their own.

    Parameters
    ----------
    folder
        Where its certificates and its log lie.

    Attributes
    ----------
    environment, settings
        As :class:`~offline.azure.services.Services`: what callers need.
    world, identities
        The ids of what was seeded; the identity of each group.

    Raises
    ------
    ServicesFailed
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / "services.log"
        with self._log.open("wb") as log:
            self._process = processes.spawn(
                [sys.executable, "-m", "offline.azure.services_server", str(folder)],
                env=os.environ,
                cwd=_ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self._process.stdout is not None  # noqa: S101 - it was started with a pipe
        line = self._process.stdout.readline()
        if not line:
            self.close()
            raise ServicesFailed(f"the local Azure services did not start:\n{self._log.read_text(errors='replace')[-2000:]}")
        known = json.loads(line)
        self._control: str = known["control"]
        self.environment: Mapping[str, str] = known["environment"]
        self.settings: Mapping[str, str] = known["settings"]
        world: Any = {name: tuple(value) if isinstance(value, list) else value for name, value in known["world"].items()}
        self.world = World(**world)
        self.identities = {group: ManagedIdentity(**one) for group, one in known["identities"].items()}

    def calls(self, since: int = 0) -> tuple[int, list[Call]]:
        """Calls recorded from that position on, and the position after them."""
        answer = self._ask(f"calls?since={since}")
        return answer["position"], [Call(**{**call, "linked": tuple(call["linked"])}) for call in answer["calls"]]

    def resource(self, resource_id: str) -> dict[str, Any]:
        """A resource, a rule or a subnet as Resource Manager would answer it now."""
        return self._read("resource", resource_id)  # type: ignore[no-any-return]

    def assignments(self, principal_id: str) -> list[dict[str, Any]]:
        """The role assignments of a principal."""
        return self._read("assignments", principal_id)  # type: ignore[no-any-return]

    def directory_object(self, object_id: str) -> dict[str, Any]:
        """What the directory holds of a user, a group or a service principal."""
        return self._read("directory", object_id)  # type: ignore[no-any-return]

    def rows(self, stream: str) -> list[dict[str, Any]]:
        """The rows that a stream of the Logs Ingestion sink took."""
        return self._read("rows", stream)  # type: ignore[no-any-return]

    def comments(self, incident_id: str) -> list[str]:
        """The messages on an incident."""
        return self._read("comments", incident_id)  # type: ignore[no-any-return]

    def order(self, service: str, order: str, **arguments: Any) -> None:
        """Let something go wrong: ``order("arm", "throttle", times=3)``, see :class:`~offline.azure.faults.Faults`."""
        self._ask("faults", {"service": service, "order": order, "arguments": arguments})

    def allow(self, client_id: str, operations: Iterable[str]) -> None:
        """Let an identity do exactly this from now on."""
        self._ask("grants", {"client_id": client_id, "operations": list(operations)})

    def finish_operations(self) -> None:
        """End all asynchronous operations that still run."""
        self._ask("finish", {})

    def close(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        processes.end(self._process, grace_s=5.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, name: str, key: str) -> Any:
        return self._ask(f"{name}?id={urllib.parse.quote(key, safe='')}")

    def _ask(self, name: str, body: Mapping[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(f"{self._control}/{name}", data, timeout=30) as answer:  # noqa: S310 - our own server
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise ServicesFailed(f"{name}: {error.read().decode(errors='replace')}") from error
