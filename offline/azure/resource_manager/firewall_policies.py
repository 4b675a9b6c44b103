"""Web application firewall policies of Application Gateways: written whole, and in use where a gateway names them.

Shapes: https://learn.microsoft.com/rest/api/application-gateway/web-application-firewall-policies.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from offline.azure.resource_manager.errors import bad_request
from offline.azure.resource_manager.kinds import Kind, only_known, reference
from offline.azure.resource_manager.store import Resource, Store

TYPE = "Microsoft.Network/ApplicationGatewayWebApplicationFirewallPolicies"
GATEWAYS = "Microsoft.Network/applicationGateways"
MOST_RULES, MOST_RANGES, MOST_RANGES_BEFORE_3_2 = 100, 600, 540

_COMPUTED = frozenset(
    {"applicationGateways", "httpListeners", "pathBasedRules", "applicationGatewayForContainers"}
    | {"provisioningState", "resourceState", "resourceGuid"}
)
_MEMBERS = frozenset({"policySettings", "customRules", "managedRules", "tier"}) | _COMPUTED
_RULE_MEMBERS = frozenset(
    {"name", "priority", "state", "ruleType", "matchConditions", "action"}
    | {"rateLimitDuration", "rateLimitThreshold", "groupByUserSession", "etag"}
)
_CONDITION_MEMBERS = frozenset({"matchVariables", "operator", "negationConditon", "matchValues", "transforms"})


class FirewallPolicies(Kind):
    """``Microsoft.Network/ApplicationGatewayWebApplicationFirewallPolicies``."""

    def __init__(self) -> None:
        super().__init__(TYPE)

    def accept(self, resource: Resource, before: Resource | None, store: Store) -> Resource:
        resource = super().accept(resource, before, store)
        sent = resource["properties"]
        only_known(sent, _MEMBERS, "WebApplicationFirewallPolicy")
        managed = (sent.get("managedRules") or {}).get("managedRuleSets")
        if not managed:
            raise bad_request("ApplicationGatewayFirewallPolicyManagedRuleSetsRequired", "A policy needs a managed rule set.")
        rules = [_accepted(rule, _most_ranges(managed)) for rule in sent.get("customRules") or []]
        _refuse_conflicts(rules)
        settings = {"state": "Enabled", "mode": "Detection", **(sent.get("policySettings") or {})}
        resource["properties"] = {"customRules": rules, "policySettings": settings, "managedRules": sent["managedRules"]}
        return resource

    def show(self, resource: Resource, store: Store) -> Resource:
        shown = copy.deepcopy(resource)
        properties, wanted = shown["properties"], shown["id"].lower()
        gateways = store.of_type(GATEWAYS)
        users = {
            "applicationGateways": [one["id"] for one in gateways if _names(one["properties"], wanted)],
            "httpListeners": [
                f"{one['id']}/httpListeners/{listener['name']}"
                for one in gateways
                for listener in one["properties"].get("httpListeners") or []
                if _names(listener.get("properties") or {}, wanted)
            ],
        }
        properties |= {name: [{"id": user} for user in found] for name, found in users.items() if found}
        properties["resourceState"] = "Enabled" if any(users.values()) else "Disabled"
        return shown


def _names(properties: Mapping[str, Any], policy_id: str) -> bool:
    return reference(properties, "firewallPolicy").lower() == policy_id


def _most_ranges(managed: list[Mapping[str, Any]]) -> int:
    older = {("OWASP", version) for version in ("2.2.9", "3.0", "3.1")}
    return (
        MOST_RANGES_BEFORE_3_2
        if any((one.get("ruleSetType"), one.get("ruleSetVersion")) in older for one in managed)
        else MOST_RANGES
    )


def _accepted(rule: Mapping[str, Any], most: int) -> dict[str, Any]:
    only_known(rule, _RULE_MEMBERS, "WebApplicationFirewallCustomRule")
    conditions = rule["matchConditions"]
    if not isinstance(rule["priority"], int) or not 1 <= rule["priority"] <= 100 or not conditions:
        raise bad_request("InvalidRequestFormat", f"Rule {rule.get('name')} needs a priority from 1 to 100 and a condition.")
    for condition in conditions:
        only_known(condition, _CONDITION_MEMBERS, "MatchCondition")
        if not condition["matchVariables"] or not (condition.get("matchValues") or condition["operator"] == "Any"):
            raise bad_request("InvalidRequestFormat", f"A condition of rule {rule.get('name')} has no match value.")
        if condition["operator"] == "IPMatch" and len(condition["matchValues"]) > most:
            raise bad_request(
                "ApplicationGatewayFirewallCustomRuleIpMatchValuesLimitReached",
                f"A condition of rule {rule.get('name')} has more than {most} address ranges.",
            )
    return {"state": "Enabled", **copy.deepcopy(dict(rule))}


def _refuse_conflicts(rules: list[dict[str, Any]]) -> None:
    if len(rules) > MOST_RULES:
        raise bad_request("ApplicationGatewayFirewallCustomRulesLimitReached", f"A policy takes {MOST_RULES} custom rules.")
    for key in ("name", "priority"):
        seen = [str(rule[key]).lower() for rule in rules]
        if len(set(seen)) != len(seen):
            raise bad_request("InvalidRequestFormat", f"Two custom rules have one {key}.")
