"""AWS clients, each made when it is first asked for and kept for the life of the function."""

from __future__ import annotations

import time
from typing import Any, Protocol

#: A client's own retries: quick, because the queue retries too and holds the message meanwhile.
_ATTEMPTS = 4
_CONNECT_S, _READ_S = 3, 20


class Clients(Protocol):
    """Gives the client of a service by its boto3 name."""

    @property
    def waited_s(self) -> float:
        """Seconds spent so far in calls of these clients: the services' share of a function's time, not its own."""
        ...

    def __call__(self, service: str) -> Any:
        """Return the client, the same one for every call."""
        ...


class LazyClients:
    """Clients from the function's own identity; importing boto3 and each client costs about 200 ms and 60 ms."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}
        self.waited_s = 0.0
        self._called = 0.0

    def __call__(self, service: str) -> Any:
        if service not in self._made:
            import boto3  # here, because most of a function's start goes into it
            from botocore.config import Config

            config = Config(
                retries={"mode": "standard", "max_attempts": _ATTEMPTS}, connect_timeout=_CONNECT_S, read_timeout=_READ_S
            )
            client = boto3.client(service, config=config)
            client.meta.events.register("before-call.*", self._start)
            for end in ("after-call.*", "after-call-error.*"):
                client.meta.events.register(end, self._stop)
            self._made[service] = client
        return self._made[service]

    def _start(self, **_: object) -> None:
        self._called = time.perf_counter()

    def _stop(self, **_: object) -> None:
        self.waited_s += time.perf_counter() - self._called
