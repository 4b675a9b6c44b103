"""Quarantine a virtual machine: every network interface gets a security group that allows nothing.

Traffic must pass the interface's group and the subnet's, so that a group on the interface that denies everything is enough,
whatever the subnet's allows. An interface is written whole: as it was read, with another group, and only if nobody else
changed it meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from azure_functions.actions.interfaces import (
    Interfaces,
    in_scale_set,
    interface_ids,
    is_machine,
    managed_elsewhere,
    merged_tags,
)
from azure_functions.actions.permissions import FOLLOW_OPERATIONS, WRITE_INTERFACE
from azure_functions.actions.persistence import Persistence
from azure_functions.actions.population import Population
from azure_functions.actions.quarantine_groups import QuarantineGroups, denies_everything, group_id
from azure_functions.actions.resource_manager import Resource, ResourceId, ResourceManager, unless_changing
from azure_functions.actions.rights import cannot_apply, refused_where_forbidden
from azure_functions.actions.security_rules import read_effective_rules
from azure_functions.clients import Clients
from azure_functions.cloud_errors import CloudForbidden, CloudRefusal
from azure_functions.registry import Group
from response.actions import CannotApply, CloudUnavailable, Difference, Plan, UndoResult, Verification
from response.resources import ARM_ID
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict

_TRACKED = (
    "connections that are open now are ended by flushConnection of the quarantine group, a preview: where a region does not "
    "have it yet, stop the machine to cut them"
)


class QuarantineInstance:
    """The previous group of each interface is kept in the plan; the quarantine group is left where it is."""

    name: ClassVar[str] = "quarantine_instance"
    group: ClassVar[Group] = Group.NETWORK
    handles: ClassVar[frozenset[EntityKind]] = frozenset({EntityKind.INSTANCE})
    carries: ClassVar[frozenset[str]] = frozenset({ARM_ID})
    gives_back: ClassVar[str] = "its networks to a machine that was isolated"
    permissions: ClassVar[tuple[str, ...]] = (
        "Microsoft.Compute/virtualMachines/read",
        "Microsoft.Network/networkInterfaces/effectiveNetworkSecurityGroups/action",
        "Microsoft.Network/networkSecurityGroups/read",
        "Microsoft.Network/networkSecurityGroups/write",
        "Microsoft.Network/virtualNetworks/read",
        *WRITE_INTERFACE,
        *FOLLOW_OPERATIONS,
    )
    undo_permissions: ClassVar[tuple[str, ...]] = (
        *WRITE_INTERFACE,
        *FOLLOW_OPERATIONS,
    )

    def __init__(self, clients: Clients, *, persistence: Persistence | None = None) -> None:
        persistence = persistence or Persistence()
        self._arm = ResourceManager(clients, self.group, persistence)
        self._undoing = ResourceManager(clients, Group.UNDO, persistence)
        self._groups = QuarantineGroups(self._arm)
        self._machines = Population(self._arm.count_machines)

    @refused_where_forbidden
    def plan(self, target: Entity, verdict: Verdict) -> Plan:
        if in_scale_set(target.id):
            return _refused(
                target,
                f"{target.id} is an instance of a scale set in Uniform mode, whose interfaces are not resources of their own: "
                "delete or reimage the instance, or deny its address in the security group of the subnet",
            )
        if not is_machine(target.id):
            return _refused(target, f"{target.id} is no id of a virtual machine: contain it where it runs")
        machine = self._arm.virtual_machine(target.id)
        if machine is None:
            return _refused(target, f"there is no virtual machine {target.id}: contain it where it runs")
        if owner := managed_elsewhere(machine):
            return _refused(target, f"{target.id} is managed by {owner}: cordon and drain it there")
        interfaces = self._interfaces(machine)
        if not interfaces:
            return _refused(target, f"{target.id} has no network interface: there is nothing left to isolate")
        for interface in interfaces:
            if owner := managed_elsewhere(interface):
                return _refused(target, f"{interface['id']} is managed by {owner}: isolate it there")
        before = {i["id"]: {"group": _group(i), "location": i["location"]} for i in interfaces}
        after = {i["id"]: {"group": group_id(i), "location": i["location"]} for i in interfaces}
        # Also the subnet's: whoever protects a group means the machines behind it, wherever it is attached.
        wiring = Interfaces(self._arm).wiring
        groups = {group: self._arm.security_group(group) for i in interfaces for group in wiring(i).groups}
        if all(_is(state["group"], after[nic]["group"]) for nic, state in before.items()):
            after = before  # Resource Manager may spell the id in other letters
        return Plan(
            action=self.name,
            target=target,
            before={"machine": machine["properties"].get("vmId"), "interfaces": before},
            after={"machine": machine["properties"].get("vmId"), "interfaces": after},
            touches=(*_touched(before, machine), _TRACKED),
            summary=f"isolate {target.id}: {len(before)} interfaces into a security group that allows nothing",
            tags=merged_tags(*((resource or {}).get("tags") or {} for resource in (*groups.values(), *interfaces, machine))),
            resources=tuple(dict.fromkeys(i.lower() for i in (target.id, *before, *sorted(groups)))),
            region=str(machine.get("location", "")).lower().replace(" ", "") if machine else "",
            kind="virtual machines",
            population=self._machines.of(ResourceId.parse(target.id).subscription.lower()),
            counted=target.id.lower(),
        )

    def covers(self, plan: Plan, verdict: Verdict) -> bool:
        """Whatever the machine does: it is off the network."""
        return True

    def check(self, plan: Plan) -> str:
        return self._arm.persistence.with_turns(lambda: self._objection(plan))

    def _objection(self, plan: Plan) -> str:
        # The machine's own state says nothing here: a long extension, which whoever is in it may start, must not hold this up.
        machine = self._arm.virtual_machine(plan.target.id)
        if machine and plan.before.get("machine") not in (None, machine["properties"].get("vmId")):
            return f"{plan.target.id} is another machine of the same name by now: plan again"
        now = {i["id"].lower(): _group(unless_changing(i)) for i in self._interfaces(machine)}
        if not now:
            return f"{plan.target.id} has no network interfaces any more"
        for nic, state in plan.before["interfaces"].items():
            group = now.get(nic.lower(), state["group"])
            if not _is(group, state["group"]) and not _is(group, plan.after["interfaces"][nic]["group"]):
                return f"the security group of {nic} is {group or 'none'} now, no longer {state['group'] or 'none'}: plan again"
        return ""

    def apply(self, plan: Plan) -> None:
        wanted = {state["group"]: state["location"] for state in plan.after["interfaces"].values()}
        try:
            for group, location in wanted.items():
                self._groups.ensure(group, location)
            for nic, state in plan.after["interfaces"].items():
                self._move(self._arm, nic, state["group"])
            for group in wanted:
                self._groups.end_connections(group)
        except (CloudRefusal, CloudForbidden) as refusal:
            raise cannot_apply(refusal, "Stop the machine, or deny it in the security group of its subnet") from refusal

    def verify(self, plan: Plan) -> Verification:
        try:
            interfaces = self._interfaces(self._arm.virtual_machine(plan.target.id))
            isolated = bool(interfaces) and all(self._is_isolated(interface) for interface in interfaces)
        except (CloudUnavailable, CloudRefusal):
            return Verification.UNREACHABLE
        return Verification.VERIFIED if isolated else Verification.DRIFTED

    def compare(self, plan: Plan) -> tuple[Difference, ...]:
        return tuple(
            self._compared(nic, state["group"], plan.after["interfaces"][nic]["group"])
            for nic, state in plan.before["interfaces"].items()
        )

    def _compared(self, nic: str, group: str, quarantine: str) -> Difference:
        interface = self._undoing.interface(nic)
        now = _group(interface) if interface is not None else ""
        changed = interface is None or not (_is(now, group) or _is(now, quarantine))
        there = "the interface is gone" if interface is None else now or "no group"
        return Difference(nic, group or "no group", quarantine, there, changed)

    def undo(self, plan: Plan) -> UndoResult:
        return self._restore(plan, overwrite=False)

    def overwrite(self, plan: Plan) -> UndoResult:
        return self._restore(plan, overwrite=True)

    def _restore(self, plan: Plan, *, overwrite: bool) -> UndoResult:
        parts = (
            self._give_back(nic, state["group"], plan.after["interfaces"][nic]["group"], overwrite=overwrite)
            for nic, state in plan.before["interfaces"].items()
        )
        return sum(parts, UndoResult())

    def _give_back(self, nic: str, group: str, quarantine: str, *, overwrite: bool) -> UndoResult:
        interface = self._undoing.interface(nic)
        if interface is None:
            return UndoResult.leaving(f"{nic} is gone")
        now, is_back = _group(interface), UndoResult((f"{nic}: {group or 'no group'}",))
        if _is(now, group):
            return is_back
        if not overwrite and not _is(now, quarantine):
            changed = f"{nic} has the security group {now or 'none'}: someone changed it since; it had {group or 'none'}"
            return UndoResult.leaving(changed)
        try:
            self._move(self._undoing, nic, group, only_from=now)
        except CloudRefusal as refusal:
            there = "in quarantine" if _is(now, quarantine) else f"in {now or 'no group'}"
            why = f"{nic} stays {there}, {group or 'no group'} cannot be set: {refusal}"
            return UndoResult.holding(why, refusal=refusal) if _is(now, quarantine) else UndoResult.leaving(why)
        except CannotApply as reason:
            return UndoResult.leaving(str(reason))
        return is_back

    def _move(self, arm: ResourceManager, nic: str, group: str, *, only_from: str = "") -> None:
        """Give an interface another security group (``""``: none) and change nothing else of it."""

        def attempt() -> None:
            interface = arm.interface(nic)
            if interface is None or _is(_group(interface), group):
                return
            if only_from and not _is(_group(interface), only_from):
                raise CannotApply(f"{nic} got the security group {_group(interface) or 'none'} meanwhile: it is left as it is")
            if group:
                interface["properties"]["networkSecurityGroup"] = {"id": group}
            else:
                del interface["properties"]["networkSecurityGroup"]
            arm.write_interface(interface)

        arm.persistence.with_turns(attempt)

    def _interfaces(self, machine: Resource | None) -> list[Resource]:
        found = [self._arm.interface(nic) for nic in interface_ids(machine)] if machine else []
        return [interface for interface in found if interface is not None]

    def _is_isolated(self, interface: Resource) -> bool:
        """Say whether the interface is in its quarantine group, and whether Azure says that nothing passes."""
        quarantine = group_id(interface)
        if not _is(_group(interface), quarantine) or not self._groups.is_closed(quarantine):
            return False
        effective = self._arm.effective_groups(interface["id"])
        return effective is None or any(
            denies_everything(read_effective_rules(group.get("effectiveSecurityRules") or ())) for group in effective
        )


def _group(interface: Mapping[str, Any]) -> str:
    return str((interface["properties"].get("networkSecurityGroup") or {}).get("id") or "")


def _is(one: str, other: str) -> bool:
    return one.lower() == other.lower()


def _touched(before: Mapping[str, Any], machine: Resource) -> tuple[str, ...]:
    interfaces = tuple(f"{nic}, now in {state['group'] or 'no group of its own'}" for nic, state in before.items())
    scale_set = (machine["properties"].get("virtualMachineScaleSet") or {}).get("id")
    if not scale_set:
        return interfaces
    return (
        *interfaces,
        f"scale set {scale_set}: its automatic repair may replace the machine, set its instance protection",
    )


def _refused(target: Entity, reason: str) -> Plan:
    return Plan.refused(
        action=QuarantineInstance.name,
        target=target,
        summary=f"isolate {target.id}",
        refusal=reason,
        resources=(target.id.lower(),),
    )
