"""What was called by whom: the record of every call, and what each identity is allowed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class Call:
    """One call that reached a local service.

    ``operation`` is the name that Azure's access control knows it by
    (``Microsoft.Network/networkSecurityGroups/securityRules/write``, ``graph:User.RevokeSessions.All``); ``linked`` are the
    further operations that it needs on resources which it points to (``Microsoft.Network/virtualNetworks/subnets/join/action``).
    """

    service: str
    client_id: str
    operation: str
    linked: tuple[str, ...]
    method: str
    path: str
    status: int
    fault: bool = False

    @property
    def operations(self) -> tuple[str, ...]:
        """All that the caller must be permitted."""
        return (self.operation, *self.linked)


class CallLog:
    """Every call to the services that share it, in order. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[Call] = []
        self._once: list[tuple[Callable[[Call], bool], Callable[[], object]]] = []

    def add(self, call: Call) -> None:
        with self._lock:
            self._calls.append(call)
            due = [each for each in self._once if each[0](call)]
            self._once = [each for each in self._once if each not in due]
        for _, then in due:
            then()

    def once(self, fits: Callable[[Call], bool], then: Callable[[], object]) -> None:
        """Do something at the next call that fits: when it has had its effect, and its answer is not sent yet."""
        with self._lock:
            self._once.append((fits, then))

    def calls(self, client_id: str | None = None, *, since: int = 0) -> list[Call]:
        """The calls from position ``since`` on, of one identity or of all."""
        with self._lock:
            return [call for call in self._calls[since:] if client_id in (None, call.client_id)]

    def __len__(self) -> int:
        with self._lock:
            return len(self._calls)

    def undeclared(self, client_id: str, permissions: Iterable[str], *, since: int = 0) -> set[str]:
        """The operations that an identity called without their being among ``permissions``: empty where it kept to them."""
        declared = tuple(permissions)
        made = {name for call in self.calls(client_id, since=since) for name in call.operations}
        return {name for name in made if not permits(declared, name)}


class Grants:
    """What each identity may call. An identity that nothing was said about may do everything, unless ``enforced``."""

    def __init__(self, *, enforced: bool = False) -> None:
        self.enforced = enforced
        self._allowed: dict[str, tuple[str, ...]] = {}

    def allow(self, client_id: str, operations: Iterable[str]) -> None:
        """Let an identity call exactly these operations from now on; ``*`` stands for any part of a name."""
        self._allowed[client_id] = tuple(operations)

    def permits(self, client_id: str, operation: str) -> bool:
        allowed = self._allowed.get(client_id)
        if allowed is None:
            return not self.enforced
        return permits(allowed, operation)


def permits(allowed: Iterable[str], operation: str) -> bool:
    """Whether one of the names covers an operation, as a role's ``actions`` do: any letter case, ``*`` for any part."""
    name = operation.lower()
    return any(fnmatchcase(name, pattern.lower()) for pattern in allowed)
