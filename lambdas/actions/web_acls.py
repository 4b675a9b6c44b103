"""What the web ACLs do with an IP set: an address is blocked by it only where a rule blocks whatever is in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from lambdas.actions.ip_sets import IpSetName
from lambdas.clients import Clients
from lambdas.cloud_errors import AccessDenied, CloudRefusal, in_core_words

Rule = Mapping[str, Any]


class Fit(Enum):
    """Whether a statement holds for what is in the set."""

    ALWAYS = "always"
    SOMETIMES = "sometimes"  # together with further conditions, or beyond a rate
    NEVER = "never"  # it holds for what is not in the set
    ELSEWHERE = "elsewhere"  # it says nothing about the set


@dataclass(frozen=True, slots=True)
class Use:
    """A rule that refers to the set.

    Attributes
    ----------
    where : str
        Web ACL and rule.
    blocks : bool
        It blocks whatever is in the set.
    harms : bool
        Whoever is in the set is let in by it: an Allow, or a block of everybody else.
    """

    where: str
    blocks: bool
    harms: bool


class WebAcls:
    """Reads the web ACLs of a set's scope, and the rule groups in them that this account may read."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def uses(self, name: IpSetName) -> tuple[Use, ...]:
        """Return each rule that refers to the set."""
        return tuple(use for acl in self._all(name) for use in self._uses(acl["Name"], acl["Rules"], name))

    def _uses(self, where: str, rules: Sequence[Rule], name: IpSetName) -> Iterator[Use]:
        for rule in rules:
            here = f"{where}/{rule['Name']}"
            if group := rule["Statement"].get("RuleGroupReferenceStatement"):
                if "None" in rule.get("OverrideAction", {"None": {}}):  # Count makes of all its blocks a count
                    counted: dict[str, Rule] = {each["Name"]: {"Count": {}} for each in group.get("ExcludedRules", ())}
                    instead = counted | {each["Name"]: each["ActionToUse"] for each in group.get("RuleActionOverrides", ())}
                    rules_of_group = self._rule_group(group["ARN"], name)
                    inner = [{**each, "Action": instead.get(each["Name"], each.get("Action", {}))} for each in rules_of_group]
                    yield from self._uses(here, inner, name)
                continue
            fit = _fit(rule["Statement"], name.arn)
            action = {"Block": {}} if "ManagedRuleGroupStatement" in rule["Statement"] else rule.get("Action", {})
            if fit is not Fit.ELSEWHERE:
                harms = ("Allow" in action and fit is not Fit.NEVER) or ("Block" in action and fit is Fit.NEVER)
                yield Use(here, blocks="Block" in action and fit is Fit.ALWAYS, harms=harms)

    def _all(self, name: IpSetName) -> Iterator[Mapping[str, Any]]:
        wafv2, marker = self._clients("wafv2", name.region), dict[str, str]()
        while True:
            with in_core_words("ListWebACLs"):
                page = wafv2.list_web_acls(Scope=name.scope, Limit=100, **marker)
            for each in page["WebACLs"]:
                with in_core_words("GetWebACL"):
                    yield wafv2.get_web_acl(Name=each["Name"], Id=each["Id"], Scope=name.scope)["WebACL"]
            if not page.get("NextMarker"):
                return
            marker = {"NextMarker": page["NextMarker"]}

    def _rule_group(self, arn: str, name: IpSetName) -> list[Rule]:
        try:
            with in_core_words("GetRuleGroup"):
                found: list[Rule] = self._clients("wafv2", name.region).get_rule_group(ARN=arn)["RuleGroup"]["Rules"]
        except (AccessDenied, CloudRefusal):  # another account's, shared with this one
            return []
        return found


def _fit(statement: Rule, arn: str) -> Fit:
    if reference := statement.get("IPSetReferenceStatement"):
        return Fit.ALWAYS if reference["ARN"] == arn else Fit.ELSEWHERE
    if inner := statement.get("NotStatement"):
        turned = {Fit.ALWAYS: Fit.NEVER, Fit.NEVER: Fit.ALWAYS}
        found = _fit(inner["Statement"], arn)
        return turned.get(found, found)
    if either := statement.get("OrStatement"):
        fits = {_fit(each, arn) for each in either["Statements"]}
        return next((fit for fit in (Fit.ALWAYS, Fit.NEVER, Fit.SOMETIMES) if fit in fits), Fit.ELSEWHERE)
    if both := statement.get("AndStatement"):
        fits = {_fit(each, arn) for each in both["Statements"]}
        if Fit.NEVER in fits:  # the exception of a wider rule: whoever is in the set is let through by it
            return Fit.NEVER
        return Fit.ELSEWHERE if fits == {Fit.ELSEWHERE} else Fit.SOMETIMES
    for wider in ("RateBasedStatement", "ManagedRuleGroupStatement"):
        if within := statement.get(wider, {}).get("ScopeDownStatement"):
            found = _fit(within, arn)
            return Fit.SOMETIMES if found is Fit.ALWAYS else found
    return Fit.ELSEWHERE
