"""Least privilege: what actions call is allowed on that very resource, and what is allowed is called, or explained.

The first half is held by every test in which an action works (``infra_tests/lambdas/conftest.py``); here it is shown to see
something. The second half is here: each action goes through its steps, and through those of its ways that few tests take.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from infra_tests.contracts import on_aws, subjects
from infra_tests.lambdas.account import ACCOUNT, Account
from infra_tests.lambdas.actions import test_close_security_group_rules as opened_rules
from infra_tests.lambdas.actions import test_unshare_snapshot as shared
from infra_tests.lambdas.actions.iam import ALLOW, profile, role
from infra_tests.lambdas.actions.quarantined import denied, scaling_group
from infra_tests.lambdas.actions.waf import blocks_by, by_group, ip_set, rule_group, web_acl
from infra_tests.lambdas.authorization import REGION, Asked, Unknown, asked
from infra_tests.lambdas.conftest import an_account
from infra_tests.lambdas.granted import Grant, allowing, grants
from infra_tests.response.world import verdict
from lambdas.actions.block_address_in_waf import BlockAddressInWaf
from lambdas.actions.close_security_group_rules import CloseSecurityGroupRules
from lambdas.actions.quarantine_groups import TAG_KEY, TAG_VALUE, QuarantineGroups
from lambdas.actions.quarantine_instance import QuarantineInstance
from lambdas.actions.restrict_role import RestrictRole
from lambdas.actions.revoke_sessions import RevokeSessions
from lambdas.actions.shares import Shares
from lambdas.actions.unshare_snapshot import UnshareSnapshot
from lambdas.registry import Group
from response.actions import Action, CloudUnavailable, Plan
from shared_model.events import Entity, EntityKind, Telemetry
from shared_model.verdicts import Verdict

#: Grants that no test uses, each with its reason.
UNUSED: Mapping[Grant, str] = {}


def goes_through(action: Action, about: Verdict) -> Plan:
    """Plan, check, apply and verify, as the responder does; return the plan."""
    plan = Plan.from_json_value(json.loads(json.dumps(action.plan(about.entity, about).to_json_value())))
    assert (plan.refusal, plan.is_noop, action.check(plan)) == ("", False, "")
    action.apply(plan)
    action.verify(plan)
    return plan


def about(target: Entity) -> Verdict:
    return verdict("", "v", Telemetry.API_CALLS, entity=target)


def an_instance_of_a_scaling_group_whose_quarantine_group_was_opened(account: Account) -> None:
    vpc = account.vpc()
    instance = account.instance(vpc, [account.group(vpc, "web")], interfaces=2)
    scaling_group(account, vpc, instance)
    action = QuarantineInstance(account.clients)
    plan = goes_through(action, about(Entity(EntityKind.INSTANCE, instance, ACCOUNT)))
    group = QuarantineGroups(account.clients).find(vpc)
    assert group is not None
    account.clients("ec2").authorize_security_group_ingress(
        GroupId=group["GroupId"], IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0"
    )
    action.apply(plan)
    assert action.undo(plan).left == ()


def instances_of_which_evidence_is_kept(account: Account) -> None:
    vpc = account.vpc()
    group = account.group(vpc, "web")
    action = QuarantineInstance(account.clients, {"snapshots": True, "tags": {"incident": "yes"}})
    bare, tagged = account.instance(vpc, [group]), account.instance(vpc, [group])
    account.clients("ec2").create_tags(Resources=[tagged], Tags=[{"Key": "incident", "Value": "of another day"}])
    for instance in (bare, tagged):  # of the one the tag goes, of the other it becomes what it was
        plan = goes_through(action, about(Entity(EntityKind.INSTANCE, instance, ACCOUNT)))
        assert action.compare(plan)
        assert action.undo(plan).left == ()


def an_instance_whose_state_forbids_the_undo_for_now(account: Account) -> None:
    vpc = account.vpc()
    instance = account.instance(vpc, [account.group(vpc, "web")])
    action = QuarantineInstance(account.clients)
    plan = goes_through(action, about(Entity(EntityKind.INSTANCE, instance, ACCOUNT)))
    with pytest.MonkeyPatch.context() as patch:
        denied(account, patch, "modify_network_interface_attribute", "IncorrectState")
        with pytest.raises(CloudUnavailable):
            action.undo(plan)
    assert action.undo(plan).left == ()


def a_set_that_a_rule_group_blocks_by(account: Account) -> None:
    name = ip_set(account, "blocked")
    web_acl(account, by_group(rule_group(account, blocks_by(name))))
    target = Entity(EntityKind.ADDRESS, "198.51.100.7", ACCOUNT)
    action = BlockAddressInWaf(account.clients, {"ip_sets": [name.arn]})
    assert action.undo(goes_through(action, replace(about(target), completed_flow=True))).left == ()


def rules_of_every_kind(account: Account) -> None:
    shop = opened_rules.Shop(account)
    found = opened_rules.opening(shop.group, *shop.open_everything())
    action = CloseSecurityGroupRules(account.clients)
    assert action.undo(goes_through(action, replace(found, entity=found.opened[0]))).left == ()


def a_role_that_had_a_boundary_and_instances(account: Account) -> None:
    made = on_aws.aws_restrict_role(account)
    iam = account.clients("iam")
    own = iam.create_policy(PolicyName="own", PolicyDocument=ALLOW)["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName="web", PermissionsBoundary=own)
    profile(account, "web", "web", account.instance(account.vpc(), []))
    action = RestrictRole(account.clients)
    assert action.undo(goes_through(action, made.verdict)).left == ()


def every_session_of_a_role_that_instances_have(account: Account) -> None:
    principal, _ = role(account, "web")
    profile(account, "web", "web", account.instance(account.vpc(), []))
    action = RevokeSessions(account.clients)
    assert action.undo(goes_through(action, about(principal))).left == ()


def _shared(make: Callable[[Account], shared.Shared]) -> Callable[[Account], None]:
    def unshare(account: Account) -> None:
        target, action = make(account).entity, UnshareSnapshot(account.clients)
        Shares(account.clients).write(target, add=["all"])
        assert action.undo(goes_through(action, about(target))).left == ()

    return unshare


def _subject(make: Callable[[Account], subjects.Subject]) -> Callable[[Account], None]:
    def work(account: Account) -> None:
        made = make(account)
        made.action.undo(goes_through(made.action, made.verdict))

    return work


SCENARIOS: tuple[Callable[[Account], None], ...] = (
    *map(_subject, subjects.ON_AWS),
    an_instance_of_a_scaling_group_whose_quarantine_group_was_opened,
    instances_of_which_evidence_is_kept,
    an_instance_whose_state_forbids_the_undo_for_now,
    a_set_that_a_rule_group_blocks_by,
    rules_of_every_kind,
    a_role_that_had_a_boundary_and_instances,
    every_session_of_a_role_that_instances_have,
    *map(_shared, (shared.image, shared.database_snapshot, shared.cluster_snapshot)),
)


def test_every_grant_of_a_group_is_used_or_explained() -> None:
    used: set[Grant] = set()
    for scenario in SCENARIOS:
        with an_account() as (account, watched):
            scenario(account)
            used |= watched.used
    given = {grant for group in Group for grant in grants(group)}
    assert lines(given - used - set(UNUSED)) == "", "nothing uses it: take it away, or say above why it is there"
    assert lines(set(UNUSED) - (given - used)) == "", "it needs no exception"


def lines(these: set[Grant]) -> str:
    return "\n".join(str(grant) for grant in sorted(these))


_GROUP = f"arn:aws:ec2:{REGION}:{ACCOUNT}:security-group/sg-1"
_ROLE = f"arn:aws:iam::{ACCOUNT}:role/"
_QUARANTINE, _RESTRICT = ("network", "contain-quarantine-instance"), ("identity", "contain-restrict-role")
_SET = "iam:PutRolePermissionsBoundary"
_DENIES_ALL = {"iam:PermissionsBoundary": "arn:aws:iam::aws:policy/AWSDenyAll"}
_ALLOWS_ALL = {"iam:PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"}


@pytest.mark.parametrize(
    ("policy", "question", "is_allowed"),
    [
        (_QUARANTINE, Asked("ec2:ModifyNetworkInterfaceAttribute", _GROUP, {f"aws:ResourceTag/{TAG_KEY}": TAG_VALUE}), True),
        (_QUARANTINE, Asked("ec2:ModifyNetworkInterfaceAttribute", _GROUP), False),
        (_QUARANTINE, Asked("ec2:ModifyNetworkInterfaceAttribute", _GROUP.replace(REGION, "us-east-1")), False),
        (_QUARANTINE, Asked("ec2:TerminateInstances", f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/i-1"), False),
        (_RESTRICT, Asked(_SET, f"{_ROLE}web", _DENIES_ALL), True),
        (
            _RESTRICT,
            Asked(_SET, f"{_ROLE}web", {"iam:PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"}),
            False,
        ),
        (_RESTRICT, Asked(_SET, f"{_ROLE}web", {**_DENIES_ALL, "aws:ResourceTag/break-glass": "yes"}), False),
        (_RESTRICT, Asked(_SET, f"{_ROLE}web", {**_DENIES_ALL, "aws:ResourceTag/break-glass": "False"}), True),
        (_RESTRICT, Asked(_SET, f"{_ROLE}my-break-glass", _DENIES_ALL), False),
        (_RESTRICT, Asked(_SET, f"{_ROLE}breakwater-respond-{REGION}", _DENIES_ALL), False),
        (_RESTRICT, Asked(_SET, f"{_ROLE}breakwater-undo-{REGION}", _DENIES_ALL), False),
        (_RESTRICT, Asked("iam:DeleteRolePermissionsBoundary", f"{_ROLE}web", _DENIES_ALL), False),
    ],
)
def test_the_comparison_sees_what_is_not_granted(policy: tuple[str, str], question: Asked, is_allowed: bool) -> None:
    assert bool(allowing(*policy, question)) is is_allowed


def test_a_call_of_an_action_that_its_role_may_not_make_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def applies_too_much(self: QuarantineInstance, plan: Plan) -> None:
        self._clients("ec2").terminate_instances(InstanceIds=[plan.target.id])
        self._clients("iam").delete_role(RoleName="web")

    monkeypatch.setattr(QuarantineInstance, "apply", applies_too_much)
    seen: list[str] = []

    def work() -> None:
        with an_account() as (account, watched):
            made = on_aws.aws_quarantine_instance(account)
            account.clients("iam").create_role(RoleName="web", AssumeRolePolicyDocument="{}")
            made.action.apply(made.action.plan(made.target, made.verdict))
            seen.extend(watched.objections)

    with pytest.raises(AssertionError, match="may not"):
        work()
    unknown, denied = seen
    assert unknown.startswith("ec2:TerminateInstances: say in")
    assert denied == f"network/contain-quarantine-instance does not allow iam:DeleteRole on {_ROLE}web"


def test_a_call_that_nobody_has_looked_up_is_no_question() -> None:
    with pytest.raises(Unknown, match="kms:ScheduleKeyDeletion"):
        asked("kms", "ScheduleKeyDeletion", {"KeyId": "k"})
