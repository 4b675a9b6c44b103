"""Graph through azure-core's pipeline, with the managed identity of the identity group."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ServiceResponseError

from azure_functions.rest import RestClient
from offline.azure.app_roles import GRAPH_APPLICATION, PERMISSIONS
from offline.azure.services import Services


@pytest.fixture
def graph(services: Services) -> RestClient:
    from azure.identity import ManagedIdentityCredential

    credential = ManagedIdentityCredential(client_id=services.identities["identity"].client_id)
    return RestClient(services.graph.url, credential, "https://graph.microsoft.com/.default", retry_total=3)


def refusal(call: Any, *arguments: Any, **named: Any) -> tuple[int, str]:
    with pytest.raises(HttpResponseError) as refused:
        call(*arguments, **named)
    return refused.value.status_code, refused.value.response.json()["error"]["code"]


def test_whether_an_account_is_enabled_is_only_answered_when_it_is_asked_for(services, graph):
    path = f"/v1.0/users/{services.world.mallory}"
    assert "accountEnabled" not in graph.call("GET", path)
    assert graph.call("GET", path, query={"$select": "id,accountEnabled"})["accountEnabled"] is True
    assert graph.call("GET", "/v1.0/users/mallory@example.com")["id"] == services.world.mallory
    assert refusal(graph.call, "GET", path, query={"$select": "accountEnabeld"})[0] == 400


def test_an_account_is_disabled_and_enabled_again(services, graph):
    path = f"/v1.0/users/{services.world.mallory}"
    for enabled in (False, False, True):
        assert graph.call("PATCH", path, body={"accountEnabled": enabled}) is None
        assert services.graph.object(services.world.mallory)["accountEnabled"] is enabled
    assert refusal(graph.call, "PATCH", path, body={"displayName": "x"}) == (400, "Request_BadRequest")
    assert refusal(graph.call, "PATCH", path, body={"accountEnabled": "no"}) == (400, "Request_BadRequest")


def test_revoking_sessions_moves_the_time_from_which_they_are_valid(services, graph):
    before = services.graph.object(services.world.mallory)["signInSessionsValidFromDateTime"]
    assert graph.call("POST", f"/v1.0/users/{services.world.mallory}/revokeSignInSessions")["value"] is True
    assert services.graph.object(services.world.mallory)["signInSessionsValidFromDateTime"] > before


@pytest.mark.parametrize(
    ("who", "refused"), [("synced", (400, "Request_BadRequest")), ("break_glass", (403, "Authorization_RequestDenied"))]
)
def test_accounts_that_graph_does_not_let_an_application_disable(services, graph, who, refused):
    user = getattr(services.world, who)
    assert refusal(graph.call, "PATCH", f"/v1.0/users/{user}", body={"accountEnabled": False}) == refused
    assert services.graph.object(user)["accountEnabled"] is True


def test_service_principals_are_no_users(services, graph):
    deployer = services.world.deployer
    found = graph.call("GET", f"/v1.0/servicePrincipals/{deployer}")
    assert found["servicePrincipalType"] == "Application"
    assert graph.call("GET", f"/v1.0/servicePrincipals(appId='{found['appId']}')")["id"] == deployer
    assert graph.call("GET", f"/v1.0/directoryObjects/{deployer}")["@odata.type"] == "#microsoft.graph.servicePrincipal"
    missing = (404, "Request_ResourceNotFound")
    assert refusal(graph.call, "GET", f"/v1.0/users/{deployer}") == missing
    assert refusal(graph.call, "POST", f"/v1.0/users/{deployer}/revokeSignInSessions") == missing
    assert refusal(graph.call, "GET", "/v1.0/servicePrincipals/00000000-0000-0000-0000-000000000000") == missing


def test_groups_are_found_through_groups(services, graph):
    services.graph.add_group("00000000-0000-0000-0000-00000000000a", "Everybody", services.world.operations)
    found = graph.call("GET", f"/v1.0/users/{services.world.mallory}/transitiveMemberOf")["value"]
    assert [one["displayName"] for one in found] == ["Operations", "Everybody"]


@pytest.mark.parametrize(
    ("permissions", "allowed"),
    [
        (["graph:User.Read.All"], False),
        (["graph:User.EnableDisableAccount.All"], False),
        (["graph:User.EnableDisableAccount.All", "graph:User.Read.All"], True),
        (["graph:User.ReadWrite.All"], True),
    ],
)
def test_disabling_needs_its_permission_or_a_wider_one(services, graph, permissions, allowed):
    services.grants.allow(services.identities["identity"].client_id, permissions)
    path, body = f"/v1.0/users/{services.world.alice}", {"accountEnabled": False}
    if allowed:
        graph.call("PATCH", path, body=body)
    else:
        assert refusal(graph.call, "PATCH", path, body=body) == (403, "Authorization_RequestDenied")
    assert services.graph.object(services.world.alice)["accountEnabled"] is not allowed


def test_calls_are_recorded_by_the_permission_that_they_need(services, graph):
    graph.call("PATCH", f"/v1.0/users/{services.world.alice}", body={"accountEnabled": False})
    client_id = services.identities["identity"].client_id
    assert services.calls.undeclared(client_id, ["graph:User.Read.All"]) == {"graph:User.EnableDisableAccount.All"}


def test_throttling_is_weathered(services, graph):
    services.graph.faults.throttle(2)
    graph.call("PATCH", f"/v1.0/users/{services.world.alice}", body={"accountEnabled": False})
    assert [call.status for call in services.calls.calls()] == [429, 429, 204]


def test_a_change_whose_answer_is_lost_has_taken_effect(services, graph):
    services.graph.faults.tear_off()
    with pytest.raises(ServiceResponseError):  # a PATCH is not sent again by itself
        graph.call("PATCH", f"/v1.0/users/{services.world.alice}", body={"accountEnabled": False})
    assert services.graph.object(services.world.alice)["accountEnabled"] is False


def test_what_is_not_served_says_so(services, graph):
    assert refusal(graph.call, "GET", "/v1.0/me")[0] == 400
    assert refusal(graph.call, "DELETE", f"/v1.0/users/{services.world.alice}")[0] == 400


class TestPermissions:
    """What service principals were granted of Graph itself."""

    def test_one_that_was_granted_is_listed_by_holder_and_by_resource_until_it_is_taken_away(self, services, graph):
        undo = services.identities["undo"].object_id
        service = graph.call("GET", f"/v1.0/servicePrincipals(appId='{GRAPH_APPLICATION}')")
        role = next(one["id"] for one in service["appRoles"] if one["value"] == "User.Read.All")
        wanted = {"principalId": undo, "resourceId": service["id"], "appRoleId": role}
        made = graph.call("POST", f"/v1.0/servicePrincipals/{undo}/appRoleAssignments", body=wanted)
        held = graph.call("GET", f"/v1.0/servicePrincipals/{undo}/appRoleAssignments")["value"]
        given = graph.call("GET", f"/v1.0/servicePrincipals/{service['id']}/appRoleAssignedTo")["value"]
        assert held == given
        assert [(one["id"], one["principalDisplayName"]) for one in held] == [(made["id"], "breakwater-undo")]
        assert graph.call("DELETE", f"/v1.0/servicePrincipals/{undo}/appRoleAssignments/{made['id']}") is None
        assert graph.call("GET", f"/v1.0/servicePrincipals/{undo}/appRoleAssignments")["value"] == []

    def test_one_is_granted_once_and_only_one_that_there_is(self, services, graph):
        undo = services.identities["undo"].object_id
        services.graph.grant(undo, "User.Read.All")
        service = graph.call("GET", f"/v1.0/servicePrincipals(appId='{GRAPH_APPLICATION}')")
        path = f"/v1.0/servicePrincipals/{undo}/appRoleAssignments"
        for wrong in (
            {"principalId": undo, "resourceId": service["id"], "appRoleId": PERMISSIONS["User.Read.All"]},
            {"principalId": undo, "resourceId": service["id"], "appRoleId": undo},
            {"principalId": service["id"], "resourceId": service["id"], "appRoleId": PERMISSIONS["User.Read.All"]},
            {"principalId": undo},
        ):
            assert refusal(graph.call, "POST", path, body=wrong) == (400, "Request_BadRequest")
        assert refusal(graph.call, "DELETE", f"{path}/none") == (404, "Request_ResourceNotFound")


class TestApplications:
    """What somebody registers in the tenant."""

    def test_one_is_registered_changed_and_found(self, graph):
        made = graph.call("POST", "/v1.0/applications", body={"displayName": "soc", "api": {"requestedAccessTokenVersion": 2}})
        uri = f"api://{made['appId']}"
        assert graph.call("PATCH", f"/v1.0/applications/{made['id']}", body={"identifierUris": [uri]}) is None
        for wanted in (f"appId eq '{made['appId']}'", "startswith(displayName,'so')", f"identifierUris/any(s:s eq '{uri}')"):
            (found,) = graph.call("GET", "/v1.0/applications", query={"$filter": wanted})["value"]
            assert (found["id"], found["identifierUris"]) == (made["id"], [uri])
        assert graph.call("GET", "/v1.0/applications", query={"$filter": "startswith(displayName,'x')"})["value"] == []
        assert graph.call("GET", f"/v1.0/applications/{made['id']}")["api"] == {"requestedAccessTokenVersion": 2}

    def test_its_service_principal_is_made_once(self, services, graph):
        made = graph.call("POST", "/v1.0/applications", body={"displayName": "soc"})
        principal = graph.call("POST", "/v1.0/servicePrincipals", body={"appId": made["appId"]})
        named = {"$filter": f"servicePrincipalNames/any(c:c eq '{made['appId']}')"}
        assert [one["id"] for one in graph.call("GET", "/v1.0/servicePrincipals", query=named)["value"]] == [principal["id"]]
        again = refusal(graph.call, "POST", "/v1.0/servicePrincipals", body={"appId": made["appId"]})
        assert again == (409, "Request_MultipleObjectsWithSameKeyValue")
        assert refusal(graph.call, "POST", "/v1.0/servicePrincipals", body={"appId": services.world.alice})[0] == 400

    def test_what_is_wrong_or_not_served_is_refused(self, services, graph):
        made = graph.call("POST", "/v1.0/applications", body={"displayName": "soc"})
        path = f"/v1.0/applications/{made['id']}"
        assert refusal(graph.call, "PATCH", path, body={"identifierUris": ["https://elsewhere.example"]})[0] == 400
        assert refusal(graph.call, "PATCH", path, body={"appRoles": []})[0] == 400
        assert refusal(graph.call, "POST", "/v1.0/applications", body={})[0] == 400
        assert refusal(graph.call, "GET", "/v1.0/applications", query={"$filter": "id ne null"})[0] == 400
        assert refusal(graph.call, "GET", f"/v1.0/applications/{services.world.alice}")[0] == 404

    def test_registering_takes_more_than_reading(self, services, graph):
        services.grants.allow(services.identities["identity"].client_id, ("graph:Application.Read.All",))
        assert graph.call("GET", "/v1.0/applications")["value"] == []
        denied = refusal(graph.call, "POST", "/v1.0/applications", body={"displayName": "soc"})
        assert denied == (403, "Authorization_RequestDenied")

    def test_an_identity_that_resource_manager_made_is_an_object_of_the_directory(self, services, graph):
        identity = f"{services.world.group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/robot"
        principal = services.arm.put(identity, {"location": "westeurope"})["properties"]["principalId"]
        shown = graph.call("GET", f"/v1.0/servicePrincipals/{principal}")
        assert (shown["displayName"], shown["servicePrincipalType"]) == ("robot", "ManagedIdentity")
