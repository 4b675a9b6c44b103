"""The workspace's template: what Sentinel needs to show Breakwater's verdicts and to hand on its incidents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from azure_infra import names
from azure_infra.arm import Json, Ref, Template, nested, resource, text, value
from azure_infra.columns import table_columns
from azure_infra.playbook import IDENTITY, WORKFLOW, add_playbook
from azure_infra.workbook import TITLE, workbook
from shared_model.events import EntityKind

TOUCHES = (
    "Touches the Sentinel workspace and its resource group: adds a table, an analytics rule, a workbook and a playbook with its "
    "identity. Where sentinelPrincipalId is given, adds automation rules that run the playbook on new incidents and on new "
    "alerts of open ones, and lets Sentinel run playbooks of this group. Changes no rule, table or incident that is there "
    "already."
)
_WORKSPACE = Ref("Microsoft.OperationalInsights/workspaces", ("parameters('workspaceName')",))
_TABLE = _WORKSPACE.child("tables", text(names.TABLE))
_RULE = Ref("Microsoft.SecurityInsights/alertRules", ("guid(resourceGroup().id, parameters('name'), 'verdicts')",))
#: When an automation rule runs → last part of its name, its title, and its conditions besides whose incident it is.
_TRIGGERS: Mapping[str, tuple[str, str, tuple[Json, ...]]] = {
    "Created": ("triage", "triage new incidents", ()),
    "Updated": (
        "triage-alerts",
        "triage new alerts of open incidents",
        (
            {
                "conditionType": "PropertyArrayChanged",
                "conditionProperties": {"arrayType": "Alerts", "changeType": "Added"},
            },
        ),
    ),
}
_BUILT_IN = {
    "Microsoft Sentinel Reader": "8d289c81-5878-46d4-8554-54e1e3d8b5cb",
    "Microsoft Sentinel Automation Contributor": "f4c81013-99ee-4d62-a7ee-b3f1f648599a",
}
#: Rows arrive minutes after their time: each run looks at what came in since the last one, however old it is.
_EVERY, _BACK = "PT5M", "P1D"
_QUERY = "\n".join(
    (
        names.TABLE,
        '| where Kind == "verdict" and ingestion_time() > ago(5m)',
        "| summarize arg_max(TimeGenerated, *) by VerdictId",
        f'| extend Address = iff(EntityKind == "{EntityKind.ADDRESS}", EntityId, "")',
        f'| extend Principal = iff(EntityKind == "{EntityKind.PRINCIPAL}", EntityId, "")',
        f'| extend Machine = iff(EntityKind == "{EntityKind.INSTANCE}", EntityId, "")',
        '| extend Severity = case(Probability >= 0.9, "High", Probability >= 0.7, "Medium", "Low")',
    )
)


def workspace() -> Template:
    """Build it."""
    template = Template("resourceGroup", TOUCHES)
    template.take(
        "name", "string", "Prefix of every name, as in the resource group.", defaultValue="breakwater", minLength=2, maxLength=16
    )
    template.take("workspaceName", "string", "Name of the workspace that Sentinel is on, in this resource group.")
    template.take(
        "tableDays",
        "int",
        "Days for which verdicts and actions are kept in the workspace.",
        defaultValue=365,
        minValue=30,
        maxValue=730,
    )
    template.take(
        "actionGroupId",
        "string",
        "Action group that hears of a failed playbook. Empty: the alert is only shown.",
        defaultValue="",
    )
    template.take(
        "sentinelPrincipalId",
        "string",
        "Object id of the service principal 'Azure Security Insights' in this tenant (python -m azure_infra consent says how "
        "to find it). Empty: no automation rules are made, and the playbook is run by hand.",
        defaultValue="",
    )
    template.take(
        "sentinelMayRun",
        "bool",
        "Sentinel may already run playbooks of this group (given in the portal, or by another Breakwater): Azure refuses to "
        "assign the same right a second time, so none is assigned here.",
        defaultValue=False,
    )
    template.define("tags", {"application": "[parameters('name')]"})
    template.add(
        resource(
            _TABLE,
            names.WORKSPACES,
            {
                "plan": "Analytics",
                "retentionInDays": value("parameters('tableDays')"),
                "totalRetentionInDays": value("parameters('tableDays')"),
                "schema": {"name": names.TABLE, "description": "Breakwater's verdicts and actions.", "columns": table_columns()},
            },
        )
    )
    template.add(_analytics_rule(), _shown())
    add_playbook(template)
    template.add(
        _reads_incidents(),
        _assigned(
            "Microsoft Sentinel Automation Contributor",
            _assignment_name("Microsoft Sentinel Automation Contributor"),
            "parameters('sentinelPrincipalId')",
            condition=value("and(not(empty(parameters('sentinelPrincipalId'))), not(parameters('sentinelMayRun')))"),
        ),
        *(_automation_rule(when) for when in _TRIGGERS),
    )
    template.give("workspaceId", _WORKSPACE.id)
    return template


def _analytics_rule() -> Json:
    """A verdict becomes an incident."""
    return resource(
        _RULE,
        names.SENTINEL,
        {
            "displayName": f"{TITLE}: intrusion detected",
            "description": "A detector of Breakwater gave a verdict. What was done about it: see the comments and the workbook.",
            "enabled": True,
            "query": _QUERY,
            "queryFrequency": _EVERY,
            "queryPeriod": _BACK,
            "severity": "Medium",
            "triggerOperator": "GreaterThan",
            "triggerThreshold": 0,
            "suppressionEnabled": False,
            "suppressionDuration": "PT5H",
            "eventGroupingSettings": {"aggregationKind": "AlertPerResult"},
            "alertDetailsOverride": {
                "alertDisplayNameFormat": f"{TITLE}: {{{{VerdictTitle}}}}",
                "alertDescriptionFormat": "Probability {{Probability}}, technique {{Technique}}, correlation {{CorrelationId}}.",
                "alertSeverityColumnName": "Severity",
            },
            "customDetails": {name: name for name in ("Detector", "Probability", "Technique", "VerdictId", "CorrelationId")},
            "entityMappings": [
                {"entityType": kind, "fieldMappings": [{"identifier": identifier, "columnName": column}]}
                for kind, identifier, column in (
                    ("IP", "Address", "Address"),
                    ("Account", "AadUserId", "Principal"),
                    ("AzureResource", "ResourceId", "Machine"),
                )
            ],
            "incidentConfiguration": {
                "createIncident": True,
                "groupingConfiguration": {
                    "enabled": True,
                    "reopenClosedIncident": False,
                    "lookbackDuration": "PT5H",
                    "matchingMethod": "AllEntities",
                },
            },
        },
        after=[_TABLE],
        scope=value(_WORKSPACE.id),
        kind="Scheduled",
    )


def _automation_rule(when: str) -> Json:
    """New incidents, and old ones that grow, run the playbook; our own do not: a verdict must not be a signal for itself."""
    last, title, conditions = _TRIGGERS[when]
    right = _assignment_name("Microsoft Sentinel Automation Contributor")
    own = f"extensionResourceId({_WORKSPACE.id}, '{_RULE.type}', {_RULE.names[0]})"
    not_ours = {
        "conditionType": "Property",
        "conditionProperties": {
            "propertyName": "IncidentRelatedAnalyticRuleIds",
            "operator": "NotContains",
            "propertyValues": [value(own)],
        },
    }
    return {
        **resource(
            Ref("Microsoft.SecurityInsights/automationRules", (f"guid(resourceGroup().id, parameters('name'), {text(last)})",)),
            names.SENTINEL,
            {
                "displayName": f"{TITLE}: {title}",
                "order": 100,
                "triggeringLogic": {
                    "isEnabled": True,
                    "triggersOn": "Incidents",
                    "triggersWhen": when,
                    "conditions": [not_ours, *conditions],
                },
                "actions": [
                    {
                        "order": 1,
                        "actionType": "RunPlaybook",
                        "actionConfiguration": {"logicAppResourceId": value(WORKFLOW.id), "tenantId": "[tenant().tenantId]"},
                    }
                ],
            },
            scope=value(_WORKSPACE.id),
            condition=value("not(empty(parameters('sentinelPrincipalId')))"),
        ),
        "dependsOn": [
            value(WORKFLOW.id),
            value(f"resourceId('{_ASSIGNMENT}', {right})"),
            value(own),
        ],
    }


def _shown() -> Json:
    return resource(
        Ref("Microsoft.Insights/workbooks", ("guid(resourceGroup().id, parameters('name'), 'workbook')",)),
        names.WORKBOOKS,
        {
            "displayName": TITLE,
            "category": "sentinel",
            "sourceId": value(_WORKSPACE.id),
            "version": "Notebook/1.0",
            "serializedData": workbook(),
        },
        after=[_TABLE],
        location=value("resourceGroup().location"),
        tags=value("variables('tags')"),
        kind="shared",
    )


_ASSIGNMENT = "Microsoft.Authorization/roleAssignments"


def _assignment_name(role: str) -> str:
    return f"guid(resourceGroup().id, parameters('name'), {text(role)})"


def _reads_incidents() -> Json:
    """The playbook's right, in a deployment of its own: only so can the assignment have the principal in its name.

    The assignment outlives its identity, and one that is made anew may not take it over.
    """
    inner, role = Template("resourceGroup", "Lets the playbook read incidents."), "Microsoft Sentinel Reader"
    inner.take("workspaceName", "string", "Name of the workspace.")
    principal = inner.take("principal", "string", "Object id of the playbook's identity.")
    inner.add(_assigned(role, f"guid({_WORKSPACE.id}, {principal}, {text(role)})", principal, scope=value(_WORKSPACE.id)))
    given = {"workspaceName": "[parameters('workspaceName')]", "principal": value(names.principal(names.PLAYBOOK))}
    return nested("breakwater-playbook", inner, given, dependsOn=[value(IDENTITY.id)])


def _assigned(role: str, name: str, principal: str, **more: Any) -> Json:
    return resource(
        Ref(_ASSIGNMENT, (name,)),
        names.AUTHORIZATION,
        {
            "roleDefinitionId": value(f"subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '{_BUILT_IN[role]}')"),
            "principalId": value(principal),
            "principalType": "ServicePrincipal",
            "description": f"Breakwater: {role}.",
        },
        **more,
    )
