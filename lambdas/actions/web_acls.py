"""What the web ACLs do with an IP set: an address is blocked by it only where a rule blocks whatever is in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    EXCEPT = "except"  # unless it is in the set, together with further conditions
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

    def uses(self, names: Iterable[IpSetName]) -> dict[str, tuple[Use, ...]]:
        """Return each rule that refers to a set, by the set's ARN. The web ACLs of a scope are read once for all of its sets."""
        read: dict[tuple[str, str], list[tuple[str, Rule]]] = {}
        found: dict[str, tuple[Use, ...]] = {}
        for name in names:
            scope = (name.region, name.scope)
            if scope not in read:
                read[scope] = [each for acl in self._all(name) for each in self._rules(acl["Name"], acl["Rules"], name.region)]
            found[name.arn] = tuple(use for where, rule in read[scope] if (use := _use(where, rule, name.arn)))
        return found

    def _rules(self, where: str, rules: Sequence[Rule], region: str) -> Iterator[tuple[str, Rule]]:
        """Yield each rule with where it stands, those of rule groups with the action that they have there."""
        for rule in rules:
            here = f"{where}/{rule['Name']}"
            if group := rule["Statement"].get("RuleGroupReferenceStatement"):
                if "None" in rule.get("OverrideAction", {"None": {}}):  # Count makes of all its blocks a count
                    counted: dict[str, Rule] = {each["Name"]: {"Count": {}} for each in group.get("ExcludedRules", ())}
                    instead = counted | {each["Name"]: each["ActionToUse"] for each in group.get("RuleActionOverrides", ())}
                    rules_of_group = self._rule_group(group["ARN"], region)
                    inner = [{**each, "Action": instead.get(each["Name"], each.get("Action", {}))} for each in rules_of_group]
                    yield from self._rules(here, inner, region)
                continue
            yield here, rule

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

    def _rule_group(self, arn: str, region: str) -> list[Rule]:
        try:
            with in_core_words("GetRuleGroup"):
                found: list[Rule] = self._clients("wafv2", region).get_rule_group(ARN=arn)["RuleGroup"]["Rules"]
        except (AccessDenied, CloudRefusal):  # another account's, shared with this one
            return []
        return found


def _use(where: str, rule: Rule, arn: str) -> Use | None:
    """Return what a rule does with what is in a set, None where it does not refer to it."""
    fit = _fit(rule["Statement"], arn)
    if fit is Fit.ELSEWHERE:
        return None
    action = {"Block": {}} if "ManagedRuleGroupStatement" in rule["Statement"] else rule.get("Action", {})
    lets_in = "Allow" in action and fit is not Fit.NEVER
    spares = "Block" in action and fit in (Fit.NEVER, Fit.EXCEPT)
    return Use(where, blocks="Block" in action and fit is Fit.ALWAYS, harms=lets_in or spares)


def _fit(statement: Rule, arn: str) -> Fit:
    if reference := statement.get("IPSetReferenceStatement"):
        return Fit.ALWAYS if reference["ARN"] == arn else Fit.ELSEWHERE
    if inner := statement.get("NotStatement"):
        turned = {Fit.ALWAYS: Fit.NEVER, Fit.NEVER: Fit.ALWAYS, Fit.SOMETIMES: Fit.EXCEPT, Fit.EXCEPT: Fit.SOMETIMES}
        found = _fit(inner["Statement"], arn)
        return turned.get(found, found)
    if either := statement.get("OrStatement"):
        fits = {_fit(each, arn) for each in either["Statements"]}
        if fits > {Fit.NEVER} and Fit.ALWAYS not in fits:  # it holds for others too, and for some that are in the set
            return Fit.EXCEPT
        return next((fit for fit in (Fit.ALWAYS, Fit.EXCEPT, Fit.NEVER, Fit.SOMETIMES) if fit in fits), Fit.ELSEWHERE)
    if both := statement.get("AndStatement"):
        fits = {_fit(each, arn) for each in both["Statements"]}
        if Fit.NEVER in fits:  # the exception of a wider rule: whoever is in the set is let through by it
            return Fit.NEVER
        if Fit.EXCEPT in fits:
            return Fit.EXCEPT
        return Fit.ELSEWHERE if fits == {Fit.ELSEWHERE} else Fit.SOMETIMES
    for wider in ("RateBasedStatement", "ManagedRuleGroupStatement"):
        if within := statement.get(wider, {}).get("ScopeDownStatement"):
            found = _fit(within, arn)
            return Fit.SOMETIMES if found is Fit.ALWAYS else found
    return Fit.ELSEWHERE
