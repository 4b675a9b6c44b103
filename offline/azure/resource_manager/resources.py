"""Requests for the resources that are kept: reads, lists, whole writes, single children, tags and deletions."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from offline.azure.endpoint import Link
from offline.azure.resource_manager.addresses import Address, parse_address
from offline.azure.resource_manager.deployed import DEPLOYED, HOST_KEYS, SETTINGS, Deployed, said_in, settings_of
from offline.azure.resource_manager.effective import effective_groups
from offline.azure.resource_manager.errors import ArmError, not_found, unknown_type
from offline.azure.resource_manager.firewall_policies import GATEWAYS, FirewallPolicies
from offline.azure.resource_manager.front_doors import SECURITY_POLICIES, FrontDoorPolicies
from offline.azure.resource_manager.interfaces import SCALE_SET_TYPE, Interfaces
from offline.azure.resource_manager.kinds import Kind
from offline.azure.resource_manager.machines import POWER, Machines, instance_view, power_state
from offline.azure.resource_manager.networks import Networks, subnet_links
from offline.azure.resource_manager.security_groups import SecurityGroups, rule_links
from offline.azure.resource_manager.sites import Sites, settings_in
from offline.azure.resource_manager.storage_accounts import StorageAccounts
from offline.azure.resource_manager.store import Resource, Store
from offline.azure.resource_manager.writes import Writes
from offline.azure.web import Answer, BadBody, Request, member

#: Types that are kept just as they are written.
_PLAIN = (
    "Microsoft.Compute/virtualMachineScaleSets",
    GATEWAYS,
    SECURITY_POLICIES,
    "Microsoft.Network/applicationSecurityGroups",
    "Microsoft.Network/networkWatchers",
    "Microsoft.Network/networkWatchers/flowLogs",
    "Microsoft.Network/publicIPAddresses",
    "Microsoft.OperationalInsights/workspaces",
)
_CHILD_LINKS = {
    "microsoft.network/networksecuritygroups/securityrules": rule_links,
    "microsoft.network/virtualnetworks/subnets": subnet_links,
}
#: Members beside ``properties`` that a caller may set.
_MEMBERS = ("location", "tags", "zones", "identity", "sku", "kind")


class Resources:
    """Answers for kept resources. Whoever uses it holds the store's lock."""

    def __init__(self, store: Store, writes: Writes) -> None:
        self._store, self._writes = store, writes
        self.sites = Sites()
        kinds: tuple[Kind, ...] = (
            SecurityGroups(),
            Interfaces(),
            Interfaces(SCALE_SET_TYPE),
            Networks(),
            Machines(),
            Machines("Microsoft.Compute/virtualMachineScaleSets/virtualMachines"),
            StorageAccounts(),
            FirewallPolicies(),
            FrontDoorPolicies(),
            *map(Kind, _PLAIN),
            *map(Deployed, DEPLOYED),
            self.sites,
        )
        self._kinds = {kind.type.lower(): kind for kind in kinds}

    def keep(self, resource_id: str, body: dict[str, Any], power: str) -> Resource:
        """Keep a resource at once, as if its operation had ended; return it as it is answered.

        Raises
        ------
        ArmError
        """
        address = parse_address("PUT", resource_id)
        kind = self._kind_of(address)
        before = self._store.get(resource_id)
        kept = kind.accepted(_named(address, body, before), before, self._store)
        kept["etag"] = kind.next_etag(before)
        kept["properties"] = {"provisioningState": "Succeeded", **kept["properties"]}
        if power or before:
            kept[POWER] = power or power_state(before or {})
        self._store.put(kept)
        return kind.show(kept, self._store)

    def serve(self, type_name: str) -> None:
        """Keep resources of this type from now on, where it is none that is looked into."""
        self._kinds.setdefault(type_name.lower(), Deployed(type_name))

    def get(self, address: Address) -> Resource:
        """A resource, or a child that lives in one, as it is answered.

        Raises
        ------
        ArmError
        """
        kind = self._kind_of(address)
        if not self._is_child(address):
            found = self._store.get(address.path)
            if found is None:
                raise not_found(address.path)
            return kind.show(found, self._store)
        holder = self.get(address.parent)
        for child in holder["properties"][kind.nested[address.types[-1]]]:
            if child["name"].lower() == address.names[-1].lower():
                return {**child, "etag": holder["etag"]}
        raise not_found(address.path)

    def links(self, address: Address, request: Request) -> Iterable[Link]:
        """What a write needs on the resources that its body points to."""
        if request.method != "PUT" or address.is_list:
            return ()
        kind = self._kinds.get(address.type.lower())
        find = _CHILD_LINKS.get(address.type.lower()) or (kind.links if kind else None)
        if find is None:
            return ()
        body = request.object()
        try:
            return tuple(find(body))
        except (AttributeError, KeyError, TypeError) as error:
            raise BadBody(f"{type(error).__name__} {error}") from error

    def answer(self, address: Address, request: Request) -> Answer:
        """Answer a request.

        Raises
        ------
        ArmError
        """
        self._kind_of(address)
        if address.action:
            return self._act(address, request)
        if request.method in ("GET", "HEAD"):
            return self._read(address, request)
        if address.is_list or address.type == SCALE_SET_TYPE:
            raise ArmError(405, "HttpMethodNotAllowed", f"{request.method} wants a resource of its own: {request.path}")
        return self._write_child(address, request) if self._is_child(address) else self._write(address, request)

    def _read(self, address: Address, request: Request) -> Answer:
        if address.types[-1] == "instanceView":
            return Answer(200, instance_view(self.get(address.parent), self._power_of(address.parent)))
        if address.is_list:
            return Answer(200, {"value": self._list(address)})
        resource = self.get(address)
        if "instanceview" in request.query.get("$expand", "").lower():
            resource["properties"]["instanceView"] = instance_view(resource, self._power_of(address))
        return Answer(200, resource, _etag_of(resource))

    def _power_of(self, address: Address) -> str:
        return power_state(self._store.get(address.path) or {})

    def _list(self, address: Address) -> list[Resource]:
        kind = self._kind_of(address)
        if self._is_child(address):
            return list(self.get(address.parent)["properties"][kind.nested[address.types[-1]]])
        scope = address.parent.path if address.names else address.scope
        return [kind.show(one, self._store) for one in self._store.of_type(address.type, scope)]

    def _write(self, address: Address, request: Request) -> Answer:
        kind, present = self._kind_of(address), self._store.get(address.path)
        if request.method == "DELETE" and present is None:
            return Answer(204)
        self._writes.check(address.path, present, request)
        if isinstance(kind, Deployed) and request.method != "PATCH":
            return self._write_at_once(address, present, request)
        if request.method == "PUT":
            headers = self._writes.put(kind, _named(address, request.object(), present), present, request)
            return Answer(200 if present else 201, self.get(address), headers)
        if present is None:
            raise not_found(address.path)
        if request.method == "PATCH":
            return self._patch(kind, present, request)
        kind.check_delete(present, self._store)
        return self._writes.delete(kind, present, request, lambda: self._store.delete(present["id"]))

    def _write_at_once(self, address: Address, present: Resource | None, request: Request) -> Answer:
        if request.method == "DELETE":
            self._store.delete(address.path)
            return Answer(200)
        return Answer(200 if present else 201, self.keep(address.path, request.object(), ""))

    def _write_child(self, address: Address, request: Request) -> Answer:
        """Write one child of a resource: all else of the resource stays as it is, and its ETag changes with it."""
        kind, holder = self._kind_of(address), self._store.get(address.parent.path)
        if holder is None:
            raise not_found(address.parent.path)
        if address.types[-1] == "defaultSecurityRules" or request.method not in ("PUT", "DELETE"):
            raise ArmError(405, "HttpMethodNotAllowed", f"{request.method} is not served for {address.type}.")
        changed = copy.deepcopy(holder)
        siblings: list[Resource] = changed["properties"][kind.nested[address.types[-1]]]
        name = address.names[-1]
        position = next((at for at, one in enumerate(siblings) if one["name"].lower() == name.lower()), None)
        if request.method == "DELETE" and position is None:
            return Answer(204)
        self._writes.check(holder["id"], holder, request, exists=position is not None)
        if request.method == "DELETE" and position is not None:
            del siblings[position]
            return self._writes.delete_child(kind, changed, holder, request)
        properties = member(request.object(), "properties")
        if position is None:
            siblings.append({"name": name, "properties": properties})
        else:
            siblings[position] = {"name": siblings[position]["name"], "properties": properties}
        headers = self._writes.put(kind, changed, holder, request)
        return Answer(201 if position is None else 200, self.get(address), headers)

    def _patch(self, kind: Kind, present: Resource, request: Request) -> Answer:
        """PATCH: done at once."""
        changed = kind.patched(present, request.object(), self._store)
        changed["etag"] = kind.next_etag(present)
        self._store.put(changed)
        shown = kind.show(changed, self._store)
        return Answer(200, shown, _etag_of(shown))

    def _act(self, address: Address, request: Request) -> Answer:
        present = self._store.get(address.path)
        if present is None and address.operation("POST") == SETTINGS and address.names[-1].lower() == "appsettings":
            present = {"id": address.path, "name": "appsettings", "type": address.type}
            present["properties"] = settings_in(self.get(address.parent))
        if present is None:
            raise not_found(address.path)
        if address.operation("POST") == "Microsoft.Network/networkInterfaces/effectiveNetworkSecurityGroups/action":
            effective_groups(present, self._store)  # what can never be answered is refused at once
            return self._writes.work_out(present, request, lambda: effective_groups(present, self._store))
        if address.operation("POST") == SETTINGS:
            return Answer(200, settings_of(present))
        if address.operation("POST") == HOST_KEYS:
            return Answer(200, said_in(present))
        raise ArmError(404, "InvalidAction", f"{address.action} on {address.type} is not served here.")

    def _is_child(self, address: Address) -> bool:
        return self._kind_of(address).type.lower() != address.type.lower()

    def _kind_of(self, address: Address) -> Kind:
        """The kind that keeps what an address points to: its own, or that of the resource that it lives in."""
        own = self._kinds.get(address.type.lower())
        if own:
            return own
        parent = self._kinds.get(address.parent.type.lower()) if len(address.types) > 1 else None
        if parent and (address.types[-1] in parent.nested or address.types[-1] == "instanceView"):
            return parent
        raise unknown_type(address.namespace, address.types)


def _etag_of(shown: Resource) -> dict[str, str]:
    return {"ETag": shown["etag"]} if "etag" in shown else {}


def _named(address: Address, body: dict[str, Any], present: Resource | None) -> Resource:
    """The body that was sent, under the name that it was sent to; a resource that is there keeps its letter case."""
    sent = copy.deepcopy(body)
    name, resource_id = (present["name"], present["id"]) if present else (address.names[-1], address.path)
    named: Resource = {"name": name, "id": resource_id, "etag": "", "type": address.type}
    named |= {member: sent[member] for member in _MEMBERS if sent.get(member) is not None}
    return named | {"properties": member(sent, "properties")}
