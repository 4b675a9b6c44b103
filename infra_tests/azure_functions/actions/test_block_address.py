"""Blocking an address on the local Resource Manager: where a deny goes, what defeats it, who else writes, and the way back."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from azure_functions.actions import resource_manager
from azure_functions.actions.address_rules import BAND
from azure_functions.actions.block_address import BlockAddress
from azure_functions.actions.persistence import Persistence
from infra_tests.azure_functions.actions.cloud import ATTACKER, Cloud, about, plan
from offline.azure.faults import Fault
from offline.azure.seed import rule
from offline.azure.web import Request
from response.actions import CannotApply, CloudUnavailable, Plan, Verification
from response.guard import refusal
from response.policy import NeverTouch
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict


@pytest.fixture
def action(cloud: Cloud) -> BlockAddress:
    return BlockAddress(cloud.clients, persistence=cloud.persistence)


def seen_at(*places: str, address: str = ATTACKER, name: str = "v") -> Verdict:
    kinds = [EntityKind.INSTANCE if "/virtualmachines" in place.lower() else EntityKind.INTERFACE for place in places]
    related = (Entity(kind, place.lower()) for kind, place in zip(kinds, places, strict=True))
    return replace(about(EntityKind.ADDRESS, address, *related, completed_flow=True), id=name)


def denies(cloud: Cloud, group: str) -> dict[str, tuple[str, int]]:
    """Direction → remote prefix and priority of the deny rules in the reserved band."""
    found = {}
    for properties in cloud.rules(group).values():
        if properties["access"] == "Deny" and properties["priority"] in BAND:
            end = "source" if properties["direction"] == "Inbound" else "destination"
            found[properties["direction"]] = properties[f"{end}AddressPrefix"], properties["priority"]
    return found


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


def _with(group: dict[str, Any], added: dict[str, Any]) -> list[dict[str, Any]]:
    return [*(one for one in group["properties"]["securityRules"] if one["name"] != added["name"]), added]


class TestOtherWriters:
    def test_a_priority_taken_after_the_plan_is_not_fought_for(self, cloud: Cloud, action: BlockAddress) -> None:
        first, second = plan(action, seen_at(cloud.world.web)), plan(action, seen_at(cloud.world.web, address="192.0.2.7"))
        action.apply(first)
        action.apply(second)
        assert denies(cloud, cloud.world.edge_group)["Inbound"] == ("192.0.2.7", 101)
        assert action.verify(first) is action.verify(second) is Verification.VERIFIED
        action.undo(first)
        assert denies(cloud, cloud.world.edge_group)["Inbound"] == ("192.0.2.7", 101)

    def test_conflicts_stale_etags_and_a_storm_of_429_are_waited_out(self, cloud: Cloud, action: BlockAddress) -> None:
        made = plan(action, seen_at(cloud.world.web))
        cloud.arm.faults.changed_meanwhile(path="/securityRules/")
        cloud.arm.faults.conflict(path="/securityRules/")
        cloud.arm.faults.throttle(5, retry_after_s=2, path="/securityRules/")
        action.apply(made)
        assert cloud.arm.faults.pending() == 0
        assert cloud.pauses.count(2) == 5
        assert action.verify(made) is Verification.VERIFIED

    def test_a_storm_that_does_not_end_is_left_to_the_next_delivery(self, cloud: Cloud, action: BlockAddress) -> None:
        made = plan(action, seen_at(cloud.world.web))
        cloud.arm.faults.throttle(50, retry_after_s=9)
        with pytest.raises(CloudUnavailable, match="waited 27 s"):
            action.apply(made)
        cloud.arm.faults.clear()
        assert action.check(made) == ""
        action.apply(made)
        assert action.verify(made) is Verification.VERIFIED

    def test_a_wait_longer_than_the_patience_is_not_begun(self, cloud: Cloud, action: BlockAddress) -> None:
        made = plan(action, seen_at(cloud.world.web))
        cloud.arm.faults.throttle(1, retry_after_s=600)
        with pytest.raises(CloudUnavailable):
            action.apply(made)
        assert cloud.pauses == []

    def test_a_service_that_wants_no_etag_of_the_group_is_written_to_without(self, cloud: Cloud, action: BlockAddress) -> None:
        made = plan(action, seen_at(cloud.world.web))
        cloud.arm.faults.changed_meanwhile(path="/securityRules/")  # refused although nobody changed anything
        action.apply(made)
        assert action.verify(made) is Verification.VERIFIED

    def test_someone_who_edits_the_group_between_look_and_write_loses_nothing(self, cloud: Cloud, action: BlockAddress) -> None:
        made = plan(action, seen_at(cloud.world.web))
        edge, added, meddled = cloud.world.edge_group, rule("Added", "Allow", 900, ports="8443"), []

        def meddle(request: Request) -> None:
            if request.method == "PUT" and len(meddled) < 2:  # before the rule is written, and before the whole group is
                meddled.append(cloud.arm.change(edge, lambda g: g["properties"].update(securityRules=_with(g, added))))

        cloud.arm.before = meddle  # type: ignore[method-assign]
        action.apply(made)
        assert "Added" in cloud.rules(edge)
        assert action.verify(made) is Verification.VERIFIED

    def test_an_answer_lost_after_the_write_is_gone_on_from(self, cloud: Cloud, action: BlockAddress) -> None:
        made = plan(action, seen_at(cloud.world.web))
        cloud.arm.faults.tear_off(path="/securityRules/")
        with pytest.raises(CloudUnavailable):
            action.apply(made)
        assert len(denies(cloud, cloud.world.edge_group)) == 1
        again = Plan.from_json_value(json.loads(json.dumps(made.to_json_value())))
        assert action.check(again) == ""
        action.apply(again)
        assert action.verify(again) is Verification.VERIFIED
        assert action.undo(again).left == ()
        assert denies(cloud, cloud.world.edge_group) == {}

    def test_an_operation_that_fails_later_is_tried_again_by_the_next_delivery(self, cloud: Cloud, action: BlockAddress) -> None:
        made = plan(action, seen_at(cloud.world.web))
        cloud.arm.faults.fail_operation(path="/securityRules/")
        with pytest.raises(CloudUnavailable):
            action.apply(made)
        action.apply(made)
        assert action.verify(made) is Verification.VERIFIED

    def test_an_operation_that_does_not_end_is_looked_at_again_by_the_next_delivery(
        self, cloud: Cloud, action: BlockAddress, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = plan(action, seen_at(cloud.world.web))
        cloud.arm.faults.slow(1_000_000, path="/securityRules/")
        with monkeypatch.context() as impatient:
            impatient.setattr(resource_manager, "_OPERATION_S", 0.05)
            with pytest.raises(CloudUnavailable, match="not over"):
                action.apply(made)
        cloud.arm.finish_operations()
        action.apply(made)
        assert action.verify(made) is Verification.VERIFIED

    def test_a_lock_on_the_group_is_no_reason_to_wait(self, cloud: Cloud, action: BlockAddress) -> None:
        made = plan(action, seen_at(cloud.world.web))
        cloud.arm.faults.order(Fault(409, "ScopeLocked", "The scope cannot perform write operation because it is locked."))
        with pytest.raises(CannotApply, match="locked"):
            action.apply(made)
        assert cloud.pauses == []

    def test_a_full_band_is_refused(self, cloud: Cloud, action: BlockAddress) -> None:
        full = [rule(f"n{priority}", "Deny", priority, source="192.0.2.1") for priority in BAND]
        cloud.arm.change(cloud.world.edge_group, lambda g: g["properties"]["securityRules"].extend(full))
        assert "100–199 are taken" in plan(action, seen_at(cloud.world.web)).refusal


class TestChangedSince:
    def test_other_groups_in_force_stop_the_apply(self, cloud: Cloud, action: BlockAddress) -> None:
        made = plan(action, seen_at(cloud.world.web))
        cloud.arm.change(
            cloud.world.web_interface, lambda n: n["properties"].update(networkSecurityGroup={"id": cloud.world.inner_group})
        )
        assert "plan again" in action.check(made)

    def test_a_deny_of_others_that_goes_after_the_plan_stops_the_apply(self, cloud: Cloud, action: BlockAddress) -> None:
        edge, before = cloud.world.edge_group, cloud.arm.resource(cloud.world.edge_group)["properties"]["securityRules"]
        theirs = rule("BadOut", "Deny", 250, direction="Outbound", destination=ATTACKER)
        cloud.arm.change(edge, lambda g: g["properties"]["securityRules"].append(theirs))
        made = plan(action, seen_at(cloud.world.web))
        assert [name[-3:] for state in made.after["groups"].values() for name in state["rules"]] == ["-in"]
        assert action.check(made) == ""
        cloud.arm.change(edge, lambda g: g["properties"].update(securityRules=before))
        assert "plan again" in action.check(made)

    def test_an_allow_that_comes_before_it_shows_as_drift(self, cloud: Cloud, action: BlockAddress) -> None:
        cloud.arm.change(
            cloud.world.edge_group,
            lambda g: g["properties"]["securityRules"].append(rule("Office", "Allow", 100, source="203.0.113.0/24")),
        )
        made = plan(action, seen_at(cloud.world.web))
        action.apply(made)

        def widen(group: dict[str, Any]) -> None:
            office = next(one for one in group["properties"]["securityRules"] if one["name"] == "Office")
            office["properties"]["sourceAddressPrefix"] = "*"

        cloud.arm.change(cloud.world.edge_group, widen)
        assert action.verify(made) is Verification.DRIFTED

    def test_a_rule_that_someone_rewrote_is_left_and_named(self, cloud: Cloud, action: BlockAddress) -> None:
        made = plan(action, seen_at(cloud.world.web))
        action.apply(made)
        name = next(name for name in cloud.rules(cloud.world.edge_group) if name.endswith("-in"))

        def rewrite(group: dict[str, Any]) -> None:
            found = next(one for one in group["properties"]["securityRules"] if one["name"] == name)
            found["properties"]["sourceAddressPrefix"] = "198.51.100.0/24"

        cloud.arm.change(cloud.world.edge_group, rewrite)
        assert action.verify(made) is Verification.VERIFIED  # it denies more
        result = action.undo(made)
        assert any(name in left and "by hand" in left for left in result.left)
        assert list(denies(cloud, cloud.world.edge_group)) == ["Inbound"]
        assert cloud.flushes(cloud.world.edge_group)

    def test_a_group_that_went_is_nothing_to_restore(self, cloud: Cloud, action: BlockAddress) -> None:
        made = plan(action, seen_at(cloud.world.web))
        action.apply(made)
        cloud.arm.remove(cloud.world.edge_group)
        assert action.undo(made).left == ()

    def test_flush_connection_that_someone_turned_off_is_drift_and_stays_off(self, cloud: Cloud, action: BlockAddress) -> None:
        made = plan(action, seen_at(cloud.world.web))
        action.apply(made)
        cloud.arm.change(cloud.world.edge_group, lambda g: g["properties"].update(flushConnection=False))
        assert action.verify(made) is Verification.DRIFTED
        assert action.undo(made).left == ()
        assert not cloud.flushes(cloud.world.edge_group)


class TestFlushConnection:
    def test_where_it_cannot_be_had_the_deny_holds_and_shows_as_not_whole(
        self, cloud: Cloud, action: BlockAddress, caplog: pytest.LogCaptureFixture
    ) -> None:
        made = plan(action, seen_at(cloud.world.web))
        no_preview = Fault(400, "SubscriptionNotRegisteredForFeature", path="/networkSecurityGroups/edge")

        def before(request: Request) -> None:
            if request.method == "PUT" and request.path.lower().endswith("/edge"):
                cloud.arm.faults.order(no_preview)

        cloud.arm.before = before  # type: ignore[method-assign]
        action.apply(made)
        assert len(denies(cloud, cloud.world.edge_group)) == 2
        assert action.verify(made) is Verification.DRIFTED
        assert "SubscriptionNotRegisteredForFeature" in caplog.text
        assert action.undo(made).left == ()

    def test_it_stays_where_it_was_on_before(self, cloud: Cloud, action: BlockAddress) -> None:
        cloud.arm.change(cloud.world.edge_group, lambda g: g["properties"].update(flushConnection=True))
        made = plan(action, seen_at(cloud.world.web))
        action.apply(made)
        action.undo(made)
        assert cloud.flushes(cloud.world.edge_group)

    @pytest.mark.parametrize("first_out", [0, 1])
    def test_the_last_containment_to_end_turns_it_off(self, cloud: Cloud, action: BlockAddress, first_out: int) -> None:
        before = cloud.rules(cloud.world.edge_group)
        made = []
        for address in (ATTACKER, "192.0.2.7"):
            made.append(plan(action, seen_at(cloud.world.web, address=address)))
            action.apply(made[-1])
        first, last = made[first_out], made[1 - first_out]
        assert any("other containments need it" in left for left in action.undo(first).left)
        assert cloud.flushes(cloud.world.edge_group)
        assert action.verify(last) is Verification.VERIFIED
        assert action.undo(last).left == ()
        assert not cloud.flushes(cloud.world.edge_group)
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
