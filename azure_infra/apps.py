"""The function apps: Flex Consumption on Python 3.13, each with its own identities and nothing else's."""

from __future__ import annotations

from dataclasses import fields

from azure_functions.registry import (
    CONNECTIONS,
    FLOW_LOG_CONNECTION,
    FUNCTIONS,
    HUB_CONNECTION,
    STATE_CONNECTION,
    UNDO_CONNECTION,
    Group,
)
from azure_functions.settings import Settings, variable
from azure_infra import names
from azure_infra.arm import Json, Template, concat, resource, value
from azure_infra.callers import NOBODY, authentication, callers, default_action, no_passwords
from azure_infra.names import APPS, App
from azure_infra.storage import PACKAGES

PYTHON = "3.13"


def add_identities(template: Template) -> None:
    """One user-assigned identity for each group, and the one that flow logs are written with."""
    for group in (*Group, names.FLOW_LOG_WRITER):
        template.add(
            resource(
                names.identity(group),
                names.IDENTITIES,
                {},
                location=value("parameters('location')"),
                tags=value("variables('tags')"),
            )
        )
    for group in Group:
        template.give(f"{group}PrincipalId", names.principal(group))
    template.give("flowLogIdentityId", names.identity(names.FLOW_LOG_WRITER).id)


def add_apps(template: Template) -> None:
    """Plans, apps, and who may call them."""
    _parameters(template)
    those = (
        "filter(concat(createArray(parameters('playbookPrincipalId')), parameters('healthCallers')), "
        "lambda('who', not(empty(lambdaVariables('who')))))"
    )
    # Without any of these nobody could be asked, or could answer: then the page lets nobody in, and notices carry no link.
    given = ("pageApplicationId", "linkKey", "keyVaultEndpoint", "operatorPrincipalIds")
    there = ", ".join(f"not(empty(parameters('{name}')))" for name in given)
    template.define("hasPage", value(f"and({there})"))
    template.define("callers", value(f"if(empty({those}), createArray('{NOBODY}'), {those})"))
    for app in APPS:
        template.add(_plan(app), _site(app), *no_passwords(app), authentication(app))
        template.give(f"{app.name}App", names.own_worldwide(app.name))


def settings() -> dict[str, str]:
    """What every app is told: each field of ``azure_functions/settings.py``.

    A client id is no key: only an app that the identity is attached to gets its tokens.

    Returns
    -------
    dict of str to str
        Environment variable → expression.
    """
    told = {**_surroundings(), **{f"{group}_client_id": names.client(group) for group in Group}}
    return {variable(field.name): told[field.name] for field in fields(Settings)}


def host_settings_of(app: App) -> dict[str, str]:
    """What the Functions host is told: where its storage, logs and triggers are, and as whom it goes there."""
    host = names.client(app.host)
    told = _connection(
        "AzureWebJobsStorage", app.host, {f"{kind}ServiceUri": _endpoint(app, kind) for kind in ("blob", "queue", "table")}
    )
    told["APPLICATIONINSIGHTS_CONNECTION_STRING"] = names.INSIGHTS.get("ConnectionString", names.APPLICATION_INSIGHTS)
    told["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"] = concat("'Authorization=AAD;ClientId='", host)
    for name in dict.fromkeys(spec.connection for spec in app.functions if spec.connection):
        group, needed = CONNECTIONS[name]
        told |= _connection(name, group, {part: _SERVICES[name][part] for part in needed})
    told |= {f"AzureWebJobs.{spec.name}.Disabled": "'true'" for spec in FUNCTIONS if spec not in app.functions}
    return told


def _parameters(template: Template) -> None:
    template.take(
        "applicationId",
        "string",
        "Client id of the Entra application that stands for triage_findings (python -m azure_infra consent says how a tenant "
        "administrator makes it). Empty lets nobody in.",
        defaultValue="",
    )
    template.take(
        "playbookPrincipalId",
        "string",
        "Object id of the playbook's identity, which alone may call triage_findings: an output of the workspace template. "
        "Empty lets nobody.",
        defaultValue="",
    )
    template.take(
        "healthCallers", "array", "Object ids of people or identities that may ask for the app's health.", defaultValue=[]
    )
    template.take(
        "callerRanges",
        "array",
        "Addresses (CIDR) that these call from, besides Logic Apps' and Event Grid's own.",
        defaultValue=[],
    )
    template.take(
        "protectedResourceIds",
        "array",
        "Further ids of resources that no action may touch, beside Breakwater's own.",
        defaultValue=[],
    )
    template.take(
        "keyVaultEndpoint",
        "string",
        "Key Vault that holds the addresses of webhooks, such as https://contoso.vault.azure.net; empty where there is none.",
        defaultValue="",
    )
    for channel in ("slack", "teams"):
        template.take(
            f"{channel}WebhookSecret",
            "string",
            f"Name of its secret with the address of a {channel.title()} channel's webhook; empty where there is none.",
            defaultValue="",
        )
    template.take(
        "linkKey",
        "string",
        "Name of an EC key (P-256) in keyVaultEndpoint that signs links to proposals; empty where notices carry none.",
        defaultValue="",
    )
    template.take(
        "pageApplicationId",
        "string",
        "Client id of the Entra application by which operatorPrincipalIds sign in to the page behind those links; empty lets "
        "nobody in.",
        defaultValue="",
    )
    template.take(
        "pageHost",
        "string",
        "Host name of the page's app, where it is another than Azure's own in the public cloud.",
        defaultValue=value(f"concat({names.own_worldwide('page')}, '.azurewebsites.net')"),
    )
    template.take(
        "memoryDays",
        "int",
        "Days for which the last events of an entity are remembered.",
        defaultValue=14,
        minValue=1,
        maxValue=90,
    )
    template.take(
        "instanceMemory", "int", "Memory of an instance of the apps, in MB.", defaultValue=2048, allowedValues=[512, 2048, 4096]
    )
    template.take(
        "detectInstances", "int", "Instances that the detecting app grows to at most.", defaultValue=40, minValue=1, maxValue=1000
    )
    template.take("graphEndpoint", "string", "Microsoft Graph of this cloud.", defaultValue="https://graph.microsoft.com")


def _endpoint(app: App, kind: str) -> str:
    return names.host_account(app.name).get(f"primaryEndpoints.{kind}", names.STORAGE)


def _state(kind: str) -> str:
    return names.STATE.get(f"primaryEndpoints.{kind}", names.STORAGE)


def _flow_logs(kind: str) -> str:
    return f"reference(variables('flowLogAccountId'), '{names.STORAGE}').primaryEndpoints.{kind}"


_NAMESPACE_URL = names.NAMESPACE.get("serviceBusEndpoint", names.EVENT_HUBS)
#: Where the services of each connection are, by the part of the setting's name behind ``__``.
_SERVICES: dict[str, dict[str, str]] = {
    STATE_CONNECTION: {"queueServiceUri": _state("queue")},
    UNDO_CONNECTION: {"queueServiceUri": _state("queue")},
    FLOW_LOG_CONNECTION: {"blobServiceUri": _flow_logs("blob"), "queueServiceUri": _flow_logs("queue")},
    HUB_CONNECTION: {"fullyQualifiedNamespace": f"replace(replace({_NAMESPACE_URL}, 'https://', ''), ':443/', '')"},
}


def _connection(name: str, group: Group, parts: dict[str, str]) -> dict[str, str]:
    """Settings of a connection by identity: there is no secret in it."""
    known = {"credential": "'managedidentity'", "clientId": names.client(group)}
    return {f"{name}__{part}": expression for part, expression in {**parts, **known}.items()}


def _surroundings() -> dict[str, str]:
    own = [*(names.principal(group) for group in (*Group, names.FLOW_LOG_WRITER)), "parameters('playbookPrincipalId')"]
    rooms = ["resourceGroup().id", *(names.identity(group).id for group in Group), "variables('subnet')"]
    principals, resources = (f"createArray({', '.join(these)})" for these in (own, rooms))
    return {
        "table_endpoint": _state("table"),
        "queue_endpoint": _state("queue"),
        "blob_endpoint": _state("blob"),
        "flow_log_endpoint": _flow_logs("blob"),
        "arm_endpoint": "substring(environment().resourceManager, 0, sub(length(environment().resourceManager), 1))",
        "graph_endpoint": "parameters('graphEndpoint')",
        "logs_endpoint": names.ENDPOINT.get("logsIngestion.endpoint", names.COLLECTION),
        "logs_rule_id": names.RULE.get("immutableId", names.COLLECTION),
        "subscription_id": "subscription().subscriptionId",
        "tenant_id": "tenant().tenantId",
        "workspace_id": "parameters('workspaceId')",
        "playbook_principal_id": "parameters('playbookPrincipalId')",
        "own_principal_ids": f"join(filter({principals}, lambda('id', not(empty(lambdaVariables('id'))))), ',')",
        "own_resource_ids": f"toLower(join(concat({resources}, parameters('protectedResourceIds')), ','))",
        "vault_endpoint": "parameters('keyVaultEndpoint')",
        "slack_webhook_secret": "parameters('slackWebhookSecret')",
        "teams_webhook_secret": "parameters('teamsWebhookSecret')",
        "link_key": "if(variables('hasPage'), parameters('linkKey'), '')",
        "page_url": "if(variables('hasPage'), concat('https://', parameters('pageHost'), '/api'), '')",
        "attested_undo": "if(variables('hasPage'), 'yes', '')",
        "page_operator_ids": "if(variables('hasPage'), join(parameters('operatorPrincipalIds'), ','), '')",
        "memory_days": "string(parameters('memoryDays'))",
    }


def _plan(app: App) -> Json:
    return resource(
        names.plan(app.name),
        names.WEB,
        {"reserved": True},
        location=value("parameters('location')"),
        tags=value("variables('tags')"),
        kind="functionapp",
        sku={"name": "FC1", "tier": "FlexConsumption"},
    )


def _site(app: App) -> Json:
    package = f"concat({_endpoint(app, 'blob')}, '{PACKAGES}')"
    told = {**host_settings_of(app), **settings()}
    instances: int | str = value("parameters('detectInstances')") if app.name == "detect" else 40
    return resource(
        names.app(app.name),
        names.WEB,
        {
            "serverFarmId": value(names.plan(app.name).id),
            "httpsOnly": True,
            "clientAffinityEnabled": False,
            "virtualNetworkSubnetId": value("variables('subnet')"),
            "functionAppConfig": {
                "runtime": {"name": "python", "version": PYTHON},
                "scaleAndConcurrency": {
                    "maximumInstanceCount": instances,
                    "instanceMemoryMB": value("parameters('instanceMemory')"),
                },
                "deployment": {
                    "storage": {
                        "type": "blobContainer",
                        "value": value(package),
                        "authentication": {
                            "type": "UserAssignedIdentity",
                            "userAssignedIdentityResourceId": value(names.identity(app.host).id),
                        },
                    }
                },
            },
            "siteConfig": {
                "minTlsVersion": "1.2",
                "scmMinTlsVersion": "1.2",
                "http20Enabled": True,
                "ipSecurityRestrictionsDefaultAction": default_action(app),
                "ipSecurityRestrictions": callers(app),
                "appSettings": [{"name": name, "value": value(expression)} for name, expression in told.items()],
            },
        },
        after=[
            names.plan(app.name),
            names.VNET,
            *(names.identity(group) for group in (*Group, names.FLOW_LOG_WRITER)),  # whose ids every app is told
            names.container(names.host_account(app.name), PACKAGES),
            names.STATE,
            names.NAMESPACE,
            names.INSIGHTS,
            names.RULE,
            names.FLOW_LOGS,
            # One at a time: apps that join a subnet at once fail (https://github.com/hashicorp/terraform-provider-azurerm/issues/32089).
            *(names.app(before.name) for before in APPS[: APPS.index(app)][-1:]),
        ],
        location=value("parameters('location')"),
        tags=value(f"union(variables('tags'), createObject('azd-service-name', '{app.name}'))"),
        kind="functionapp,linux",
        identity={
            "type": "UserAssigned",
            "userAssignedIdentities": {value(names.identity(group).id): {} for group in app.groups},
        },
    )
