"""Role assignments on the local Resource Manager."""

from __future__ import annotations

from uuid import uuid4

import pytest

from azure_functions.actions.remove_role_assignments import RemoveRoleAssignments
from azure_functions.actions.role_assignments import OWNER
from infra_tests.azure_functions.actions.cloud import Cloud, about
from offline.azure.faults import Fault
from offline.azure.seed import made_up
from response.actions import CannotApply, CloudUnavailable, Plan, Verification
from response.guard import refusal
from response.policy import NeverTouch
from shared_model.events import Entity, EntityKind

MANAGEMENT_GROUP = "/providers/Microsoft.Management/managementGroups/all"


def granted(cloud: Cloud, principal: str) -> dict[str, dict[str, object]]:
    """What a principal was assigned, by id, without what Azure says about when and by whom."""
    kept = ("roleDefinitionId", "principalId", "principalType", "scope", "condition", "conditionVersion", "description")
    return {one["id"]: {name: one["properties"].get(name) for name in kept} for one in cloud.arm.roles.assignments(principal)}


class TestRoles:
    @pytest.fixture
    def action(self, cloud: Cloud) -> RemoveRoleAssignments:
        return RemoveRoleAssignments(cloud.clients, persistence=cloud.persistence)

    def plan(self, cloud: Cloud, action: RemoveRoleAssignments, principal: str, account: str = "") -> Plan:
        verdict = about(EntityKind.PRINCIPAL, principal)
        target = Entity(EntityKind.PRINCIPAL, principal, account or cloud.world.subscription_id)
        return Plan.from_json_value(action.plan(target, verdict).to_json_value())

    def test_everything_direct_goes_and_comes_back_the_same(self, cloud: Cloud, action: RemoveRoleAssignments) -> None:
        deployer = cloud.world.deployer
        condition = "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})))"
        more = {"condition": condition, "conditionVersion": "2.0"}
        cloud.shop.assign(deployer, "Storage Blob Data Reader", cloud.world.web, **more)
        before, start = granted(cloud, deployer), len(cloud.calls)
        made = self.plan(cloud, action, deployer)
        assert cloud.writes(since=start) == 0
        assert len(made.before["assignments"]) == 3
        assert any("Contributor on /subscriptions/" in touched for touched in made.touches)
        assert action.check(made) == ""
        action.apply(made)
        assert granted(cloud, deployer) == {}
        assert action.verify(made) is Verification.VERIFIED
        assert cloud.made("identity") == set(RemoveRoleAssignments.permissions)
        assert action.undo(made).left == ()
        assert granted(cloud, deployer) == before
        assert cloud.made("undo") == set(RemoveRoleAssignments.undo_permissions)
        assert action.verify(made) is Verification.DRIFTED

    def test_what_was_activated_for_a_time_is_not_given_back_for_ever(self, cloud: Cloud, action: RemoveRoleAssignments) -> None:
        deployer = cloud.world.deployer
        activated = cloud.shop.assign(deployer, "Storage Blob Data Reader", cloud.world.web)
        lasting = set(granted(cloud, deployer)) - {activated}
        cloud.arm.roles.activations.bound(activated, "2026-11-30T20:00:00Z")
        made = self.plan(cloud, action, deployer)
        (told,) = [touched for touched in made.touches if "until 2026-11-30T20:00:00Z" in touched]
        assert "undo does not give it back" in told
        action.apply(made)
        assert granted(cloud, deployer) == {}
        undone = action.undo(made)
        (left,) = undone.left
        assert activated in left
        assert "until 2026-11-30T20:00:00Z" in left
        assert undone.held == ()
        assert set(granted(cloud, deployer)) == lasting

    def test_an_activation_that_still_stands_is_no_loss(self, cloud: Cloud, action: RemoveRoleAssignments) -> None:
        activated = cloud.shop.assign(cloud.world.deployer, "Storage Blob Data Reader", cloud.world.web)
        cloud.arm.roles.activations.bound(activated, "2026-11-30T20:00:00Z")
        made = self.plan(cloud, action, cloud.world.deployer)
        assert action.undo(made).left == ()

    def test_a_tenant_without_privileged_identity_management_has_none_that_end(
        self, cloud: Cloud, action: RemoveRoleAssignments
    ) -> None:
        cloud.arm.roles.activations.licensed = False
        made = self.plan(cloud, action, cloud.world.deployer)
        assert not any("could not be read" in touched for touched in made.touches)
        action.apply(made)
        assert action.undo(made).left == ()

    def test_where_the_ends_may_not_be_read_the_plan_says_so(self, cloud: Cloud, action: RemoveRoleAssignments) -> None:
        declared = set(RemoveRoleAssignments.permissions) - {"Microsoft.Authorization/roleAssignmentScheduleInstances/read"}
        cloud.grants.allow(cloud.identities["identity"], declared)
        made = self.plan(cloud, action, cloud.world.deployer)
        assert made.refusal == ""
        assert any("could not be read: undo would make them last" in touched for touched in made.touches)

    def test_applied_or_undone_twice_changes_nothing_the_second_time(self, cloud: Cloud, action: RemoveRoleAssignments) -> None:
        made = self.plan(cloud, action, cloud.world.deployer)
        action.apply(made)
        action.apply(made)
        assert action.check(made) == ""
        action.undo(made)
        start = len(cloud.calls)
        assert action.undo(made).left == ()
        assert cloud.writes(since=start) == 0

    def test_an_answer_lost_after_the_deletion_is_gone_on_from(self, cloud: Cloud, action: RemoveRoleAssignments) -> None:
        made = self.plan(cloud, action, cloud.world.deployer)
        cloud.arm.faults.tear_off(path="roleAssignments", times=4)
        with pytest.raises(CloudUnavailable):
            action.apply(made)
        cloud.arm.faults.clear()
        action.apply(made)
        assert action.verify(made) is Verification.VERIFIED
        assert len(action.undo(made).restored) == 2

    def test_a_principal_without_any_is_a_no_op(self, cloud: Cloud, action: RemoveRoleAssignments) -> None:
        assert self.plan(cloud, action, made_up("nobody")).is_noop

    def test_what_comes_from_above_or_through_a_group_is_named_and_not_touched(
        self, cloud: Cloud, action: RemoveRoleAssignments
    ) -> None:
        team = made_up("group team")
        cloud.arm.roles.add_group(team, cloud.world.deployer)
        through = cloud.shop.assign(team, "Reader", principal_type="Group")
        above = cloud.shop.assign(cloud.world.deployer, "Reader", MANAGEMENT_GROUP)
        made = self.plan(cloud, action, cloud.world.deployer)
        assert {through, above}.isdisjoint(made.before["assignments"])
        assert any(touched.startswith("not touched: Reader") and team in touched for touched in made.touches)
        assert any(touched.startswith("not touched: Reader") and "managementGroups" in touched for touched in made.touches)
        action.apply(made)
        assert set(granted(cloud, cloud.world.deployer)) == {above}
        assert set(granted(cloud, team)) == {through}

    def test_only_inherited_rights_are_refused_with_where_to_end_them(self, cloud: Cloud, action: RemoveRoleAssignments) -> None:
        member, team = made_up("user member"), made_up("group team")
        cloud.arm.roles.add_group(team, member)
        cloud.shop.assign(team, "Contributor", principal_type="Group")
        refused = self.plan(cloud, action, member).refusal
        assert f"through group {team}" in refused
        assert "take it out of the group" in refused

    def test_the_last_owner_stays(self, cloud: Cloud, action: RemoveRoleAssignments) -> None:
        owner = cloud.world.break_glass
        assert "last Owner" in self.plan(cloud, action, owner).refusal
        cloud.shop.assign(made_up("a pipeline"), "Owner")  # nobody to ask
        cloud.shop.assign(made_up("limited"), "Owner", principal_type="User", condition="(true)", conditionVersion="2.0")
        assert "last Owner" in self.plan(cloud, action, owner).refusal
        cloud.shop.assign(made_up("second"), "Owner", principal_type="User")
        made = self.plan(cloud, action, owner)
        assert made.refusal == ""
        for assignment in granted(cloud, made_up("second")):
            del cloud.arm.roles._assignments[assignment.lower()]
        assert "last Owner" in action.check(made)

    def test_owner_of_a_resource_group_is_not_the_last_owner(self, cloud: Cloud, action: RemoveRoleAssignments) -> None:
        cloud.shop.assign(cloud.world.deployer, "Owner", cloud.world.group)
        assert self.plan(cloud, action, cloud.world.deployer).refusal == ""

    def test_own_and_break_glass_principals_are_kept_by_the_guard(self, cloud: Cloud, action: RemoveRoleAssignments) -> None:
        never = NeverTouch(principals=(cloud.world.deployer,))
        made = self.plan(cloud, action, cloud.world.deployer.upper())
        assert "never-touch" in refusal(made, about(EntityKind.PRINCIPAL, cloud.world.deployer), never)

    def test_a_right_on_breakwater_itself_is_kept_and_saves_none_of_the_others(self, cloud: Cloud) -> None:
        intruder, own = cloud.world.deployer, f"{cloud.world.group.rpartition('/')[0]}/Breakwater"
        before = set(granted(cloud, intruder))
        there = cloud.shop.assign(intruder, "Reader", f"{own}/providers/Microsoft.Storage/storageAccounts/state")
        action = RemoveRoleAssignments(cloud.clients, persistence=cloud.persistence, kept_scopes=(own,))
        made = self.plan(cloud, action, intruder)
        assert set(made.before["assignments"]) == before
        assert any(touched.startswith("not touched: Reader on") for touched in made.touches)
        protected = NeverTouch(principals=(own.lower(), f"{own.lower()}/*"))
        assert refusal(made, about(EntityKind.PRINCIPAL, intruder), protected) == ""
        action.apply(made)
        assert set(granted(cloud, intruder)) == {there}
        assert action.verify(made) is Verification.VERIFIED
        assert "Breakwater itself" in self.plan(cloud, action, intruder).refusal

    def test_an_assignment_made_after_the_plan_stops_the_apply(self, cloud: Cloud, action: RemoveRoleAssignments) -> None:
        made = self.plan(cloud, action, cloud.world.deployer)
        added = cloud.shop.assign(cloud.world.deployer, "Reader")
        assert added in action.check(made)

    def test_a_locked_scope_is_told_and_the_others_go(self, cloud: Cloud, action: RemoveRoleAssignments) -> None:
        made = self.plan(cloud, action, cloud.world.deployer)
        locked, other = made.before["assignments"]
        cloud.arm.faults.order(Fault(409, "ScopeLocked", "The scope is locked.", path=locked))
        with pytest.raises(CannotApply, match="Remove the lock"):
            action.apply(made)
        assert set(granted(cloud, cloud.world.deployer)) == {locked}
        assert action.undo(made).left == ()
        assert set(granted(cloud, cloud.world.deployer)) == {locked, other}

    def test_one_that_a_deny_assignment_shields_does_not_shield_the_others(
        self, cloud: Cloud, action: RemoveRoleAssignments
    ) -> None:
        made = self.plan(cloud, action, cloud.world.deployer)
        shielded, _ = made.before["assignments"]
        cloud.arm.faults.order(Fault(403, "DenyAssignmentAuthorizationFailed", path=shielded))
        with pytest.raises(CannotApply, match="DenyAssignmentAuthorizationFailed"):
            action.apply(made)
        assert set(granted(cloud, cloud.world.deployer)) == {shielded}

    def test_a_sign_in_seen_by_the_tenant_leads_to_the_apps_own_subscription(
        self, cloud: Cloud, action: RemoveRoleAssignments
    ) -> None:
        made = self.plan(cloud, action, cloud.world.deployer, account=cloud.world.tenant_id)
        assert len(made.before["assignments"]) == 2
        action.apply(made)
        assert granted(cloud, cloud.world.deployer) == {}

    def test_undo_leaves_what_was_granted_anew(self, cloud: Cloud, action: RemoveRoleAssignments) -> None:
        made = self.plan(cloud, action, cloud.world.deployer)
        action.apply(made)
        cloud.shop.assign(cloud.world.deployer, "Contributor", name=str(uuid4()))
        result = action.undo(made)
        assert any("Contributor is not given back" in left and "RoleAssignmentExists" in left for left in result.left)
        assert len(result.restored) == 1
        assert cloud.pauses == []

    def test_undo_says_what_its_identity_may_not_grant(self, cloud: Cloud, action: RemoveRoleAssignments) -> None:
        cloud.shop.assign(made_up("second"), "Owner", principal_type="User")
        made = self.plan(cloud, action, cloud.world.break_glass)
        action.apply(made)
        cloud.arm.roles.assignable[cloud.identities["undo"]] = frozenset()
        (left,) = action.undo(made).left
        assert "Owner is not given back" in left
        assert "by hand" in left

    def test_no_object_id_is_refused_before_it_gets_into_a_filter(self, cloud: Cloud, action: RemoveRoleAssignments) -> None:
        start = len(cloud.calls)
        assert "no object id" in self.plan(cloud, action, "x' or 1 eq 1 or 'x").refusal
        assert len(cloud.calls) == start

    def test_a_further_verdict_is_planned_anew(self, cloud: Cloud, action: RemoveRoleAssignments) -> None:
        made = self.plan(cloud, action, cloud.world.deployer)
        assert not action.covers(made, about(EntityKind.PRINCIPAL, cloud.world.deployer))
        action.apply(made)
        assert self.plan(cloud, action, cloud.world.deployer).is_noop

    def test_owner_is_what_azure_calls_it(self, cloud: Cloud) -> None:
        (assignment,) = cloud.arm.roles.assignments(cloud.world.break_glass)
        assert assignment["properties"]["roleDefinitionId"].endswith(OWNER)
