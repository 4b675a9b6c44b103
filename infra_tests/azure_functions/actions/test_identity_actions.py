"""Roles, sessions and sign-in on the local Resource Manager and Graph."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from azure_functions.actions.block_sign_in import BlockSignIn
from azure_functions.actions.remove_role_assignments import RemoveRoleAssignments
from azure_functions.actions.revoke_sessions import RevokeSessions
from azure_functions.actions.role_assignments import OWNER
from infra_tests.azure_functions.actions.cloud import NOW_MS, Cloud, about, plan
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


@pytest.fixture
def alice(cloud: Cloud) -> str:
    return cloud.graph.add_user(cloud.world.alice, "alice@shop.example")


class TestSessions:
    @pytest.fixture
    def action(self, cloud: Cloud) -> RevokeSessions:
        return RevokeSessions(cloud.clients, persistence=cloud.persistence, clock=lambda: NOW_MS / 1000)

    def test_sessions_until_now_are_revoked(self, cloud: Cloud, action: RevokeSessions, alice: str) -> None:
        made = plan(action, about(EntityKind.PRINCIPAL, alice))
        assert action.check(made) == ""
        assert action.verify(made) is Verification.DRIFTED
        action.apply(made)
        assert action.verify(made) is Verification.VERIFIED
        since = cloud.graph.object(alice)["signInSessionsValidFromDateTime"]
        assert datetime.fromisoformat(since.replace("Z", "+00:00")) == datetime.fromtimestamp(NOW_MS / 1000, UTC)
        assert cloud.made("identity") == set(RevokeSessions.permissions)
        assert any("live on" in touched for touched in made.touches)

    def test_its_plan_lists_the_sessions_that_the_verdict_names(self, action: RevokeSessions, alice: str) -> None:
        session = Entity(EntityKind.SESSION, f"{alice}:AAAA-token")
        made = plan(action, about(EntityKind.PRINCIPAL, alice, session))
        assert f"among them those that the verdict names: {session.id}" in made.touches
        assert any("Graph has no call that lists them" in touched for touched in made.touches)
        assert not any("among them" in touched for touched in plan(action, about(EntityKind.PRINCIPAL, alice)).touches)

    def test_it_is_called_once_and_again_only_where_it_was_not(self, cloud: Cloud, action: RevokeSessions, alice: str) -> None:
        made = plan(action, about(EntityKind.PRINCIPAL, alice))
        action.apply(made)
        start = len(cloud.calls)
        action.apply(made)
        assert [call.method for call in cloud.calls.calls(since=start)] == ["GET"]

    def test_nothing_can_be_given_back_and_undo_says_so(self, cloud: Cloud, action: RevokeSessions, alice: str) -> None:
        made = plan(action, about(EntityKind.PRINCIPAL, alice))
        action.apply(made)
        start = len(cloud.calls)
        result = action.undo(made)
        assert result.restored == ()
        assert "sign in again" in result.left[0]
        assert len(cloud.calls) == start
        assert RevokeSessions.undo_permissions == ("graph:User.Read.All",), "only to say what an undo would find"

    def test_a_session_leads_to_its_user(self, cloud: Cloud, action: RevokeSessions, alice: str) -> None:
        named = about(EntityKind.SESSION, "nK4mXQ", Entity(EntityKind.PRINCIPAL, alice))
        assert plan(action, named).after["user"] == alice
        assert "names no user" in plan(action, about(EntityKind.SESSION, "nK4mXQ")).refusal

    @pytest.mark.parametrize(
        ("issued_ms", "seen_ms", "covered"),
        [
            (NOW_MS - 1, NOW_MS + 60_000, True),
            (NOW_MS + 60_000, NOW_MS + 60_000, False),
            (NOW_MS + 999, NOW_MS + 60_000, True),  # within the second of the revocation
            (NOW_MS + 1000, NOW_MS + 60_000, False),
            (None, NOW_MS, True),  # no session begins after what was done in it
            (None, NOW_MS + 60_000, False),
        ],
    )
    def test_a_session_begun_later_is_not_covered(
        self, action: RevokeSessions, alice: str, issued_ms: int | None, seen_ms: int, covered: bool
    ) -> None:
        made = plan(action, about(EntityKind.PRINCIPAL, alice))
        further = about(EntityKind.PRINCIPAL, alice, session_issued_ms=issued_ms, time_ms=seen_ms)
        assert action.covers(made, further) is covered

    def test_service_principals_have_none(self, cloud: Cloud, action: RevokeSessions) -> None:
        robot = cloud.graph.add_service_principal(cloud.world.deployer, made_up("app"), "deployer")
        assert "remove_role_assignments" in plan(action, about(EntityKind.PRINCIPAL, robot)).refusal

    def test_a_guest_is_refused_since_graph_revokes_nothing_of_theirs(self, cloud: Cloud, action: RevokeSessions) -> None:
        guest = cloud.graph.add_user(made_up("guest"), "eve_partner.example#EXT#@shop.example")
        assert "block_sign_in" in plan(action, about(EntityKind.PRINCIPAL, guest)).refusal
        member = cloud.graph.add_user(made_up("member"), "external@shop.example")
        assert plan(action, about(EntityKind.PRINCIPAL, member)).refusal == ""

    def test_a_permission_that_was_not_granted_is_said_and_not_waited_for(
        self, cloud: Cloud, action: RevokeSessions, alice: str
    ) -> None:
        made = plan(action, about(EntityKind.PRINCIPAL, alice))
        cloud.grants.allow(cloud.identities["identity"], ("graph:User.Read.All",))
        with pytest.raises(CannotApply, match="Entra portal"):
            action.apply(made)

    def test_a_user_who_was_deleted_meanwhile_stops_the_apply(self, cloud: Cloud, action: RevokeSessions, alice: str) -> None:
        made = plan(action, about(EntityKind.PRINCIPAL, alice))
        assert "deleted" in action.check(_of(made, made_up("user gone")))

    def test_a_storm_of_429_is_waited_out(self, cloud: Cloud, action: RevokeSessions, alice: str) -> None:
        made = plan(action, about(EntityKind.PRINCIPAL, alice))
        cloud.graph.faults.throttle(6, retry_after_s=0.01, methods=frozenset({"GET", "POST"}))
        action.apply(made)
        assert action.verify(made) is Verification.VERIFIED

    def test_graph_that_cannot_be_reached_is_not_drift(self, cloud: Cloud, action: RevokeSessions, alice: str) -> None:
        made = plan(action, about(EntityKind.PRINCIPAL, alice))
        cloud.grants.allow(cloud.identities["identity"], ())
        assert action.verify(made) is Verification.UNREACHABLE


class TestSignIn:
    @pytest.fixture
    def action(self, cloud: Cloud) -> BlockSignIn:
        return BlockSignIn(cloud.clients, persistence=cloud.persistence)

    def test_blocked_and_allowed_again(self, cloud: Cloud, action: BlockSignIn, alice: str) -> None:
        made = plan(action, about(EntityKind.PRINCIPAL, alice))
        before = cloud.graph.object(alice)
        assert action.check(made) == ""
        action.apply(made)
        assert cloud.graph.object(alice) == {**before, "accountEnabled": False}
        assert action.verify(made) is Verification.VERIFIED
        assert cloud.made("identity") == set(BlockSignIn.permissions)
        assert action.undo(made).left == ()
        assert cloud.graph.object(alice) == before
        assert cloud.made("undo") == set(BlockSignIn.undo_permissions)
        assert action.verify(made) is Verification.DRIFTED

    def test_applied_or_undone_twice_changes_nothing_the_second_time(self, cloud: Cloud, action: BlockSignIn, alice: str) -> None:
        made = plan(action, about(EntityKind.PRINCIPAL, alice))
        for step in (action.apply, action.undo):
            step(made)
            start = len(cloud.calls)
            step(made)
            assert cloud.writes(since=start) == 0

    def test_who_was_blocked_before_is_a_no_op(self, cloud: Cloud, action: BlockSignIn) -> None:
        bob = cloud.graph.add_user(made_up("user bob"), "bob@shop.example", accountEnabled=False)
        assert plan(action, about(EntityKind.PRINCIPAL, bob)).is_noop

    def test_users_of_an_on_premises_directory_are_refused(self, cloud: Cloud, action: BlockSignIn) -> None:
        carol = cloud.graph.add_user(made_up("user carol"), "carol@shop.example", onPremisesSyncEnabled=True)
        refused = plan(action, about(EntityKind.PRINCIPAL, carol)).refusal
        assert "on-premises" in refused
        assert "revoke_sessions" in refused

    def test_service_principals_are_refused(self, cloud: Cloud, action: BlockSignIn) -> None:
        robot = cloud.graph.add_service_principal(cloud.world.deployer, made_up("app"), "deployer")
        assert "remove_role_assignments" in plan(action, about(EntityKind.PRINCIPAL, robot)).refusal

    def test_an_administrator_that_graph_shields_is_told_at_once(self, cloud: Cloud, action: BlockSignIn) -> None:
        admin = cloud.graph.add_user(made_up("user admin"), "admin@shop.example", privileged=True)
        made = plan(action, about(EntityKind.PRINCIPAL, admin))
        with pytest.raises(CannotApply, match="takes an administrator"):
            action.apply(made)

    def test_break_glass_users_are_kept_by_id_or_by_name(self, cloud: Cloud, action: BlockSignIn) -> None:
        keys = cloud.graph.add_user(cloud.world.break_glass, "BreakGlass@shop.example")
        made, verdict = plan(action, about(EntityKind.PRINCIPAL, keys)), about(EntityKind.PRINCIPAL, keys)
        for pattern in (keys, "breakglass@*"):
            assert "never-touch" in refusal(made, verdict, NeverTouch(principals=(pattern,)))

    def test_undo_names_a_user_who_was_deleted(self, cloud: Cloud, action: BlockSignIn, alice: str) -> None:
        made = plan(action, about(EntityKind.PRINCIPAL, alice))
        assert action.undo(_of(made, made_up("user gone"))).left == (f"{made_up('user gone')} was deleted since",)

    def test_undo_that_graph_forbids_says_what_to_do(self, cloud: Cloud, action: BlockSignIn, alice: str) -> None:
        made = plan(action, about(EntityKind.PRINCIPAL, alice))
        action.apply(made)
        cloud.graph.add_user(alice, "alice@shop.example", privileged=True, accountEnabled=False)
        (left,) = action.undo(made).left
        assert "stays disabled" in left
        assert "Entra portal" in left


def _of(made: Plan, user: str) -> Plan:
    """The plan of a user who is not there."""
    data = made.to_json_value()
    data["before"]["user"] = data["after"]["user"] = user
    return Plan.from_json_value(data)
