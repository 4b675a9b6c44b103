"""Closing rules of a network security group that a call has opened: exactly those, and back as they were."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from azure_functions.actions.block_address import BlockAddress
from azure_functions.actions.catalogue import GROUPS
from azure_functions.actions.close_security_group_rules import CloseSecurityGroupRules
from infra_tests.azure_functions.actions.cloud import ATTACKER, Cloud, about, plan
from offline.azure.seed import rule
from response.actions import CannotApply, CloudUnavailable, Verification
from shared_model.events import Entity, EntityKind
from shared_model.parsers.azure_activity import parse_azure_activity
from shared_model.verdicts import Verdict


@pytest.fixture
def action(cloud: Cloud) -> CloseSecurityGroupRules:
    return CloseSecurityGroupRules(cloud.clients, persistence=cloud.persistence)


def opened(cloud: Cloud, *names: str, group: str = "") -> Verdict:
    group = (group or cloud.world.edge_group).lower()
    target = Entity(EntityKind.SECURITY_GROUP, group)
    rules = (Entity(EntityKind.SECURITY_GROUP_RULE, f"{group}/securityrules/{name}") for name in names)
    return about(EntityKind.SECURITY_GROUP, group, opened=(target, *rules))


def open_rules(cloud: Cloud) -> None:
    """One rule of each form that Azure has, to the attacker's liking."""
    asg = cloud.shop._put("Microsoft.Network/applicationSecurityGroups", "front", {}, {})
    several = rule("Open-Several", "Allow", 1001, direction="Outbound", protocol="Tcp")
    for end in ("source", "destination"):
        del several["properties"][f"{end}AddressPrefix"]
        several["properties"][f"{end}AddressPrefixes"] = ["198.51.100.0/24", "203.0.113.0/24"]
    del several["properties"]["destinationPortRange"]
    several["properties"] |= {"destinationPortRanges": ["22", "3389-3390"], "description": "temporary"}
    grouped = rule("open-grouped", "Allow", 1002)
    del grouped["properties"]["destinationAddressPrefix"]
    grouped["properties"]["destinationApplicationSecurityGroups"] = [{"id": asg}]
    more = [rule("open-ssh", "Allow", 1000, source="Internet", ports="22", protocol="Tcp"), several, grouped]
    cloud.arm.change(cloud.world.edge_group, lambda group: group["properties"]["securityRules"].extend(more))


ALL = ("open-ssh", "open-several", "open-grouped")


def test_what_was_opened_is_closed_nothing_else_and_comes_back_as_it_was(cloud: Cloud, action: CloseSecurityGroupRules) -> None:
    before = cloud.rules(cloud.world.edge_group)
    open_rules(cloud)
    wide_open = cloud.rules(cloud.world.edge_group)
    made = plan(action, opened(cloud, *ALL))
    assert (made.refusal, made.is_noop, sorted(made.before["rules"])) == ("", False, sorted(ALL))
    assert cloud.rules(cloud.world.edge_group) == wide_open
    assert action.verify(made) is Verification.DRIFTED
    for _ in range(2):
        assert action.check(made) == ""
        action.apply(made)
        assert cloud.rules(cloud.world.edge_group) == before
        assert action.verify(made) is Verification.VERIFIED
    for _ in range(2):
        assert action.undo(made).left == ()
        assert cloud.rules(cloud.world.edge_group) == wide_open


def test_all_rules_are_one_write_and_a_second_delivery_writes_nothing(cloud: Cloud, action: CloseSecurityGroupRules) -> None:
    open_rules(cloud)
    made, start = plan(action, opened(cloud, *ALL)), len(cloud.calls)
    action.apply(made)
    assert cloud.writes(since=start) == 1
    action.apply(made)
    assert cloud.writes(since=start) == 1


def test_it_needs_no_right_that_would_take_a_deny_away(cloud: Cloud, action: CloseSecurityGroupRules) -> None:
    """Whoever holds the network identity cannot delete single rules: that is the undo's."""
    open_rules(cloud)
    made, start = plan(action, opened(cloud, *ALL)), len(cloud.calls)
    action.apply(made)
    assert not any("securityRules" in name for name in cloud.made(GROUPS[action.name], since=start))


def test_a_block_of_the_same_group_and_its_flush_survive_both_ways(cloud: Cloud, action: CloseSecurityGroupRules) -> None:
    open_rules(cloud)
    block = BlockAddress(cloud.clients, persistence=cloud.persistence)
    machine = Entity(EntityKind.INSTANCE, cloud.world.web.lower())
    blocked = plan(block, about(EntityKind.ADDRESS, ATTACKER, machine, completed_flow=True))
    block.apply(blocked)
    made = plan(action, opened(cloud, "open-ssh"))
    action.apply(made)
    assert block.verify(blocked) is Verification.VERIFIED
    action.undo(made)
    assert block.verify(blocked) is Verification.VERIFIED


@pytest.mark.parametrize("names", [("nobody-knows-it",), ("deny-all",)], ids=["not there", "a Deny"])
def test_a_rule_that_lets_nothing_in_is_nothing_to_do(cloud: Cloud, action: CloseSecurityGroupRules, names: tuple[str]) -> None:
    cloud.arm.change(cloud.world.edge_group, lambda g: g["properties"]["securityRules"].append(rule("deny-all", "Deny", 1500)))
    assert plan(action, opened(cloud, *names)).is_noop


@pytest.mark.parametrize(
    ("names", "group", "reason"),
    [
        ((), "", "does not say which rules were opened"),
        (("open-ssh",), "/gone", "there is no security group"),
        (("open-ssh",), "sg-0ab", "no id of a network security group"),
    ],
)
def test_what_cannot_be_planned_is_refused_with_the_reason(
    cloud: Cloud, action: CloseSecurityGroupRules, names: tuple[str, ...], group: str, reason: str
) -> None:
    group = f"{cloud.world.edge_group}-gone" if group == "/gone" else group
    assert reason in plan(action, opened(cloud, *names, group=group)).refusal


def test_rules_of_another_group_are_not_this_ones(cloud: Cloud, action: CloseSecurityGroupRules) -> None:
    elsewhere = Entity(EntityKind.SECURITY_GROUP_RULE, f"{cloud.world.inner_group.lower()}/securityrules/allowpostgresfromweb")
    made = replace(opened(cloud), opened=(*opened(cloud).opened, elsewhere))
    assert "does not say which rules" in plan(action, made).refusal


def test_a_rule_that_changed_between_plan_and_change_is_planned_again(cloud: Cloud, action: CloseSecurityGroupRules) -> None:
    open_rules(cloud)
    made = plan(action, opened(cloud, "open-ssh"))
    _set(cloud, "open-ssh", priority=1010)
    assert "plan again" in action.check(made)


def test_what_somebody_put_in_its_place_since_is_named_and_left(cloud: Cloud, action: CloseSecurityGroupRules) -> None:
    open_rules(cloud)
    made = plan(action, opened(cloud, *ALL))
    action.apply(made)
    theirs = [rule("open-ssh", "Allow", 1000, source="192.0.2.0/24", ports="22"), rule("mine", "Allow", 1002)]
    cloud.arm.change(cloud.world.edge_group, lambda group: group["properties"]["securityRules"].extend(theirs))
    changed = {each.what: each.is_changed for each in action.compare(made)}
    assert changed == {"rule open-ssh": True, "rule Open-Several": False, "rule open-grouped": False}
    result = action.undo(made)
    assert len(result.restored) == 1
    assert any("someone has put open-ssh" in each for each in result.left)
    assert any("mine has its priority by now" in each for each in result.left)
    assert cloud.rules(cloud.world.edge_group)["open-ssh"]["sourceAddressPrefix"] == "192.0.2.0/24"


def test_the_same_under_another_name_is_drift(cloud: Cloud, action: CloseSecurityGroupRules) -> None:
    open_rules(cloud)
    made = plan(action, opened(cloud, "open-ssh"))
    action.apply(made)
    again = rule("again", "Allow", 1700, source="Internet", ports="22", protocol="Tcp")
    cloud.arm.change(cloud.world.edge_group, lambda group: group["properties"]["securityRules"].append(again))
    assert action.verify(made) is Verification.DRIFTED


def test_another_writer_between_look_and_write_loses_nothing(cloud: Cloud, action: CloseSecurityGroupRules) -> None:
    open_rules(cloud)
    made, meddled = plan(action, opened(cloud, "open-ssh")), []

    def meddle(request: Any) -> None:
        if request.method == "PUT" and not meddled:
            meddled.append(request)
            theirs = rule("theirs", "Allow", 1800)
            cloud.arm.change(cloud.world.edge_group, lambda group: group["properties"]["securityRules"].append(theirs))

    cloud.arm.before = meddle  # type: ignore[method-assign]
    action.apply(made)
    assert meddled
    rules = cloud.rules(cloud.world.edge_group)
    assert "theirs" in rules
    assert "open-ssh" not in rules


def test_what_somebody_puts_in_its_place_between_look_and_write_is_theirs(cloud: Cloud, action: CloseSecurityGroupRules) -> None:
    open_rules(cloud)
    made, meddled = plan(action, opened(cloud, *ALL)), []
    assert action.check(made) == ""

    def meddle(request: Any) -> None:
        if request.method == "PUT" and not meddled:
            meddled.append(request)
            _set(cloud, "open-ssh", access="Deny")

    cloud.arm.before = meddle  # type: ignore[method-assign]
    with pytest.raises(CannotApply, match=r"open-ssh of .* is open-ssh, Deny .* plan again"):
        action.apply(made)
    assert meddled
    rules = cloud.rules(cloud.world.edge_group)
    assert rules["open-ssh"]["access"] == "Deny"
    assert {"Open-Several", "open-grouped"} <= rules.keys()  # the write is of the whole group, and was not made
    (left,) = action.undo(made).left
    assert "someone has put open-ssh" in left
    assert cloud.rules(cloud.world.edge_group) == rules


def test_a_lock_is_no_reason_to_come_back(cloud: Cloud, action: CloseSecurityGroupRules) -> None:
    open_rules(cloud)
    made = plan(action, opened(cloud, "open-ssh"))
    cloud.arm.locks.lock(cloud.world.edge_group, read_only=True)
    with pytest.raises(CannotApply, match="close the rules by hand"):
        action.apply(made)


def test_an_undo_of_a_group_that_is_gone_says_so(cloud: Cloud, action: CloseSecurityGroupRules) -> None:
    open_rules(cloud)
    group = cloud.shop.security_group("lone", rule("open-ssh", "Allow", 300, ports="22"))
    made = plan(action, opened(cloud, "open-ssh", group=group))
    action.apply(made)
    cloud.arm.remove(group)
    assert action.compare(made)[0].now == "the group is gone"
    (left,) = action.undo(made).left
    assert "is gone" in left


def test_an_outage_of_the_look_is_not_a_changed_rule(cloud: Cloud, action: CloseSecurityGroupRules) -> None:
    open_rules(cloud)
    made = plan(action, opened(cloud, "open-ssh"))
    cloud.arm.faults.fail(500, times=100, methods=frozenset({"GET"}))
    with pytest.raises(CloudUnavailable):
        action.check(made)


class TestWhatARecordSays:
    def record(self, cloud: Cloud, operation: str, resource: str, **more: Any) -> dict[str, Any]:
        return {
            "time": "2026-06-01T10:00:00Z",
            "resourceId": resource.upper(),
            "operationName": operation.upper(),
            "category": "Administrative",
            "resultType": "Success",
            "resultSignature": "Succeeded.Created",
            "callerIpAddress": "203.0.113.25",
            "correlationId": "00000000-0000-4000-8000-000000000001",
            "identity": {"claims": {"http://schemas.microsoft.com/identity/claims/objectidentifier": cloud.world.alice}},
            **more,
        }

    def named(self, cloud: Cloud, operation: str, resource: str, **more: Any) -> list[tuple[str, str]]:
        (call,) = parse_azure_activity(self.record(cloud, operation, resource, **more), source="test")
        return [(entity.kind.value, entity.id) for entity in call.opened]  # type: ignore[union-attr]

    def test_a_rule_that_was_written_names_itself_and_its_group(self, cloud: Cloud, action: CloseSecurityGroupRules) -> None:
        open_rules(cloud)
        group = cloud.world.edge_group
        (call,) = parse_azure_activity(
            self.record(cloud, "Microsoft.Network/networkSecurityGroups/securityRules/write", f"{group}/securityRules/open-ssh"),
            source="test",
        )
        made = replace(about(EntityKind.PRINCIPAL, cloud.world.alice), opened=call.opened)  # type: ignore[union-attr]
        found = action.plan(made.opened[0], made)
        assert list(found.before["rules"]) == ["open-ssh"]

    def test_a_deny_a_failure_a_deletion_open_nothing(self, cloud: Cloud) -> None:
        written = "Microsoft.Network/networkSecurityGroups/securityRules/write"
        rule_id = f"{cloud.world.edge_group}/securityRules/x"
        body = '{"properties": {"access": "Deny", "priority": 100}}'
        assert self.named(cloud, written, rule_id, properties={"requestbody": body}) == []
        assert self.named(cloud, written, rule_id, resultType="Failure", resultSignature="Failed.Forbidden") == []
        assert self.named(cloud, written.replace("write", "delete"), rule_id) == []
        assert len(self.named(cloud, written, rule_id, properties={"requestbody": body.replace("Deny", "Allow")})) == 2

    def test_a_group_that_was_written_whole_names_no_rule(self, cloud: Cloud) -> None:
        group = cloud.world.edge_group
        assert self.named(cloud, "Microsoft.Network/networkSecurityGroups/write", group) == [("security_group", group.lower())]


def _set(cloud: Cloud, name: str, **properties: Any) -> None:
    def change(group: dict[str, Any]) -> None:
        (found,) = (each for each in group["properties"]["securityRules"] if each["name"] == name)
        found["properties"].update(properties)

    cloud.arm.change(cloud.world.edge_group, change)
