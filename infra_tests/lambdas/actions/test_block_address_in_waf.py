"""Blocking an address in AWS WAF: which sets, what is refused, other writers, and exactly what was put is taken away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra_tests.lambdas.account import ACCOUNT, Account
from infra_tests.lambdas.actions import waf
from infra_tests.response.world import verdict
from lambdas.actions.block_address_in_waf import BlockAddressInWaf
from lambdas.actions.ip_sets import LIMIT, IpSetName, read_ip_sets
from response.actions import CannotApply, CloudUnavailable, Plan, Verification
from response.guard import protection
from response.policy import NeverTouch
from shared_model.events import Entity, EntityKind, Telemetry

ATTACKER, OTHERS = "203.0.113.9", ["198.51.100.0/24", "192.0.2.7/32"]


def action_for(account: Account, *names: IpSetName) -> BlockAddressInWaf:
    return BlockAddressInWaf(account.clients, {"ip_sets": [name.arn for name in names]})


def plan_for(action: BlockAddressInWaf, address: str = ATTACKER) -> Plan:
    target = Entity(EntityKind.ADDRESS, address, ACCOUNT)
    return action.plan(target, verdict("", "v", Telemetry.FLOW_LOGS, entity=target, completed_flow=True))


def test_each_set_of_its_version_has_it_in_both_scopes_and_undo_takes_just_that_away(account: Account) -> None:
    regional = waf.ip_set(account, "blocked", *OTHERS)
    global_ = waf.ip_set(account, "edge", scope="CLOUDFRONT")
    six = waf.ip_set(account, "six", "2001:db8:1::/48", version=6)
    for name, scope in ((regional, "REGIONAL"), (global_, "CLOUDFRONT")):
        waf.web_acl(account, waf.blocks_by(name), name=scope, scope=scope)
    action = action_for(account, regional, global_, six)
    plan = plan_for(action)
    assert plan.refusal == ""
    assert plan.after["blocks"] == {regional.arn: f"{ATTACKER}/32", global_.arn: f"{ATTACKER}/32"}
    assert (regional.region, global_.region, plan.region) == ("eu-central-1", "us-east-1", "")
    action.apply(plan)
    assert waf.blocks_of(account, regional) == [*OTHERS, f"{ATTACKER}/32"]
    assert waf.blocks_of(account, global_) == [f"{ATTACKER}/32"]
    assert waf.blocks_of(account, six) == ["2001:db8:1::/48"]
    assert action.verify(plan) is Verification.VERIFIED
    waf.write(account, regional, *OTHERS, f"{ATTACKER}/32", "192.0.2.99/32")
    assert action.undo(plan).left == ()
    assert waf.blocks_of(account, regional) == [*OTHERS, "192.0.2.99/32"]
    assert waf.blocks_of(account, global_) == []


def test_an_address_of_version_6(account: Account) -> None:
    six = waf.ip_set(account, "six", version=6)
    waf.web_acl(account, waf.blocks_by(six))
    action = action_for(account, six)
    plan = plan_for(action, "2001:db8::bad")
    action.apply(plan)
    assert waf.blocks_of(account, six) == ["2001:db8::bad/128"]
    assert action.undo(plan).left == ()
    assert waf.blocks_of(account, six) == []
    assert "none of the policy's IP sets is of IPv4" in plan_for(action).refusal


def test_the_note_of_a_set_stays(account: Account) -> None:
    name = waf.ip_set(account, "blocked")
    waf.web_acl(account, waf.blocks_by(name))
    action = action_for(account, name)
    action.apply(plan_for(action))
    found = account.clients("wafv2", name.region).get_ip_set(**name.key)["IPSet"]
    assert found["Description"] == "blocked by hand and by Breakwater"


@pytest.mark.parametrize("there", [f"{ATTACKER}/32", "203.0.113.0/24"])
def test_what_is_there_already_is_left_as_it_is_also_at_undo(account: Account, there: str) -> None:
    has, lacks = waf.ip_set(account, "has", there), waf.ip_set(account, "lacks")
    waf.web_acl(account, waf.blocks_by(has, "has"), waf.blocks_by(lacks, "lacks"))
    action = action_for(account, has, lacks)
    plan = plan_for(action)
    assert [*plan.after["blocks"]] == [lacks.arn]
    assert f"{has.arn} has it already, in {there}: left as it is, also at undo" in plan.touches
    action.apply(plan)
    action.undo(plan)
    assert (waf.blocks_of(account, has), waf.blocks_of(account, lacks)) == ([there], [])
    assert plan_for(action_for(account, has)).is_noop


def test_what_has_it_already_but_is_not_blocked_by_is_not_taken_for_blocked(account: Account) -> None:
    has = waf.ip_set(account, "has", "203.0.113.0/24")
    assert "no rule of a web ACL blocks" in plan_for(action_for(account, has)).refusal
    waf.web_acl(account, waf.rule(waf.refers_to(has), Allow={}))
    assert "lets in" in plan_for(action_for(account, has)).refusal


def test_own_addresses_are_never_blocked(account: Account) -> None:
    account.vpc()
    name = waf.ip_set(account, "blocked")
    waf.web_acl(account, waf.blocks_by(name))
    assert "quarantine what has it" in plan_for(action_for(account, name), "10.0.0.7").refusal
    assert "no address of another host" in plan_for(action_for(account, name), "127.0.0.1").refusal


def test_without_a_set_it_says_where_to_name_one(account: Account) -> None:
    assert "actions.block_address_in_waf.settings.ip_sets" in plan_for(BlockAddressInWaf(account.clients)).refusal
    gone = IpSetName.of(f"arn:aws:wafv2:eu-central-1:{ACCOUNT}:regional/ipset/gone/0000")
    assert f"there is no IP set {gone.arn}" in plan_for(action_for(account, gone)).refusal


def _not(statement: dict[str, Any]) -> dict[str, Any]:
    return {"NotStatement": {"Statement": statement}}


def _and(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"AndStatement": {"Statements": list(statements)}}


def _or(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"OrStatement": {"Statements": list(statements)}}


GEO = {"GeoMatchStatement": {"CountryCodes": ["DE"]}}
RATE = {"Limit": 100, "AggregateKeyType": "IP"}


@pytest.mark.parametrize(
    ("statement", "action", "refused"),
    [
        (lambda s: s, {"Block": {}}, ""),
        (lambda s: _or(GEO, s), {"Block": {}}, ""),
        (lambda s: _not(_not(s)), {"Block": {}}, ""),
        (lambda s: GEO, {"Block": {}}, "no rule"),
        (lambda s: s, {"Count": {}}, "no rule"),
        (lambda s: _and(s, GEO), {"Block": {}}, "no rule"),
        (lambda s: {"RateBasedStatement": {**RATE, "ScopeDownStatement": s}}, {"Block": {}}, "no rule"),
        (lambda s: s, {"Allow": {}}, "lets in"),
        (_not, {"Block": {}}, "lets in"),
        (lambda s: _and(GEO, _not(s)), {"Block": {}}, "lets in"),
        (lambda s: _not(_and(s, GEO)), {"Block": {}}, "lets in"),
        (lambda s: _not(_and(s, GEO)), {"Allow": {}}, "lets in"),
        (lambda s: _and(GEO, _not(_and(s, GEO))), {"Block": {}}, "lets in"),
        (lambda s: _not(_not(_and(s, GEO))), {"Block": {}}, "no rule"),
        (lambda s: _or(GEO, _not(s)), {"Block": {}}, "lets in"),
        (lambda s: _or(GEO, _not(s)), {"Allow": {}}, "lets in"),
        (lambda s: {"RateBasedStatement": {**RATE, "ScopeDownStatement": _not(s)}}, {"Block": {}}, "lets in"),
    ],
)
def test_only_a_set_that_is_blocked_by_is_written(account: Account, statement: Any, action: Any, refused: str) -> None:
    name = waf.ip_set(account, "blocked")
    waf.web_acl(account, waf.rule(statement(waf.refers_to(name)), **action))
    refusal = plan_for(action_for(account, name)).refusal
    assert refused in refusal
    assert bool(refused) is bool(refusal)


def test_the_web_acls_of_a_scope_are_read_once_for_all_of_its_sets(account: Account) -> None:
    names = [waf.ip_set(account, "blocked"), waf.ip_set(account, "also-blocked")]
    waf.web_acl(account, waf.by_group(waf.rule_group(account, *(waf.blocks_by(each, each.name) for each in names))))
    read: list[str] = []
    account.clients.listen("before-call.wafv2", lambda model, **_: read.append(model.name))
    assert plan_for(action_for(account, *names)).refusal == ""
    assert [read.count(call) for call in ("ListWebACLs", "GetWebACL", "GetRuleGroup")] == [1, 1, 1]


def test_an_exception_from_a_managed_group_lets_in(account: Account) -> None:
    name = waf.ip_set(account, "trusted")
    managed = {"VendorName": "AWS", "Name": "AWSManagedRulesCommonRuleSet", "ScopeDownStatement": _not(waf.refers_to(name))}
    made = waf.rule({"ManagedRuleGroupStatement": managed}, title="managed")
    del made["Action"]
    waf.web_acl(account, {**made, "OverrideAction": {"None": {}}})
    assert "edge/managed lets in whoever is in" in plan_for(action_for(account, name)).refusal


@pytest.mark.parametrize("counts", [False, True])
def test_rules_of_the_accounts_own_groups_count(account: Account, counts: bool) -> None:
    name = waf.ip_set(account, "blocked")
    waf.web_acl(account, waf.by_group(waf.rule_group(account, waf.blocks_by(name)), counts=counts))
    plan = plan_for(action_for(account, name))
    assert bool(plan.refusal) is counts
    assert (f"{name.arn}: edge/group/blocked blocks by it" in plan.touches) is not counts


def test_a_group_whose_block_is_turned_into_an_allow_lets_in(account: Account) -> None:
    name = waf.ip_set(account, "blocked")
    group = waf.by_group(waf.rule_group(account, waf.blocks_by(name)))
    reference = group["Statement"]["RuleGroupReferenceStatement"]
    reference["RuleActionOverrides"] = [{"Name": "blocked", "ActionToUse": {"Allow": {}}}]
    waf.web_acl(account, group)
    assert "lets in" in plan_for(action_for(account, name)).refusal


def test_a_rule_group_of_another_account_that_cannot_be_read_says_nothing(account: Account) -> None:
    name = waf.ip_set(account, "blocked")
    waf.web_acl(account, waf.by_group(waf.rule_group(account, waf.blocks_by(name))), waf.blocks_by(name, "own"))

    def denied(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not yours"}}, "GetRuleGroup")

    account.clients("wafv2", name.region).meta.events.register_first("before-call.wafv2.GetRuleGroup", denied)
    plan = plan_for(action_for(account, name))
    assert (plan.refusal, plan.is_noop) == ("", False)


def test_a_full_set_is_refused_and_fails_where_it_became_full_meanwhile(account: Account) -> None:
    name = waf.ip_set(account, "blocked")
    waf.web_acl(account, waf.blocks_by(name))
    action = action_for(account, name)
    plan = plan_for(action)
    waf.write(account, name, *(f"100.64.{number // 256}.{number % 256}/32" for number in range(LIMIT)))
    with pytest.raises(CannotApply, match="all that an IP set takes"):
        action.apply(plan)
    assert "all that an IP set takes" in plan_for(action).refusal


def test_another_writer_in_between_loses_nothing(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    name = waf.ip_set(account, "blocked")
    waf.web_acl(account, waf.blocks_by(name))
    action = action_for(account, name)
    plan = plan_for(action)
    client = account.clients("wafv2", name.region)
    original, others = client.update_ip_set, iter(["192.0.2.1/32", "192.0.2.2/32"])

    def update(**given: Any) -> Any:
        if other := next(others, ""):
            found = client.get_ip_set(**name.key)
            original(**name.key, Addresses=[*found["IPSet"]["Addresses"], other], LockToken=found["LockToken"])
        return original(**given)

    monkeypatch.setattr(client, "update_ip_set", update)
    action.apply(plan)
    assert set(waf.blocks_of(account, name)) == {"192.0.2.1/32", "192.0.2.2/32", f"{ATTACKER}/32"}
    monkeypatch.setattr(client, "get_ip_set", lambda **_: {**real(**name.key), "LockToken": "of yesterday"})
    with pytest.raises(CloudUnavailable, match="changed by others"):
        action.undo(plan)


def real(**_: Any) -> Any:
    return {"IPSet": {"IPAddressVersion": "IPV4", "Addresses": [f"{ATTACKER}/32"]}}


def test_what_changed_after_the_plan_stops_the_apply(account: Account) -> None:
    name = waf.ip_set(account, "blocked")
    waf.web_acl(account, waf.blocks_by(name))
    action = action_for(account, name)
    plan = plan_for(action)
    waf.write(account, name, "203.0.113.0/24")
    assert "by now, in 203.0.113.0/24" in action.check(plan)
    wafv2 = account.clients("wafv2", name.region)
    wafv2.delete_ip_set(**name.key, LockToken=wafv2.get_ip_set(**name.key)["LockToken"])
    assert "has gone" in action.check(plan)
    assert action.verify(plan) is Verification.DRIFTED
    with pytest.raises(CannotApply, match="is gone"):
        action.apply(plan)
    assert action.undo(plan).left == (f"the IP set {name.arn} is gone",)


def test_a_wider_block_that_someone_put_there_since_is_named(account: Account) -> None:
    name = waf.ip_set(account, "blocked")
    waf.web_acl(account, waf.blocks_by(name))
    action = action_for(account, name)
    plan = plan_for(action)
    action.apply(plan)
    waf.write(account, name, f"{ATTACKER}/32", "203.0.113.0/24")
    result = action.undo(plan)
    assert result.left == (f"{name.arn} still has {ATTACKER}, in 203.0.113.0/24: someone put that there since",)
    assert waf.blocks_of(account, name) == ["203.0.113.0/24"]


def test_a_tag_of_the_set_protects_it(account: Account) -> None:
    name = waf.ip_set(account, "blocked", **{"break-glass": "yes"})
    waf.web_acl(account, waf.blocks_by(name))
    plan = plan_for(action_for(account, name))
    assert plan.tags == {"team": "edge", "break-glass": "yes"}
    assert "carries the tag break-glass" in protection(plan, NeverTouch(tags=("break-glass",)))


def test_a_service_that_does_not_answer_is_no_answer(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    name = waf.ip_set(account, "blocked")
    waf.web_acl(account, waf.blocks_by(name))
    action = action_for(account, name)
    plan = plan_for(action)

    def fails(**_: Any) -> Any:
        raise CloudUnavailable("GetIPSet: WAFInternalErrorException")

    monkeypatch.setattr(account.clients("wafv2", name.region), "get_ip_set", fails)
    assert action.verify(plan) is Verification.UNREACHABLE
    with pytest.raises(CloudUnavailable):
        action.undo(replace(plan))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "ip_sets: name one to 10"),
        ({"ip_sets": []}, "ip_sets: name one to 10"),
        ({"ip_sets": "blocked"}, "ip_sets: name one to 10"),
        ({"ip_sets": ["blocked"]}, "ip_sets.0: 'blocked' is no ARN of an IP set"),
        ({"ip_sets": [f"arn:aws:wafv2:eu-central-1:{ACCOUNT}:global/ipset/a/b"]}, "us-east-1"),
        ({"ip_sets": [f"arn:aws:wafv2:eu-central-1:{ACCOUNT}:regional/ipset/a/b"] * 2}, "each once"),
        ({"ip_set": []}, "ip_set: there is no such setting"),
    ],
)
def test_settings_that_do_not_fit_say_what_does(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match="ip_set") as error:
        read_ip_sets(settings)
    assert said in str(error.value)
