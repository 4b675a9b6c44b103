"""AWS clients, each made when it is first asked for and kept for the life of the function."""

from __future__ import annotations

from typing import Any, Protocol

#: A client's own retries: quick, because the queue retries too and holds the message meanwhile.
_ATTEMPTS = 4
_CONNECT_S, _READ_S = 3, 20


class Clients(Protocol):
    """Gives the client of a service by its boto3 name."""

    def __call__(self, service: str) -> Any:
        """Return the client, the same one for every call."""
        ...


class LazyClients:
    """Clients from the function's own identity; importing boto3 and each client costs about 200 ms and 60 ms."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __call__(self, service: str) -> Any:
        if service not in self._made:
            import boto3  # here, because most of a function's start goes into it
            from botocore.config import Config

            config = Config(
                retries={"mode": "standard", "max_attempts": _ATTEMPTS}, connect_timeout=_CONNECT_S, read_timeout=_READ_S
            )
            self._made[service] = boto3.client(service, config=config)
        return self._made[service]
