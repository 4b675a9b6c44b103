"""Failures that a test orders: refused, conflicting, throttled, slow, failing or torn-off calls."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from offline.azure.web import HUNG_UP

WRITES = frozenset({"PUT", "PATCH", "POST", "DELETE"})


@dataclass(frozen=True, slots=True)
class Fault:
    """What befalls the next calls that it matches.

    Parameters
    ----------
    status
        The answer instead of the real one; :data:`~offline.azure.web.HUNG_UP` closes the connection.
    code, message
        What the error body says.
    times
        How many calls it befalls.
    methods
        Which methods; all writes by default.
    path
        A part of the paths that it befalls, in any letter case; empty is every path.
    retry_after_s
        Sent as Retry-After.
    applied
        The call takes effect and only its answer is lost: the crash between a write and its acknowledgement.
    """

    status: int
    code: str = ""
    message: str = "Ordered by a test."
    times: int = 1
    methods: frozenset[str] = WRITES
    path: str = ""
    retry_after_s: float | None = None
    applied: bool = False
    details: tuple[Mapping[str, str], ...] = ()

    def befalls(self, method: str, path: str) -> bool:
        return method in self.methods and self.path.lower() in path.lower()


@dataclass(frozen=True, slots=True)
class Course:
    """How an asynchronous operation goes: after how many looks at it, and to which end."""

    polls: int = 0
    code: str = ""
    message: str = "Ordered by a test."
    path: str = ""

    @property
    def fails(self) -> bool:
        return bool(self.code)


@dataclass(slots=True)
class Faults:
    """The orders that are still open. Safe to use from many threads."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _faults: list[tuple[Fault, int]] = field(default_factory=list)
    _courses: list[Course] = field(default_factory=list)

    def order(self, fault: Fault) -> None:
        """Let a fault befall the next calls that it matches."""
        with self._lock:
            self._faults.append((fault, fault.times))

    def throttle(self, times: int, *, retry_after_s: float = 0.01, path: str = "", methods: frozenset[str] = WRITES) -> None:
        """A storm: the next ``times`` calls are answered 429 with Retry-After."""
        self.order(
            Fault(
                429,
                "TooManyRequests",
                "The request is being throttled as the limit has been reached for operation type.",
                times=times,
                retry_after_s=retry_after_s,
                path=path,
                methods=methods,
            )
        )

    def conflict(self, *, path: str = "", times: int = 1) -> None:
        """The next writes meet another operation: 409."""
        self.order(
            Fault(
                409,
                "AnotherOperationInProgress",
                "Another operation on this or dependent resource is in progress.",
                times=times,
                path=path,
            )
        )

    def changed_meanwhile(self, *, path: str = "", times: int = 1) -> None:
        """The next writes lose against somebody else's: 412, as after a stale ETag."""
        self.order(
            Fault(
                412,
                "PreconditionFailed",
                "Precondition failed.",
                times=times,
                path=path,
                details=({"code": "PreconditionFailedEtagMismatch", "message": "Etag does not match."},),
            )
        )

    def fail(self, status: int = 503, *, times: int = 1, path: str = "", methods: frozenset[str] = WRITES) -> None:
        """The next calls are answered with a server error."""
        self.order(
            Fault(status, "ServerBusy" if status == 503 else "InternalServerError", times=times, path=path, methods=methods)
        )

    def tear_off(self, *, path: str = "", times: int = 1) -> None:
        """The next writes take effect, and the connection closes before they are acknowledged."""
        self.order(Fault(HUNG_UP, times=times, path=path, applied=True))

    def slow(self, polls: int, *, path: str = "") -> None:
        """The next asynchronous operation ends only at the look number ``polls`` (or when a test finishes it)."""
        with self._lock:
            self._courses.append(Course(polls=polls, path=path))

    def fail_operation(self, code: str = "InternalServerError", *, polls: int = 0, path: str = "") -> None:
        """The next asynchronous operation is accepted, fails and leaves things as they were."""
        with self._lock:
            self._courses.append(Course(polls=polls, code=code, path=path))

    def strike(self, method: str, path: str) -> Fault | None:
        """The fault that befalls this call, counted off."""
        with self._lock:
            for position, (fault, left) in enumerate(self._faults):
                if fault.befalls(method, path):
                    if left > 1:
                        self._faults[position] = (fault, left - 1)
                    else:
                        del self._faults[position]
                    return fault
        return None

    def course(self, path: str) -> Course:
        """How the operation that now begins will go."""
        with self._lock:
            for position, course in enumerate(self._courses):
                if course.path.lower() in path.lower():
                    return self._courses.pop(position)
        return Course()

    def clear(self) -> None:
        """Withdraw all orders."""
        with self._lock:
            self._faults.clear()
            self._courses.clear()

    def pending(self) -> int:
        """How many orders have not yet come to pass."""
        with self._lock:
            return len(self._faults) + len(self._courses)
