"""Asynchronous operations: accepted at once, done later, looked at by polling.

An operation ends when it was looked at often enough (:class:`~offline.azure.faults.Course`). One that nothing was ordered for is
done by the time of the next request, whoever makes it: nothing here depends on a clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from offline.azure.faults import Course
from offline.azure.resource_manager.store import new_guid

_Step = Callable[[], Any]


@dataclass(slots=True)
class Operation:
    """One operation on the resource ``locks`` (lower-case id), which takes no other write until it ends."""

    id: str
    locks: str
    course: Course
    looks_left: int
    succeed: _Step
    fail: _Step
    status: str = "InProgress"
    result: Any = None

    @property
    def ended(self) -> bool:
        return self.status != "InProgress"


class Operations:
    """The operations of a subscription. Whoever uses them holds the store's lock."""

    def __init__(self) -> None:
        self._operations: dict[str, Operation] = {}
        self._running: dict[str, Operation] = {}

    def begin(self, locks: str, course: Course, succeed: _Step, fail: _Step) -> Operation:
        """Start an operation that calls ``succeed`` or ``fail`` when it ends; ``locks`` may be empty."""
        operation = Operation(new_guid(), locks.lower(), course, course.polls, succeed, fail)
        self._operations[operation.id] = operation
        if locks:
            self._running[operation.locks] = operation
        return operation

    def running_on(self, resource_id: str) -> Operation | None:
        """The operation that holds a resource."""
        return self._running.get(resource_id.lower())

    def settle(self) -> None:
        """End what has no more looks to wait for."""
        for operation in list(self._operations.values()):
            if not operation.ended and operation.looks_left <= 0:
                self._end(operation)

    def look(self, operation_id: str) -> Operation | None:
        """Look at an operation, which counts."""
        operation = self._operations.get(operation_id.lower())
        if operation and not operation.ended:
            operation.looks_left -= 1
            if operation.looks_left <= 0:
                self._end(operation)
        return operation

    def finish(self) -> None:
        """End all that still runs."""
        for operation in list(self._operations.values()):
            if not operation.ended:
                self._end(operation)

    def _end(self, operation: Operation) -> None:
        if self._running.get(operation.locks) is operation:
            del self._running[operation.locks]
        if operation.course.fails:
            operation.status = "Failed"
            operation.fail()
        else:
            operation.status = "Succeeded"
            operation.result = operation.succeed()
