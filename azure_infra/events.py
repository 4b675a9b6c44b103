"""How events arrive: event hubs for what the platform streams, Event Grid for flow logs that grow."""

from __future__ import annotations

from azure_functions.registry import CONSUMER_GROUP, EVENT_HUBS, FUNCTIONS, Trigger
from azure_infra import names
from azure_infra.arm import Ref, Template, resource, text, value, variable
from azure_infra.data_roles import built_in
from azure_infra.storage import UNDELIVERED

TOPIC = Ref("Microsoft.EventGrid/systemTopics", (names.own("flow-logs"),))
TOUCHES = "Touches the flow logs' system topic in Breakwater's own group: adds a subscription for each function that reads them."
#: What a standard namespace keeps at most, at no further price: a week to mend what stopped.
_KEPT_HOURS = 168


def add_hubs(template: Template) -> None:
    """The namespace and its hubs."""
    throughput = template.take(
        "hubThroughput",
        "int",
        "Throughput units (1 MB/s or 1,000 events/s each) up to which the event hubs grow by themselves.",
        defaultValue=4,
        minValue=1,
        maxValue=40,
    )
    partitions = template.take(
        "hubPartitions",
        "int",
        "Partitions of each event hub: as many instances of a detector read at once.",
        defaultValue=4,
        minValue=1,
        maxValue=32,
    )
    network = names.NAMESPACE.child("networkRuleSets", text("default"))
    template.add(
        resource(
            names.NAMESPACE,
            names.EVENT_HUBS,
            {
                # Diagnostic settings take an authorization rule and nothing else (`diagnostics`, below). Its keys are read
                # by Azure Monitor alone: no template, setting or function of ours ever asks for them.
                "disableLocalAuth": False,
                "isAutoInflateEnabled": True,
                "maximumThroughputUnits": value(throughput),
                "minimumTlsVersion": "1.2",
                "publicNetworkAccess": "Enabled",  # to those whom the network rules name
            },
            location=value("parameters('location')"),
            tags=value("variables('tags')"),
            sku={"name": "Standard", "tier": "Standard", "capacity": 1},
        ),
        resource(
            network,
            names.EVENT_HUBS,
            {
                "defaultAction": "Deny",
                "publicNetworkAccess": "Enabled",
                "trustedServiceAccessEnabled": True,  # Azure Monitor, which delivers diagnostic settings
                "virtualNetworkRules": [{"subnet": {"id": value(variable("subnet"))}, "ignoreMissingVnetServiceEndpoint": False}],
                "ipRules": [],
            },
            after=[names.NAMESPACE, names.VNET],
        ),
        resource(names.DIAGNOSTICS_RULE, names.EVENT_HUBS, {"rights": ["Listen", "Manage", "Send"]}, after=[names.NAMESPACE]),
    )
    for name in EVENT_HUBS:
        hub = names.hub(name)
        retention = {"cleanupPolicy": "Delete", "retentionTimeInHours": _KEPT_HOURS}
        template.add(
            resource(
                hub,
                names.EVENT_HUBS,
                {"partitionCount": value(partitions), "retentionDescription": retention},
                after=[names.NAMESPACE],
            ),
            resource(hub.child("consumergroups", text(CONSUMER_GROUP)), names.EVENT_HUBS, {}, after=[hub]),
        )
    template.give("eventHubNamespace", names.NAMESPACE.id)
    template.give("diagnosticsRuleId", names.DIAGNOSTICS_RULE.id)


def add_flow_log_topic(template: Template) -> None:
    """Event Grid's topic of the flow logs' account, and where it keeps what it could not deliver."""
    region = template.take(
        "flowLogLocation", "string", "Region of the flow logs' account.", defaultValue="[parameters('location')]"
    )
    template.add(
        resource(
            TOPIC,
            names.EVENT_GRID,
            {"source": value(variable("flowLogAccountId")), "topicType": "Microsoft.Storage.StorageAccounts"},
            after=[names.FLOW_LOGS],
            location=value(region),
            tags=value(variable("tags")),
            identity={"type": "SystemAssigned"},
        )
    )
    undelivered = names.container(names.STATE, UNDELIVERED)
    role = "Storage Blob Data Contributor"
    letters = Ref("Microsoft.Authorization/roleAssignments", (f"guid({undelivered.id}, {TOPIC.id}, {text(role)})",))
    template.add(
        resource(
            letters,
            names.AUTHORIZATION,
            {
                "roleDefinitionId": value(built_in(role)),
                "principalId": value(f"reference({TOPIC.id}, '{names.EVENT_GRID}', 'full').identity.principalId"),
                "principalType": "ServicePrincipal",
                "description": "Event Grid keeps here what it could not deliver.",
            },
            after=[TOPIC, undelivered],
            scope=value(undelivered.id),
        )
    )


def flow_log_events() -> Template:
    """The template that is deployed once the package is: Event Grid asks the function whether it wants the events."""
    template = Template("resourceGroup", TOUCHES)
    template.take(
        "name", "string", "Prefix of every name, as in the resource group.", defaultValue="breakwater", minLength=2, maxLength=16
    )
    template.take("stateAccountId", "string", "Id of the state account: an output of the resource group's template.")
    url = template.take(
        "webhook",
        "secureString",
        "Where the detectors are told of flow logs, with {function} for the function's name. It holds the host's own key of "
        "this one extension, so azure_infra/connect.sh asks for it when it is needed, and it is stored nowhere.",
    )
    letter = {"resourceId": "[parameters('stateAccountId')]", "blobContainerName": UNDELIVERED}
    for spec in FUNCTIONS:
        if spec.trigger is not Trigger.BLOB:
            continue
        webhook = {
            "endpointUrl": value(f"replace({url}, '{{function}}', 'Host.Functions.{spec.name}')"),
            "maxEventsPerBatch": 1,
            "preferredBatchSizeInKilobytes": 64,
            "minimumTlsVersionAllowed": "1.2",
        }
        template.add(
            resource(
                TOPIC.child("eventSubscriptions", text(spec.name.replace("_", "-"))),
                names.EVENT_GRID,
                {
                    "destination": {"endpointType": "WebHook", "properties": webhook},
                    "eventDeliverySchema": "EventGridSchema",
                    "filter": {
                        "includedEventTypes": ["Microsoft.Storage.BlobCreated"],
                        "subjectBeginsWith": f"/blobServices/default/containers/{spec.source}/",
                        "subjectEndsWith": "/PT1H.json",
                    },
                    "retryPolicy": {"eventTimeToLiveInMinutes": 1440, "maxDeliveryAttempts": 30},
                    "deadLetterWithResourceIdentity": {
                        "identity": {"type": "SystemAssigned"},
                        "deadLetterDestination": {"endpointType": "StorageBlob", "properties": letter},
                    },
                },
            )
        )
    return template
