"""The tenant's template: Entra's sign-in and audit records to the hub."""

from __future__ import annotations

from azure_functions.registry import API_CALLS
from azure_infra import names
from azure_infra.arm import Template, value

TOUCHES = (
    "Touches the tenant: adds one diagnostic setting of Microsoft Entra ID, which sends sign-in and audit records to the event "
    "hub. Changes no other setting."
)
CATEGORIES = (
    "SignInLogs",
    "NonInteractiveUserSignInLogs",
    "ServicePrincipalSignInLogs",
    "ManagedIdentitySignInLogs",
    "AuditLogs",
)


def tenant() -> Template:
    """Build it."""
    template = Template("tenant", TOUCHES)
    template.take("name", "string", "Name of the diagnostic setting.", defaultValue="breakwater", minLength=2, maxLength=16)
    rule = template.take(
        "diagnosticsRuleId", "string", "Id of the event hubs' authorization rule: an output of the resource group's template."
    )
    template.take(
        "categories",
        "array",
        f"What is sent: {', '.join(CATEGORIES)}, or some of them. All but the last need Entra ID P1.",
        defaultValue=list(CATEGORIES),
    )
    sent = "createObject('category', lambdaVariables('category'), 'enabled', true())"
    template.add(
        {
            "type": "microsoft.aadiam/diagnosticSettings",
            "apiVersion": names.ENTRA_DIAGNOSTICS,
            "name": "[parameters('name')]",
            "properties": {
                "eventHubAuthorizationRuleId": value(rule),
                "eventHubName": API_CALLS,
                "logs": value(f"map(parameters('categories'), lambda('category', {sent}))"),
            },
        }
    )
    return template
