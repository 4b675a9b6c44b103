"""One template after the other, as main.bicep deploys them: the outputs of each are what the next one takes."""

from __future__ import annotations

import re

import pytest

from azure_functions.registry import Group
from infra_tests.azure_infra.conftest import APPLICATION, FOLDER, MOST, SENTINEL, VNET, WORKSPACE, deployed
from offline.azure.templates.deployment import Deployment
from offline.azure.templates.expressions import Later

SUFFIX = "abcdefghijklm"


@pytest.fixture(scope="module")
def workspace() -> Deployment:
    host = f"breakwater-detect-{SUFFIX}.azurewebsites.net"
    return deployed(
        "workspace", workspaceName="sentinel", functionHost=host, applicationId=APPLICATION, sentinelPrincipalId=SENTINEL
    )


@pytest.fixture(scope="module")
def room(workspace: Deployment) -> Deployment:
    given = {name: workspace.outputs[name] for name in ("workspaceId", "playbookPrincipalId")}
    return deployed("resource_group", suffix=SUFFIX, applicationId=APPLICATION, **given)


@pytest.fixture(scope="module")
def subscription(workspace: Deployment, room: Deployment) -> Deployment:
    principals = {f"{group}PrincipalId": room.outputs[f"{group}PrincipalId"] for group in Group}
    rest = {
        name: room.outputs[name] for name in ("diagnosticsRuleId", "eventHubNamespace", "flowLogAccountId", "flowLogIdentityId")
    }
    here = {"workspaceId": workspace.outputs["workspaceId"], "flowLogNetworks": [VNET], "exportTables": ["Syslog"], "armed": True}
    return deployed("subscription", **principals, **rest, **here)


def test_the_playbook_calls_the_app_that_detects(workspace: Deployment, room: Deployment) -> None:
    (playbook,) = workspace.of("Microsoft.Logic/workflows")
    uri = playbook.properties["definition"]["actions"]["Triage"]["inputs"]["uri"]
    assert uri == f"https://{room.outputs['detectApp']}.azurewebsites.net/api/triage_findings"
    assert "functionHost: '${name}-detect-${suffix}.azurewebsites.net'" in (FOLDER / "main.bicep").read_text()


def test_the_playbooks_identity_is_the_one_that_is_let_in_and_checked(workspace: Deployment, room: Deployment) -> None:
    principal = workspace.outputs["playbookPrincipalId"]
    assert isinstance(principal, Later)
    (detect,) = [one for one in room.of("Microsoft.Web/sites") if "-detect-" in one.id]
    told = {one["name"]: one["value"] for one in detect.properties["siteConfig"]["appSettings"]}
    assert told["BREAKWATER_PLAYBOOK_PRINCIPAL_ID"] == principal
    (config,) = [one for one in room.of("Microsoft.Web/sites/config") if "-detect-" in one.id]
    entra = config.properties["identityProviders"]["azureActiveDirectory"]
    assert entra["validation"]["defaultAuthorizationPolicy"]["allowedPrincipals"]["identities"] == [principal]
    (playbook,) = workspace.of("Microsoft.Logic/workflows")
    audience = playbook.properties["definition"]["actions"]["Triage"]["inputs"]["authentication"]["audience"]
    assert audience in entra["validation"]["allowedAudiences"]


def test_rows_go_to_the_table_of_the_workspace_that_was_named(workspace: Deployment, room: Deployment) -> None:
    assert workspace.outputs["workspaceId"] == WORKSPACE
    (rule,) = room.of("Microsoft.Insights/dataCollectionRules")
    assert rule.properties["destinations"]["logAnalytics"][0]["workspaceResourceId"] == WORKSPACE


def test_rights_on_the_subscription_are_those_identities(room: Deployment, subscription: Deployment) -> None:
    assigned = {str(one.properties["principalId"]) for one in subscription.of("Microsoft.Authorization/roleAssignments")}
    made = {one.id for one in room.of("Microsoft.ManagedIdentity/userAssignedIdentities")}
    assert {re.sub(r"^<|\.principalId>$", "", principal) for principal in assigned} <= made
    assert len(assigned) == len(Group) - 1  # the page has no right on anything of the customer's


def test_telemetry_is_sent_to_where_the_detectors_read(room: Deployment, subscription: Deployment) -> None:
    (activity,) = subscription.of("Microsoft.Insights/diagnosticSettings")
    (rule,) = room.of("Microsoft.EventHub/namespaces/authorizationRules")
    assert activity.properties["eventHubAuthorizationRuleId"] == rule.id
    (flow_log,) = subscription.of("Microsoft.Network/networkWatchers/flowLogs")
    (topic,) = room.of("Microsoft.EventGrid/systemTopics")
    assert flow_log.properties["storageId"] == topic.properties["source"]
    assert set(flow_log.content["identity"]["userAssignedIdentities"]) == {room.outputs["flowLogIdentityId"]}
    tenant = deployed("tenant", diagnosticsRuleId=room.outputs["diagnosticsRuleId"])
    (entra,) = tenant.of("microsoft.aadiam/diagnosticSettings")
    assert entra.properties["eventHubAuthorizationRuleId"] == rule.id


def test_what_event_grid_could_not_deliver_lands_in_the_state_account(room: Deployment) -> None:
    webhook = MOST["flow_log_events"]["webhook"]
    events = deployed("flow_log_events", stateAccountId=room.outputs["stateAccountId"], webhook=webhook)
    (topic,) = room.of("Microsoft.EventGrid/systemTopics")
    containers = {one.id for one in room.of("Microsoft.Storage/storageAccounts/blobServices/containers")}
    for one in events.of("Microsoft.EventGrid/systemTopics/eventSubscriptions"):
        assert one.id.startswith(f"{topic.id}/eventSubscriptions/")
        letter = one.properties["deadLetterWithResourceIdentity"]["deadLetterDestination"]["properties"]
        assert f"{letter['resourceId']}/blobServices/default/containers/{letter['blobContainerName']}" in containers
