"""Blocking an address on the local Resource Manager: where a deny goes, what defeats it, who else writes, and the way back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from azure_functions.actions.block_address import BlockAddress
from azure_functions.actions.persistence import Persistence
from infra_tests.azure_functions.actions.blocked import action, denies, seen_at
from infra_tests.azure_functions.actions.cloud import ATTACKER, Cloud, about, plan
from offline.azure.seed import rule
from response.actions import Verification
from response.guard import refusal
from response.policy import NeverTouch
from shared_model.events import Entity, EntityKind

__all__ = ["action"]


def test_it_denies_both_ways_needs_what_it_declares_and_comes_back_exactly(cloud: Cloud, action: BlockAddress) -> None:
    edge, network, undo = cloud.world.edge_group, cloud.identities["network"], cloud.identities["undo"]
    before, start = cloud.rules(edge), len(cloud.calls)
    made = plan(action, seen_at(cloud.world.web))
    assert made.refusal == ""
    assert cloud.writes(since=start) == 0
    assert action.check(made) == ""
    action.apply(made)
    assert action.verify(made) is Verification.VERIFIED
    assert denies(cloud, edge) == {"Inbound": (ATTACKER, 100), "Outbound": (ATTACKER, 100)}
    assert cloud.flushes(edge)
    assert {name: rule for name, rule in cloud.rules(edge).items() if name in before} == before
    assert cloud.calls.undeclared(network, BlockAddress.permissions) == set()
    unused = set(BlockAddress.permissions) - cloud.made("network")
    assert unused == {
        "Microsoft.Network/applicationSecurityGroups/joinNetworkSecurityRule/action",  # no rule names such a group
        "Microsoft.Network/locations/operationResults/read",  # of operations that answer with a Location only
    } - cloud.made("network")
    result = action.undo(made)
    assert result.left == ()
    assert cloud.rules(edge) == before
    assert not cloud.flushes(edge)
    assert cloud.calls.undeclared(undo, BlockAddress.undo_permissions) == set()
    assert cloud.made("network") & {"Microsoft.Network/networkSecurityGroups/securityRules/delete"} == set()


def test_applied_or_undone_twice_changes_nothing_the_second_time(cloud: Cloud, action: BlockAddress) -> None:
    made = plan(action, seen_at(cloud.world.web))
    action.apply(made)
    start = len(cloud.calls)
    action.apply(made)
    assert cloud.writes(since=start) == 0
    action.undo(made)
    start = len(cloud.calls)
    assert action.undo(made).left == ()
    assert cloud.writes(since=start) == 0


def test_an_allow_that_stands_before_every_deny_is_named(cloud: Cloud, action: BlockAddress) -> None:
    made = plan(action, seen_at(cloud.world.jump))
    assert "Allow AllowAnything (priority 100) of open" in made.refusal
    assert "above 199" in made.refusal
    assert "quarantine_instance" in made.refusal


def test_the_subnets_group_is_taken_where_the_interfaces_own_would_not_do(cloud: Cloud, action: BlockAddress) -> None:
    own = cloud.shop.security_group("own", rule("Own", "Allow", 100, ports="443"))
    nic = cloud.shop.interface("web2-nic", "shop-net", "web", "10.20.1.5", security_group=own)
    made = plan(action, seen_at(nic))
    assert made.refusal == ""
    assert (
        made.after["groups"][own.lower()]["rules"].keys() != made.after["groups"][cloud.world.edge_group.lower()]["rules"].keys()
    )
    action.apply(made)
    assert denies(cloud, cloud.world.edge_group) == {"Inbound": (ATTACKER, 100)}
    assert denies(cloud, own) == {"Outbound": (ATTACKER, 100)}
    assert action.verify(made) is Verification.VERIFIED


def test_a_tag_that_cannot_be_evaluated_is_said_to_defeat(cloud: Cloud, action: BlockAddress) -> None:
    cloud.arm.change(
        cloud.world.edge_group,
        lambda g: g["properties"]["securityRules"].append(rule("Partner", "Allow", 100, source="AzureCloud.westeurope")),
    )
    assert "Allow Partner (priority 100), which cannot be evaluated here" in plan(action, seen_at(cloud.world.web)).refusal


def test_an_allow_for_others_does_not_defeat(cloud: Cloud, action: BlockAddress) -> None:
    cloud.arm.change(
        cloud.world.edge_group,
        lambda g: g["properties"]["securityRules"].append(rule("Office", "Allow", 100, source="203.0.113.0/24")),
    )
    made = plan(action, seen_at(cloud.world.web))
    action.apply(made)
    assert denies(cloud, cloud.world.edge_group)["Inbound"] == (ATTACKER, 101)
    assert action.verify(made) is Verification.VERIFIED


def test_what_others_deny_already_is_a_no_op(cloud: Cloud, action: BlockAddress) -> None:
    for direction, end in (("Inbound", "source"), ("Outbound", "destination")):
        cloud.arm.change(
            cloud.world.edge_group,
            lambda g, d=direction, e=end: g["properties"]["securityRules"].append(
                rule(f"Bad{d}", "Deny", 250, direction=d, **{e: "198.51.100.0/24"})
            ),
        )
    assert plan(action, seen_at(cloud.world.web)).is_noop


def test_an_interface_without_a_group_is_refused_with_what_to_do(cloud: Cloud, action: BlockAddress) -> None:
    refused = plan(action, seen_at(cloud.world.database)).refusal
    assert "no security group is in force" in refused
    assert "database-back" in refused


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("168.63.129.16", "health probes"),
        ("10.20.2.4", "quarantine that machine"),
        ("127.0.0.1", "no address of another host"),
        ("169.254.169.254", "no address of another host"),
        ("not-an-address", "no IP address"),
    ],
)
def test_own_and_platform_addresses_are_never_blocked(cloud: Cloud, action: BlockAddress, address: str, why: str) -> None:
    assert why in plan(action, seen_at(cloud.world.web, address=address)).refusal


def test_an_address_of_a_peered_network_is_not_blocked(cloud: Cloud, action: BlockAddress) -> None:
    peering = {"name": "hub", "properties": {"remoteAddressSpace": {"addressPrefixes": ["172.16.0.0/16"]}}}
    cloud.arm.change(cloud.world.network, lambda n: n["properties"].update(virtualNetworkPeerings=[peering]))
    assert "peered" in plan(action, seen_at(cloud.world.web, address="172.16.3.3")).refusal


def test_a_public_address_of_the_subscription_is_not_blocked(cloud: Cloud, action: BlockAddress) -> None:
    cloud.shop._put("Microsoft.Network/publicIPAddresses", "nat-gateway", {"ipAddress": ATTACKER}, {})
    cloud.shop._put("Microsoft.Network/publicIPAddresses", "not-in-use", {}, {})
    assert "public address of the subscription" in plan(action, seen_at(cloud.world.web)).refusal
    assert plan(action, seen_at(cloud.world.web, address="192.0.2.7")).refusal == ""


def test_nothing_is_planned_where_the_verdict_names_no_place(cloud: Cloud, action: BlockAddress) -> None:
    assert "names no interface or machine" in plan(action, seen_at()).refusal
    mac = about(EntityKind.ADDRESS, ATTACKER, Entity(EntityKind.INTERFACE, "00-0d-3a-00-00-01"))
    assert "Resource Manager knows" in plan(action, mac).refusal
    part = f"{cloud.world.group}/providers/Microsoft.Compute/virtualMachineScaleSets/pool/virtualMachines/0".lower()
    uniform = about(EntityKind.ADDRESS, ATTACKER, Entity(EntityKind.INSTANCE, part))
    assert "Uniform" in plan(action, uniform).refusal
    assert "gone" in plan(action, seen_at(cloud.world.web + "-not")).refusal


def test_only_a_completed_flow_leads_to_a_block(cloud: Cloud, action: BlockAddress) -> None:
    spoofed = replace(seen_at(cloud.world.web), completed_flow=False)
    assert "spoofed" in refusal(plan(action, spoofed), spoofed, NeverTouch())


def test_the_guard_sees_groups_machines_and_their_tags(cloud: Cloud, action: BlockAddress) -> None:
    made = plan(action, seen_at(cloud.world.web))
    for resource in (cloud.world.web, cloud.world.web_interface, cloud.world.edge_group):
        assert resource.lower() in made.resources
    assert made.tags == {"service": "web"}
    assert any("/networksecuritygroups/edge" in touched.lower() and "1 subnets" in touched for touched in made.touches)


def test_an_interface_that_is_named_alone_is_protected_with_its_machine(cloud: Cloud, action: BlockAddress) -> None:
    verdict = about(
        EntityKind.ADDRESS, ATTACKER, Entity(EntityKind.INTERFACE, cloud.world.web_interface.lower()), completed_flow=True
    )
    cloud.arm.change(cloud.world.web, lambda m: m.update(tags={"break-glass": "yes"}))
    made = plan(action, verdict)
    assert "break-glass=yes" in refusal(made, verdict, NeverTouch(tags=("break-glass",)))
    assert "never-touch" in refusal(made, verdict, NeverTouch(instances=(cloud.world.web.lower(),)))


def test_a_machine_that_is_off_is_judged_by_its_groups_alone(cloud: Cloud, action: BlockAddress) -> None:
    nic = cloud.shop.interface("cold-nic", "shop-net", "web", "10.20.1.9")
    made = plan(action, seen_at(cloud.shop.machine("cold", nic, power="deallocated")))
    action.apply(made)
    assert action.verify(made) is Verification.VERIFIED


def test_an_interface_behind_an_application_group_is_evaluated_with_it(cloud: Cloud, action: BlockAddress) -> None:
    asg = cloud.shop._put("Microsoft.Network/applicationSecurityGroups", "web", {}, {})
    other = cloud.shop._put("Microsoft.Network/applicationSecurityGroups", "other", {}, {})
    for name, group, priority in (("ToOther", other, 100), ("ToWeb", asg, 350)):
        allow = rule(name, "Allow", priority)
        del allow["properties"]["destinationAddressPrefix"]
        allow["properties"]["destinationApplicationSecurityGroups"] = [{"id": group}]
        cloud.arm.change(cloud.world.edge_group, lambda g, allow=allow: g["properties"]["securityRules"].append(allow))
    cloud.arm.change(
        cloud.world.web_interface,
        lambda n: n["properties"]["ipConfigurations"][0]["properties"].update(applicationSecurityGroups=[{"id": asg}]),
    )
    before = cloud.rules(cloud.world.edge_group)
    made = plan(action, seen_at(cloud.world.web))
    action.apply(made)  # the whole group is written with its rules: the right to join their application groups is used
    assert "Microsoft.Network/applicationSecurityGroups/joinNetworkSecurityRule/action" in cloud.made("network")
    assert denies(cloud, cloud.world.edge_group)["Inbound"] == (ATTACKER, 101)
    assert action.verify(made) is Verification.VERIFIED
    action.undo(made)
    assert cloud.rules(cloud.world.edge_group) == before


def test_a_further_verdict_is_covered_where_it_names_the_same_places(cloud: Cloud, action: BlockAddress) -> None:
    made = plan(action, seen_at(cloud.world.web))
    assert action.covers(made, seen_at(cloud.world.web))
    assert action.covers(made, seen_at(cloud.world.web_interface))
    assert not action.covers(made, seen_at(cloud.world.web, cloud.world.jump))
    assert not action.covers(made, seen_at())


def test_two_containments_of_one_address_do_not_share_a_rule(cloud: Cloud, action: BlockAddress) -> None:
    first = plan(action, seen_at(cloud.world.web))
    action.apply(first)
    second = plan(action, seen_at(cloud.world.web_interface, name="later"))
    assert not second.is_noop
    action.apply(second)
    action.undo(first)
    assert action.verify(second) is Verification.VERIFIED


def test_ipv6_is_blocked_where_the_interface_speaks_it(cloud: Cloud, action: BlockAddress) -> None:
    assert plan(action, seen_at(cloud.world.web, address="2001:db8:5::1")).is_noop
    cloud.shop.interface("web-four", "shop-net", "web", "10.20.1.44")  # of the same machine, and without IPv6
    four = {"id": f"{cloud.world.group}/providers/Microsoft.Network/networkInterfaces/web-four"}
    cloud.arm.change(cloud.world.web, lambda m: m["properties"]["networkProfile"]["networkInterfaces"].append(four))
    second = {"name": "six", "properties": {"privateIPAddress": "2001:db8:20::4", "privateIPAddressVersion": "IPv6"}}

    def with_six(nic: dict[str, Any]) -> None:
        subnet = nic["properties"]["ipConfigurations"][0]["properties"]["subnet"]
        nic["properties"]["ipConfigurations"].append({**second, "properties": {**second["properties"], "subnet": subnet}})

    cloud.arm.change(cloud.world.web_interface, with_six)
    made = plan(action, seen_at(cloud.world.web, address="2001:db8:5::1"))
    action.apply(made)
    assert denies(cloud, cloud.world.edge_group)["Inbound"][0] == "2001:db8:5::1"
    assert action.verify(made) is Verification.VERIFIED


def test_writers_at_the_same_time_all_get_their_place(cloud: Cloud) -> None:
    patient = BlockAddress(
        cloud.clients, persistence=Persistence(turns=200, patience_s=float("inf"), pause=cloud.pauses.append, poll_s=0)
    )
    plans = [plan(patient, seen_at(cloud.world.web, address=f"192.0.2.{number}")) for number in range(1, 6)]
    before = cloud.rules(cloud.world.edge_group)
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(patient.apply, plans))
    assert [patient.verify(made) for made in plans] == [Verification.VERIFIED] * 5
    ours = [rule for name, rule in cloud.rules(cloud.world.edge_group).items() if name not in before]
    assert sorted(rule["priority"] for rule in ours if rule["direction"] == "Inbound") == [100, 101, 102, 103, 104]
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(patient.undo, plans))
    assert cloud.rules(cloud.world.edge_group) == before
    assert not cloud.flushes(cloud.world.edge_group)
