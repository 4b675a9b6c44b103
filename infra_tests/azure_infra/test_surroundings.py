"""What the apps live on and what reaches them: storage, event hubs, flow logs, callers; nothing of the customer's by default."""

from __future__ import annotations

import re

import pytest

from azure_functions.registry import CONSUMER_GROUP, CONTAINERS, EVENT_HUBS, FUNCTIONS, QUEUES, TABLES, Trigger
from infra_tests.azure_infra.conftest import FLOW_LOGS, LEAST, MOST, PLAYBOOK, WRITER, deployed
from offline.azure.templates.deployment import Deployment


def test_what_is_named_in_the_registry_is_there_and_nothing_else(most: dict[str, Deployment]) -> None:
    room = most["resource_group"]

    def last(kind: str, of: str = "") -> set[str]:
        return {resource.id.rpartition("/")[2] for resource in room.of(kind) if of in resource.id}

    poison = {f"{spec.source}-poison" for spec in FUNCTIONS if spec.trigger is Trigger.QUEUE}
    account = "storageAccounts/breakwatest"
    assert last("Microsoft.Storage/storageAccounts/tableServices/tables") == set(TABLES)
    assert last("Microsoft.Storage/storageAccounts/queueServices/queues") == set(QUEUES) | poison
    assert last("Microsoft.Storage/storageAccounts/blobServices/containers", account) == {*CONTAINERS, "undelivered-events"}
    assert last("Microsoft.EventHub/namespaces/eventhubs") == set(EVENT_HUBS)
    groups = [resource.id.rpartition("/")[2] for resource in room.of("Microsoft.EventHub/namespaces/eventhubs/consumergroups")]
    assert groups == [CONSUMER_GROUP] * len(EVENT_HUBS)


def test_storage_lets_in_nobody_without_entra_and_nobody_from_elsewhere(most: dict[str, Deployment]) -> None:
    accounts = most["resource_group"].of("Microsoft.Storage/storageAccounts")
    assert len(accounts) == 6
    for account in accounts:
        properties = account.properties
        assert (
            properties["allowSharedKeyAccess"] is properties["allowBlobPublicAccess"] is properties["isLocalUserEnabled"] is False
        )
        assert properties["minimumTlsVersion"] in ("TLS1_2", "TLS1_3")
        assert properties["supportsHttpsTrafficOnly"] is True
        rules = properties["networkAcls"]
        assert rules["defaultAction"] == "Deny"
        assert [rule["id"].rpartition("/")[2] for rule in rules["virtualNetworkRules"]] == ["functions"]
        assert rules["ipRules"] == [{"value": "203.0.113.7", "action": "Allow"}]
    hierarchical = [account.content["name"] for account in accounts if account.properties.get("isHnsEnabled")]
    assert [name[:11] for name in hierarchical] == ["breakwatest"]


def test_a_range_of_one_address_is_given_as_storage_takes_it() -> None:
    room = deployed("resource_group", **LEAST["resource_group"], operatorAddresses=["203.0.113.7/32", "198.51.100.0/24"])
    (given,) = {
        tuple(rule["value"] for rule in one.properties["networkAcls"]["ipRules"])
        for one in room.of("Microsoft.Storage/storageAccounts")
    }
    assert given == ("203.0.113.7", "198.51.100.0/24")


def test_private_endpoints_close_the_accounts_altogether() -> None:
    room = deployed("resource_group", **LEAST["resource_group"], storageAccess="PrivateEndpointsOnly")
    assert {account.properties["publicNetworkAccess"] for account in room.of("Microsoft.Storage/storageAccounts")} == {"Disabled"}


def test_the_journals_account_is_locked_unless_one_says_otherwise(least: dict[str, Deployment]) -> None:
    (lock,) = least["resource_group"].of("Microsoft.Authorization/locks")
    assert "storageAccounts/breakwatest" in lock.id
    assert lock.properties["level"] == "CanNotDelete"
    assert not deployed("resource_group", **LEAST["resource_group"], lockState=False).of("Microsoft.Authorization/locks")


def test_a_subnet_of_ones_own_and_flow_logs_of_ones_own_are_used_instead_of_made() -> None:
    subnet = "/subscriptions/s/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/hub/subnets/functions"
    room = deployed("resource_group", **LEAST["resource_group"], subnetId=subnet, flowLogAccountId=FLOW_LOGS)
    assert not room.of("Microsoft.Network/virtualNetworks")
    assert len(room.of("Microsoft.Storage/storageAccounts")) == 5
    assert {site.properties["virtualNetworkSubnetId"] for site in room.of("Microsoft.Web/sites")} == {subnet}
    (topic,) = room.of("Microsoft.EventGrid/systemTopics")
    assert topic.properties["source"] == room.outputs["flowLogAccountId"] == FLOW_LOGS


def test_the_lake_keeps_what_was_made_and_forgets_what_is_raw(most: dict[str, Deployment]) -> None:
    deleted, cooled = set(), set()
    for policy in most["resource_group"].of("Microsoft.Storage/storageAccounts/managementPolicies"):
        for rule in policy.properties["policy"]["rules"]:
            prefixes = rule["definition"]["filters"]["prefixMatch"]
            (deleted if "delete" in rule["definition"]["actions"]["baseBlob"] else cooled).update(prefixes)
    assert deleted == {"undelivered-events/", "lake/dead-letters/", "insights-logs-"}
    assert cooled == {"lake/ocsf/", "lake/rejected/"}


def test_flow_logs_are_written_by_identity_since_the_account_takes_no_keys(most: dict[str, Deployment]) -> None:
    (flow_log,) = most["subscription"].of("Microsoft.Network/networkWatchers/flowLogs")
    assert flow_log.content["identity"] == {"type": "UserAssigned", "userAssignedIdentities": {WRITER: {}}}
    keys = deployed("subscription", **{**MOST["subscription"], "flowLogIdentityId": ""})
    assert "identity" not in keys.of("Microsoft.Network/networkWatchers/flowLogs")[0].content
    assert most["resource_group"].outputs["flowLogIdentityId"].endswith("/breakwater-flow-log-writer")


@pytest.mark.parametrize(
    ("given", "watcher"),
    [
        ({}, "NetworkWatcherRG/westeurope/NetworkWatcher_westeurope"),
        ({"flowLogLocation": "West Europe"}, "NetworkWatcherRG/westeurope/NetworkWatcher_westeurope"),
        (
            {"networkWatcherGroup": "network", "networkWatcherName": "watcher-we"},
            "network/westeurope/watcher-we",
        ),
    ],
    ids=["as Azure makes it", "display name of the region", "of another name"],
)
def test_flow_logs_belong_to_the_one_watcher_of_their_region(given: dict[str, str], watcher: str) -> None:
    made = deployed("subscription", **{**MOST["subscription"], **given}).of("Microsoft.Network/networkWatchers/flowLogs")
    where = [(re.search(r"/resourceGroups/([^/]+)/.*/networkWatchers/([^/]+)/flowLogs/", one.id), one) for one in made]
    assert [f"{found[1]}/{one.content['location']}/{found[2]}" for found, one in where if found] == [watcher]


def test_event_grid_tells_each_function_of_its_own_container(most: dict[str, Deployment]) -> None:
    told = {}
    for subscription in most["flow_log_events"].of("Microsoft.EventGrid/systemTopics/eventSubscriptions"):
        url = subscription.properties["destination"]["properties"]["endpointUrl"]
        told[re.findall(r"functionName=Host\.Functions\.(\w+)&code=c$", url)[0]] = subscription.properties["filter"][
            "subjectBeginsWith"
        ]
        assert subscription.properties["deadLetterWithResourceIdentity"]["identity"] == {"type": "SystemAssigned"}
    assert told == {
        spec.name: f"/blobServices/default/containers/{spec.source}/" for spec in FUNCTIONS if spec.trigger is Trigger.BLOB
    }


def test_audit_records_of_all_kinds_reach_the_hub(most: dict[str, Deployment]) -> None:
    (entra,) = most["tenant"].of("microsoft.aadiam/diagnosticSettings")
    assert entra.properties["eventHubName"] == "api-calls"
    assert {log["category"] for log in entra.properties["logs"]} == {
        "SignInLogs",
        "NonInteractiveUserSignInLogs",
        "ServicePrincipalSignInLogs",
        "ManagedIdentitySignInLogs",
        "AuditLogs",
    }
    (activity,) = most["subscription"].of("Microsoft.Insights/diagnosticSettings")
    assert activity.properties["eventHubName"] == "api-calls"
    assert {"Administrative", "Security"} <= {log["category"] for log in activity.properties["logs"]}
    exports = most["subscription"].of("Microsoft.OperationalInsights/workspaces/dataExports")
    assert {one.properties["destination"]["metaData"]["eventHubName"]: one.properties["tableNames"] for one in exports} == {
        "system-logs": ["Syslog", "SecurityEvent"],
        "findings": ["SecurityAlert"],
    }
    for left_out, hub in (("exportTables", "findings"), ("exportAlerts", "system-logs")):
        given = {name: given for name, given in MOST["subscription"].items() if name != left_out}
        (one,) = deployed("subscription", **given).of("Microsoft.OperationalInsights/workspaces/dataExports")
        assert one.properties["destination"]["metaData"] == {"eventHubName": hub}
    (flow_log,) = most["subscription"].of("Microsoft.Network/networkWatchers/flowLogs")
    assert flow_log.properties["storageId"] == FLOW_LOGS


def test_nobody_is_a_caller_by_default(least: dict[str, Deployment], most: dict[str, Deployment]) -> None:
    nobody = "00000000-0000-0000-0000-000000000000"

    def admitted(deployment: Deployment) -> dict[str, list[str]]:
        return {
            config.id.split("/sites/")[1].split("-")[1]: config.properties["identityProviders"]["azureActiveDirectory"][
                "validation"
            ]["defaultAuthorizationPolicy"]["allowedPrincipals"]["identities"]
            for config in deployment.of("Microsoft.Web/sites/config")
        }

    assert admitted(least["resource_group"]) == {app: [nobody] for app in ("detect", "contain", "undo", "page")}
    assert admitted(most["resource_group"])["detect"][0] == PLAYBOOK
    assert admitted(most["resource_group"])["undo"] == [nobody]
    closed = [each for each in most["resource_group"].of("Microsoft.Web/sites/config") if "-page-" not in each.id]
    for config in (*least["resource_group"].of("Microsoft.Web/sites/config"), *closed):
        validation = config.properties["globalValidation"]
        assert (validation["requireAuthentication"], validation["unauthenticatedClientAction"]) == (True, "Return401")
        hooks = ["/runtime/webhooks/blobs"] if "-detect-" in config.id else []
        assert validation["excludedPaths"] == ["/admin/host/synctriggers", *hooks]


def test_by_default_nothing_of_the_customers_is_changed(least: dict[str, Deployment]) -> None:
    """Custom roles, and the right to read: no diagnostic setting, no flow log, no export, no right to change."""
    subscription = least["subscription"]
    assert {resource.type for resource in subscription.resources} == {
        "Microsoft.Authorization/roleDefinitions",
        "Microsoft.Authorization/roleAssignments",
    }
    roles = {
        resource.id.rpartition("/")[2]: resource.properties
        for resource in subscription.of("Microsoft.Authorization/roleDefinitions")
    }
    for assignment in subscription.of("Microsoft.Authorization/roleAssignments"):
        operations = roles[assignment.properties["roleDefinitionId"].rpartition("/")[2]]["permissions"][0]["actions"]
        assert all(one.endswith("/read") or one.endswith("/effectiveNetworkSecurityGroups/action") for one in operations)
    for name in ("resource_group", "workspace"):
        group = "/resourceGroups/soc/" if name == "workspace" else "/resourceGroups/breakwater/"
        assert all(group in resource.id for resource in least[name].resources)
    assert not least["workspace"].of("Microsoft.SecurityInsights/automationRules")
