"""The local Resource Manager: its state, and which module answers a request."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from offline.azure.callers import Caller
from offline.azure.calls import CallLog, Grants
from offline.azure.credential import TENANT_ID
from offline.azure.endpoint import Endpoint, Link, Refusal, Wanted, base_url
from offline.azure.incidents import Incidents
from offline.azure.resource_manager.addresses import Address, parse_address
from offline.azure.resource_manager.deployments import Deployments, template_hash
from offline.azure.resource_manager.errors import ArmError, link_unauthorized, unauthorized, unknown_type
from offline.azure.resource_manager.ground import Ground
from offline.azure.resource_manager.groups import Groups
from offline.azure.resource_manager.kinds import Kind
from offline.azure.resource_manager.locks import Locks
from offline.azure.resource_manager.metrics import Metrics
from offline.azure.resource_manager.operations import Operations
from offline.azure.resource_manager.resources import Resources
from offline.azure.resource_manager.roles import Roles
from offline.azure.resource_manager.sites import STACKS, stacks
from offline.azure.resource_manager.store import Resource, Store
from offline.azure.resource_manager.writes import Writes
from offline.azure.web import Answer, Request


class ResourceManager(Endpoint):
    """A local Azure Resource Manager over one in-memory state, which tests read and change directly.

    Parameters
    ----------
    tenant_id
        The tenant whose subscriptions these are.
    calls, grants, clock
        As :class:`~offline.azure.endpoint.Endpoint`.
    conflict_status
        What a write is answered that meets another one on the same resource: 429 or 409. The platform answers either, and
        only the first is tried again by the SDKs themselves.
    page_size
        Resources per page of a list; the next page is at ``nextLink``.
    retry_after_s
        What throttled and unfinished answers ask callers to wait.

    Attributes
    ----------
    groups, locks, roles, incidents, metrics
        The state that is no resource of a resource group: subscriptions and groups, access control, Sentinel's incidents, what
        Azure Monitor has counted.
    """

    name = "arm"
    audiences = ("https://management.azure.com", "https://management.core.windows.net")
    refusal = ArmError

    def __init__(
        self,
        tenant_id: str = TENANT_ID,
        *,
        calls: CallLog | None = None,
        grants: Grants | None = None,
        clock: Callable[[], float] = time.time,
        conflict_status: int = 429,
        page_size: int = 100,
        retry_after_s: float = 0.01,
    ) -> None:
        super().__init__(calls=calls, grants=grants, clock=clock)
        self.page_size = page_size
        self._store = Store()
        self._operations = Operations()
        self.writes = Writes(self._store, self._operations, self.faults, conflict_status, retry_after_s)
        self._resources = Resources(self._store, self.writes)
        self.groups = Groups(self._store, tenant_id)
        self.locks = Locks()
        self.roles = Roles()
        self.incidents = Incidents()
        self.metrics = Metrics()
        self._deployments = Deployments(
            self._operations,
            self.faults,
            retry_after_s,
            lambda caller, request, looking: Ground(
                self._store, self.answer, self._resources.serve, tenant_id, caller, request, looking
            ),
        )

    def publish_at(self, host: str) -> None:
        """Where function apps take their packages from now on: the address of the service that does, without ``https://``."""
        self._resources.sites.published_at = host

    def managed_identities(self) -> list[tuple[str, str, str]]:
        """Object id, client id and name of each user-assigned identity."""
        with self._store.lock:
            shown = [self.resource(one["id"]) for one in self._store.of_type("Microsoft.ManagedIdentity/userAssignedIdentities")]
        return [(one["properties"]["principalId"], one["properties"]["clientId"], one["name"]) for one in shown]

    def put(self, resource_id: str, body: dict[str, Any], *, power: str = "") -> Resource:
        """Keep a resource at once, as if its operation had ended; return it as it is answered.

        Raises
        ------
        ArmError
            Where the platform would refuse it.
        """
        with self._store.lock:
            self._operations.settle()
            return self._resources.keep(resource_id, body, power)

    def resource(self, resource_id: str) -> Resource:
        """A resource (or a rule, a subnet) as it would be answered now.

        Raises
        ------
        ArmError
            Where it is not there.
        """
        with self._store.lock:
            self._operations.settle()
            return self._resources.get(parse_address("GET", resource_id))

    def has(self, resource_id: str) -> bool:
        """Whether a resource (or a rule, a subnet) is there now."""
        try:
            self.resource(resource_id)
        except ArmError as error:
            if error.status != 404:
                raise
            return False
        return True

    def change(self, resource_id: str, edit: Callable[[Resource], None]) -> Resource:
        """Somebody else changes a resource: ``edit`` its body as it is answered, and keep it with a new ETag."""
        with self._store.lock:
            body = self.resource(resource_id)
            edit(body)
            return self.put(resource_id, body)

    def remove(self, resource_id: str) -> None:
        """Somebody else deletes a resource, or one rule or subnet of it."""
        address = parse_address("DELETE", resource_id)
        with self._store.lock:
            self.resource(resource_id)  # it must be there
            if self._store.get(resource_id) is not None:
                self._store.delete(resource_id)
                return
            member, name = address.types[-1], address.names[-1].lower()

            def without(holder: Resource) -> None:
                kept = [one for one in holder["properties"][member] if one["name"].lower() != name]
                holder["properties"][member] = kept

            self.change(address.parent.path, without)

    def is_being_changed(self, resource_id: str, state: str = "Updating") -> None:
        """Somebody else's change of a resource goes on: it is answered in this state from now on, until it is put again."""
        with self._store.lock:
            found = self._store.get(resource_id)
            if found is None:
                raise KeyError(resource_id)
            found["properties"]["provisioningState"] = state

    def finish_operations(self) -> None:
        """End all asynchronous operations that still run."""
        with self._store.lock:
            self._operations.finish()

    def wanted(self, request: Request) -> Wanted:
        address = parse_address(request.method, request.path)
        if "api-version" not in request.query:
            raise ArmError(
                400,
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            )
        links = tuple(self._resources.links(address, request))
        return Wanted(address.operation(request.method), links, lambda caller: self._route(address, request, caller))

    def denied(self, caller: Caller, wanted: Wanted, link: Link | None, request: Request) -> Refusal:
        if link is None:
            return unauthorized(caller, wanted.operation, request.path)
        return link_unauthorized(caller, wanted.operation, request.path, link)

    def _route(self, address: Address, request: Request, caller: Caller) -> Answer:
        kind = "/".join(address.types).lower()
        with self._store.lock:
            if kind in ("locations/operations", "locations/operationresults") and not address.is_list:
                return self.writes.look(address, request)
            self._operations.settle()
            self.groups.require(address.parent if kind == "subscriptions/resourcegroups" else address)
            self.locks.check(request.path, request.method)
            match address.namespace.lower(), kind.partition("/")[0]:
                case "microsoft.resources", "" if address.action.lower() == "calculatetemplatehash":
                    answer = Answer(200, {"minifiedTemplate": "", "templateHash": template_hash(request.object())})
                case "microsoft.web", "locations" if kind == STACKS:
                    answer = stacks(request.query.get("stack", ""))
                case _, "":
                    answer = self.groups.provider(address, request)
                case "microsoft.authorization", "locks":
                    answer = self.locks.answer(address, request)
                case "microsoft.authorization", _:
                    answer = self.roles.answer(address, request, caller)
                case "microsoft.securityinsights", "incidents":
                    answer = self.incidents.answer(address, request, caller)
                case "microsoft.insights", "metrics":
                    answer = self.metrics.answer(address, request)
                case "microsoft.resources", "deployments":
                    answer = self._deployments.answer(address, request, caller)
                case "microsoft.resources", _:
                    answer = self._group_or_tags(address, request, kind)
                case _:
                    answer = self._resources.answer(address, request)
        return _paged(answer, request, self.page_size)

    def _group_or_tags(self, address: Address, request: Request, kind: str) -> Answer:
        if kind == "tags":
            return self.groups.tags(address, request)
        if kind == "subscriptions/resourcegroups/resources":
            return self.groups.members(address.parent, request)
        if kind not in ("subscriptions", "subscriptions/resourcegroups"):
            raise unknown_type(address.namespace, address.types)
        group = self._store.get(address.path)
        if request.method == "DELETE" and group is not None:
            return self.writes.delete(Kind(group["type"]), group, request, lambda: self._store.delete(group["id"]))
        return self.groups.answer(address, request)


def _paged(answer: Answer, request: Request, page_size: int) -> Answer:
    body = answer.body
    if answer.status != 200 or not isinstance(body, dict) or not isinstance(body.get("value"), list):
        return answer
    start, values = int(request.query.get("$skiptoken") or 0), body["value"]
    page = {**body, "value": values[start : start + page_size]}
    if start + page_size < len(values):
        kept = "&".join(f"{name}={value}" for name, value in request.query.items() if name != "$skiptoken")
        page["nextLink"] = f"{base_url(request)}{request.path}?{kept}&$skiptoken={start + page_size}"
    return Answer(200, page, answer.headers)
