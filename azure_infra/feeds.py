"""What the subscription's template turns on when it is asked to: telemetry that flows to Breakwater, comments that flow back."""

from __future__ import annotations

from azure_functions.registry import API_CALLS, FINDINGS, SYSTEM_LOGS
from azure_infra import names
from azure_infra.arm import Json, Ref, Template, nested, resource, text, value
from azure_infra.data_roles import built_in

#: Categories of the activity log that tell of what somebody did.
_CATEGORIES = ("Administrative", "Security", "Policy", "Alert")
#: End of the name of the role that lets respond comment on incidents.
COMMENTS = "incident comments"
_COMMENT = ("Microsoft.SecurityInsights/incidents/comments/write",)
_FLOW_LOG = "Microsoft.Network/networkWatchers/flowLogs"


def add_activity_log(template: Template) -> None:
    """Send the activity log to the hub."""
    rule = template.take(
        "diagnosticsRuleId",
        "string",
        "Id of the event hubs' authorization rule for diagnostic settings: an output of the resource group's template. Empty "
        "leaves the activity log as it is.",
        defaultValue="",
    )
    template.add(
        {
            "type": "Microsoft.Insights/diagnosticSettings",
            "apiVersion": names.DIAGNOSTICS,
            "name": "[parameters('name')]",
            "condition": value(f"not(empty({rule}))"),
            "properties": {
                "eventHubAuthorizationRuleId": value(rule),
                "eventHubName": API_CALLS,
                "logs": [{"category": category, "enabled": True} for category in _CATEGORIES],
            },
        }
    )


def add_flow_logs(template: Template) -> None:
    """Flow logs of the networks that are named, each minute's traffic within ten: Azure writes one at most."""
    template.take(
        "flowLogNetworks",
        "array",
        "Ids of virtual networks whose flow logs are turned on. None by default. All must be in flowLogLocation.",
        defaultValue=[],
    )
    template.take(
        "flowLogLocation", "string", "Region of these networks, and of the account.", defaultValue="[deployment().location]"
    )
    template.take(
        "flowLogAccountId",
        "string",
        "Id of the account that they are written to: an output of the resource group's template.",
        defaultValue="",
    )
    template.take(
        "flowLogIdentityId",
        "string",
        "Id of the identity that they are written with: an output of the resource group's template. Empty: with the "
        "account's own shared keys, where it is an account of yours that allows them.",
        defaultValue="",
    )
    template.take("rawDays", "int", "Days after which flow logs are deleted.", defaultValue=90, minValue=1, maxValue=365)
    template.take(
        "networkWatcherGroup",
        "string",
        "Resource group of the network watcher of flowLogLocation: there is one for each region and subscription.",
        defaultValue="NetworkWatcherRG",
    )
    template.take(
        "networkWatcherName",
        "string",
        "Its name, where it is not the one that Azure gives: empty is NetworkWatcher_ and the region.",
        defaultValue="",
    )
    inner = Template("resourceGroup", "Turns on flow logs of the virtual networks that are named.")
    for name, kind, what in (
        ("name", "string", "Prefix of every name."),
        ("location", "string", "Region."),
        ("watcher", "string", "Name of the region's network watcher."),
        ("networks", "array", "Ids of virtual networks."),
        ("account", "string", "Id of the storage account."),
        ("identity", "string", "Id of the identity that they are written with."),
        ("days", "int", "Days that they are kept."),
    ):
        inner.take(name, kind, what)
    each, who = "parameters('networks')[copyIndex()]", "parameters('identity')"
    writer = f"createObject('type', 'UserAssigned', 'userAssignedIdentities', createObject({who}, createObject()))"
    inner.add(
        {
            "type": _FLOW_LOG,
            "apiVersion": names.NETWORK,
            "name": value(f"format('{{0}}/{{1}}-{{2}}', parameters('watcher'), parameters('name'), uniqueString({each}))"),
            "location": "[parameters('location')]",
            "identity": value(f"if(empty({who}), null(), {writer})"),
            "copy": {"name": "flowLogs", "count": "[length(parameters('networks'))]", "mode": "Serial", "batchSize": 1},
            "properties": {
                "targetResourceId": value(each),
                "storageId": "[parameters('account')]",
                "enabled": True,
                "format": {"type": "JSON", "version": 2},
                "retentionPolicy": {"enabled": True, "days": "[parameters('days')]"},
            },
        }
    )
    # A region may be given by its display name ("West Europe"); a watcher bears the other one.
    region, watcher = "toLower(replace(parameters('flowLogLocation'), ' ', ''))", "parameters('networkWatcherName')"
    given = {
        "name": "[parameters('name')]",
        "location": value(region),
        "watcher": value(f"if(empty({watcher}), concat('NetworkWatcher_', {region}), {watcher})"),
        "networks": "[parameters('flowLogNetworks')]",
        "account": "[parameters('flowLogAccountId')]",
        "identity": "[parameters('flowLogIdentityId')]",
        "days": "[parameters('rawDays')]",
    }
    template.add(
        nested(
            "breakwater-flow-logs",
            inner,
            given,
            resourceGroup="[parameters('networkWatcherGroup')]",
            condition="[not(empty(parameters('flowLogNetworks')))]",
        )
    )


def add_existing_flow_logs(template: Template) -> None:
    """Let the detectors read an account of flow logs that is the customer's."""
    wanted = template.take(
        "readExistingFlowLogs",
        "bool",
        "flowLogAccountId is an account of yours: let the detectors read it, and keep their trigger's poison in a queue there.",
        defaultValue=False,
    )
    inner = Template("resourceGroup", "Lets the detectors read an existing account of flow logs.")
    inner.take("account", "string", "Name of the storage account.")
    inner.take("principal", "string", "Object id of the identity detect.")
    account = Ref("Microsoft.Storage/storageAccounts", ("parameters('account')",))
    for role in ("Storage Blob Data Reader", "Storage Queue Data Contributor"):
        ref = Ref("Microsoft.Authorization/roleAssignments", (f"guid({account.id}, parameters('principal'), {text(role)})",))
        inner.add(
            resource(
                ref,
                names.AUTHORIZATION,
                {
                    "roleDefinitionId": value(built_in(role)),
                    "principalId": "[parameters('principal')]",
                    "principalType": "ServicePrincipal",
                    "description": "Breakwater reads flow logs.",
                },
                scope=value(account.id),
            )
        )
    given = {"account": "[last(split(parameters('flowLogAccountId'), '/'))]", "principal": "[parameters('detectPrincipalId')]"}
    template.add(_in_group("breakwater-existing-flow-logs", inner, given, "flowLogAccountId", wanted))


def add_workspace_exports(template: Template) -> None:
    """What of the workspace is streamed to the hubs: logs of machines (Syslog, SecurityEvent), and alerts."""
    template.take(
        "exportTables",
        "array",
        "Tables of the Sentinel workspace that the detectors get: Syslog, SecurityEvent, WindowsEvent. None by default.",
        defaultValue=[],
    )
    template.take(
        "exportAlerts",
        "bool",
        "Stream the workspace's alerts (SecurityAlert) to triage_alerts, also those of which Sentinel makes no incident.",
        defaultValue=False,
    )
    template.take(
        "eventHubNamespace", "string", "Id of the event hubs: an output of the resource group's template.", defaultValue=""
    )
    inner = Template("resourceGroup", "Streams tables of a workspace to the event hubs.")
    inner.take("name", "string", "Prefix of every name.")
    inner.take("workspace", "string", "Name of the workspace.")
    inner.take("tables", "array", "Names of the tables of machines' logs.")
    inner.take("alerts", "bool", "Whether alerts are streamed too.")
    inner.take("namespace", "string", "Id of the event hubs.")
    _export(inner, "parameters('name')", SYSTEM_LOGS, value("parameters('tables')"), "not(empty(parameters('tables')))")
    _export(inner, "concat(parameters('name'), '-alerts')", FINDINGS, ["SecurityAlert"], "parameters('alerts')")
    given = {
        "name": "[parameters('name')]",
        "workspace": "[last(split(parameters('workspaceId'), '/'))]",
        "tables": "[parameters('exportTables')]",
        "alerts": "[parameters('exportAlerts')]",
        "namespace": "[parameters('eventHubNamespace')]",
    }
    wanted = "or(not(empty(parameters('exportTables'))), parameters('exportAlerts'))"
    template.add(_in_group("breakwater-system-logs", inner, given, "workspaceId", wanted))


def _export(template: Template, name: str, hub: str, tables: str | list[str], condition: str) -> None:
    workspace = Ref("Microsoft.OperationalInsights/workspaces", ("parameters('workspace')",))
    properties = {
        "enable": True,
        "tableNames": tables,
        "destination": {"resourceId": "[parameters('namespace')]", "metaData": {"eventHubName": hub}},
    }
    template.add(resource(workspace.child("dataExports", name), names.WORKSPACES, properties, condition=value(condition)))


def _in_group(name: str, inner: Template, given: Json, of: str, condition: str) -> Json:
    """A deployment into the group of the resource whose id a parameter gives.

    Azure evaluates scopes even of what is not deployed, so an empty id stands for our own subscription and a group of
    the name that is never used.
    """
    where = f"parameters('{of}')"
    return nested(
        name,
        inner,
        given,
        subscriptionId=value(f"if(empty({where}), subscription().subscriptionId, split(concat({where}, '////'), '/')[2])"),
        resourceGroup=value(f"if(empty({where}), 'none', split(concat({where}, '////'), '/')[4])"),
        condition=value(condition),
    )


def add_comments(template: Template) -> None:
    """Let the responder comment on incidents, and nothing else there."""
    workspace = template.take(
        "workspaceId",
        "string",
        "Id of the Sentinel workspace whose incidents get comments. Empty leaves it alone.",
        defaultValue="",
    )
    inner = Template("resourceGroup", "Lets the responder comment on the incidents of a workspace.")
    inner.take("name", "string", "Prefix of every name.")
    inner.take("workspace", "string", "Name of the workspace.")
    inner.take("principal", "string", "Object id of the identity respond.")
    there = Ref("Microsoft.OperationalInsights/workspaces", ("parameters('workspace')",))
    role = Ref("Microsoft.Authorization/roleDefinitions", (f"guid({there.id}, parameters('name'), {text(COMMENTS)})",))
    assignment = Ref("Microsoft.Authorization/roleAssignments", (f"guid({there.id}, parameters('principal'), {text(COMMENTS)})",))
    inner.add(
        resource(
            role,
            names.AUTHORIZATION,
            {
                "roleName": f"[format('{{0}} {COMMENTS} ({{1}})', parameters('name'), uniqueString(resourceGroup().id))]",
                "description": "Reads incidents and comments on them.",
                "type": "CustomRole",
                "permissions": [{"actions": list(_COMMENT), "notActions": [], "dataActions": [], "notDataActions": []}],
                "assignableScopes": ["[resourceGroup().id]"],
            },
        ),
        resource(
            assignment,
            names.AUTHORIZATION,
            {
                "roleDefinitionId": value(f"subscriptionResourceId('{role.type}', {role.names[0]})"),
                "principalId": "[parameters('principal')]",
                "principalType": "ServicePrincipal",
                "description": "Breakwater tells on an incident what it did about it.",
            },
            after=[role],
            scope=value(there.id),
        ),
    )
    given = {
        "name": "[parameters('name')]",
        "workspace": value(f"last(split({workspace}, '/'))"),
        "principal": "[parameters('respondPrincipalId')]",
    }
    template.add(_in_group("breakwater-incident-comments", inner, given, "workspaceId", f"not(empty({workspace}))"))
