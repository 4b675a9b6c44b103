"""Writes of kept resources: preconditions, one at a time, done later."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from offline.azure.endpoint import base_url
from offline.azure.faults import Faults
from offline.azure.resource_manager.addresses import Address
from offline.azure.resource_manager.errors import ArmError, another_operation, stale_etag
from offline.azure.resource_manager.kinds import Kind
from offline.azure.resource_manager.operations import Operation, Operations
from offline.azure.resource_manager.store import Resource, Store
from offline.azure.web import EMPTY, Answer, Request


class Writes:
    """Changes resources as the network and compute providers do. Whoever uses it holds the store's lock.

    Parameters
    ----------
    conflict_status
        429 or 409: what a write is answered that meets another operation. Only the first is tried again by the SDKs themselves.
    retry_after_s
        What the answers say in Retry-After; fractions keep tests fast.
    """

    def __init__(self, store: Store, operations: Operations, faults: Faults, conflict_status: int, retry_after_s: float) -> None:
        self._store, self._operations, self._faults = store, operations, faults
        self.conflict_status, self.retry_after_s = conflict_status, retry_after_s

    def check(self, resource_id: str, present: Resource | None, request: Request, *, exists: bool | None = None) -> None:
        """Refuse a write whose precondition does not hold, or that meets another.

        Parameters
        ----------
        present
            The resource whose ETag counts; for a rule or a subnet the one that holds it.
        exists
            Whether what is written is there, where that is not the same as ``present`` being there.

        Raises
        ------
        ArmError
        """
        if_match, if_none_match = request.headers.get("if-match"), request.headers.get("if-none-match")
        if if_match and present is None:
            raise ArmError(412, "PreconditionFailed", "Precondition failed.", details=[])
        if if_match and present and if_match not in ("*", present["etag"]):
            raise stale_etag(if_match, present["etag"], resource_id)
        if if_none_match == "*" and (present is not None if exists is None else exists):
            raise ArmError(412, "PreconditionFailed", "Precondition failed.", details=[])
        running = self._operations.running_on(resource_id)
        if running:
            location = present["location"] if present else "westeurope"
            url = self.url("operations", running, resource_id, str(location), request)
            raise another_operation(self.conflict_status, url, self.retry_after_s)

    def put(self, kind: Kind, sent: Resource, before: Resource | None, request: Request) -> dict[str, str]:
        """Accept a new state, which holds at once as ``Updating``; return the answer's headers.

        Raises
        ------
        ArmError
        """
        kept = kind.accepted(sent, before, self._store)
        self._set(kind, kept, before, "Updating")
        self._store.put(kept)

        def fail() -> None:
            if before is None:
                self._set(kind, kept, kept, "Failed")
            else:
                restored = copy.deepcopy(before)
                self._set(kind, restored, kept, "Failed")
                self._store.put(restored)

        operation = self._begin(kept["id"], request, lambda: self._set(kind, kept, kept, "Succeeded"), fail)
        return self._headers(operation, kept, request, location=False)

    def delete(self, kind: Kind, present: Resource, request: Request, remove: Callable[[], None]) -> Answer:
        """Accept a deletion that ``remove`` carries out when the operation ends."""
        self._set(kind, present, present, "Deleting")

        def fail() -> None:
            self._set(kind, present, present, "Failed")

        operation = self._begin(present["id"], request, remove, fail)
        return Answer(202, EMPTY, self._headers(operation, present, request, location=True))

    def delete_child(self, kind: Kind, without: Resource, present: Resource, request: Request) -> Answer:
        """Accept that ``present`` will be ``without`` one of its children when the operation ends.

        Raises
        ------
        ArmError
        """
        kept = kind.accepted(without, present, self._store)
        self._set(kind, present, present, "Updating")

        def succeed() -> None:
            self._set(kind, kept, present, "Succeeded")
            self._store.put(kept)

        operation = self._begin(present["id"], request, succeed, lambda: self._set(kind, present, present, "Failed"))
        return Answer(202, EMPTY, self._headers(operation, present, request, location=True))

    def work_out(self, present: Resource, request: Request, result: Callable[[], Any]) -> Answer:
        """Accept a question whose answer is read from ``Location`` later; it holds nothing."""
        operation = self._begin("", request, result, lambda: None)
        location = self.url("operationResults", operation, present["id"], present["location"], request)
        return Answer(202, None, {"Location": location, "Retry-After": str(int(self.retry_after_s))})

    def look(self, address: Address, request: Request) -> Answer:
        """Answer a look at an operation (its status) or at its result.

        Raises
        ------
        ArmError
        """
        operation = self._operations.look(address.names[1])
        if operation is None:
            raise ArmError(404, "OperationNotFound", f"Operation {address.names[1]} not found.")
        retry = {} if operation.ended else {"Retry-After": f"{self.retry_after_s:g}"}
        course = operation.course
        error = {"code": course.code, "message": course.message, "details": []}
        if address.types[-1] == "operations":
            body: dict[str, Any] = {"status": operation.status}
            return Answer(200, body | {"error": error} if course.fails and operation.ended else body, retry)
        if operation.status == "Failed":
            return Answer(400, {"error": error})
        if not operation.ended:
            here = f"{base_url(request)}{address.path}?api-version={request.query.get('api-version', '')}"
            return Answer(202, None, {"Location": here, **retry})
        return Answer(204) if operation.result is None else Answer(200, operation.result)

    def url(self, what: str, operation: Operation, resource_id: str, location: str, request: Request) -> str:
        """Where an operation's status or result is read."""
        words = resource_id.split("/")
        namespace = words[words.index("providers") + 1] if "providers" in words else "Microsoft.Resources"
        version = request.query.get("api-version", "")
        return (
            f"{base_url(request)}/subscriptions/{words[2]}/providers/{namespace}/locations/{location}/{what}/{operation.id}"
            f"?api-version={version}"
        )

    def _begin(self, locks: str, request: Request, succeed: Callable[[], Any], fail: Callable[[], None]) -> Operation:
        return self._operations.begin(locks, self._faults.course(request.path), succeed, fail)

    def _headers(self, operation: Operation, resource: Resource, request: Request, *, location: bool) -> dict[str, str]:
        where = resource["id"], str(resource["location"]), request
        headers = {"Azure-AsyncOperation": self.url("operations", operation, *where), "Retry-After": str(int(self.retry_after_s))}
        return headers | {"Location": self.url("operationResults", operation, *where)} if location else headers

    def _set(self, kind: Kind, resource: Resource, before: Resource | None, state: str) -> None:
        resource["etag"] = kind.next_etag(before)
        resource["properties"] = {"provisioningState": state} | {
            name: value for name, value in resource["properties"].items() if name != "provisioningState"
        }
