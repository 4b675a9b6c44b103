"""Revoking sessions on moto: plan, apply, verify, undo, refusals, and exactly the calls that it declares."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from infra_tests.lambdas.account import ACCOUNT, NOW_MS, Account
from infra_tests.lambdas.actions.iam import ALLOW, assumes, profile, role, trust
from infra_tests.response.world import verdict
from lambdas.actions import role_users
from lambdas.actions.revoke_sessions import RevokeSessions
from response.actions import CannotApply, Plan, Verification
from shared_model.events import Entity, EntityKind, Telemetry


def revoke(account: Account) -> RevokeSessions:
    return RevokeSessions(account.clients, clock=lambda: NOW_MS / 1000)


def plan_session(action: RevokeSessions, principal: Entity, session: Entity) -> Plan:
    return action.plan(session, verdict("i-1", "v", Telemetry.API_CALLS, entity=session, related=(principal,)))


def plan_role(action: RevokeSessions, principal: Entity) -> Plan:
    return action.plan(principal, verdict("i-1", "v", Telemetry.API_CALLS, entity=principal))


def policies(account: Account, name: str) -> list[str]:
    found: list[str] = account.clients("iam").list_role_policies(RoleName=name)["PolicyNames"]
    return found


_LINKED = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/autoscaling.amazonaws.com"


class TestRevoke:
    def test_one_session_is_denied_what_was_issued_until_now(self, account: Account, calls: Callable[[], set[str]]) -> None:
        principal, session = role(account, "web", hours=4)
        action = revoke(account)
        calls()
        plan = plan_session(action, principal, session)
        assert action.check(plan) == ""
        action.apply(plan)
        assert action.verify(plan) is Verification.VERIFIED
        assert calls() == set(RevokeSessions.permissions) - set(role_users.PERMISSIONS)
        (name,) = policies(account, "web")
        document = account.clients("iam").get_role_policy(RoleName="web", PolicyName=name)["PolicyDocument"]
        (statement,) = document["Statement"]
        assert (statement["Effect"], statement["Action"], statement["Resource"]) == ("Deny", "*", "*")
        assert statement["Condition"] == {
            "StringEquals": {"aws:userid": session.id},
            "DateLessThanEquals": {"aws:TokenIssueTime": "2026-09-21T14:13:20Z"},
        }
        assert plan.min_lifetime_s == 12 * 3600, "of whatever the role allows: an instance's credentials do not heed it"
        calls()
        assert action.undo(plan).left == ()
        assert policies(account, "web") == []
        assert calls() - {"iam:ListRolePolicies"} == set(RevokeSessions.undo_permissions)

    def test_a_role_is_denied_for_all_its_users_and_says_so(self, account: Account) -> None:
        principal, _ = role(account, "web")
        action = revoke(account)
        plan = plan_role(action, principal)
        assert list(plan.after["document"]["Statement"][0]["Condition"]) == ["DateLessThanEquals"]
        assert "every user and workload" in plan.touches[0]

    def test_a_role_wide_plan_says_which_instances_and_services_it_hits(
        self, account: Account, calls: Callable[[], set[str]]
    ) -> None:
        partner = "arn:aws:iam::210987654321:root"
        refused = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
        services = ["ec2.amazonaws.com", "lambda.amazonaws.com"]
        principal, session = role(account, "web", trusted=trust(assumes(Service=services, AWS=partner), refused))
        vpc = account.vpc()
        group = account.group(vpc, "web")
        first, second, other, bare = (account.instance(vpc, [group]) for _ in range(4))
        role(account, "batch")
        profile(account, "web", "front", first)
        profile(account, "web", "back", second)
        profile(account, "batch", "batch", other)
        calls()
        plan = plan_role(revoke(account), principal)
        assert set(role_users.PERMISSIONS) <= calls()
        touched = "; ".join(plan.touches)
        assert "instances with its profile back, front in eu-central-1 (no other region is looked at), each" in touched
        assert ", ".join(sorted((first, second))) in touched
        assert not {other, bare} & set(touched.replace(",", " ").split())
        assert "whatever ec2.amazonaws.com, lambda.amazonaws.com runs under it" in touched
        assert f"who may assume it: {partner}" in touched
        assert "*" not in touched
        assert plan.population == 2
        assert not any("profile" in line for line in plan_session(revoke(account), principal, session).touches)

    def test_more_instances_than_a_person_reads_are_counted(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        principal, _ = role(account, "web")
        profile(account, "web", "web")
        arn = account.clients("iam").get_instance_profile(InstanceProfileName="web")["InstanceProfile"]["Arn"]
        pages = [
            {
                "IamInstanceProfileAssociations": [
                    {"InstanceId": f"i-{page}{number:03}", "IamInstanceProfile": {"Arn": arn}} for number in range(30)
                ]
            }
            for page in range(2)
        ]
        paginator = SimpleNamespace(paginate=lambda **_: pages)
        monkeypatch.setattr(account.clients("ec2"), "get_paginator", lambda _: paginator)
        (line,) = (line for line in plan_role(revoke(account), principal).touches if "profile" in line)
        assert line.endswith("i-0019 and 40 more")

    def test_it_lists_the_sessions_that_the_verdict_names_and_says_where_the_others_are(self, account: Account) -> None:
        principal, session = role(account, "web", hours=4)
        of_another_role = replace(session, id="AROAOTHERROLE0000001:bob@example.com")
        about = verdict("i-1", "v", Telemetry.API_CALLS, entity=principal, related=(session, of_another_role))
        named, others = revoke(account).plan(principal, about).touches[-2:]
        assert named == f"sessions that the verdict names: {session.id}"
        assert others.startswith("further sessions are not known")
        assert "last 12 h" in others
        assert f"AttributeKey=ResourceName,AttributeValue={principal.id}" in others
        (alone,) = plan_role(revoke(account), principal).touches[-1:]
        assert alone.startswith("sessions are not known")

    def test_a_session_of_an_instance_names_the_instance(self, account: Account) -> None:
        principal, session = role(account, "web")
        own = replace(session, id=f"{session.id.partition(':')[0]}:i-0123456789abcdef0")
        assert any("instance i-0123456789abcdef0" in line for line in plan_session(revoke(account), principal, own).touches)
        assert not any("instance" in line for line in plan_session(revoke(account), principal, session).touches)

    @pytest.mark.parametrize("seen_in", ["", "999999999999"])
    def test_a_role_of_another_account_is_not_its_namesake_in_this_one(self, account: Account, seen_in: str) -> None:
        own, session = role(account, "web")
        foreign = Entity(EntityKind.PRINCIPAL, own.id.replace(ACCOUNT, "999999999999"), seen_in)
        for target in (foreign, replace(session, account=seen_in)):
            about = verdict("i-1", "v", Telemetry.API_CALLS, entity=target, related=(foreign,))
            assert "is not in this account" in revoke(account).plan(target, about).refusal
        assert revoke(account).plan(replace(own, account=""), verdict("i-1", "v", Telemetry.API_CALLS, entity=own)).refusal == ""

    def test_sessions_of_one_role_are_revoked_and_restored_apart(self, account: Account) -> None:
        principal, alice = role(account, "web")
        bob = Entity(EntityKind.SESSION, alice.id.replace("alice", "bob"), ACCOUNT)
        account.clients("iam").put_role_policy(RoleName="web", PolicyName="own", PolicyDocument=ALLOW)
        action = revoke(account)
        plans = [plan_session(action, principal, session) for session in (alice, bob)]
        for plan in plans:
            action.apply(plan)
        assert len(policies(account, "web")) == 3
        action.undo(plans[0])
        assert action.verify(plans[1]) is Verification.VERIFIED
        action.undo(plans[1])
        assert policies(account, "web") == ["own"]

    def test_undo_takes_out_nobody_elses_policy_whatever_the_plan_says(self, account: Account) -> None:
        principal, session = role(account, "web")
        action = revoke(account)
        plan = plan_session(action, principal, session)
        theirs = {"role": "web", "policy": "deny-production", "document": plan.after["document"]}
        account.clients("iam").put_role_policy(
            RoleName="web", PolicyName="deny-production", PolicyDocument=json.dumps(theirs["document"])
        )
        forged = replace(plan, before={**plan.before, **theirs, "document": None}, after={**plan.after, **theirs})
        assert "not Breakwater's" in action.undo(forged).left[0]
        assert "not Breakwater's" in action.overwrite(forged).left[0]
        assert policies(account, "web") == ["deny-production"]

    def test_undo_leaves_a_policy_that_someone_changed(self, account: Account) -> None:
        principal, session = role(account, "web")
        action = revoke(account)
        plan = plan_session(action, principal, session)
        action.apply(plan)
        (name,) = policies(account, "web")
        account.clients("iam").put_role_policy(RoleName="web", PolicyName=name, PolicyDocument=ALLOW)
        assert action.verify(plan) is Verification.DRIFTED
        assert "changed since" in action.undo(plan).left[0]
        assert policies(account, "web") == [name]

    @pytest.mark.parametrize(
        ("name", "path", "why"),
        [
            ("AWSReservedSSO_Admin_0123456789abcdef", "/aws-reserved/sso.amazonaws.com/", "Identity Center"),
            ("AWSServiceRoleForSupport", "/aws-service-role/support.amazonaws.com/", "service-linked"),
        ],
    )
    def test_roles_managed_elsewhere_are_refused(self, account: Account, name: str, path: str, why: str) -> None:
        principal, session = role(account, name, path=path)
        assert why in plan_session(revoke(account), principal, session).refusal
        assert why in plan_role(revoke(account), principal).refusal

    def test_a_role_named_without_its_path_is_guarded_by_its_own_name(self, account: Account) -> None:
        principal, session = role(account, "fire", path="/emergency/")
        pathless = replace(principal, id=f"arn:aws:iam::{ACCOUNT}:role/fire")
        action = revoke(account)
        for plan in (plan_role(action, pathless), plan_session(action, pathless, session)):
            assert plan.refusal == ""
            assert plan.resources == (principal.id,)
            assert any(principal.id in touched for touched in plan.touches)
        stale = plan_session(action, pathless, replace(session, id="AROAOLDOLDOLDOLDOLD1:alice"))
        assert stale.resources == (principal.id,)

    def test_a_role_managed_elsewhere_is_refused_when_named_without_its_path(self, account: Account) -> None:
        principal, _ = role(account, "Support", path="/aws-service-role/support.amazonaws.com/")
        pathless = replace(principal, id=f"arn:aws:iam::{ACCOUNT}:role/Support")
        assert "service-linked" in plan_role(revoke(account), pathless).refusal

    @pytest.mark.parametrize(
        ("principal", "why"),
        [
            (f"arn:aws:iam::{ACCOUNT}:user/alice", "deactivate its access keys"),
            (f"arn:aws:iam::{ACCOUNT}:root", "change its password"),
            (f"arn:aws:iam::{ACCOUNT}:role/gone", "was deleted"),
            ("arn:aws:iam::210987654321:role/theirs", "belongs to account 210987654321"),
            (f"{_LINKED}/AWSServiceRoleForAutoScaling", "only autoscaling.amazonaws.com can change: stop in that service"),
            ("cloudformation.amazonaws.com", "names no role"),
        ],
    )
    def test_what_has_no_sessions_here_is_refused_with_the_alternative(self, account: Account, principal: str, why: str) -> None:
        assert why in plan_role(revoke(account), Entity(EntityKind.PRINCIPAL, principal, ACCOUNT)).refusal

    def test_a_session_of_a_role_that_was_made_anew_is_refused(self, account: Account) -> None:
        principal, _ = role(account, "web")
        stale = Entity(EntityKind.SESSION, "AROAOLDOLDOLDOLDOLD1:alice", ACCOUNT)
        assert "no session of the role" in plan_session(revoke(account), principal, stale).refusal

    def test_a_wildcard_in_a_session_name_is_refused(self, account: Account) -> None:
        principal, session = role(account, "web")
        wild = Entity(EntityKind.SESSION, f"{session.id}*", ACCOUNT)
        assert plan_session(revoke(account), principal, wild).refusal

    def test_a_used_up_quota_names_the_alternative(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        from botocore.exceptions import ClientError

        principal, session = role(account, "web")
        action = revoke(account)
        plan = plan_session(action, principal, session)

        def refuse(**_: Any) -> None:
            raise ClientError({"Error": {"Code": "LimitExceeded", "Message": "maximum policy size"}}, "PutRolePolicy")

        monkeypatch.setattr(account.clients("iam"), "put_role_policy", refuse)
        with pytest.raises(CannotApply, match="at their quota: remove one, attach a managed deny"):
            action.apply(plan)
