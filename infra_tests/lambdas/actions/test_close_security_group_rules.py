"""Closing rules that a call has opened, on moto: exactly those, and back as they were."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra_tests.lambdas.account import ACCOUNT, Account
from infra_tests.response.world import verdict
from lambdas.actions.close_security_group_rules import CloseSecurityGroupRules
from response.actions import CannotApply, CloudUnavailable, Plan, Verification
from response.guard import refusal
from response.policy import NeverTouch
from shared_model.events import Entity, EntityKind, Telemetry
from shared_model.verdicts import Verdict

_SESSION = Entity(EntityKind.SESSION, "AROAEXAMPLE12345678:mallory", ACCOUNT)


class Shop:
    """A security group as it is in practice, and what an attacker opens in it."""

    def __init__(self, account: Account) -> None:
        self.account, self.ec2 = account, account.clients("ec2")
        self.vpc = account.vpc()
        self.group, self.other = account.group(self.vpc, "web"), account.group(self.vpc, "bastion")
        self.prefixes = self.ec2.create_managed_prefix_list(
            PrefixListName="offices", MaxEntries=2, AddressFamily="IPv4", Entries=[{"Cidr": "192.0.2.0/24"}]
        )["PrefixList"]["PrefixListId"]
        for number in range(20):
            self.open({"IpRanges": [{"CidrIp": f"10.0.{number}.0/24", "Description": f"team {number}"}]}, port=443)
        self.open({"Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}]}, port=443)
        self.open({"UserIdGroupPairs": [{"GroupId": self.other}]}, port=8443)

    def open(self, source: Mapping[str, Any], *, port: int = 22, egress: bool = False, tags: dict[str, str] | None = None) -> str:
        call = self.ec2.authorize_security_group_egress if egress else self.ec2.authorize_security_group_ingress
        before = {rule["SecurityGroupRuleId"] for rule in self.rules()}
        specification = [
            {"ResourceType": "security-group-rule", "Tags": [{"Key": k, "Value": v} for k, v in (tags or {}).items()]}
        ]
        call(
            GroupId=self.group,
            IpPermissions=[{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **source}],
            TagSpecifications=specification if tags else [],
        )
        (made,) = {rule["SecurityGroupRuleId"] for rule in self.rules()} - before
        return str(made)

    def open_everything(self) -> list[str]:
        """One rule of each kind, to the attacker's liking."""
        return [
            self.open({"IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "temporary"}]}, tags={"ticket": "none"}),
            self.open({"Ipv6Ranges": [{"CidrIpv6": "::/0", "Description": "temporary"}]}),
            self.open({"UserIdGroupPairs": [{"GroupId": self.other}]}),
            self.open({"PrefixListIds": [{"PrefixListId": self.prefixes}]}),
            self.open({"IpRanges": [{"CidrIp": "198.51.100.7/32"}]}, port=4444, egress=True),
        ]

    def rules(self) -> list[dict[str, Any]]:
        filters = [{"Name": "group-id", "Values": [self.group]}]
        found: list[dict[str, Any]] = self.ec2.describe_security_group_rules(Filters=filters)["SecurityGroupRules"]
        return found

    def state(self) -> list[str]:
        """What is let through, with notes and tags; ids are new after an undo."""
        return sorted(json.dumps({**rule, "SecurityGroupRuleId": ""}, sort_keys=True) for rule in self.rules())


def opening(group: str, *rules: str) -> Verdict:
    """A verdict about a session that opened these rules."""
    names = [Entity(EntityKind.SECURITY_GROUP, group, ACCOUNT)]
    names += [Entity(EntityKind.SECURITY_GROUP_RULE, rule, ACCOUNT) for rule in rules]
    return verdict("", "v", Telemetry.API_CALLS, entity=_SESSION, opened=tuple(names))


def plan(action: CloseSecurityGroupRules, about: Verdict) -> Plan:
    made = action.plan(about.opened[0], about)
    return Plan.from_json_value(json.loads(json.dumps(made.to_json_value())))


@pytest.fixture
def shop(account: Account) -> Shop:
    return Shop(account)


@pytest.fixture
def action(account: Account) -> CloseSecurityGroupRules:
    return CloseSecurityGroupRules(account.clients)


def test_what_was_opened_is_closed_nothing_else_and_comes_back_as_it_was(shop: Shop, action: CloseSecurityGroupRules) -> None:
    before = shop.state()
    opened = shop.open_everything()
    wide_open = shop.state()
    made = plan(action, opening(shop.group, *opened))
    assert (made.refusal, made.is_noop, len(made.before["rules"])) == ("", False, 5)
    assert shop.state() == wide_open
    assert action.verify(made) is Verification.DRIFTED
    for _ in range(2):
        assert action.check(made) == ""
        action.apply(made)
        assert shop.state() == before
        assert action.verify(made) is Verification.VERIFIED
    for _ in range(2):
        assert action.undo(made).left == ()
        assert shop.state() == wide_open


def test_a_rule_that_nobody_named_stays_open(shop: Shop, action: CloseSecurityGroupRules) -> None:
    own = shop.open({"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, port=80)
    opened = shop.open({"IpRanges": [{"CidrIp": "0.0.0.0/0"}]})
    action.apply(plan(action, opening(shop.group, opened, "sgr-00000000000000000")))
    assert own in {rule["SecurityGroupRuleId"] for rule in shop.rules()}
    assert opened not in {rule["SecurityGroupRuleId"] for rule in shop.rules()}


def test_the_plan_says_who_is_behind_the_group_and_what_lives_on(shop: Shop, action: CloseSecurityGroupRules) -> None:
    opened = shop.open({"IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "temporary"}]})
    shop.account.instance(shop.vpc, [shop.group], interfaces=7)
    made = plan(action, opening(shop.group, opened))
    assert made.touches[0] == "ingress tcp 22 from 0.0.0.0/0 (temporary)"
    assert "7 interfaces" in made.touches[1]
    assert "and 2 more" in made.touches[1]
    assert "tracked live on" in made.touches[2]


def test_what_is_closed_already_is_a_no_op(shop: Shop, action: CloseSecurityGroupRules) -> None:
    assert plan(action, opening(shop.group, "sgr-00000000000000000")).is_noop


@pytest.mark.parametrize("egress", [False, True])
def test_a_rule_that_was_changed_since_the_plan_is_planned_again(
    shop: Shop, action: CloseSecurityGroupRules, egress: bool
) -> None:
    opened = shop.open({"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, egress=egress)
    made = plan(action, opening(shop.group, opened))
    narrower = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIpv4": "192.0.2.0/24"}
    shop.ec2.modify_security_group_rules(
        GroupId=shop.group, SecurityGroupRules=[{"SecurityGroupRuleId": opened, "SecurityGroupRule": narrower}]
    )
    assert "192.0.2.0/24 now, no longer" in action.check(made)


def test_a_rule_that_someone_put_there_since_is_drift_and_is_left(shop: Shop, action: CloseSecurityGroupRules) -> None:
    made = plan(action, opening(shop.group, shop.open({"IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "temporary"}]})))
    action.apply(made)
    shop.open({"IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "needed after all"}]})
    interfered = shop.state()
    assert action.verify(made) is Verification.DRIFTED
    (left,) = action.undo(made).left
    assert "needed after all" in left
    assert shop.state() == interfered


def test_a_group_that_is_gone_is_said(shop: Shop, action: CloseSecurityGroupRules) -> None:
    opened = shop.open({"IpRanges": [{"CidrIp": "0.0.0.0/0"}]})
    made = plan(action, opening(shop.group, opened))
    action.apply(made)
    shop.ec2.delete_security_group(GroupId=shop.group)
    assert action.verify(made) is Verification.VERIFIED
    assert "is gone" in action.undo(made).left[0]
    assert "no security group" in plan(action, opening(shop.group, opened)).refusal


def test_what_a_rule_refers_to_may_be_gone(shop: Shop, action: CloseSecurityGroupRules, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = [shop.open({"UserIdGroupPairs": [{"GroupId": shop.other}]}), shop.open({"IpRanges": [{"CidrIp": "0.0.0.0/0"}]})]
    made = plan(action, opening(shop.group, *opened))
    action.apply(made)
    authorize = shop.ec2.authorize_security_group_ingress

    def gone(**arguments: Any) -> Any:
        if "UserIdGroupPairs" in arguments["IpPermissions"][0]:
            raise ClientError({"Error": {"Code": "InvalidGroup.NotFound", "Message": "gone"}}, "AuthorizeSecurityGroupIngress")
        return authorize(**arguments)

    monkeypatch.setattr(shop.ec2, "authorize_security_group_ingress", gone)
    result = action.undo(made)
    assert len(result.restored) == 1
    assert "stays closed" in result.left[0]


def test_a_verdict_that_names_no_rule_is_refused_with_what_to_do(shop: Shop, action: CloseSecurityGroupRules) -> None:
    assert f"look at {shop.group}" in plan(action, opening(shop.group)).refusal


def test_default_groups_are_never_rewritten(shop: Shop, action: CloseSecurityGroupRules) -> None:
    filters = [{"Name": "vpc-id", "Values": [shop.vpc]}, {"Name": "group-name", "Values": ["default"]}]
    default = shop.ec2.describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"]
    refused = plan(action, opening(default, "sgr-00000000000000000")).refusal
    assert "default security group" in refused
    assert "by hand" in refused


def test_listed_and_tagged_groups_are_kept_from_it(shop: Shop, action: CloseSecurityGroupRules) -> None:
    about = opening(shop.group, shop.open({"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}))
    shop.ec2.create_tags(Resources=[shop.group], Tags=[{"Key": "break-glass", "Value": "yes"}])
    made = plan(action, about)
    assert shop.group in refusal(made, about, NeverTouch(security_groups=(shop.group,)))
    assert "break-glass" in refusal(made, about, NeverTouch(tags=("break-glass",)))


def test_a_further_verdict_is_covered_where_it_names_nothing_new(shop: Shop, action: CloseSecurityGroupRules) -> None:
    first = shop.open({"IpRanges": [{"CidrIp": "0.0.0.0/0"}]})
    made = plan(action, opening(shop.group, first))
    assert action.covers(made, opening(shop.group, first))
    assert not action.covers(made, opening(shop.group, first, "sgr-00000000000000001"))
    assert not action.covers(made, opening(shop.group))


def test_what_went_between_looking_and_closing_is_looked_at_again(
    shop: Shop, action: CloseSecurityGroupRules, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = plan(action, opening(shop.group, shop.open({"IpRanges": [{"CidrIp": "0.0.0.0/0"}]})))

    def refuse(code: str) -> Any:
        def call(*_: Any, **__: Any) -> None:
            raise ClientError({"Error": {"Code": code, "Message": ""}}, "RevokeSecurityGroupIngress")

        return call

    monkeypatch.setattr(shop.ec2, "revoke_security_group_ingress", refuse("InvalidSecurityGroupRuleId.NotFound"))
    with pytest.raises(CloudUnavailable, match="changed meanwhile"):
        action.apply(made)
    monkeypatch.setattr(shop.ec2, "revoke_security_group_ingress", refuse("InvalidParameterValue"))
    with pytest.raises(CannotApply, match="Take the group off"):
        action.apply(made)
    monkeypatch.setattr(shop.ec2, "get_paginator", refuse("RequestLimitExceeded"))
    assert action.verify(made) is Verification.UNREACHABLE


def test_its_cost_is_what_the_page_says(shop: Shop, action: CloseSecurityGroupRules) -> None:
    """docs/actions/aws/close_security_group_rules.md, with rules in both directions."""
    opened = shop.open_everything()
    made: Counter[str] = Counter()
    shop.ec2.meta.events.register("before-call", lambda model, **_: made.update([model.name]))

    def cost() -> int:
        count = made.total()
        made.clear()
        return count

    planned = plan(action, opening(shop.group, *opened))
    assert cost() == 3
    action.check(planned)
    assert cost() == 1
    action.apply(planned)
    assert cost() == 3
    action.verify(planned)
    assert cost() == 1
    action.undo(planned)
    assert cost() == 2 + len(opened)
