"""Users' sessions and sign-in on the local Graph."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from azure_functions.actions.block_sign_in import BlockSignIn
from azure_functions.actions.revoke_sessions import RevokeSessions
from infra_tests.azure_functions.actions.cloud import NOW_MS, Cloud, about, plan
from offline.azure.seed import made_up
from response.actions import CannotApply, Plan, Verification
from response.guard import refusal
from response.policy import NeverTouch
from shared_model.events import Entity, EntityKind


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
