"""What Breakwater itself is made of, as a person with Reader on its resource group sees it: kept as it is put.

Nothing behind these works here (the hubs, apps and alerts of the embedded Azure are elsewhere): they are what
``breakwater doctor`` looks at, and what a deployment of the templates makes, with the ids and addresses that the platform would
make up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from offline.azure.credential import TENANT_ID
from offline.azure.resource_manager.flex_sites import SITES, check_flex_site
from offline.azure.resource_manager.kinds import Kind
from offline.azure.resource_manager.store import Resource, Store

#: Types that are always kept; a deployment brings others.
DEPLOYED = (
    "Microsoft.AlertsManagement/alerts",
    "Microsoft.EventGrid/systemTopics",
    "Microsoft.EventGrid/systemTopics/eventSubscriptions",
    "Microsoft.EventHub/namespaces",
    "Microsoft.EventHub/namespaces/eventhubs",
    "Microsoft.EventHub/namespaces/eventhubs/consumergroups",
    "Microsoft.Insights/dataCollectionEndpoints",
    "Microsoft.Insights/dataCollectionRules",
    "Microsoft.Insights/metricAlerts",
    "Microsoft.Insights/scheduledQueryRules",
    "Microsoft.ManagedIdentity/userAssignedIdentities",
    "Microsoft.Web/sites",
    "Microsoft.Web/sites/config",
    "Microsoft.Web/sites/functions",
    "Microsoft.Web/sites/host",
)
#: Reading an app's settings is an action of its own, since others keep secrets there: Reader does not have it. So are its keys.
SETTINGS = "Microsoft.Web/sites/config/list/action"
HOST_KEYS = "Microsoft.Web/sites/host/listkeys/action"


class Deployed(Kind):
    """A resource of a deployment, kept at once. A child of another one has no location."""

    def accept(self, resource: Resource, before: Resource | None, store: Store) -> Resource:
        """Keep it whatever it says, but for what Azure is known to refuse though the schema takes it."""
        del before
        resource.setdefault("properties", {})
        if self.type.lower() == SITES.lower():
            check_flex_site(resource, store)
        return resource

    def show(self, resource: Resource, store: Store) -> Resource:
        """With what the platform adds: always the same for one id."""
        shown = super().show(resource, store)
        del shown["etag"]
        shown["properties"] = {**_MADE_UP.get(self.type, _nothing)(shown), **shown["properties"]}
        if "SystemAssigned" in shown.get("identity", {}).get("type", ""):
            shown["identity"] |= {"principalId": made_up(shown["id"], "principal"), "tenantId": TENANT_ID}
        return shown


def settings_of(config: Resource) -> Resource:
    """An app's settings as ``list`` answers them."""
    return {"id": config["id"], "name": config["name"], "type": config["type"], "properties": said_in(config)}


def said_in(resource: Resource) -> dict[str, Any]:
    """A resource's properties as they were put."""
    return {name: value for name, value in resource["properties"].items() if name != "provisioningState"}


def made_up(resource_id: str, what: str) -> str:
    """A GUID that the platform gives a resource."""
    return str(uuid5(NAMESPACE_URL, f"{what} of {resource_id.lower()}"))


def _nothing(_: Resource) -> dict[str, Any]:
    return {}


def _identity(shown: Resource) -> dict[str, Any]:
    return {
        "tenantId": TENANT_ID,
        "principalId": made_up(shown["id"], "principal"),
        "clientId": made_up(shown["id"], "client"),
    }


def _insights(shown: Resource) -> dict[str, Any]:
    key = made_up(shown["id"], "instrumentation")
    region = str(shown["location"])
    return {
        "InstrumentationKey": key,
        "ConnectionString": f"InstrumentationKey={key};IngestionEndpoint=https://{region}.in.applicationinsights.azure.com/",
    }


def _collection_endpoint(shown: Resource) -> dict[str, Any]:
    host = f"https://{shown['name']}.{shown['location']}-1.ingest.monitor.azure.com"
    return {"immutableId": f"dce-{made_up(shown['id'], 'rule')[:32]}", "logsIngestion": {"endpoint": host}}


def _collection_rule(shown: Resource) -> dict[str, Any]:
    return {"immutableId": f"dcr-{made_up(shown['id'], 'rule').replace('-', '')}"}


def _events(shown: Resource) -> dict[str, Any]:
    return {"serviceBusEndpoint": f"https://{shown['name']}.servicebus.windows.net:443/"}


def _site(shown: Resource) -> dict[str, Any]:
    return {"defaultHostName": f"{shown['name']}.azurewebsites.net", "state": "Running"}


_MADE_UP: Mapping[str, Callable[[Resource], dict[str, Any]]] = {
    "Microsoft.EventHub/namespaces": _events,
    "Microsoft.Insights/components": _insights,
    "Microsoft.Insights/dataCollectionEndpoints": _collection_endpoint,
    "Microsoft.Insights/dataCollectionRules": _collection_rule,
    "Microsoft.ManagedIdentity/userAssignedIdentities": _identity,
    "Microsoft.Web/sites": _site,
}
