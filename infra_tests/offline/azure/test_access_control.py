"""Who calls, what is recorded of it, what each identity may do; role assignments themselves."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import CredentialUnavailableError, ManagedIdentityCredential
from azure.mgmt.network import NetworkManagementClient

from offline.azure.calls import CallLog, Grants, permits
from offline.azure.credential import make_token, read_token
from offline.azure.resource_manager.roles import BUILT_IN
from offline.azure.seed import SUBSCRIPTION_ID, made_up, rule
from offline.azure.web import Request

DENY = {"properties": rule("deny", "Deny", 110, source="198.51.100.7/32")["properties"]}


def test_every_call_is_recorded_with_the_identity_that_made_it(services, azure_clients):
    azure_clients("network", "network").network_security_groups.get("shop", "edge")
    azure_clients("network", "undo").network_interfaces.get("shop", "web-nic")
    assert [(call.client_id, call.operation) for call in services.calls.calls()] == [
        (services.identities["network"].client_id, "Microsoft.Network/networkSecurityGroups/read"),
        (services.identities["undo"].client_id, "Microsoft.Network/networkInterfaces/read"),
    ]


def test_calls_beyond_the_declared_permissions_are_named(services, azure_clients):
    network, client_id = azure_clients("network", "network"), services.identities["network"].client_id
    network.security_rules.begin_create_or_update("shop", "edge", "deny", DENY).result()
    declared = ["Microsoft.Network/networkSecurityGroups/securityRules/*"]
    assert services.calls.undeclared(client_id, declared) == {"Microsoft.Network/locations/operations/read"}
    assert services.calls.undeclared(client_id, [*declared, "Microsoft.Network/locations/operations/read"]) == set()
    assert services.calls.undeclared(services.identities["undo"].client_id, []) == set()


def test_an_identity_without_the_operation_is_refused(services, azure_clients):
    network = azure_clients("network", "network")
    services.grants.allow(services.identities["network"].client_id, ["Microsoft.Network/*/read"])
    network.network_security_groups.get("shop", "edge")
    with pytest.raises(HttpResponseError) as refused:
        network.security_rules.begin_create_or_update("shop", "edge", "deny", DENY)
    assert (refused.value.status_code, refused.value.error.code) == (403, "AuthorizationFailed")
    assert "'Microsoft.Network/networkSecurityGroups/securityRules/write'" in refused.value.error.message
    assert not services.arm.has(f"{services.world.edge_group}/securityRules/deny")


def test_writing_an_interface_needs_the_right_to_join_what_it_points_to(services, azure_clients):
    network, client_id = azure_clients("network", "network"), services.identities["network"].client_id
    granted = ["Microsoft.Network/networkInterfaces/*", "Microsoft.Network/locations/operations/read"]
    joins = ("Microsoft.Network/networkSecurityGroups/join/action", "Microsoft.Network/virtualNetworks/subnets/join/action")
    nic = network.network_interfaces.get("shop", "web-nic")
    nic.network_security_group = {"id": services.world.inner_group}
    for join in joins:
        services.grants.allow(client_id, granted)
        with pytest.raises(HttpResponseError) as refused:
            network.network_interfaces.begin_create_or_update("shop", "web-nic", nic)
        assert (refused.value.status_code, refused.value.error.code) == (403, "LinkedAuthorizationFailed")
        assert join in refused.value.error.message
        granted.append(join)
    services.grants.allow(client_id, granted)
    network.network_interfaces.begin_create_or_update("shop", "web-nic", nic).result()


def test_enforced_rights_refuse_an_identity_that_was_granted_nothing(services, azure_clients):
    services.grants.enforced = True
    with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
        azure_clients("network", "network").network_security_groups.get("shop", "edge")


def test_names_of_operations_match_as_roles_match_them():
    assert permits(["microsoft.network/*/READ"], "Microsoft.Network/networkSecurityGroups/securityRules/read")
    assert not permits(
        ["Microsoft.Network/networkSecurityGroups/write"], "Microsoft.Network/networkSecurityGroups/securityRules/write"
    )
    assert permits(["*"], "graph:User.Read.All")
    assert not Grants(enforced=True).permits("anyone", "Microsoft.Network/networkSecurityGroups/read")
    assert len(CallLog()) == 0


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("", "AuthenticationFailed"),
        ("Basic abc", "AuthenticationFailed"),
        ("Bearer abc", "InvalidAuthenticationToken"),
        ("Bearer " + make_token("https://graph.microsoft.com", "c", now_s=4e9), "InvalidAuthenticationTokenAudience"),
        ("Bearer " + make_token("https://management.azure.com", "c", now_s=1e9), "ExpiredAuthenticationToken"),
    ],
)
def test_a_token_that_is_none_is_refused(services, authorization, code):
    request = Request("GET", "/subscriptions", {"api-version": "1"}, {"authorization": authorization})
    answer = services.arm.answer(request)
    assert (answer.status, answer.body["error"]["code"]) == (401, code)


def test_the_api_version_is_wanted(services):
    token = services.identity.token(services.identities["network"].client_id, "https://management.azure.com")
    answer = services.arm.answer(Request("GET", "/subscriptions", {}, {"authorization": f"Bearer {token}"}))
    assert (answer.status, answer.body["error"]["code"]) == (400, "MissingApiVersionParameter")


def test_tokens_name_the_identity_and_the_audience(services):
    identity = services.identities["undo"]
    claims = read_token(
        ManagedIdentityCredential(client_id=identity.client_id).get_token("https://storage.azure.com/.default").token
    )
    assert (claims["appid"], claims["oid"]) == (identity.client_id, identity.object_id)
    assert claims["aud"] == "https://storage.azure.com"
    assert claims["iss"].startswith("https://sts.windows.net/")
    assert claims["nbf"] <= claims["iat"] < claims["exp"]
    assert services.identity.issued == [(identity.client_id, "https://storage.azure.com")]


@pytest.mark.parametrize("client_id", [made_up("client of nobody"), None])
def test_an_identity_that_is_not_assigned_gets_no_token(services, client_id):
    with pytest.raises(
        (CredentialUnavailableError, ClientAuthenticationError), match="No User Assigned or Delegated Managed Identity"
    ):
        ManagedIdentityCredential(client_id=client_id).get_token("https://management.azure.com/.default")


def test_the_identity_endpoint_wants_its_header_and_its_version(services):
    good = {"api-version": "2019-08-01", "resource": "r", "client_id": services.identities["undo"].client_id}
    header = {"x-identity-header": services.identity.header}
    assert services.identity.answer(Request("GET", "/msi/token", good, header)).status == 200
    assert services.identity.answer(Request("GET", "/msi/token", good, {"x-identity-header": "guessed"})).status == 401
    assert services.identity.answer(Request("GET", "/msi/token", good | {"api-version": "2017-09-01"}, header)).status == 400
    assert services.identity.answer(Request("GET", "/msi/token", good | {"resource": ""}, header)).status == 400


def test_the_tls_certificate_is_checked(services, monkeypatch):
    credential = ManagedIdentityCredential(client_id=services.identities["network"].client_id)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.delenv("SSL_CERT_FILE")
    client = NetworkManagementClient(credential, SUBSCRIPTION_ID, base_url=services.arm.url, retry_total=0)
    with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
        client.network_security_groups.get("shop", "edge")


# -- role assignments


@pytest.fixture
def roles(azure_clients: Any) -> Any:
    return azure_clients("authorization", "identity")


def found(roles: Any, which: str) -> list[str]:
    return [one.id for one in roles.role_assignments.list_for_subscription(filter=which)]


def test_the_assignments_of_a_principal_are_its_own_or_its_groups_as_well(services, roles):
    world = services.world
    assert found(roles, f"principalId eq '{world.deployer}'") == list(world.deployer_assignments)
    own = found(roles, f"principalId eq '{world.mallory}'")
    both = found(roles, f"assignedTo('{world.mallory}')")
    assert len(own) == 1
    assert len(both) == 2
    assert set(own) < set(both)
    assert world.deployer_assignments[1] not in found(roles, "atScope()")


def test_an_assignment_is_removed_and_given_back_under_its_name(services, roles):
    world, assignment = services.world, services.world.deployer_assignments[1]
    removed = roles.role_assignments.delete_by_id(assignment)
    assert found(roles, f"principalId eq '{world.deployer}'") == [world.deployer_assignments[0]]
    assert roles.role_assignments.delete_by_id(assignment) is None
    with pytest.raises(ResourceNotFoundError):
        roles.role_assignments.get_by_id(assignment)
    again = roles.role_assignments.create_by_id(assignment, wanted(removed))
    same = ("id", "role_definition_id", "principal_id", "scope", "description", "principal_type")
    assert [getattr(again, name) for name in same] == [getattr(removed, name) for name in same]
    with pytest.raises(ResourceExistsError, match="RoleAssignmentExists"):
        roles.role_assignments.create_by_id(assignment, wanted(removed))
    with pytest.raises(ResourceExistsError, match="RoleAssignmentExists"):
        roles.role_assignments.create_by_id(assignment[:-4] + "0000", wanted(removed))
    with pytest.raises(ResourceExistsError, match="RoleAssignmentUpdateNotPermitted"):
        roles.role_assignments.create_by_id(assignment, {**wanted(removed), "principal_id": world.alice})


def test_roles_that_may_not_be_assigned_back_are_refused(services, roles):
    removed = roles.role_assignments.delete_by_id(services.world.deployer_assignments[0])
    services.arm.roles.assignable[services.identities["identity"].client_id] = frozenset({BUILT_IN["Reader"]})
    with pytest.raises(HttpResponseError, match="condition on its own role assignment"):
        roles.role_assignments.create_by_id(services.world.deployer_assignments[0], wanted(removed))


def test_definitions_are_found_by_name_and_by_id(services, roles):
    scope = f"/subscriptions/{services.world.subscription_id}"
    custom = services.arm.roles.define(scope, made_up("role"), "Breakwater network", ["Microsoft.Network/networkInterfaces/read"])
    assert roles.role_definitions.get_by_id(custom).role_name == "Breakwater network"
    owner = next(iter(roles.role_definitions.list(scope, filter="roleName eq 'Owner'")))
    assert owner.name == BUILT_IN["Owner"]
    with pytest.raises(ResourceNotFoundError):
        roles.role_definitions.get(scope, made_up("no role"))


def wanted(assignment: Any) -> dict[str, Any]:
    names = ("role_definition_id", "principal_id", "principal_type", "description", "condition", "condition_version")
    return {name: getattr(assignment, name) for name in names}
