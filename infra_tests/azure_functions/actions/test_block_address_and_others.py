"""A block of an address beside what others do to the same security group."""

from __future__ import annotations

import json
from typing import Any

import pytest

from azure_functions.actions import resource_manager
from azure_functions.actions.address_rules import BAND
from azure_functions.actions.block_address import BlockAddress
from infra_tests.azure_functions.actions.blocked import action, denies, seen_at
from infra_tests.azure_functions.actions.cloud import ATTACKER, Cloud, plan
from offline.azure.faults import Fault
from offline.azure.seed import rule
from offline.azure.web import Request
from response.actions import CannotApply, CloudUnavailable, Plan, Verification

__all__ = ["action"]


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
