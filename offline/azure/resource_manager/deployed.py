"""What Breakwater itself is made of, as a person with Reader on its resource group sees it: kept as it is put.

Nothing behind these works here (the hubs, apps and alerts of the embedded Azure are elsewhere): they are what
``breakwater doctor`` looks at.
"""

from __future__ import annotations

from offline.azure.resource_manager.kinds import Kind
from offline.azure.resource_manager.store import Resource, Store

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
)
#: Reading an app's settings is an action of its own, since others keep secrets there: Reader does not have it.
SETTINGS = "Microsoft.Web/sites/config/list/action"


class Deployed(Kind):
    """A resource of a deployment. A child of another one has no location."""

    def accept(self, resource: Resource, before: Resource | None, store: Store) -> Resource:
        """Keep it whatever it says."""
        del before, store
        resource.setdefault("properties", {})
        return resource


def settings_of(config: Resource) -> Resource:
    """An app's settings as ``list`` answers them."""
    given = {name: value for name, value in config["properties"].items() if name != "provisioningState"}
    return {"id": config["id"], "name": config["name"], "type": config["type"], "properties": given}
