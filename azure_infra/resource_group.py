"""The resource group's template: everything that Breakwater runs on. It changes nothing outside its group."""

from __future__ import annotations

from azure_infra import names
from azure_infra.apps import add_apps, add_identities
from azure_infra.arm import Template
from azure_infra.data_roles import add_grants, add_operators, add_roles, flow_log_grants, grants
from azure_infra.events import add_flow_log_topic, add_hubs
from azure_infra.logs import add_logs
from azure_infra.network import add_network
from azure_infra.observability import add_observability
from azure_infra.storage import add_flow_log_account, add_storage

TOUCHES = (
    "Touches its own resource group and nothing else: function apps, their identities and the rights of these on Breakwater's "
    "own data, storage, event hubs, a network, logs and alerts. An existing account of flow logs is only listened to (an Event "
    "Grid system topic in this group), and the Sentinel workspace only named as the destination of a data collection rule."
)


def resource_group() -> Template:
    """Build it."""
    template = Template("resourceGroup", TOUCHES)
    template.take(
        "name",
        "string",
        "Prefix of every name: lower-case letters, digits and hyphens.",
        defaultValue="breakwater",
        minLength=2,
        maxLength=16,
    )
    template.take(
        "suffix",
        "string",
        "End of the names that must be the only ones in Azure.",
        defaultValue="[uniqueString(resourceGroup().id)]",
        minLength=4,
        maxLength=13,
    )
    template.take("location", "string", "Region: one that has Flex Consumption.", defaultValue="[resourceGroup().location]")
    template.define("tags", {"application": "[parameters('name')]"})
    add_network(template)
    add_logs(template)
    add_identities(template)
    add_storage(template)
    add_flow_log_account(template)
    add_hubs(template)
    add_apps(template)
    add_flow_log_topic(template)
    add_roles(template)
    add_grants(template, [*grants()])
    add_grants(template, [*flow_log_grants()], condition="[empty(parameters('flowLogAccountId'))]")
    add_operators(template)
    add_observability(template)
    template.give("flowLogAccountId", "variables('flowLogAccountId')")
    template.give("stateAccountId", names.STATE.id)
    return template
