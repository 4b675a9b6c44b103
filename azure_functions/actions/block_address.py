"""Block an address: deny rules in the network security groups in force on the interfaces that it talked to.

A deny takes effect only where no Allow stands before it, and open connections end only where the group re-evaluates them
(``flushConnection``): the first is decided before anything is written and read back afterwards, the second is set once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from azure_functions.actions import address_rules as own
from azure_functions.actions.address_plan import draft, named_targets, nothing_named, unblockable
from azure_functions.actions.group_writes import GroupWrites
from azure_functions.actions.interfaces import Interfaces, Wiring, interface_ids, is_machine, merged_tags, passing
from azure_functions.actions.permissions import FOLLOW_OPERATIONS, WRITE_SECURITY_GROUP
from azure_functions.actions.persistence import Persistence
from azure_functions.actions.prefixes import is_private
from azure_functions.actions.quarantine_groups import is_quarantine
from azure_functions.actions.resource_manager import Resource, ResourceId, ResourceManager, unless_changing
from azure_functions.actions.rights import cannot_apply, refused_where_forbidden
from azure_functions.actions.security_rules import Direction, read_effective_rules, read_rules
from azure_functions.clients import Clients
from azure_functions.cloud_errors import CloudForbidden, CloudRefusal
from azure_functions.registry import Group
from response.actions import CloudUnavailable, Difference, Plan, UndoResult, Verification
from response.addresses import read_address
from response.containment import containment_id
from response.resources import ARM_ID
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict

_ADMIN_RULES = "an Always Allow of a Virtual Network Manager passes before any security group: none is looked for"


class BlockAddress:
    """Rules of its own, beside the others: a child resource is written, and nobody's rule is rewritten."""

    name: ClassVar[str] = "block_address"
    group: ClassVar[Group] = Group.NETWORK
    handles: ClassVar[frozenset[EntityKind]] = frozenset({EntityKind.ADDRESS})
    carries: ClassVar[frozenset[str]] = frozenset({ARM_ID})
    gives_back: ClassVar[str] = ""
    permissions: ClassVar[tuple[str, ...]] = (
        "Microsoft.Compute/virtualMachines/read",
        "Microsoft.Network/networkInterfaces/effectiveNetworkSecurityGroups/action",
        "Microsoft.Network/networkInterfaces/read",
        "Microsoft.Network/networkSecurityGroups/securityRules/read",  # how Azure reports that a rule is written
        "Microsoft.Network/networkSecurityGroups/securityRules/write",
        "Microsoft.Network/publicIPAddresses/read",
        "Microsoft.Network/virtualNetworks/read",
        *WRITE_SECURITY_GROUP,
        *FOLLOW_OPERATIONS,
    )
    undo_permissions: ClassVar[tuple[str, ...]] = (
        "Microsoft.Network/networkSecurityGroups/securityRules/delete",
        *WRITE_SECURITY_GROUP,
        *FOLLOW_OPERATIONS,
    )

    def __init__(self, clients: Clients, *, persistence: Persistence | None = None) -> None:
        persistence = persistence or Persistence()
        self._arm = ResourceManager(clients, self.group, persistence)
        self._writes = GroupWrites(self._arm)
        self._undoing = GroupWrites(ResourceManager(clients, Group.UNDO, persistence))

    @refused_where_forbidden
    def plan(self, target: Entity, verdict: Verdict) -> Plan:
        parsed = read_address(target.id)
        if parsed is None:
            return _refused(target, f"{target.id} is no IP address: contain what it stands for")
        address = str(parsed)
        if reason := unblockable(address, ()):
            return _refused(target, reason)
        named = named_targets(verdict)
        if not named:
            return _refused(target, nothing_named(address, verdict))
        machines = {vm_id: self._arm.virtual_machine(vm_id) for vm_id in named if is_machine(vm_id)}
        wirings = self._wirings(_all_interfaces(named, machines))
        # An interface that is named stands for its machine: what protects that protects it.
        machines |= {w.machine: self._arm.virtual_machine(w.machine) for w in wirings if w.machine and w.machine not in machines}
        resources = (*named, *(w.id for w in wirings), *machines, *_groups_of(wirings))
        if not wirings:
            return _refused(target, f"{', '.join(named)} is gone: there is nothing left to protect", resources=resources)
        if reason := unblockable(address, wirings) or self._is_own(address, wirings):
            return _refused(target, reason, resources=resources)
        groups = self._groups(wirings)
        containment = containment_id(self.name, target, verdict.id)
        found = draft(address, wirings, groups, containment)
        state = {
            "address": address,
            "containment": containment,
            "named": list(named),
            "interfaces": {wiring.id: list(wiring.groups) for wiring in wirings},
        }
        tagged = [*(w.tags for w in wirings), *((vm or {}).get("tags") or {} for vm in machines.values())]
        return Plan(
            action=self.name,
            target=target,
            before={
                **state,
                "groups": {group: {"rules": {}, "flush": not own.flush_was_off(groups[group])} for group in found.priorities},
            },
            after={
                **state,
                "groups": {
                    group: {"rules": _rules(address, containment, groups[group], priorities), "flush": True}
                    for group, priorities in found.priorities.items()
                },
            },
            touches=(*(_touched(groups[group]) for group in found.priorities), _ADMIN_RULES),
            summary=f"deny {address} in {len(found.priorities)} security groups, in and out, of {len(wirings)} interfaces",
            refusal=_defeated(address, found.defeated),
            tags=merged_tags(*(groups[group].get("tags") or {} for group in found.priorities), *tagged),
            resources=tuple(dict.fromkeys(resources)),
        )

    def covers(self, plan: Plan, verdict: Verdict) -> bool:
        """Whether the verdict names only interfaces and machines that this plan covers."""
        named = named_targets(verdict)
        return bool(named) and set(named) <= {*plan.after["named"], *plan.after["interfaces"]}

    def check(self, plan: Plan) -> str:
        return self._arm.persistence.with_turns(lambda: self._objection(plan))

    def _objection(self, plan: Plan) -> str:
        wirings = self._wirings(plan.before["interfaces"])
        groups = {name: unless_changing(group) for name, group in self._groups(wirings).items()}
        # Another rule of the same verdict may have put the machine into quarantine while this one could not be carried out.
        wirings = [wiring for wiring in wirings if not (wiring.group and is_quarantine(groups[wiring.group]))]
        for wiring in wirings:
            if list(wiring.groups) != plan.before["interfaces"][wiring.id]:
                return f"other security groups are in force on {wiring.id} by now: plan again"
        found = draft(plan.after["address"], wirings, groups, plan.after["containment"])
        if found.defeated:
            return _defeated(plan.after["address"], found.defeated)
        planned = {(group, name) for group, state in plan.after["groups"].items() for name in state["rules"]}
        needed = {
            (group, own.rule_name(plan.after["containment"], direction))
            for group, priorities in found.priorities.items()
            for direction in priorities
        }
        if not needed <= planned:
            return "the rules of the security groups changed, and the address must be denied elsewhere by now: plan again"
        return ""

    def apply(self, plan: Plan) -> None:
        try:
            for group, state in plan.after["groups"].items():
                for name, rule in state["rules"].items():
                    self._writes.put_rule(group, name, rule)
                # Last: turning it on is what has Azure look at the connections that are open now.
                self._writes.set_flush(group, on=True)
        except (CloudRefusal, CloudForbidden) as refusal:
            raise cannot_apply(refusal, f"Deny {plan.after['address']} by hand, or quarantine the machine") from refusal

    def verify(self, plan: Plan) -> Verification:
        try:
            wirings = self._wirings(plan.after["interfaces"])
            denied = bool(wirings) and all(self._is_denied(wiring, plan) for wiring in wirings)
        except (CloudUnavailable, CloudRefusal):
            return Verification.UNREACHABLE
        return Verification.VERIFIED if denied else Verification.DRIFTED

    def compare(self, plan: Plan) -> tuple[Difference, ...]:
        return tuple(
            part
            for group, state in plan.after["groups"].items()
            for part in self._undoing.compare(group, state["rules"], flushed_before=plan.before["groups"][group]["flush"])
        )

    def undo(self, plan: Plan) -> UndoResult:
        return self._restore(plan, overwrite=False)

    def overwrite(self, plan: Plan) -> UndoResult:
        return self._restore(plan, overwrite=True)

    def _restore(self, plan: Plan, *, overwrite: bool) -> UndoResult:
        result = UndoResult()
        for group, state in plan.after["groups"].items():
            for name, rule in state["rules"].items():
                result += self._undoing.remove_rule(group, name, rule, overwrite=overwrite)
            if not plan.before["groups"][group]["flush"]:
                result += self._undoing.give_up_flush(group)
        return result

    def _is_denied(self, wiring: Wiring, plan: Plan) -> bool:
        """Say whether the address is denied by the groups as they are now, and by those that Azure says are in force."""
        address, groups = plan.after["address"], self._groups([wiring])
        if not wiring.positions(address):
            return True
        if not all(own.flushes(group) for group_id, group in groups.items() if group_id in plan.after["groups"]):
            return False
        in_force = [read_rules(groups[guard]) for guard in wiring.guards(address)]
        effective = self._arm.effective_groups(wiring.id)
        seen = [in_force]
        if effective is not None:
            seen.append([read_effective_rules(group.get("effectiveSecurityRules") or ()) for group in effective])
        return all(
            any(not passing(wiring, rules, direction, address) for rules in groups_seen)
            for groups_seen in seen
            for direction in Direction
        )

    def _is_own(self, address: str, wirings: Iterable[Wiring]) -> str:
        subscriptions = {ResourceId.parse(wiring.id).subscription for wiring in wirings}
        if is_private(address) or not any(address in self._arm.public_addresses(one) for one in sorted(subscriptions)):
            return ""
        return f"{address} is a public address of the subscription itself: contain what it belongs to"

    def _wirings(self, interface_ids: Iterable[str]) -> list[Wiring]:
        reader = Interfaces(self._arm)
        return [wiring for wiring in map(reader.read, interface_ids) if wiring is not None]

    def _groups(self, wirings: Iterable[Wiring]) -> dict[str, Resource]:
        """Read every security group in force. One that went meanwhile is planned with again by the next delivery."""
        found = {}
        for group_id in _groups_of(wirings):
            group = self._arm.security_group(group_id)
            if group is None:
                raise CloudUnavailable(f"{group_id} went while it was looked at")
            found[group_id] = group
        return found


def _all_interfaces(named: Iterable[str], machines: Mapping[str, Resource | None]) -> list[str]:
    ids = [resource_id for resource_id in named if resource_id not in machines]
    ids += [interface.lower() for machine in machines.values() if machine for interface in interface_ids(machine)]
    return list(dict.fromkeys(ids))


def _groups_of(wirings: Iterable[Wiring]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(group for wiring in wirings for group in wiring.groups))


def _rules(address: str, containment: str, group: Resource, priorities: Mapping[Direction, int]) -> dict[str, dict[str, Any]]:
    before = not own.flush_was_off(group)
    return {
        own.rule_name(containment, direction): own.deny(
            address, direction, priority, containment=containment, flush_before=before
        )
        for direction, priority in priorities.items()
    }


def _defeated(address: str, reasons: list[str]) -> str:
    if not reasons:
        return ""
    return (
        f"a deny of {address} would not take effect: {' | '.join(reasons)}. Give the Allow a number above {own.BAND[-1]} "
        "(or the interface a security group), or use quarantine_instance"
    )


def _touched(group: Resource) -> str:
    properties = group["properties"]
    counts = [len(properties.get(name) or ()) for name in ("networkInterfaces", "subnets")]
    flush = "" if own.flushes(group) else "; its open connections are evaluated anew once, and at each change of its rules"
    return f"everything behind {group['id']} ({counts[0]} interfaces and {counts[1]} subnets){flush}"


def _refused(target: Entity, reason: str, *, resources: tuple[str, ...] = ()) -> Plan:
    return Plan.refused(
        action=BlockAddress.name,
        target=target,
        summary=f"deny {target.id}",
        refusal=reason,
        resources=resources,
    )
