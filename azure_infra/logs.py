"""Where logs go: the apps' own to a workspace of ours, verdicts and actions through a data collection rule to Sentinel's."""

from __future__ import annotations

from azure_infra import names
from azure_infra.arm import Ref, Template, resource, text, value
from azure_infra.columns import stream_columns

_DESTINATION = "sentinel"


def add_logs(template: Template) -> None:
    """Workspace of the operations, Application Insights on it, and the way into ``Breakwater_CL``."""
    days = template.take(
        "logDays", "int", "Days for which the functions' logs are kept.", defaultValue=90, minValue=30, maxValue=730
    )
    sentinel = template.take(
        "workspaceId",
        "string",
        "Id of the Sentinel workspace. The workspace template has put the table Breakwater_CL there before.",
    )
    region = template.take(
        "workspaceLocation",
        "string",
        "Region of that workspace: its data collection rule must be there too.",
        defaultValue="[parameters('location')]",
    )
    tags = value("variables('tags')")
    here = value("parameters('location')")
    template.add(
        resource(
            names.LOGS_WORKSPACE,
            names.WORKSPACES,
            {
                "sku": {"name": "PerGB2018"},
                "retentionInDays": value(days),
                "features": {"disableLocalAuth": True, "enableLogAccessUsingOnlyResourcePermissions": True},
                "workspaceCapping": {"dailyQuotaGb": value("parameters('logGigabytes')")},
            },
            location=here,
            tags=tags,
        ),
        resource(
            names.INSIGHTS,
            names.APPLICATION_INSIGHTS,
            {
                "Application_Type": "web",
                "WorkspaceResourceId": value(names.LOGS_WORKSPACE.id),
                "IngestionMode": "LogAnalytics",
                "DisableLocalAuth": True,
            },
            after=[names.LOGS_WORKSPACE],
            location=here,
            tags=tags,
            kind="web",
        ),
        resource(
            names.ENDPOINT,
            names.COLLECTION,
            {"description": "Takes Breakwater's verdicts and actions.", "networkAcls": {"publicNetworkAccess": "Enabled"}},
            location=value(region),
            tags=tags,
        ),
        resource(
            names.RULE,
            names.COLLECTION,
            {
                "description": f"Breakwater's verdicts and actions become rows of {names.TABLE}.",
                "dataCollectionEndpointId": value(names.ENDPOINT.id),
                "streamDeclarations": {names.STREAM: {"columns": stream_columns()}},
                "destinations": {"logAnalytics": [{"workspaceResourceId": value(sentinel), "name": _DESTINATION}]},
                "dataFlows": [
                    {
                        "streams": [names.STREAM],
                        "destinations": [_DESTINATION],
                        "transformKql": "source",
                        "outputStream": names.STREAM,
                    }
                ],
            },
            after=[names.ENDPOINT],
            location=value(region),
            tags=tags,
        ),
    )
    template.take(
        "logGigabytes",
        "int",
        "Gigabytes a day after which the functions' own logs are dropped until the next day. That would blind the alerts too, so "
        "there is no limit (-1) by default.",
        defaultValue=-1,
        minValue=-1,
    )
    queues, tables = (names.STATE.child(service, text("default")) for service in ("queueServices", "tableServices"))
    _keep_accesses(template, queues, "StorageWrite", after=queues)  # a message among dead letters or poison
    _keep_accesses(template, tables, "StorageDelete", after=tables)  # nobody deletes from the journal unseen
    # The blob trigger's own poison lies beside the blobs. An account of the customer's is left as it is.
    ours = value("empty(parameters('flowLogAccountId'))")
    poison = names.FLOW_LOGS.child("queueServices", text("default"))
    _keep_accesses(template, poison, "StorageWrite", after=names.FLOW_LOGS, condition=ours)


def _keep_accesses(template: Template, watched: Ref, category: str, *, after: Ref, **more: str) -> None:
    """Log one kind of access to a service of a storage account."""
    template.add(
        resource(
            Ref("Microsoft.Insights/diagnosticSettings", (text("breakwater"),)),
            names.DIAGNOSTICS,
            {"workspaceId": value(names.LOGS_WORKSPACE.id), "logs": [{"category": category, "enabled": True}]},
            after=[after, names.LOGS_WORKSPACE],
            scope=value(watched.id),
            **more,
        )
    )
