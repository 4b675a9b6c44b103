"""Reads through the real management SDKs: lists and pages, what the platform works out, effective rules, tags, groups."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from offline.azure.seed import Subscription, rule
from offline.azure.services import Services


def names(found: Any) -> set[str]:
    return {one.name for one in found}


def test_lists_are_of_the_subscription_or_of_a_group(services, azure_clients):
    other = Subscription(services.arm).in_group("other")
    other.security_group("elsewhere")
    network = azure_clients("network", "network")
    assert names(network.network_security_groups.list_all()) == {"edge", "open", "inner", "elsewhere"}
    assert names(network.network_security_groups.list("other")) == {"elsewhere"}
    assert names(network.security_rules.list("shop", "edge")) == {"AllowHttps", "AllowSshFromOffice"}
    assert len(list(network.default_security_rules.list("shop", "edge"))) == 6
    assert names(network.network_interfaces.list_all()) == {"web-nic", "database-front", "database-back", "jump-nic"}
    assert names(azure_clients("compute", "network").virtual_machines.list("shop")) == {"web", "database", "jump"}


def test_long_lists_come_in_pages(services, azure_clients):
    services.arm.page_size = 2
    found = list(azure_clients("network", "network").network_interfaces.list_all())
    assert len(found) == len(names(found)) == 4
    reads = [call for call in services.calls.calls() if call.operation == "Microsoft.Network/networkInterfaces/read"]
    assert len(reads) == 2


def test_a_group_names_who_uses_it(services, azure_clients):
    groups = azure_clients("network", "network").network_security_groups
    assert [one.id for one in groups.get("shop", "edge").subnets] == [f"{services.world.network}/subnets/web"]
    assert [one.id for one in groups.get("shop", "inner").network_interfaces] == [services.world.database_interfaces[0]]


def test_an_interface_names_its_machine_and_whether_it_is_the_primary_one(services, azure_clients):
    front, back = (
        azure_clients("network", "network").network_interfaces.get("shop", f"database-{end}") for end in ("front", "back")
    )
    assert front.virtual_machine.id == back.virtual_machine.id == services.world.database
    assert (front.primary, back.primary) == (True, False)
    assert front.mac_address.startswith("00-0D-3A-")
    assert front.mac_address != back.mac_address


def test_effective_rules_are_those_of_the_subnet_and_of_the_interface(services, azure_clients):
    services.arm.change(
        services.world.web_interface,
        lambda nic: nic["properties"].update(networkSecurityGroup={"id": services.world.inner_group}),
    )
    interfaces = azure_clients("network", "network").network_interfaces
    found = interfaces.begin_list_effective_network_security_groups("shop", "web-nic").result().value
    assert [one.network_security_group.id for one in found] == [services.world.edge_group, services.world.inner_group]
    assert found[0].association.subnet.id == f"{services.world.network}/subnets/web"
    assert found[1].association.network_interface.id == services.world.web_interface
    by_name = {one.name: one for one in found[0].effective_security_rules}
    ssh = by_name["securityRules/AllowSshFromOffice"]
    assert (ssh.protocol, ssh.destination_port_range, ssh.source_address_prefix) == ("Tcp", "22-22", "203.0.113.0/24")
    inside = by_name["defaultSecurityRules/AllowVnetInBound"]
    assert inside.expanded_source_address_prefix == ["10.20.0.0/16", "168.63.129.16/32"]
    order = [(one.direction, one.priority) for one in found[0].effective_security_rules]
    assert order == sorted(order)


def test_effective_rules_are_those_that_are_in_force_when_the_operation_ends(services, azure_clients):
    services.arm.faults.slow(2, path="effectiveNetworkSecurityGroups")
    poller = azure_clients("network", "network").network_interfaces.begin_list_effective_network_security_groups(
        "shop", "web-nic", polling_interval=0
    )
    services.arm.change(
        services.world.edge_group, lambda group: group["properties"]["securityRules"].append(rule("late", "Deny", 100))
    )
    found = {one.name for one in poller.result().value[0].effective_security_rules}
    assert "securityRules/late" in found


def test_nothing_is_in_effect_on_a_machine_that_does_not_run(services, azure_clients):
    Subscription(services.arm).in_group("shop").machine("web", services.world.web_interface, power="deallocated")
    with pytest.raises(HttpResponseError) as refused:
        azure_clients("network", "network").network_interfaces.begin_list_effective_network_security_groups("shop", "web-nic")
    assert refused.value.status_code == 400


def test_a_machine_with_and_without_its_instance_view(services, azure_clients):
    machines = azure_clients("compute", "network").virtual_machines
    plain, expanded = machines.get("shop", "database"), machines.get("shop", "database", expand="instanceView")
    assert [one.id for one in plain.network_profile.network_interfaces] == list(services.world.database_interfaces)
    assert plain.instance_view is None
    assert (
        expanded.instance_view.statuses[-1].code
        == machines.instance_view("shop", "web").statuses[-1].code
        == "PowerState/running"
    )
    with pytest.raises(ResourceNotFoundError):
        machines.instance_view("shop", "nowhere")


def test_tags_of_a_resource_are_replaced_by_a_patch_and_merged_by_the_tags_resource(services, azure_clients):
    groups = azure_clients("network", "network").network_security_groups
    before = groups.get("shop", "edge")
    assert groups.update_tags("shop", "edge", {"tags": {"contained": "yes"}}).tags == {"contained": "yes"}
    assert groups.get("shop", "edge").etag != before.etag
    machines = azure_clients("compute", "network").virtual_machines
    assert machines.begin_update("shop", "web", {"tags": {"a": "b"}}).result().tags == {"a": "b"}
    path = f"{services.world.web}/providers/Microsoft.Resources/tags/default"
    for operation, sent, after in (
        ("Merge", {"c": "d"}, {"a": "b", "c": "d"}),
        ("Delete", {"a": "b"}, {"c": "d"}),
        ("Replace", {"e": "f"}, {"e": "f"}),
    ):
        answer = ask(services, "PATCH", path, {"operation": operation, "properties": {"tags": sent}})
        assert answer["properties"]["tags"] == machines.get("shop", "web").tags == after


def test_resource_groups_come_and_go_with_all_that_is_in_them(services):
    path = f"/subscriptions/{services.world.subscription_id}/resourceGroups"
    ask(services, "PUT", f"{path}/temporary", {"location": "westeurope"})
    Subscription(services.arm).in_group("temporary").security_group("passing")
    assert {one["name"] for one in ask(services, "GET", path)["value"]} == {"shop", "temporary"}
    assert ask(services, "DELETE", f"{path}/temporary") is None
    assert {one["name"] for one in ask(services, "GET", path)["value"]} == {"shop"}
    assert not services.arm.has(f"{path}/temporary/providers/Microsoft.Network/networkSecurityGroups/passing")


def test_a_type_that_is_not_served_says_so(services, azure_clients):
    with pytest.raises(HttpResponseError, match="not served here"):
        azure_clients("network", "network").azure_firewalls.get("shop", "wall")


def test_a_subscription_that_is_not_there_is_not_found(services):
    with pytest.raises(HttpResponseError, match="SubscriptionNotFound"):
        ask(services, "GET", "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups")


def ask(services: Services, method: str, path: str, body: Any = None) -> Any:
    """A call for which there is no client here, through the same pipeline."""
    from azure.core import PipelineClient
    from azure.core.pipeline.policies import BearerTokenCredentialPolicy
    from azure.core.rest import HttpRequest
    from azure.identity import ManagedIdentityCredential

    credential = ManagedIdentityCredential(client_id=services.identities["respond"].client_id)
    policies = [BearerTokenCredentialPolicy(credential, "https://management.azure.com/.default")]
    with PipelineClient(services.arm.url, policies=policies) as client:
        response = client.send_request(HttpRequest(method, f"{services.arm.url}{path}?api-version=2021-04-01", json=body))
        response.raise_for_status()
        return response.json() if response.content else None
