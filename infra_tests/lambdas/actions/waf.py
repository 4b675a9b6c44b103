"""IP sets and web ACLs in moto."""

from __future__ import annotations

from typing import Any

from infra_tests.lambdas.account import Account
from lambdas.actions.ip_sets import IpSetName

_VISIBILITY = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": False, "MetricName": "none"}
_REGIONS = {"REGIONAL": "eu-central-1", "CLOUDFRONT": "us-east-1"}


def ip_set(account: Account, name: str, *blocks: str, version: int = 4, scope: str = "REGIONAL", **tags: str) -> IpSetName:
    """Make an IP set."""
    made = account.clients("wafv2", _REGIONS[scope]).create_ip_set(
        Name=name,
        Scope=scope,
        Description=f"{name} by hand and by Breakwater",
        IPAddressVersion=f"IPV{version}",
        Addresses=list(blocks),
        Tags=[{"Key": key, "Value": value} for key, value in ({"team": "edge"} | tags).items()],
    )
    return IpSetName.of(made["Summary"]["ARN"])


def blocks_of(account: Account, name: IpSetName) -> list[str]:
    """What is in a set."""
    return list(account.clients("wafv2", name.region).get_ip_set(**name.key)["IPSet"]["Addresses"])


def write(account: Account, name: IpSetName, *blocks: str) -> None:
    """Somebody else writes a set."""
    wafv2 = account.clients("wafv2", name.region)
    token = wafv2.get_ip_set(**name.key)["LockToken"]
    wafv2.update_ip_set(**name.key, Addresses=list(blocks), LockToken=token)


def refers_to(name: IpSetName) -> dict[str, Any]:
    """A statement that holds for what is in a set."""
    return {"IPSetReferenceStatement": {"ARN": name.arn}}


def blocks_by(name: IpSetName, title: str = "blocked") -> dict[str, Any]:
    """A rule that blocks whatever is in a set."""
    return rule(refers_to(name), Block={}, title=title)


def rule(statement: dict[str, Any], *, title: str = "rule", **action: dict[str, Any]) -> dict[str, Any]:
    """A rule with this statement and this action."""
    return {"Name": title, "Priority": 0, "Statement": statement, "Action": action, "VisibilityConfig": _VISIBILITY}


def by_group(arn: str, *, counts: bool = False) -> dict[str, Any]:
    """A rule that takes in a rule group."""
    made = rule({"RuleGroupReferenceStatement": {"ARN": arn}}, title="group")
    del made["Action"]
    return {**made, "OverrideAction": {"Count": {}} if counts else {"None": {}}}


def web_acl(account: Account, *rules: dict[str, Any], name: str = "edge", scope: str = "REGIONAL") -> None:
    """Make a web ACL of these rules."""
    account.clients("wafv2", _REGIONS[scope]).create_web_acl(
        Name=name,
        Scope=scope,
        DefaultAction={"Allow": {}},
        VisibilityConfig=_VISIBILITY,
        Rules=[{**each, "Priority": number} for number, each in enumerate(rules)],
    )


def rule_group(account: Account, *rules: dict[str, Any], scope: str = "REGIONAL") -> str:
    """Make a rule group; return its ARN."""
    made = account.clients("wafv2", _REGIONS[scope]).create_rule_group(
        Name="own", Scope=scope, Capacity=10, VisibilityConfig=_VISIBILITY, Rules=list(rules)
    )
    return str(made["Summary"]["ARN"])
