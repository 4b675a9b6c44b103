"""AWS clients, each made when it is first asked for and kept for the life of the function."""

from __future__ import annotations

import time
from typing import Any, Protocol

#: A client's own retries: quick, because the queue retries too and holds the message meanwhile.
_RETRIES = 4
_CONNECT_S, _READ_S = 3, 20


class Clients(Protocol):
    """Gives the client of a service by its boto3 name."""

    #: Seconds spent so far in calls of these clients: the services' share of a function's time, not its own.
    waited_s: float

    def __call__(self, service: str, region: str = "", *, once: bool = False) -> Any:
        """Return the client, the same one for every call; of another region than the function's own where one is named.

        With ``once`` it has no retries: for what must not be done twice, and for what must not wait.
        """
        ...


class LazyClients:
    """Clients from the function's own identity; importing boto3 and each client costs about 200 ms and 60 ms.

    Parameters
    ----------
    counted_by : Clients or None
        Whose ``waited_s`` counts what these wait; their own by default.
    """

    def __init__(self, counted_by: Clients | None = None) -> None:
        self._made: dict[tuple[str, str, bool], Any] = {}
        self.waited_s = 0.0
        self._counted_by: Clients = counted_by or self
        self._called = 0.0

    def __call__(self, service: str, region: str = "", *, once: bool = False) -> Any:
        if (service, region, once) not in self._made:
            from botocore.config import Config  # here, because most of a function's start goes into it

            config = Config(
                retries={"mode": "standard", "max_attempts": 0 if once else _RETRIES},
                connect_timeout=_CONNECT_S,
                read_timeout=_READ_S,
                region_name=region or None,
            )
            client = self._make(service, config)
            client.meta.events.register("before-call.*", self._start)
            for end in ("after-call.*", "after-call-error.*"):
                client.meta.events.register(end, self._stop)
            self._made[service, region, once] = client
        return self._made[service, region, once]

    def _make(self, service: str, config: Any) -> Any:
        import boto3

        return boto3.client(service, config=config)

    def _start(self, **_: object) -> None:
        self._called = time.perf_counter()

    def _stop(self, **_: object) -> None:
        self._counted_by.waited_s += time.perf_counter() - self._called
