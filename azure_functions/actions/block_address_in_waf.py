"""Block an address before an Application Gateway or a Front Door: a rule of the firewall policies that the policy names.

For what stands behind one, where the machine's interface sees the gateway's address and a network security group has
nothing to deny. Rules end the evaluation in the order of their numbers: a block that an Allow stands before is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from azure_functions.actions import firewall_rules as rules_of
from azure_functions.actions.firewall_policies import (
    GATEWAYS,
    FirewallPolicies,
    NamedPolicies,
    kind_of,
    no_room,
    powerless,
    read_policies,
)
from azure_functions.actions.interfaces import merged_tags
from azure_functions.actions.own_networks import OwnNetworks
from azure_functions.actions.permissions import WRITE_FIREWALL_POLICY
from azure_functions.actions.persistence import Persistence
from azure_functions.actions.resource_manager import Resource, ResourceId, ResourceManager, unless_changing
from azure_functions.actions.rights import cannot_apply, refused_where_forbidden
from azure_functions.clients import Clients
from azure_functions.cloud_errors import CloudForbidden, CloudRefusal
from azure_functions.registry import Group
from response.actions import CloudUnavailable, Difference, Plan, UndoResult, Verification
from response.addresses import Address, address_of, read_address
from response.resources import ARM_ID
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict

_AFTERWARDS = "only requests that come after it, once gateways and front doors have taken the change over, which takes minutes"


class BlockAddressInWaf:
    """One block of just the address in one rule of each policy; no other rule is rewritten."""

    name: ClassVar[str] = "block_address_in_waf"
    group: ClassVar[Group] = Group.NETWORK
    handles: ClassVar[frozenset[EntityKind]] = frozenset({EntityKind.ADDRESS})
    carries: ClassVar[frozenset[str]] = frozenset({ARM_ID})
    gives_back: ClassVar[str] = ""
    permissions: ClassVar[tuple[str, ...]] = (
        "Microsoft.Network/publicIPAddresses/read",
        "Microsoft.Network/virtualNetworks/read",
        *WRITE_FIREWALL_POLICY,
    )
    undo_permissions: ClassVar[tuple[str, ...]] = WRITE_FIREWALL_POLICY

    def __init__(
        self, clients: Clients, settings: Mapping[str, Any] | None = None, *, persistence: Persistence | None = None
    ) -> None:
        persistence = persistence or Persistence()
        self._arm = ResourceManager(clients, self.group, persistence)
        self._policies = FirewallPolicies(clients, self.group, persistence)
        self._undoing = FirewallPolicies(clients, Group.UNDO, persistence)
        self._own = OwnNetworks(self._arm)
        self._named = read_policies(settings) if settings else None

    @staticmethod
    def read_settings(settings: Mapping[str, Any]) -> NamedPolicies:
        """Read what the policy says of it. Raises ValueError."""
        return read_policies(settings)

    @refused_where_forbidden
    def plan(self, target: Entity, verdict: Verdict) -> Plan:
        address, named = read_address(target.id), self._named
        if address is None:
            return _refused(target, f"{target.id} is no IP address: contain what it stands for")
        if named is None:
            where = f"actions.{self.name}.settings.firewall_policies"
            return _refused(target, f"the policy names no firewall policy: name one under {where}, or use block_address")
        fitting = [each for each in named.ids if address.version in kind_of(each).versions]
        if not fitting:
            return _refused(target, "the firewall of an Application Gateway knows addresses of IPv4 only: use block_address")
        found = {policy_id: self._policies.read(policy_id) for policy_id in fitting}
        if gone := [policy_id for policy_id, each in found.items() if each is None]:
            reason = f"there is no firewall policy {', '.join(gone)}: mend the policy, or use block_address"
            return _refused(target, reason, named.ids)
        if reason := self._own.owner_of(address, (ResourceId.parse(each).subscription for each in named.ids)):
            return _refused(target, f"{address} is {reason}", named.ids)
        policies = {policy_id: each for policy_id, each in found.items() if each is not None}
        blocking = {policy_id: _blocking(each, address) for policy_id, each in policies.items()}
        needed = {policy_id: each for policy_id, each in policies.items() if not blocking[policy_id]}
        priorities = {policy_id: _priority(each, named.rule) for policy_id, each in needed.items()}
        wanted = {each: {"block": rules_of.block_of(address), "priority": priorities[each]} for each in needed}
        useless = [_useless(each, named.rule, address, priorities.get(policy_id)) for policy_id, each in policies.items()]
        state = {"address": str(address), "rule": named.rule}
        return Plan(
            action=self.name,
            target=target,
            before={**state, "blocks": dict.fromkeys(needed)},
            after={**state, "blocks": wanted},
            touches=(
                *(text for each, one in needed.items() for text in _touched(one, named.rule, address, priorities[each])),
                *(f"{each} knows addresses of IPv4 only: not blocked there" for each in named.ids if each not in fitting),
                *(f"{each} blocks it already, by {rule}: left as it is, also at undo" for each, rule in blocking.items() if rule),
                _AFTERWARDS,
            ),
            summary=f"block {address} by rule {named.rule} of {len(needed)} firewall policies",
            refusal="; ".join(filter(None, useless)),
            tags=merged_tags(*(one.get("tags") or {} for one in policies.values())),
            resources=named.ids,
            region=_common(str(one.get("location", "")).lower().replace(" ", "") for one in policies.values()),
        )

    def covers(self, plan: Plan, verdict: Verdict) -> bool:
        """Wherever the address is seen: the firewall policies are the operator's, not the verdict's."""
        return True

    def check(self, plan: Plan) -> str:
        return self._arm.persistence.with_turns(lambda: self._objection(plan))

    def _objection(self, plan: Plan) -> str:
        address, rule = address_of(plan), plan.after["rule"]
        for policy_id, wanted in plan.after["blocks"].items():
            policy = self._policies.read(policy_id)
            if policy is None:
                return f"the firewall policy {policy_id} has gone: plan again"
            unless_changing(policy)
            present = rules_of.named(rules_of.custom_rules(policy), rule)
            if present is not None and rules_of.has(present, address):
                continue
            if blocking := _blocking(policy, address):
                return f"{policy_id} blocks {address} by now, by {blocking}: plan again"
            if reason := _useless(policy, rule, address, wanted["priority"]):
                return f"{reason}: plan again"
        return ""

    def apply(self, plan: Plan) -> None:
        address = address_of(plan)
        try:
            for policy_id, wanted in plan.after["blocks"].items():
                self._policies.put(policy_id, plan.after["rule"], address, wanted["priority"])
        except (CloudRefusal, CloudForbidden) as refusal:
            raise cannot_apply(refusal, f"Block {address} there by hand, or use block_address") from refusal

    def verify(self, plan: Plan) -> Verification:
        address, rule = address_of(plan), plan.after["rule"]
        try:
            found = [self._policies.read(policy_id) for policy_id in plan.after["blocks"]]
        except (CloudUnavailable, CloudRefusal):
            return Verification.UNREACHABLE
        holds = all(each is not None and _holds(each, rule, address) for each in found)
        return Verification.VERIFIED if holds else Verification.DRIFTED

    def compare(self, plan: Plan) -> tuple[Difference, ...]:
        address = address_of(plan)
        return tuple(self._undoing.compare(policy_id, plan.after["rule"], address) for policy_id in plan.after["blocks"])

    def undo(self, plan: Plan) -> UndoResult:
        address = address_of(plan)
        parts = (self._undoing.take(policy_id, plan.after["rule"], address) for policy_id in plan.after["blocks"])
        return sum(parts, UndoResult())


def _blocking(policy: Resource, address: Address) -> str:
    return rules_of.fate(rules_of.custom_rules(policy), address).blocked_by


def _holds(policy: Resource, rule: str, address: Address) -> bool:
    present = rules_of.named(rules_of.custom_rules(policy), rule)
    return present is not None and rules_of.has(present, address) and bool(_blocking(policy, address)) and not powerless(policy)


def _priority(policy: Resource, rule: str) -> int | None:
    """Number of the rule, or of the one that would be made."""
    rules = rules_of.custom_rules(policy)
    present = rules_of.named(rules, rule)
    return rules_of.free_priority(rules) if present is None else int(present["priority"])


def _as_planned(policy: Resource, rule: str, address: Address, priority: int | None) -> rules_of.Fate:
    spelling = kind_of(policy["id"]).spelling
    return rules_of.fate(rules_of.with_block(rules_of.custom_rules(policy), rule, address, priority or 0, spelling), address)


def _useless(policy: Resource, rule: str, address: Address, priority: int | None) -> str:
    """Say why a policy must not, or need not, block the address; also of one that does already."""
    if reason := powerless(policy):
        return reason
    if _blocking(policy, address):
        return ""
    if reason := no_room(policy, rule, priority):
        return reason
    if allowing := _as_planned(policy, rule, address, priority).let_in_by:
        found = rules_of.named(rules_of.custom_rules(policy), allowing) or {}
        what = f"lets {address} in" if str(found.get("action")).lower() == "allow" else f"redirects {address}"
        return (
            f"rule {allowing} of {policy['id']} {what} before rule {rule} is asked: give it a higher number, "
            "take the address out of it, or use block_address"
        )
    return ""


def _touched(policy: Resource, rule: str, address: Address, priority: int | None) -> Iterable[str]:
    if no_room(policy, rule, priority):
        return
    present = rules_of.named(rules_of.custom_rules(policy), rule)
    made = "" if present is not None else f", which is made with number {priority}"
    yield f"rule {rule} of {policy['id']}{made}: before {_before(policy)}"
    if perhaps := _as_planned(policy, rule, address, priority).perhaps_let_in_by:
        yield f"{', '.join(perhaps)} of {policy['id']} may let requests in before it is asked"


def _before(policy: Resource) -> str:
    properties, kind = policy.get("properties") or {}, kind_of(policy["id"])
    first, *others = ([str(each.get("id", "")).rpartition("/")[2] for each in properties.get(name) or ()] for name in kind.users)
    if kind is GATEWAYS:
        return (
            f"{', '.join(filter(None, first)) or 'no whole gateway'}, and {len(others[0]) + len(others[1])} listeners and paths"
        )
    return ", ".join(filter(None, [*first, *others[0], *others[1]]))


def _common(regions: Iterable[str]) -> str:
    found = set(regions)
    return found.pop() if len(found) == 1 else ""


def _refused(target: Entity, reason: str, resources: tuple[str, ...] = ()) -> Plan:
    return Plan.refused(
        action=BlockAddressInWaf.name,
        target=target,
        summary=f"block {target.id} in the firewalls of Application Gateways and Front Doors",
        refusal=reason,
        resources=resources,
    )
