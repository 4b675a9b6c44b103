"""The local Resource Manager: who calls, what they may, what befalls the call, and which module answers it."""

from __future__ import annotations

import copy
import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any, Self

from offline.azure.callers import BadToken, Caller, read_caller
from offline.azure.calls import Call, CallLog, Grants
from offline.azure.credential import TENANT_ID
from offline.azure.faults import Fault, Faults
from offline.azure.incidents import Incidents
from offline.azure.resource_manager.addresses import Address, parse_address
from offline.azure.resource_manager.effective import effective_groups
from offline.azure.resource_manager.errors import ArmError, link_unauthorized, not_found, unauthorized
from offline.azure.resource_manager.groups import Groups
from offline.azure.resource_manager.interfaces import Interfaces
from offline.azure.resource_manager.kinds import Kind, Link
from offline.azure.resource_manager.machines import POWER, Machines, instance_view, power_state
from offline.azure.resource_manager.networks import Networks, subnet_links
from offline.azure.resource_manager.operations import Operations
from offline.azure.resource_manager.roles import Roles
from offline.azure.resource_manager.security_groups import SecurityGroups, rule_links
from offline.azure.resource_manager.store import Resource, Store
from offline.azure.resource_manager.writes import Writes
from offline.azure.web import EMPTY, HUNG_UP, Answer, BadBody, Request, WebService

AUDIENCES = ("https://management.azure.com", "https://management.core.windows.net")
#: Types that are kept just as they are written.
_PLAIN = (
    "Microsoft.Compute/virtualMachineScaleSets",
    "Microsoft.Network/applicationSecurityGroups",
    "Microsoft.Network/networkWatchers",
    "Microsoft.Network/networkWatchers/flowLogs",
    "Microsoft.Network/publicIPAddresses",
    "Microsoft.OperationalInsights/workspaces",
)


class ResourceManager:
    """A local Azure Resource Manager over one in-memory state, which tests read and change directly.

    Parameters
    ----------
    tenant_id
        The tenant whose subscriptions these are.
    calls, grants
        The record and the rights, which may be shared with the other local services.
    clock
        Seconds since 1970, for the tokens' expiry.
    conflict_status
        What a write is answered that meets another one on the same resource: 429 or 409.
    page_size
        Resources per page of a list; the next page is at ``nextLink``.
    retry_after_s
        What throttled and unfinished answers ask callers to wait.
    """

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
        self.calls = calls or CallLog()
        self.grants = grants or Grants()
        self.faults = Faults()
        self.store = Store()
        self.operations = Operations()
        self.groups = Groups(self.store, tenant_id)
        self.roles = Roles()
        self.incidents = Incidents()
        self.page_size = page_size
        self._clock = clock
        self.writes = Writes(self.store, self.operations, self.faults, conflict_status, retry_after_s)
        kinds = (
            SecurityGroups(),
            Interfaces(),
            Networks(),
            Machines(),
            Machines("Microsoft.Compute/virtualMachineScaleSets/virtualMachines"),
            *map(Kind, _PLAIN),
        )
        self._kinds = {kind.type.lower(): kind for kind in kinds}
        self._service: WebService | None = None

    # -- the state, for seeding and for tests

    def put(self, resource_id: str, body: dict[str, Any], *, power: str = "") -> Resource:
        """Keep a resource at once, as if its operation had ended; return it as it is answered.

        Raises
        ------
        ArmError
            Where the platform would refuse it.
        """
        address = parse_address("PUT", resource_id)
        kind = self._kinds[address.type.lower()]
        with self.store.lock:
            before = self.store.get(resource_id)
            kept = kind.accept(_named(address, body), before, self.store)
            kept["etag"] = kind.next_etag(before)
            kept["properties"] = {"provisioningState": "Succeeded", **kept["properties"]}
            if power or (before and POWER in before):
                kept[POWER] = power or before[POWER]  # type: ignore[index]
            self.store.put(kept)
            return kind.show(kept, self.store)

    def resource(self, resource_id: str) -> Resource:
        """A resource (or a rule, a subnet) as it would be answered now.

        Raises
        ------
        ArmError
            Where it is not there.
        """
        with self.store.lock:
            self.operations.settle()
            found = self._get(parse_address("GET", resource_id))
            return copy.deepcopy(found)

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
        body = self.resource(resource_id)
        edit(body)
        return self.put(resource_id, body)

    def remove(self, resource_id: str) -> None:
        """Somebody else deletes a resource."""
        with self.store.lock:
            self.operations.settle()
            self.store.delete(resource_id)

    def finish_operations(self) -> None:
        """End all asynchronous operations that still run."""
        with self.store.lock:
            self.operations.finish()

    # -- the server

    def serve(self, tls: ssl.SSLContext) -> Self:
        """Listen on a free port of 127.0.0.1."""
        self._service = WebService(self.answer, tls)
        return self

    @property
    def url(self) -> str:
        """Where it listens: the function app's ``ARM_ENDPOINT``."""
        if self._service is None:
            raise RuntimeError("the Resource Manager does not listen yet: call serve() first")
        return self._service.url

    def close(self) -> None:
        """Stop listening."""
        if self._service:
            self._service.close()
            self._service = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def answer(self, request: Request) -> Answer:
        """Answer one request, and record it."""
        caller, operation, linked = Caller(), "", ()
        fault: Fault | None = None
        try:
            caller = self._caller(request)
            address = parse_address(request.method, request.path)
            operation = address.operation(request.method)
            if "api-version" not in request.query:
                raise ArmError(
                    400,
                    "MissingApiVersionParameter",
                    "The api-version query parameter (?api-version=) is required for all requests.",
                )
            links = tuple(self._links(address, request))
            linked = tuple(dict.fromkeys(link.operation for link in links))
            self._authorize(caller, operation, request.path, links)
            fault = self.faults.strike(request.method, request.path)
            answer = _struck(fault) if fault and not fault.applied else self._route(address, request, caller)
            if fault and fault.applied:
                answer = _struck(fault)
        except ArmError as error:
            answer = error.answer()
        except BadBody as error:
            answer = ArmError(
                400, "InvalidRequestContent", f"The request content was invalid and could not be deserialized: {error}"
            ).answer()
        self.calls.add(
            Call("arm", caller.client_id, operation, linked, request.method, request.path, answer.status, fault is not None)
        )
        return answer

    def _caller(self, request: Request) -> Caller:
        own = f"https://{request.headers.get('host', '')}"
        try:
            return read_caller(request.headers.get("authorization", ""), (*AUDIENCES, own), self._clock())
        except BadToken as error:
            challenge = {"WWW-Authenticate": 'Bearer authorization_uri="https://login.microsoftonline.com/"'}
            raise ArmError(401, error.code, str(error), headers=challenge) from error

    def _authorize(self, caller: Caller, operation: str, path: str, links: Iterable[Link]) -> None:
        if not self.grants.permits(caller.client_id, operation):
            raise unauthorized(caller.client_id, caller.object_id, operation, path)
        for link in links:
            if not self.grants.permits(caller.client_id, link.operation):
                raise link_unauthorized(caller.client_id, caller.object_id, operation, path, link.operation, link.scope)

    def _links(self, address: Address, request: Request) -> Iterable[Link]:
        if request.method != "PUT" or len(address.types) != len(address.names):
            return ()
        body = request.json() or {}
        if address.type.lower() == "microsoft.network/networksecuritygroups/securityrules":
            return rule_links(body)
        if address.type.lower() == "microsoft.network/virtualnetworks/subnets":
            return subnet_links(body)
        kind = self._kinds.get(address.type.lower())
        return kind.links(body) if kind else ()

    # -- routing

    def _route(self, address: Address, request: Request, caller: Caller) -> Answer:
        namespace, kind = address.namespace.lower(), "/".join(address.types).lower()
        with self.store.lock:
            if kind in ("locations/operations", "locations/operationresults"):
                return self.writes.look(address, request)
            self.operations.settle()
            if address.scope or address.names:
                self.groups.require(address if kind != "subscriptions/resourcegroups" else address.parent)
            if namespace == "microsoft.authorization":
                return self._paged(self.roles.answer(address, request, caller), request)
            if namespace == "microsoft.securityinsights":
                return self._paged(self.incidents.answer(address, request, caller), request)
            if namespace == "microsoft.resources":
                return self._resources(address, request, kind)
            return self._kept(address, request)

    def _resources(self, address: Address, request: Request, kind: str) -> Answer:
        if kind == "tags":
            return self.groups.tags(address, request)
        if kind not in ("subscriptions", "subscriptions/resourcegroups"):
            raise _unknown(address)
        if request.method == "DELETE" and not address.is_list:
            group = self.store.get(address.path)
            if group is None:
                return self.groups.answer(address, request)
            return self.writes.delete(Kind(group["type"]), group, request, lambda: self.store.delete(group["id"]))
        return self._paged(self.groups.answer(address, request), request)

    def _kept(self, address: Address, request: Request) -> Answer:
        kind = self._kind_of(address)
        if address.action:
            return self._act(address, request)
        if request.method in ("GET", "HEAD"):
            if address.types[-1] == "instanceView":
                return Answer(200, instance_view(self._get(address.parent), self._power_of(address.parent)))
            if address.is_list:
                return self._paged(Answer(200, {"value": self._list(address)}), request)
            return self._read(address, request)
        if address.is_list:
            raise ArmError(405, "HttpMethodNotAllowed", f"{request.method} wants the name of a resource: {request.path}")
        nested = (
            address.parent.type.lower() in self._kinds and address.types[-1] in self._kinds[address.parent.type.lower()].nested
        )
        holder = address.parent if nested else address
        present = self.store.get(holder.path)
        if nested and present is None:
            raise not_found(holder.path)
        if address.types[-1] == "defaultSecurityRules":
            raise ArmError(405, "HttpMethodNotAllowed", "Default security rules cannot be changed.")
        if nested and present:
            return self._write_child(kind, address, present, request)
        if request.method == "DELETE" and present is None:
            return Answer(204)
        self.writes.check(holder.path, present, request)
        if request.method == "PUT":
            return self._write(kind, address, present, request)
        if present is None:
            raise not_found(address.path)
        if request.method == "PATCH":
            return self._tag(kind, present, request)
        kind.check_delete(present, self.store)
        return self.writes.delete(kind, present, request, lambda: self.store.delete(present["id"]))

    def _write(self, kind: Kind, address: Address, present: Resource | None, request: Request) -> Answer:
        headers = self.writes.put(kind, _named(address, request.json() or {}, present), present, request)
        return Answer(200 if present else 201, self._get(address), headers)

    def _write_child(self, kind: Kind, address: Address, holder: Resource, request: Request) -> Answer:
        member, name = kind.nested[address.types[-1]], address.names[-1]
        changed = copy.deepcopy(holder)
        siblings: list[Resource] = changed["properties"][member]
        found = next((one for one in siblings if one["name"].lower() == name.lower()), None)
        if request.method == "DELETE" and found is None:
            return Answer(204)
        child_holder = holder if found else None
        self.writes.check(holder["id"], child_holder or holder, request)
        if request.method == "DELETE":
            siblings.remove(found)  # type: ignore[arg-type]
            headers = self.writes.put(kind, changed, holder, request)
            location = headers["Azure-AsyncOperation"].replace("/operations/", "/operationResults/")
            return Answer(202, EMPTY, {**headers, "Location": location})
        if request.method != "PUT":
            raise ArmError(405, "HttpMethodNotAllowed", f"{request.method} is not served here for {address.type}.")
        child = {"name": found["name"] if found else name, "properties": (request.json() or {}).get("properties") or {}}
        if found:
            siblings[siblings.index(found)] = child
        else:
            siblings.append(child)
        headers = self.writes.put(kind, changed, holder, request)
        return Answer(200 if found else 201, self._get(address), headers)

    def _tag(self, kind: Kind, present: Resource, request: Request) -> Answer:
        """PATCH: the tags that are sent replace the tags that are there; a machine's other properties cannot be patched here."""
        sent = request.json() or {}
        unknown = set(sent) - {"tags"}
        if unknown:
            raise ArmError(400, "InvalidRequestContent", f"Only tags can be patched here, not {', '.join(sorted(unknown))}.")
        present["tags"] = dict(sent.get("tags") or {})
        present["etag"] = kind.next_etag(present)
        return Answer(200, kind.show(present, self.store), {"ETag": present["etag"]})

    def _read(self, address: Address, request: Request) -> Answer:
        resource = self._get(address)
        if "instanceview" in request.query.get("$expand", "").lower():
            resource["properties"]["instanceView"] = instance_view(resource, self._power_of(address))
        return Answer(200, resource, {"ETag": resource["etag"]})

    def _power_of(self, address: Address) -> str:
        return power_state(self.store.get(address.path) or {})

    def _act(self, address: Address, request: Request) -> Answer:
        present = self.store.get(address.path)
        if present is None:
            raise not_found(address.path)
        if address.type.lower() == "microsoft.network/networkinterfaces" and address.action == "effectiveNetworkSecurityGroups":
            effective_groups(present, self.store)  # what can never be answered is refused at once
            return self.writes.work_out(present, request, lambda: effective_groups(present, self.store))
        raise ArmError(404, "InvalidAction", f"{address.action} on {address.type} is not served here.")

    def _get(self, address: Address) -> Resource:
        kind = self._kind_of(address)
        if kind.type.lower() == address.type.lower():
            found = self.store.get(address.path)
            if found is None:
                raise not_found(address.path)
            return kind.show(found, self.store)
        holder = self._get(address.parent)
        for child in holder["properties"][kind.nested[address.types[-1]]]:
            if child["name"].lower() == address.names[-1].lower():
                return {**child, "etag": holder["etag"]}
        raise not_found(address.path)

    def _list(self, address: Address) -> list[Resource]:
        kind = self._kind_of(address)
        if kind.type.lower() == address.type.lower():
            scope = address.parent.path if address.names else address.scope
            return [kind.show(one, self.store) for one in self.store.of_type(address.type, scope)]
        return list(self._get(address.parent)["properties"][kind.nested[address.types[-1]]])

    def _kind_of(self, address: Address) -> Kind:
        """The kind that keeps what an address points to: its own, or that of the resource that it lives in."""
        own = self._kinds.get(address.type.lower())
        if own:
            return own
        parent = self._kinds.get(address.parent.type.lower()) if len(address.types) > 1 else None
        if parent and address.types[-1] in parent.nested:
            return parent
        if parent and address.types[-1] == "instanceView":
            return parent
        raise _unknown(address)

    def _paged(self, answer: Answer, request: Request) -> Answer:
        body = answer.body
        if answer.status != 200 or not isinstance(body, dict) or not isinstance(body.get("value"), list):
            return answer
        start = int(request.query.get("$skiptoken", "0") or 0)
        values = body["value"]
        page: dict[str, Any] = {**body, "value": values[start : start + self.page_size]}
        if start + self.page_size < len(values):
            query = "&".join(f"{name}={value}" for name, value in request.query.items() if name != "$skiptoken")
            page["nextLink"] = (
                f"https://{request.headers.get('host', '')}{request.path}?{query}&$skiptoken={start + self.page_size}"
            )
        return Answer(200, page, answer.headers)


def _named(address: Address, body: dict[str, Any], present: Resource | None = None) -> Resource:
    """The body that was sent, under the name that it was sent to; a resource that is there keeps its letter case."""
    sent = copy.deepcopy(body)
    name = present["name"] if present else address.names[-1]
    named: Resource = {"name": name, "id": present["id"] if present else address.path, "etag": "", "type": address.type}
    optional = ("location", "tags", "zones", "identity", "sku", "kind")
    named |= {member: sent[member] for member in optional if sent.get(member) is not None}
    return named | {"properties": sent.get("properties") or {}}


def _struck(fault: Fault) -> Answer:
    if fault.status == HUNG_UP:
        return Answer(HUNG_UP)
    retry = {"Retry-After": f"{fault.retry_after_s:g}"} if fault.retry_after_s is not None else {}
    return ArmError(fault.status, fault.code, fault.message, details=list(fault.details), headers=retry).answer()


def _unknown(address: Address) -> ArmError:
    return ArmError(
        404,
        "InvalidResourceType",
        f"The resource type '{'/'.join(address.types)}' could not be found in the namespace '{address.namespace}': not served here.",
    )
