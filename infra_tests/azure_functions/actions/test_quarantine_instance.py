"""Quarantine on the local Resource Manager: every interface whole and otherwise unchanged, and exactly back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from azure_functions.actions.quarantine_groups import TAG_KEY, TAG_VALUE
from azure_functions.actions.quarantine_instance import QuarantineInstance
from infra_tests.azure_functions.actions.cloud import Cloud, about, plan
from offline.azure.faults import Fault
from offline.azure.seed import rule
from offline.azure.web import Request
from response.actions import CannotApply, CloudUnavailable, Plan, Verification
from response.guard import refusal
from response.policy import NeverTouch
from shared_model.events import EntityKind

#: What only the interfaces of a larger network join.
_NOT_IN_THIS_NETWORK = {
    "Microsoft.Network/applicationGateways/backendAddressPools/join/action",
    "Microsoft.Network/applicationSecurityGroups/joinIpConfiguration/action",
    "Microsoft.Network/loadBalancers/backendAddressPools/join/action",
    "Microsoft.Network/loadBalancers/inboundNatRules/join/action",
    "Microsoft.Network/publicIPAddresses/join/action",
}
#: Of these, what the local Resource Manager asks for. Azure also asks for gateways' pools and for NAT rules.
_ASKED_FOR_HERE = {
    "Microsoft.Network/applicationSecurityGroups/joinIpConfiguration/action",
    "Microsoft.Network/loadBalancers/backendAddressPools/join/action",
    "Microsoft.Network/publicIPAddresses/join/action",
}


@pytest.fixture
def action(cloud: Cloud) -> QuarantineInstance:
    return QuarantineInstance(cloud.clients, persistence=cloud.persistence)


def plan_for(action: QuarantineInstance, machine: str) -> Plan:
    return plan(action, about(EntityKind.INSTANCE, machine.lower()))


def quarantine_of(cloud: Cloud) -> str:
    return f"{cloud.world.group}/providers/Microsoft.Network/networkSecurityGroups/breakwater-quarantine-westeurope"


def shown(cloud: Cloud, interface: str) -> dict[str, Any]:
    """An interface as it is answered, without its versions, its security group and what only the local service keeps."""
    text = json.dumps(cloud.arm.resource(interface))
    found = json.loads(text, object_hook=lambda value: {k: v for k, v in value.items() if k not in ("etag", "_power")})
    found["properties"].pop("networkSecurityGroup", None)
    return dict(found)


def test_every_interface_is_isolated_and_comes_back_exactly(cloud: Cloud, action: QuarantineInstance) -> None:
    front, back = cloud.world.database_interfaces
    before, start = [shown(cloud, front), shown(cloud, back)], len(cloud.calls)
    made = plan_for(action, cloud.world.database)
    assert cloud.writes(since=start) == 0
    assert action.check(made) == ""
    action.apply(made)
    assert action.verify(made) is Verification.VERIFIED
    assert cloud.group_of(front) == cloud.group_of(back) == quarantine_of(cloud)
    assert [shown(cloud, front), shown(cloud, back)] == before
    assert set(QuarantineInstance.permissions) - cloud.made("network") <= _NOT_IN_THIS_NETWORK | {
        "Microsoft.Network/locations/operationResults/read"
    }
    assert cloud.calls.undeclared(cloud.identities["network"], QuarantineInstance.permissions) == set()
    assert action.undo(made).left == ()
    assert (cloud.group_of(front), cloud.group_of(back)) == (cloud.world.inner_group, "")
    assert [shown(cloud, front), shown(cloud, back)] == before
    assert cloud.calls.undeclared(cloud.identities["undo"], QuarantineInstance.undo_permissions) == set()


def test_everything_that_an_interface_joins_is_joined_again(cloud: Cloud, action: QuarantineInstance) -> None:
    names = ("publicIPAddresses", "applicationSecurityGroups")
    address, group = (cloud.shop._put(f"Microsoft.Network/{name}", "one", {}, {}) for name in names)
    balancer = f"{cloud.world.group}/providers/Microsoft.Network"
    joined = {
        "publicIPAddress": {"id": address},
        "applicationSecurityGroups": [{"id": group}],
        "loadBalancerBackendAddressPools": [{"id": f"{balancer}/loadBalancers/front/backendAddressPools/web"}],
        "loadBalancerInboundNatRules": [{"id": f"{balancer}/loadBalancers/front/inboundNatRules/ssh"}],
        "applicationGatewayBackendAddressPools": [{"id": f"{balancer}/applicationGateways/gate/backendAddressPools/web"}],
    }
    nic = cloud.world.web_interface
    cloud.arm.change(nic, lambda n: n["properties"]["ipConfigurations"][0]["properties"].update(joined))
    before = shown(cloud, nic)
    made = plan_for(action, cloud.world.web)
    action.apply(made)
    assert shown(cloud, nic) == before
    assert set(QuarantineInstance.permissions) >= cloud.made("network") >= _ASKED_FOR_HERE
    action.undo(made)
    assert shown(cloud, nic) == before
    assert set(QuarantineInstance.undo_permissions) >= cloud.made("undo") >= _ASKED_FOR_HERE


def test_the_group_is_marked_closed_and_looks_at_open_connections(cloud: Cloud, action: QuarantineInstance) -> None:
    action.apply(plan_for(action, cloud.world.web))
    group = cloud.arm.resource(quarantine_of(cloud))
    assert group["tags"] == {TAG_KEY: TAG_VALUE}
    assert cloud.flushes(quarantine_of(cloud))
    rules = cloud.rules(quarantine_of(cloud)).values()
    assert {
        (one["direction"], one["access"], one["priority"], one["protocol"], one["destinationAddressPrefix"]) for one in rules
    } == {
        ("Inbound", "Deny", 100, "*", "*"),
        ("Outbound", "Deny", 100, "*", "AzurePlatformDNS"),
        ("Outbound", "Deny", 101, "*", "AzurePlatformIMDS"),
        ("Outbound", "Deny", 102, "*", "*"),
    }


@pytest.mark.parametrize("meddled", ["DenyAzurePlatformDNSOutbound", "DenyAllInbound", "DenyAllOutbound"])
def test_a_group_that_lacks_a_rule_is_not_closed_and_is_mended(cloud: Cloud, action: QuarantineInstance, meddled: str) -> None:
    made, group = plan_for(action, cloud.world.web), quarantine_of(cloud)
    action.apply(made)
    whole = cloud.rules(group)
    assert action.verify(made) is Verification.VERIFIED
    cloud.arm.change(
        group,
        lambda g: g["properties"].update(securityRules=[r for r in g["properties"]["securityRules"] if r["name"] != meddled]),
    )
    assert action.verify(made) is Verification.DRIFTED
    action.apply(made)
    assert cloud.rules(group) == whole
    assert action.verify(made) is Verification.VERIFIED


def test_open_connections_are_looked_at_for_each_machine_that_comes_into_the_group(
    cloud: Cloud, action: QuarantineInstance
) -> None:
    action.apply(plan_for(action, cloud.world.web))
    states: list[bool] = []

    def watched(request: Request) -> None:
        if request.method == "PUT" and request.path.lower() == quarantine_of(cloud).lower():
            states.append(request.json()["properties"].get("flushConnection"))

    cloud.arm.before = watched  # type: ignore[method-assign]
    action.apply(plan_for(action, cloud.world.jump))
    assert states == [False, True]


def test_a_quarantined_machine_is_a_no_op(cloud: Cloud, action: QuarantineInstance) -> None:
    made = plan_for(action, cloud.world.web)
    assert not made.is_noop
    action.apply(made)
    assert plan_for(action, cloud.world.web).is_noop


def test_applied_or_undone_twice_ends_the_same(cloud: Cloud, action: QuarantineInstance) -> None:
    made = plan_for(action, cloud.world.database)
    action.apply(made)
    action.apply(made)
    assert action.verify(made) is Verification.VERIFIED
    assert action.undo(made).left == ()
    start = len(cloud.calls)
    assert action.undo(made).left == ()
    assert cloud.writes(since=start) == 0


def test_an_interface_that_is_attached_later_shows_as_drift(cloud: Cloud, action: QuarantineInstance) -> None:
    made = plan_for(action, cloud.world.web)
    action.apply(made)
    extra = cloud.shop.interface("web-extra", "shop-net", "web", "10.20.1.7")
    cloud.arm.change(cloud.world.web, lambda m: m["properties"]["networkProfile"]["networkInterfaces"].append({"id": extra}))
    assert action.verify(made) is Verification.DRIFTED


def test_a_rule_that_someone_added_is_drift_and_goes_at_the_next_apply(cloud: Cloud, action: QuarantineInstance) -> None:
    made = plan_for(action, cloud.world.web)
    action.apply(made)

    def open_up(group: dict[str, Any]) -> None:
        for one in group["properties"]["securityRules"]:
            one["properties"]["priority"] += 100
        group["properties"]["securityRules"].append(rule("LetMeIn", "Allow", 100, ports="22"))

    cloud.arm.change(quarantine_of(cloud), open_up)
    assert action.verify(made) is Verification.DRIFTED
    action.apply(made)
    assert action.verify(made) is Verification.VERIFIED
    assert "LetMeIn" not in cloud.rules(quarantine_of(cloud))


def test_a_machine_that_is_off_can_be_quarantined(cloud: Cloud, action: QuarantineInstance) -> None:
    nic = cloud.shop.interface("cold-nic", "shop-net", "web", "10.20.1.9")
    made = plan_for(action, cloud.shop.machine("cold", nic, power="deallocated"))
    action.apply(made)
    assert action.verify(made) is Verification.VERIFIED


class TestRefused:
    def test_alternatives_are_named(self, cloud: Cloud, action: QuarantineInstance) -> None:
        uniform = f"{cloud.world.group}/providers/Microsoft.Compute/virtualMachineScaleSets/pool/virtualMachines/3"
        assert "delete or reimage the instance" in plan_for(action, uniform).refusal
        assert "contain it where it runs" in plan_for(action, f"{cloud.world.web}-not").refusal
        assert "contain it where it runs" in plan_for(action, "i-0123456789abcdef0").refusal

    def test_nodes_of_a_managed_cluster_are_left_to_it(self, cloud: Cloud, action: QuarantineInstance) -> None:
        nodes = cloud.shop.in_group("MC_shop_cluster_westeurope")
        nodes.network("aks-net", "10.30.0.0/16", nodes="10.30.1.0/24")
        machine = nodes.machine("aks-node-0", nodes.interface("aks-nic-0", "aks-net", "nodes", "10.30.1.4"))
        assert "Azure Kubernetes Service" in plan_for(action, machine).refusal
        tagged = {"aks-managed-poolName": "one"}
        other = cloud.shop.in_group("shop").interface("node-nic", "shop-net", "web", "10.20.1.8", tags=tagged)
        assert "cordon" not in plan_for(action, cloud.shop.machine("node", other)).refusal
        assert "isolate it there" in plan_for(action, cloud.shop.machine("node", other)).refusal

    def test_an_interface_of_a_private_endpoint_is_left_alone(
        self, cloud: Cloud, action: QuarantineInstance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = action._arm.interface

        def endpoint(interface_id: str) -> Any:
            found = real(interface_id)
            assert found is not None
            found["properties"]["privateEndpoint"] = {"id": "/pe"}
            return found

        monkeypatch.setattr(action._arm, "interface", endpoint)
        assert "a private endpoint" in plan_for(action, cloud.world.web).refusal

    def test_a_group_of_that_name_that_is_not_its_own_is_not_used(self, cloud: Cloud, action: QuarantineInstance) -> None:
        cloud.shop.security_group("breakwater-quarantine-westeurope", rule("Open", "Allow", 100))
        made = plan_for(action, cloud.world.web)
        with pytest.raises(CannotApply, match="does not carry the tag"):
            action.apply(made)
        assert cloud.group_of(cloud.world.web_interface) == ""

    def test_what_a_deny_assignment_shields_is_said_and_not_waited_for(self, cloud: Cloud, action: QuarantineInstance) -> None:
        made = plan_for(action, cloud.world.web)
        cloud.arm.faults.order(Fault(403, "DenyAssignmentAuthorizationFailed", path=cloud.world.web_interface))
        with pytest.raises(CannotApply, match="DenyAssignmentAuthorizationFailed"):
            action.apply(made)

    def test_a_never_touch_tag_on_a_group_protects_the_machine(self, cloud: Cloud, action: QuarantineInstance) -> None:
        cloud.arm.change(cloud.world.inner_group, lambda g: g.update(tags={"break-glass": "yes"}))
        made = plan_for(action, cloud.world.database)
        assert cloud.world.inner_group.lower() in made.resources
        reason = refusal(made, about(EntityKind.INSTANCE, cloud.world.database), NeverTouch(tags=("break-glass",)))
        assert "break-glass=yes" in reason

    def test_the_group_of_the_subnet_protects_the_machine_too(self, cloud: Cloud, action: QuarantineInstance) -> None:
        assert cloud.group_of(cloud.world.web_interface) == ""  # edge is the subnet's
        cloud.arm.change(cloud.world.edge_group, lambda g: g.update(tags={"break-glass": "yes"}))
        made, verdict = plan_for(action, cloud.world.web), about(EntityKind.INSTANCE, cloud.world.web)
        for never in (NeverTouch(tags=("break-glass",)), NeverTouch(security_groups=(cloud.world.edge_group.lower(),))):
            assert refusal(made, verdict, never) != ""

    def test_a_tag_protects_in_whichever_case_it_was_written(self, cloud: Cloud, action: QuarantineInstance) -> None:
        cloud.arm.change(cloud.world.database, lambda m: m.update(tags={"Break-Glass": "yes"}))
        made = plan_for(action, cloud.world.database)
        assert "break-glass=yes" in refusal(
            made, about(EntityKind.INSTANCE, cloud.world.database), NeverTouch(tags=("break-glass",))
        )

    def test_a_tag_that_protects_one_is_not_hidden_by_another_that_says_false(
        self, cloud: Cloud, action: QuarantineInstance
    ) -> None:
        cloud.arm.change(cloud.world.inner_group, lambda g: g.update(tags={"break-glass": "yes"}))
        cloud.arm.change(cloud.world.database, lambda m: m.update(tags={"break-glass": "false", "team": "data"}))
        tags = plan_for(action, cloud.world.database).tags
        assert tags is not None
        assert (tags["break-glass"], tags["team"]) == ("yes", "data")

    def test_a_flexible_scale_set_is_named(self, cloud: Cloud, action: QuarantineInstance) -> None:
        scale_set = cloud.shop._put("Microsoft.Compute/virtualMachineScaleSets", "pool", {}, {})
        cloud.arm.change(cloud.world.web, lambda m: m["properties"].update(virtualMachineScaleSet={"id": scale_set}))
        assert any("instance protection" in touched for touched in plan_for(action, cloud.world.web).touches)


class TestOtherWriters:
    def test_a_group_changed_after_the_plan_stops_the_apply(self, cloud: Cloud, action: QuarantineInstance) -> None:
        made = plan_for(action, cloud.world.web)
        group = {"id": cloud.world.inner_group}
        cloud.arm.change(cloud.world.web_interface, lambda n: n["properties"].update(networkSecurityGroup=group))
        assert "plan again" in action.check(made)

    def test_conflicts_and_stale_etags_are_waited_out(self, cloud: Cloud, action: QuarantineInstance) -> None:
        made = plan_for(action, cloud.world.database)
        cloud.arm.faults.changed_meanwhile(path="/networkInterfaces/")
        cloud.arm.faults.conflict(path="/networkInterfaces/")
        cloud.arm.faults.throttle(3, retry_after_s=1, path="/networkInterfaces/")
        action.apply(made)
        assert cloud.pauses.count(1) == 3
        assert action.verify(made) is Verification.VERIFIED

    def test_what_somebody_writes_to_the_interface_meanwhile_is_kept(self, cloud: Cloud, action: QuarantineInstance) -> None:
        made = plan_for(action, cloud.world.web)
        nic, meddled = cloud.world.web_interface, []

        def meddle(request: Request) -> None:
            if request.method == "PUT" and request.path.lower() == nic.lower() and not meddled:
                meddled.append(cloud.arm.change(nic, lambda n: n.update(tags={"added": "meanwhile"})))

        cloud.arm.before = meddle  # type: ignore[method-assign]
        action.apply(made)
        assert cloud.arm.resource(nic)["tags"] == {"added": "meanwhile"}
        assert action.verify(made) is Verification.VERIFIED

    @pytest.mark.parametrize("path", ["breakwater-quarantine", "/networkInterfaces/"])
    def test_an_answer_lost_after_the_write_is_gone_on_from(self, cloud: Cloud, action: QuarantineInstance, path: str) -> None:
        made = plan_for(action, cloud.world.database)
        cloud.arm.faults.tear_off(path=path)
        with pytest.raises(CloudUnavailable):
            action.apply(made)
        assert action.check(made) == ""
        action.apply(made)
        assert action.verify(made) is Verification.VERIFIED
        assert action.undo(made).left == ()
        assert cloud.group_of(cloud.world.database_interfaces[0]) == cloud.world.inner_group

    def test_a_refusal_by_the_customers_policy_is_final(self, cloud: Cloud, action: QuarantineInstance) -> None:
        made = plan_for(action, cloud.world.web)
        cloud.arm.faults.order(Fault(403, "RequestDisallowedByPolicy", "Resource was disallowed by policy."))
        with pytest.raises(CannotApply, match="disallowed by policy"):
            action.apply(made)


class TestUndo:
    def test_an_interface_that_someone_changed_since_is_left_and_named(self, cloud: Cloud, action: QuarantineInstance) -> None:
        made = plan_for(action, cloud.world.database)
        action.apply(made)
        front, back = cloud.world.database_interfaces
        edge = {"id": cloud.world.edge_group}
        cloud.arm.change(front, lambda n: n["properties"].update(networkSecurityGroup=edge))
        result = action.undo(made)
        assert (cloud.group_of(front), cloud.group_of(back)) == (cloud.world.edge_group, "")
        (left,) = result.left
        assert front in left
        assert cloud.world.edge_group in left
        assert cloud.world.inner_group in left

    def test_an_interface_whose_previous_group_went_stays_in_quarantine(self, cloud: Cloud, action: QuarantineInstance) -> None:
        made = plan_for(action, cloud.world.database)
        action.apply(made)
        cloud.arm.remove(cloud.world.inner_group)
        result = action.undo(made)
        assert any("stays in quarantine" in left for left in result.left)
        assert cloud.group_of(cloud.world.database_interfaces[1]) == ""

    def test_an_interface_that_went_is_named(self, cloud: Cloud, action: QuarantineInstance) -> None:
        made = plan_for(action, cloud.world.web)
        action.apply(made)
        cloud.arm.remove(cloud.world.web_interface)
        assert action.undo(made).left == (f"{cloud.world.web_interface} is gone",)
        assert action.verify(made) is Verification.DRIFTED


def test_the_plan_says_where_the_machine_lies(cloud: Cloud, action: QuarantineInstance) -> None:
    assert plan_for(action, cloud.world.database).region == "westeurope"
