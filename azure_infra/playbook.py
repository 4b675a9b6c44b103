"""The playbook: an incident of Sentinel is handed to ``triage_findings``, as the playbook's own identity."""

from __future__ import annotations

from azure_functions.registry import spec_of
from azure_infra import names
from azure_infra.arm import Json, Ref, Template, resource, value

WORKFLOW = Ref("Microsoft.Logic/workflows", (names.own("playbook"),))
IDENTITY = names.identity(names.PLAYBOOK)
_CONNECTION = Ref("Microsoft.Web/connections", (names.own("sentinel"),))
_CONNECTOR = "subscriptionResourceId('Microsoft.Web/locations/managedApis', resourceGroup().location, 'azuresentinel')"
_TRIGGER = "Microsoft_Sentinel_incident"
_DEFINITION = "https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#"


def add_playbook(template: Template) -> None:
    """The workflow, its identity and its connection to Sentinel."""
    template.take(
        "functionHost", "string", "Host name of the app that detects, such as breakwater-detect-<suffix>.azurewebsites.net."
    )
    template.take(
        "applicationId",
        "string",
        "Client id of the Entra application that stands for triage_findings: the audience of the playbook's tokens.",
        defaultValue="",
    )
    here, tags = value("resourceGroup().location"), value("variables('tags')")
    template.add(
        resource(IDENTITY, names.IDENTITIES, {}, location=here, tags=tags),
        resource(
            _CONNECTION,
            names.CONNECTIONS,
            {
                "displayName": "Breakwater: Microsoft Sentinel",
                "api": {"id": value(_CONNECTOR)},
                "parameterValueType": "Alternative",  # by managed identity: no account, no secret
            },
            location=here,
            tags=tags,
            kind="V1",
        ),
        resource(
            WORKFLOW,
            names.LOGIC,
            {
                "state": "Enabled",
                "definition": _definition(),
                "parameters": {
                    "$connections": {
                        "value": {
                            "azuresentinel": {
                                "id": value(_CONNECTOR),
                                "connectionId": value(_CONNECTION.id),
                                "connectionName": _CONNECTION.name,
                                "connectionProperties": {
                                    "authentication": {"type": "ManagedServiceIdentity", "identity": value(IDENTITY.id)}
                                },
                            }
                        }
                    },
                },
            },
            after=[IDENTITY, _CONNECTION],
            location=here,
            tags=tags,
            identity={"type": "UserAssigned", "userAssignedIdentities": {value(IDENTITY.id): {}}},
        ),
        _failures(),
    )
    template.give("playbookId", WORKFLOW.id)
    template.give("playbookPrincipalId", names.principal(names.PLAYBOOK))


def _definition() -> Json:
    connection = "@parameters('$connections')['azuresentinel']['connectionId']"
    return {
        "$schema": _DEFINITION,
        "contentVersion": "1.0.0.0",
        "parameters": {"$connections": {"type": "Object", "defaultValue": {}}},
        "triggers": {
            _TRIGGER: {
                "type": "ApiConnectionWebhook",
                "inputs": {
                    "host": {"connection": {"name": connection}},
                    "body": {"callback_url": "@{listCallbackUrl()}"},
                    "path": "/incident-creation",
                },
                "runtimeConfiguration": _UNRECORDED,
            }
        },
        "actions": {
            "Triage": {
                "type": "Http",
                "runAfter": {},
                "inputs": {
                    "method": "POST",
                    "uri": f"[concat('https://', parameters('functionHost'), '/api/{spec_of('triage_findings').source}')]",
                    "headers": {"Content-Type": "application/json", "x-ms-client-tracking-id": "@workflow().run.name"},
                    "body": "@triggerBody()",
                    "authentication": {
                        "type": "ManagedServiceIdentity",
                        "identity": value(IDENTITY.id),
                        "audience": "[concat('api://', parameters('applicationId'))]",
                    },
                    # What the function calls unavailable (503) is tried again for about an hour; what it refuses (400) is not.
                    "retryPolicy": {
                        "type": "exponential",
                        "count": 8,
                        "interval": "PT10S",
                        "minimumInterval": "PT10S",
                        "maximumInterval": "PT20M",
                    },
                },
                "operationOptions": "DisableAsyncPattern",
                "runtimeConfiguration": _UNRECORDED,
            }
        },
        "outputs": {},
    }


#: Incidents name people: the history of runs does not keep them.
_UNRECORDED: Json = {"secureData": {"properties": ["inputs", "outputs"]}}


def _failures() -> Json:
    """A person hears of an incident that could not be handed on."""
    told = "parameters('actionGroupId')"
    return resource(
        Ref("Microsoft.Insights/metricAlerts", (names.own("playbook-failures"),)),
        names.METRIC_ALERTS,
        {
            "description": "The playbook could not hand an incident to triage_findings.",
            "severity": 2,
            "enabled": True,
            "scopes": [value(WORKFLOW.id)],
            "evaluationFrequency": "PT5M",
            "windowSize": "PT15M",
            "criteria": {
                "odata.type": "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria",
                "allOf": [
                    {
                        "criterionType": "StaticThresholdCriterion",
                        "name": "failed",
                        "metricNamespace": "Microsoft.Logic/workflows",
                        "metricName": "RunsFailed",
                        "timeAggregation": "Total",
                        "operator": "GreaterThan",
                        "threshold": 0,
                    }
                ],
            },
            "actions": value(f"if(empty({told}), createArray(), createArray(createObject('actionGroupId', {told})))"),
        },
        after=[WORKFLOW],
        location="global",
        tags=value("variables('tags')"),
    )
