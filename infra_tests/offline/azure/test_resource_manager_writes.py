"""Writes through the real management SDKs: preconditions, one at a time, asynchronous ends, replaced wholes, failures."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.mgmt.network import NetworkManagementClient

from offline.azure.seed import Subscription, rule
from offline.azure.services import Services
from offline.azure.web import Request

DENY = {"properties": rule("deny", "Deny", 110, source="198.51.100.7/32")["properties"]}


@pytest.fixture
def network(azure_clients: Any) -> NetworkManagementClient:
    return azure_clients("network", "network")


def put_rule(network: NetworkManagementClient, name: str = "deny", body: Any = None, **headers: str) -> Any:
    operation = network.security_rules.begin_create_or_update("shop", "edge", name, body or DENY, headers=headers)
    return operation.result()


def rules_of(services: Services, group: str) -> dict[str, int]:
    shown = services.arm.resource(group)["properties"]["securityRules"]
    return {one["name"]: one["properties"]["priority"] for one in shown}


def test_a_rule_is_added_beside_the_others_and_taken_away_again(services, network):
    before = rules_of(services, services.world.edge_group)
    made = put_rule(network)
    assert (made.priority, made.provisioning_state) == (110, "Succeeded")
    assert rules_of(services, services.world.edge_group) == before | {"deny": 110}
    network.security_rules.begin_delete("shop", "edge", "deny").result()
    assert rules_of(services, services.world.edge_group) == before


def test_deleting_what_is_not_there_succeeds(network):
    network.security_rules.begin_delete("shop", "edge", "never-was").result()
    network.network_security_groups.begin_delete("shop", "never-was").result()


def test_a_put_of_the_group_replaces_all_rules(services, network):
    group = network.network_security_groups.get("shop", "edge")
    group.security_rules = group.security_rules[:1]
    group.flush_connection = True
    network.network_security_groups.begin_create_or_update("shop", "edge", group).result()
    assert rules_of(services, services.world.edge_group) == {"AllowHttps": 300}
    assert services.arm.resource(services.world.edge_group)["properties"]["flushConnection"] is True


def test_a_group_that_is_read_and_put_back_is_the_same(services, network):
    before = services.arm.resource(services.world.edge_group)
    network.network_security_groups.begin_create_or_update(
        "shop", "edge", network.network_security_groups.get("shop", "edge")
    ).result()
    after = services.arm.resource(services.world.edge_group)
    assert _without_etags(after) == _without_etags(before)
    assert after["etag"] != before["etag"]


def test_a_stale_etag_is_refused_and_changes_nothing(services, network):
    stale = network.network_security_groups.get("shop", "edge").etag
    put_rule(network, **{"If-Match": stale})
    with pytest.raises(HttpResponseError) as refused:
        put_rule(network, "second", {"properties": DENY["properties"] | {"priority": 111}}, **{"If-Match": stale})
    assert (refused.value.status_code, refused.value.error.code) == (412, "PreconditionFailed")
    assert refused.value.error.details[0].code == "PreconditionFailedEtagMismatch"
    assert "second" not in rules_of(services, services.world.edge_group)


def test_somebody_elses_change_makes_an_etag_stale(services, network):
    read = network.network_security_groups.get("shop", "edge").etag
    services.arm.change(services.world.edge_group, lambda group: group["properties"]["securityRules"].pop())
    with pytest.raises(HttpResponseError) as refused:
        put_rule(network, **{"If-Match": read})
    assert refused.value.status_code == 412


def test_the_etag_of_the_first_answer_is_not_the_one_of_the_end(services, network):
    operation = network.security_rules.begin_create_or_update("shop", "edge", "deny", DENY, polling=False)
    assert operation.result().provisioning_state == "Updating"
    assert network.security_rules.get("shop", "edge", "deny").etag != operation.result().etag


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"priority": 99}, "SecurityRuleInvalidPriority"),
        ({"priority": 4097}, "SecurityRuleInvalidPriority"),
        ({"priority": 300}, "SecurityRuleConflict"),
        ({"sourceAddressPrefix": "198.51.100.300"}, "SecurityRuleInvalidAddressPrefix"),
        ({"destinationPortRange": "1-70000"}, "SecurityRuleInvalidPortRange"),
        ({"sourceAddressPrefix": None}, "SecurityRuleInvalidAddressPrefix"),
        ({"sourceAddressPrefixes": ["203.0.113.1"]}, "SecurityRuleInvalidAddressPrefix"),
        ({"destinationAddressPrefix": "2001:db8::/32"}, "SecurityRuleAddressFamilyMismatch"),
        ({"access": "Maybe"}, "InvalidRequestFormat"),
    ],
)
def test_a_rule_that_the_platform_refuses_is_refused(services, network, changed, code):
    before = rules_of(services, services.world.edge_group)
    with pytest.raises(HttpResponseError) as refused:
        put_rule(network, "bad", {"properties": DENY["properties"] | changed})
    assert (refused.value.status_code, refused.value.error.code) == (400, code)
    assert rules_of(services, services.world.edge_group) == before


def test_the_same_priority_may_stand_once_in_each_direction(services, network):
    put_rule(network)
    put_rule(network, "deny-out", {"properties": DENY["properties"] | {"direction": "Outbound"}})
    assert set(rules_of(services, services.world.edge_group)) >= {"deny", "deny-out"}


@pytest.mark.parametrize(("status", "raised"), [(429, HttpResponseError), (409, ResourceExistsError)])
def test_a_group_takes_one_write_at_a_time(services, azure_clients, network, status, raised):
    services.arm.writes.conflict_status = status
    services.arm.faults.slow(1000)
    running = network.security_rules.begin_create_or_update("shop", "edge", "deny", DENY, polling=False)
    other = {"properties": DENY["properties"] | {"priority": 111}}
    with pytest.raises(raised) as refused:
        network.security_rules.begin_create_or_update("shop", "edge", "second", other, retry_total=0, polling=False)
    assert (refused.value.status_code, refused.value.error.code) == (status, "AnotherOperationInProgress")
    assert ("Retry-After" in refused.value.response.headers) == (status == 429)
    services.arm.finish_operations()
    put_rule(network, "second", other)
    assert running.result().name == "deny"
    assert set(rules_of(services, services.world.edge_group)) >= {"deny", "second"}


def test_another_group_can_be_written_meanwhile(services, network):
    services.arm.faults.slow(1000, path="/edge/")
    network.security_rules.begin_create_or_update("shop", "edge", "deny", DENY, polling=False)
    made = network.security_rules.begin_create_or_update("shop", "inner", "deny", DENY).result()
    assert made.provisioning_state == "Succeeded"


def test_a_slow_operation_is_polled_to_its_end(services, network):
    services.arm.faults.slow(3)
    assert put_rule(network).provisioning_state == "Succeeded"
    looks = [call for call in services.calls.calls() if call.operation == "Microsoft.Network/locations/operations/read"]
    assert len(looks) == 3


def test_a_failing_operation_raises_and_leaves_the_rules_as_they_were(services, network):
    before = rules_of(services, services.world.edge_group)
    services.arm.faults.fail_operation("InternalServerError")
    with pytest.raises(HttpResponseError, match="InternalServerError"):
        put_rule(network)
    assert rules_of(services, services.world.edge_group) == before
    assert services.arm.resource(services.world.edge_group)["properties"]["provisioningState"] == "Failed"
    assert put_rule(network).provisioning_state == "Succeeded"


def test_a_rule_stands_until_its_deletion_has_ended(services, network):
    put_rule(network)
    services.arm.faults.slow(1000)
    network.security_rules.begin_delete("shop", "edge", "deny", polling=False)
    assert network.security_rules.get("shop", "edge", "deny").provisioning_state == "Updating"
    services.arm.finish_operations()
    assert "deny" not in rules_of(services, services.world.edge_group)


def test_a_failing_deletion_leaves_the_rule(services, network):
    put_rule(network)
    services.arm.faults.fail_operation("InternalServerError")
    with pytest.raises(HttpResponseError, match="InternalServerError"):
        network.security_rules.begin_delete("shop", "edge", "deny").result()
    assert "deny" in rules_of(services, services.world.edge_group)


def test_a_failing_deletion_leaves_the_resource(services, network):
    services.arm.put(
        f"{services.world.group}/providers/Microsoft.Network/networkSecurityGroups/spare", {"location": "westeurope"}
    )
    services.arm.faults.fail_operation("InternalServerError")
    with pytest.raises(HttpResponseError, match="InternalServerError"):
        network.network_security_groups.begin_delete("shop", "spare").result()
    assert network.network_security_groups.get("shop", "spare").provisioning_state == "Failed"


def test_a_storm_of_429_is_weathered_by_the_sdk(services, network):
    services.arm.faults.throttle(2)
    assert put_rule(network).provisioning_state == "Succeeded"
    assert [call.status for call in services.calls.calls() if call.method == "PUT"] == [429, 429, 201]
    assert [call.fault for call in services.calls.calls() if call.method == "PUT"] == [True, True, False]


@pytest.mark.parametrize(("order", "status"), [("conflict", 409), ("changed_meanwhile", 412), ("fail", 503)])
def test_ordered_refusals_reach_the_caller_and_change_nothing(services, network, order, status):
    before = rules_of(services, services.world.edge_group)
    getattr(services.arm.faults, order)(path="securityRules")
    with pytest.raises(HttpResponseError) as refused:
        network.security_rules.begin_create_or_update("shop", "edge", "deny", DENY, retry_total=0)
    assert refused.value.status_code == status
    assert rules_of(services, services.world.edge_group) == before
    assert services.arm.faults.pending() == 0


def test_a_write_whose_acknowledgement_is_lost_has_taken_effect(services, network):
    services.arm.faults.tear_off()
    put_rule(network)  # the SDK sends it again
    sent = [call for call in services.calls.calls() if call.method == "PUT"]
    assert [call.status for call in sent] == [0, 200]
    assert rules_of(services, services.world.edge_group)["deny"] == 110


def test_an_interface_is_written_whole(services, network):
    back = network.network_interfaces.get("shop", "database-back")
    assert back.enable_ip_forwarding
    body = {
        "location": back.location,
        "ip_configurations": back.ip_configurations,
        "network_security_group": {"id": services.world.edge_group},
    }
    network.network_interfaces.begin_create_or_update("shop", "database-back", back.__class__(**body)).result()
    after = services.arm.resource(services.world.database_interfaces[1])
    assert after["properties"]["networkSecurityGroup"]["id"] == services.world.edge_group
    assert after["properties"]["enableIPForwarding"] is False
    assert "tags" not in after
    assert after["properties"]["virtualMachine"]["id"] == services.world.database
    assert after["properties"]["macAddress"] == back.mac_address


def test_an_interface_that_is_read_and_put_back_is_the_same(services, network):
    before = services.arm.resource(services.world.database_interfaces[1])
    network.network_interfaces.begin_create_or_update(
        "shop", "database-back", network.network_interfaces.get("shop", "database-back")
    ).result()
    assert _without_etags(services.arm.resource(services.world.database_interfaces[1])) == _without_etags(before)


def test_a_reference_to_a_group_that_is_not_there_is_refused(services, network):
    nic = network.network_interfaces.get("shop", "web-nic")
    nic.network_security_group = {"id": services.world.edge_group + "-gone"}
    with pytest.raises(HttpResponseError) as refused:
        network.network_interfaces.begin_create_or_update("shop", "web-nic", nic).result()
    assert refused.value.error.code == "InvalidResourceReference"


def test_a_group_in_use_cannot_be_deleted(services, network):
    with pytest.raises(HttpResponseError) as refused:
        network.network_security_groups.begin_delete("shop", "inner").result()
    assert refused.value.error.code == "InUseNetworkSecurityGroupCannotBeDeleted"
    assert services.world.database_interfaces[0] in refused.value.error.message


def test_a_lock_keeps_from_deleting_or_from_changing_what_is_below_it(services, network):
    put_rule(network)
    services.arm.locks.lock(services.world.group, read_only=False)
    with pytest.raises(ResourceExistsError, match="ScopeLocked"):
        network.security_rules.begin_delete("shop", "edge", "deny").result()
    put_rule(network)
    services.arm.locks.lock(services.world.edge_group, read_only=True)
    with pytest.raises(ResourceExistsError, match="ScopeLocked"):
        put_rule(network)
    services.arm.locks.unlock(services.world.edge_group)
    services.arm.locks.unlock(services.world.group)
    network.security_rules.begin_delete("shop", "edge", "deny").result()


def test_letter_case_of_a_path_makes_no_difference(services, network):
    network.security_rules.begin_create_or_update("SHOP", "EDGE", "deny", DENY).result()
    made = services.arm.resource(f"{services.world.edge_group.lower()}/securityrules/DENY")
    assert made["id"] == f"{services.world.edge_group}/securityRules/deny"


def test_a_subnet_can_be_given_another_group(services, network):
    subnet = network.subnets.get("shop", "shop-net", "data")
    subnet.network_security_group = {"id": services.world.inner_group}
    network.subnets.begin_create_or_update("shop", "shop-net", "data", subnet).result()
    used = [one.id for one in network.network_security_groups.get("shop", "inner").subnets]
    assert used == [f"{services.world.network}/subnets/data"]
    assert len(network.virtual_networks.get("shop", "shop-net").subnets) == 3


def test_what_is_not_there_is_not_found(network):
    for ask in (
        lambda: network.network_security_groups.get("shop", "nowhere"),
        lambda: network.security_rules.get("shop", "edge", "nowhere"),
        lambda: network.network_security_groups.get("no-such-group", "edge"),
        lambda: list(network.network_security_groups.list("no-such-group")),
        lambda: put_rule_in_missing_group(network),
    ):
        with pytest.raises(ResourceNotFoundError):
            ask()


def put_rule_in_missing_group(network: NetworkManagementClient) -> None:
    network.security_rules.begin_create_or_update("shop", "nowhere", "deny", DENY).result()


def _without_etags(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_etags(one) for name, one in value.items() if name != "etag"}
    return [_without_etags(one) for one in value] if isinstance(value, list) else value


def test_a_subnet_that_something_stands_in_cannot_be_taken_away(services, network):
    with pytest.raises(HttpResponseError) as refused:
        network.subnets.begin_delete("shop", "shop-net", "web").result()
    assert refused.value.error.code == "InUseSubnetCannotBeDeleted"
    whole = network.virtual_networks.get("shop", "shop-net")
    whole.subnets = [subnet for subnet in whole.subnets if subnet.name != "web"]
    with pytest.raises(HttpResponseError, match="InUseSubnetCannotBeDeleted"):
        network.virtual_networks.begin_create_or_update("shop", "shop-net", whole).result()
    assert services.arm.has(f"{services.world.network}/subnets/web")


def test_an_interface_of_a_private_endpoint_belongs_to_it(services, network):
    shop = Subscription(services.arm).in_group("shop")
    shop.interface("endpoint", "shop-net", "data", "10.20.2.9", privateEndpoint={"id": f"{services.world.group}/providers/x/y/z"})
    nic = network.network_interfaces.get("shop", "endpoint")
    with pytest.raises(HttpResponseError, match="belongs to a private endpoint"):
        network.network_interfaces.begin_create_or_update("shop", "endpoint", nic).result()


def test_an_interface_of_a_scale_set_is_no_resource_of_its_own(services):
    machine = f"{services.world.group}/providers/Microsoft.Compute/virtualMachineScaleSets/workers/virtualMachines/0"
    nic = services.arm.resource(services.world.web_interface)
    services.arm.put(f"{machine}/networkInterfaces/nic", nic)
    token = services.identity.token(services.identities["network"].client_id, "https://management.azure.com")
    headers, version = {"authorization": f"Bearer {token}"}, {"api-version": "2024-05-01"}
    path = f"{machine}/networkInterfaces/nic"
    assert services.arm.answer(Request("GET", path, version, headers)).status == 200
    assert services.arm.answer(Request("PUT", path, version, headers, json.dumps(nic).encode())).status == 405


def test_a_machine_keeps_its_identity_and_runs_on_when_it_is_written(services, azure_clients):
    machines = azure_clients("compute", "network").virtual_machines
    before = machines.get("shop", "web")
    after = machines.begin_create_or_update("shop", "web", before).result()
    assert (after.vm_id, after.provisioning_state) == (before.vm_id, "Succeeded")
    assert machines.instance_view("shop", "web").statuses[-1].code == "PowerState/running"


def test_another_region_is_refused(services, network):
    group = network.network_security_groups.get("shop", "edge")
    group.location = "northeurope"
    with pytest.raises(ResourceExistsError, match="InvalidResourceLocation"):
        network.network_security_groups.begin_create_or_update("shop", "edge", group).result()
    far = services.arm.put(
        f"{services.world.group}/providers/Microsoft.Network/networkSecurityGroups/far", {"location": "northeurope"}
    )
    nic = network.network_interfaces.get("shop", "web-nic")
    nic.network_security_group = {"id": far["id"]}
    with pytest.raises(HttpResponseError, match="InvalidResourceReference"):
        network.network_interfaces.begin_create_or_update("shop", "web-nic", nic).result()
