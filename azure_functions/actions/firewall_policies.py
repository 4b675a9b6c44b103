"""Firewall policies of Application Gateways and Front Doors: lists of rules in one resource, written whole against its ETag."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from azure_functions.actions import firewall_rules as rules_of
from azure_functions.actions.front_doors import FrontDoors
from azure_functions.actions.persistence import Persistence
from azure_functions.actions.resource_manager import Resource, ResourceId, ResourceManager
from azure_functions.clients import Clients
from azure_functions.cloud_errors import CloudRefusal
from response.actions import CannotApply, Difference, UndoResult
from response.addresses import Address

#: Rule that Breakwater makes where the operator's policy names none.
RULE = "BreakwaterBlocked"
#: Firewall policies that the operator's policy names at most: each is read for every plan.
_MOST = 10
_RULE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{0,127}")
_NOWHERE = "blocked by no rule"


@dataclass(frozen=True, slots=True)
class FirewallKind:
    """What sets the policies of Application Gateways and of Front Doors apart.

    Attributes
    ----------
    type : str
        Lower case.
    spelling : Spelling
    users : tuple of str
        Members that say what a policy stands before.
    versions : frozenset of int
        Of IP: those that its rules match.
    """

    type: str
    spelling: rules_of.Spelling
    users: tuple[str, ...]
    versions: frozenset[int]


GATEWAYS = FirewallKind(
    "microsoft.network/applicationgatewaywebapplicationfirewallpolicies",
    rules_of.GATEWAYS,
    ("applicationGateways", "httpListeners", "pathBasedRules", "applicationGatewayForContainers"),
    frozenset({4}),
)
FRONT_DOORS = FirewallKind(
    "microsoft.network/frontdoorwebapplicationfirewallpolicies",
    rules_of.FRONT_DOORS,
    ("frontendEndpointLinks", "routingRuleLinks", "securityPolicyLinks"),
    frozenset({4, 6}),
)
_KINDS = {kind.type: kind for kind in (GATEWAYS, FRONT_DOORS)}


def kind_of(policy_id: str) -> FirewallKind:
    """Return the kind of a firewall policy, by its id. Raises ValueError for an id of anything else."""
    parsed = ResourceId.parse(policy_id)
    if parsed.child or parsed.type not in _KINDS:
        raise ValueError(f"{policy_id} is no firewall policy of an Application Gateway or a Front Door")
    return _KINDS[parsed.type]


@dataclass(frozen=True, slots=True)
class NamedPolicies:
    """The firewall policies by their ARM ids, lower case, and the rule of theirs that lists what is blocked."""

    ids: tuple[str, ...]
    rule: str = RULE


def read_policies(settings: Mapping[str, Any]) -> NamedPolicies:
    """Read ``{"firewall_policies": [ARM id, …], "rule": name}`` of the policy. Raises ValueError: place, and what fits there."""
    if unknown := sorted(settings.keys() - {"firewall_policies", "rule"}):
        raise ValueError(f"{unknown[0]}: there is no such setting: here stand firewall_policies, rule")
    given, rule = settings.get("firewall_policies"), settings.get("rule", RULE)
    if (
        not isinstance(given, list | tuple)
        or not 1 <= len(given) <= _MOST
        or len({str(each).lower() for each in given}) != len(given)
    ):
        raise ValueError(f"firewall_policies: name one to {_MOST} by their ids, each once (it is {given!r})")
    for number, each in enumerate(given):
        if not _is_policy(str(each)):
            raise ValueError(
                f"firewall_policies.{number}: {each!r} is no id of a firewall policy of an Application Gateway or a Front Door: "
                "give one such as /subscriptions/…/resourceGroups/…/providers/Microsoft.Network/"
                "ApplicationGatewayWebApplicationFirewallPolicies/shop, or …/FrontDoorWebApplicationFirewallPolicies/shop"
            )
    if not isinstance(rule, str) or not _RULE_NAME.fullmatch(rule):
        raise ValueError(f"rule: give a name of letters and digits, such as {RULE} (it is {rule!r})")
    return NamedPolicies(tuple(str(each).lower() for each in given), rule)


def powerless(policy: Resource) -> str:
    """Say why no rule of a policy blocks anything, ``""`` where its rules do."""
    properties, name = policy.get("properties") or {}, policy["id"]
    settings = properties.get("policySettings") or {}
    if str(settings.get("state") or settings.get("enabledState") or "Enabled").lower() != "enabled":
        return f"{name} is disabled: enable it, or take it out of the policy and use block_address"
    if str(settings.get("mode") or "not said").lower() != "prevention":
        return f"{name} is in detection mode, in which a block only writes a log: set it to prevention, or use block_address"
    if not any(properties.get(each) for each in kind_of(name).users):
        what = "gateway, listener or path" if kind_of(name) is GATEWAYS else "domain or endpoint of a Front Door"
        return f"{name} stands before no {what}: associate it, or take it out of the policy"
    return ""


class FirewallPolicies:
    """Puts blocks of one address into a rule, and takes them out, in the name of one identity."""

    def __init__(self, clients: Clients, group: str, persistence: Persistence) -> None:
        self._arm = ResourceManager(clients, group, persistence)
        self._doors = FrontDoors(clients, group, persistence)
        self._persistence = persistence

    def read(self, policy_id: str) -> Resource | None:
        """Return a firewall policy with its rules, None where there is none."""
        return self._of(policy_id).firewall_policy(policy_id)

    def put(self, policy_id: str, rule: str, address: Address, priority: int) -> None:
        """Let a rule list an address, unless it does. The rule is made where it is not there.

        Raises
        ------
        CannotApply
            The policy is gone, the rule blocks nothing any more, or there is no room.
        CloudUnavailable
            Other writers kept the policy busy.
        """

        def attempt() -> None:
            policy = self.read(policy_id)
            if policy is None:
                raise CannotApply(f"the firewall policy {policy_id} is gone: name another, or use block_address")
            rules = rules_of.custom_rules(policy)
            present = rules_of.named(rules, rule)
            if present is not None and rules_of.has(present, address):
                return
            free = rules_of.free_priority(rules) if any(each["priority"] == priority for each in rules) else priority
            if reason := no_room(policy, rule, free):
                raise CannotApply(reason)
            kind = kind_of(policy_id)
            self._write(policy, rules_of.with_block(rules, rule, address, free or priority, kind.spelling))

        self._persistence.with_turns(attempt)

    def take(self, policy_id: str, rule: str, address: Address) -> UndoResult:
        """Take an address out of a rule."""

        def attempt() -> UndoResult:
            policy = self.read(policy_id)
            if policy is None:
                return UndoResult.leaving(f"the firewall policy {policy_id} is gone")
            rules = rules_of.custom_rules(policy)
            present = rules_of.named(rules, rule)
            if present is not None and rules_of.has(present, address):
                rules = rules_of.without_block(rules, rule, address)
                self._write(policy, rules)
            if others := rules_of.fate(rules, address).blocked_by:
                return UndoResult.leaving(f"{policy_id} still blocks {address}, by {others}: someone put that there since")
            return UndoResult((f"{policy_id} without {address}",))

        try:
            return self._persistence.with_turns(attempt)
        except CloudRefusal as refusal:
            return UndoResult.holding(f"{address} stays in {policy_id}: {refusal}", refusal=refusal)

    def compare(self, policy_id: str, rule: str, address: Address) -> Difference:
        """Say by which rule an address is blocked now."""
        applied = f"{rules_of.block_of(address)} is blocked by {rule}"
        policy = self.read(policy_id)
        if policy is None:
            return Difference(policy_id, _NOWHERE, applied, "the policy is gone", is_changed=True)
        rules = rules_of.custom_rules(policy)
        present, blocking = rules_of.named(rules, rule), rules_of.fate(rules, address).blocked_by
        ours = present is not None and rules_of.has(present, address)
        if ours and blocking:
            now = applied
        elif ours:
            now = f"{rule} lists {rules_of.block_of(address)}, and does not block it"
        else:
            now = f"blocked by {blocking}" if blocking else _NOWHERE
        return Difference(policy_id, _NOWHERE, applied, now, is_changed=now not in (_NOWHERE, applied))

    def _write(self, policy: Resource, rules: list[rules_of.Rule]) -> None:
        kind, written = kind_of(policy["id"]), [dict(each) for each in rules]
        given = written if kind is GATEWAYS else {**(policy["properties"].get("customRules") or {}), "rules": written}
        changed = {**policy, "properties": {**policy["properties"], "customRules": given}}
        self._of(policy["id"]).write_firewall_policy(changed, etag=policy.get("etag") or "")

    def _of(self, policy_id: str) -> ResourceManager | FrontDoors:
        return self._doors if kind_of(policy_id) is FRONT_DOORS else self._arm


def no_room(policy: Resource, rule: str, priority: int | None) -> str:
    """Say why nothing more goes into the rule, ``""`` where an address does. ``priority`` is where it would be made."""
    rules = rules_of.custom_rules(policy)
    present, name = rules_of.named(rules, rule), policy["id"]
    if present is None:
        if len(rules) >= rules_of.MOST_RULES or priority is None:
            return f"{name} has {rules_of.MOST_RULES} rules, all that it takes: join some, or name a rule of yours"
        return ""
    if reason := rules_of.objection(present):
        return f"rule {rule} of {name} {reason}: name one that blocks the addresses that it lists, or none and one is made"
    most = rules_of.most_ranges(policy)
    if len(rules_of.listed(present) or ()) >= most:
        return f"rule {rule} of {name} lists {most} blocks, all that it takes: end containments, or name another rule"
    return ""


def _is_policy(text: str) -> bool:
    try:
        kind_of(text)
    except ValueError:
        return False
    return True
