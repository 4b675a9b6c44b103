"""What the shipped templates let each identity do, enforced by the local services."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from azure_functions.actions.catalogue import ACTIONS, GROUPS, UNDO_GROUP
from offline.azure.calls import permits
from offline.azure.resource_manager.roles import BUILT_IN
from offline.azure.rights import deployed_rights
from offline.azure.seed import made_up, rule

DENY = {"properties": rule("deny", "Deny", 110, source="198.51.100.7/32")["properties"]}
SUFFIXES = ("/write", "/delete")


def test_every_operation_that_an_action_declares_is_granted_to_its_identity_once_armed():
    rights = deployed_rights(armed=True)
    for action in ACTIONS:
        for group, declared in ((GROUPS[action.name], action.permissions), (UNDO_GROUP, action.undo_permissions)):
            assert [name for name in declared if not permits(rights[str(group)], name)] == []


def test_nothing_of_the_customers_can_be_written_before_it_is_armed():
    for group, operations in deployed_rights(armed=False).items():
        writes = {name for name in operations if name.startswith("Microsoft.") and name.endswith(SUFFIXES)}
        mine = {"Microsoft.SecurityInsights/incidents/comments/write"} if group == "respond" else set()
        assert {name for name in writes if not name.startswith("Microsoft.Insights/")} == mine


def test_only_detectors_and_the_responder_send_rows():
    senders = {
        group for group, operations in deployed_rights(armed=True).items() if "Microsoft.Insights/Telemetry/Write" in operations
    }
    assert senders == {"detect", "respond"}


def test_a_rule_can_be_written_once_armed_and_not_before(services, azure_clients):
    network = azure_clients("network", "network")
    services.grant_deployed(armed=False)
    network.network_security_groups.get("shop", "edge")
    with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
        network.security_rules.begin_create_or_update("shop", "edge", "deny", DENY)
    services.grant_deployed(armed=True)
    network.security_rules.begin_create_or_update("shop", "edge", "deny", DENY).result()
    with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
        azure_clients("network", "detect").network_security_groups.get("shop", "edge")


def test_conditions_bound_who_is_given_what_and_from_whom_it_is_taken(services, azure_clients):
    world, scope = services.world, f"/subscriptions/{services.world.subscription_id}"
    services.grant_deployed(armed=True, protected=[world.break_glass])
    taking, giving = (azure_clients("authorization", group).role_assignments for group in ("identity", "undo"))
    [glass] = [one.id for one in taking.list_for_subscription(filter=f"principalId eq '{world.break_glass}'")]
    with pytest.raises(HttpResponseError, match="condition"):
        taking.delete_by_id(glass)
    assert taking.delete_by_id(world.deployer_assignments[0]) is not None

    def give(role: str, principal: str) -> Any:
        wanted = {"role_definition_id": f"{scope}/providers/Microsoft.Authorization/roleDefinitions/{BUILT_IN[role]}"}
        return giving.create(
            scope, made_up(f"{role} {principal}"), {**wanted, "principal_id": principal, "principal_type": "User"}
        )

    assert give("Contributor", world.deployer).principal_id == world.deployer
    for role, principal in (("Owner", world.mallory), ("Reader", services.identities["undo"].object_id)):
        with pytest.raises(HttpResponseError, match="condition"):
            give(role, principal)
