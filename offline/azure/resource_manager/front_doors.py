"""Web application firewall policies of Azure Front Door: written whole, in use where a security policy of a profile names them.

Shapes: https://learn.microsoft.com/rest/api/frontdoorservice/webapplicationfirewall/policies, and Microsoft's published
specification of 2025-10-01.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from offline.azure.resource_manager.errors import bad_request
from offline.azure.resource_manager.kinds import Kind, only_known, reference
from offline.azure.resource_manager.store import Resource, Store

TYPE = "Microsoft.Network/frontDoorWebApplicationFirewallPolicies"
SECURITY_POLICIES = "Microsoft.Cdn/profiles/securityPolicies"
#: https://learn.microsoft.com/azure/azure-resource-manager/management/azure-subscription-service-limits
MOST_RULES, MOST_RANGES, MOST_CONDITIONS = 100, 600, 10

_COMPUTED = frozenset({"frontendEndpointLinks", "routingRuleLinks", "securityPolicyLinks", "provisioningState", "resourceState"})
_MEMBERS = frozenset({"policySettings", "customRules", "managedRules"}) | _COMPUTED
_SETTINGS = frozenset(
    {"enabledState", "mode", "redirectUrl", "customBlockResponseStatusCode", "customBlockResponseBody", "requestBodyCheck"}
    | {"javascriptChallengeExpirationInMinutes", "captchaExpirationInMinutes", "logScrubbing"}
)
_RULE_MEMBERS = frozenset(
    {"name", "priority", "enabledState", "ruleType", "matchConditions", "action"}
    | {"rateLimitDurationInMinutes", "rateLimitThreshold", "groupBy"}
)
_CONDITION_MEMBERS = frozenset({"matchVariable", "selector", "operator", "negateCondition", "matchValue", "transforms"})
_ACTIONS = frozenset({"Allow", "Block", "Log", "Redirect", "AnomalyScoring", "JSChallenge", "CAPTCHA"})


class FrontDoorPolicies(Kind):
    """``Microsoft.Network/frontDoorWebApplicationFirewallPolicies``."""

    def __init__(self) -> None:
        super().__init__(TYPE)

    def accept(self, resource: Resource, before: Resource | None, store: Store) -> Resource:
        resource = super().accept(resource, before, store)
        sent = resource["properties"]
        only_known(sent, _MEMBERS, "WebApplicationFirewallPolicyProperties")
        settings = sent.get("policySettings") or {}
        only_known(settings, _SETTINGS, "PolicySettings")
        listed = sent.get("customRules") or {}
        only_known(listed, frozenset({"rules"}), "CustomRuleList")
        rules = [_accepted(rule) for rule in listed.get("rules") or []]
        _refuse_conflicts(rules)
        resource["sku"] = resource.get("sku") or {"name": "Classic_AzureFrontDoor"}
        resource["properties"] = {
            "customRules": {"rules": rules},
            "policySettings": {"enabledState": "Enabled", **settings},
            "managedRules": sent.get("managedRules") or {"managedRuleSets": []},
        }
        return resource

    def show(self, resource: Resource, store: Store) -> Resource:
        shown = copy.deepcopy(resource)
        wanted = shown["id"].lower()
        users = [
            {"id": one["id"]}
            for one in store.of_type(SECURITY_POLICIES)
            if reference(one["properties"].get("parameters"), "wafPolicy").lower() == wanted
        ]
        shown["properties"] |= {"frontendEndpointLinks": [], "securityPolicyLinks": users}
        shown["properties"]["resourceState"] = "Enabled" if users else "Disabled"
        return shown


def _accepted(rule: Mapping[str, Any]) -> dict[str, Any]:
    only_known(rule, _RULE_MEMBERS, "CustomRule")
    conditions = rule["matchConditions"]
    if not isinstance(rule["priority"], int) or rule["priority"] < 1 or not conditions or len(conditions) > MOST_CONDITIONS:
        raise bad_request(
            "InvalidRequestFormat", f"Rule {rule.get('name')} needs a priority and 1 to {MOST_CONDITIONS} conditions."
        )
    if rule["action"] not in _ACTIONS:
        raise bad_request("InvalidRequestFormat", f"Rule {rule.get('name')} has the unknown action {rule['action']}.")
    for condition in conditions:
        only_known(condition, _CONDITION_MEMBERS, "MatchCondition")
        if not condition["matchVariable"] or (not condition["matchValue"] and condition["operator"] != "Any"):
            raise bad_request("InvalidRequestFormat", f"A condition of rule {rule.get('name')} has no match value.")
        if condition["operator"] == "IPMatch" and len(condition["matchValue"]) > MOST_RANGES:
            raise bad_request(
                "InvalidRequestFormat", f"A condition of rule {rule.get('name')} has more than {MOST_RANGES} address ranges."
            )
    filled = [{"selector": None, "negateCondition": False, "transforms": [], **condition} for condition in conditions]
    limits = {"rateLimitDurationInMinutes": 0, "rateLimitThreshold": 0}
    return {"enabledState": "Enabled", **limits, **copy.deepcopy(dict(rule)), "matchConditions": copy.deepcopy(filled)}


def _refuse_conflicts(rules: list[dict[str, Any]]) -> None:
    if len(rules) > MOST_RULES:
        raise bad_request("InvalidRequestFormat", f"A policy takes {MOST_RULES} custom rules.")
    for key in ("name", "priority"):
        seen = [str(rule[key]).lower() for rule in rules]
        if len(set(seen)) != len(seen):
            raise bad_request("InvalidRequestFormat", f"Two custom rules have one {key}.")
