"""The templates as they are committed, and what they deploy with the parameters that turn everything on."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from azure_functions.registry import Group
from offline.azure.templates.deployment import GROUP, SUBSCRIPTION, Deployment, deploy

FOLDER = Path(__file__).parents[2] / "azure_infra"
SOC = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/soc"
WORKSPACE = f"{SOC}/providers/Microsoft.OperationalInsights/workspaces/sentinel"
VNET = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/office/providers/Microsoft.Network/virtualNetworks/office"
FLOW_LOGS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/office/providers/Microsoft.Storage/storageAccounts/officeflowlogs"
ROOM = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
_EDGE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/edge/providers/Microsoft.Network"
FIREWALLS = (
    f"{_EDGE}/ApplicationGatewayWebApplicationFirewallPolicies/shop",
    f"{_EDGE}/FrontDoorWebApplicationFirewallPolicies/shopdoor",
)
WRITER = f"{ROOM}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/breakwater-flow-log-writer"
NAMESPACE = f"{ROOM}/providers/Microsoft.EventHub/namespaces/breakwater-events"
PLAYBOOK, SENTINEL, BREAK_GLASS, OPERATOR, SWITCH_HOLDER = (f"99999999-0000-4000-8000-00000000000{n}" for n in range(5))
APPLICATION, PAGE_APPLICATION = "88888888-0000-4000-8000-000000000000", "88888888-0000-4000-8000-000000000001"
PRINCIPALS = {group: f"77777777-0000-4000-8000-00000000000{number}" for number, group in enumerate(Group)}

#: Needed parameters alone: what a deployment does by default.
LEAST: dict[str, dict[str, Any]] = {
    "resource_group": {"workspaceId": WORKSPACE},
    "subscription": {f"{group}PrincipalId": principal for group, principal in PRINCIPALS.items()},
    "workspace": {"workspaceName": "sentinel", "functionHost": "breakwater-detect-x.azurewebsites.net"},
    "tenant": {"diagnosticsRuleId": f"{NAMESPACE}/authorizationRules/diagnostics"},
    "flow_log_events": {"stateAccountId": "/state", "webhook": "https://h/runtime/webhooks/blobs?functionName={function}&code=c"},
}
#: Everything turned on.
MOST: dict[str, dict[str, Any]] = {
    **LEAST,
    "resource_group": {
        **LEAST["resource_group"],
        "applicationId": APPLICATION,
        "playbookPrincipalId": PLAYBOOK,
        "keyVaultEndpoint": "https://contoso.vault.azure.net",
        "linkKey": "breakwater-links",
        "pageApplicationId": PAGE_APPLICATION,
        "healthCallers": [BREAK_GLASS],
        "callerRanges": ["203.0.113.0/24"],
        "operatorPrincipalIds": [OPERATOR],
        "disarmPrincipalIds": [SWITCH_HOLDER],
        "operatorAddresses": ["203.0.113.7"],
        "notifyEmails": ["soc@example.com"],
        "watchApiCalls": True,
        "watchFlows": True,
        "watchSystemLogs": True,
    },
    "subscription": {
        **LEAST["subscription"],
        "armed": True,
        "protectedPrincipalIds": [BREAK_GLASS],
        "firewallPolicyIds": list(FIREWALLS),
        "diagnosticsRuleId": f"{NAMESPACE}/authorizationRules/diagnostics",
        "workspaceId": WORKSPACE,
        "exportTables": ["Syslog", "SecurityEvent"],
        "exportAlerts": True,
        "eventHubNamespace": NAMESPACE,
        "flowLogNetworks": [VNET],
        "flowLogAccountId": FLOW_LOGS,
        "flowLogIdentityId": WRITER,
        "readExistingFlowLogs": True,
    },
    "workspace": {**LEAST["workspace"], "applicationId": APPLICATION, "sentinelPrincipalId": SENTINEL, "actionGroupId": "/group"},
}


@cache
def read(name: str) -> dict[str, Any]:
    """A template as it is committed."""
    template: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return template


def deployed(template: str, /, **parameters: Any) -> Deployment:
    """What a template deploys."""
    return deploy(read(template), SUBSCRIPTION, "soc" if template == "workspace" else GROUP, **parameters)


@pytest.fixture(scope="session")
def least() -> dict[str, Deployment]:
    return {name: deployed(name, **given) for name, given in LEAST.items()}


@pytest.fixture(scope="session")
def most() -> dict[str, Deployment]:
    return {name: deployed(name, **given) for name, given in MOST.items()}
