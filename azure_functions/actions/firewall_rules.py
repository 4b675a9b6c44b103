"""Custom rules of a firewall policy: what they do with an address, in the order in which they are asked.

Application Gateways and Front Doors ask alike and spell differently:
https://learn.microsoft.com/azure/web-application-firewall/ag/custom-waf-rules-overview,
https://learn.microsoft.com/azure/web-application-firewall/afds/waf-front-door-custom-rules
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_network
from typing import Any

from response.addresses import Address

Rule = Mapping[str, Any]

#: Custom rules that a policy takes, and address ranges that a condition takes (540 with rule sets before CRS 3.2).
#: https://learn.microsoft.com/azure/azure-resource-manager/management/azure-subscription-service-limits
MOST_RULES, MOST_RANGES, MOST_RANGES_BEFORE_3_2 = 100, 600, 540
#: The lowest number is asked first.
PRIORITIES = range(1, 101)
_IP_MATCH, _ANY = "ipmatch", "any"
#: What ends the evaluation and is no block.
_LETS_THROUGH = frozenset({"allow", "redirect"})


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a kind of firewall policy writes its rules.

    Attributes
    ----------
    source : str
        Variable of the address that a request comes from. A Front Door's ``RemoteAddr`` is none: it is what the client says
        in ``X-Forwarded-For``.
    state, negated, values : str
        Members: whether a rule is on; whether a condition is negated; what it lists.
    """

    source: str
    state: str
    negated: str
    values: str


GATEWAYS = Spelling("RemoteAddr", "state", "negationConditon", "matchValues")  # so spelt by the API
FRONT_DOORS = Spelling("SocketAddr", "enabledState", "negateCondition", "matchValue")


class Fit(Enum):
    """Whether a rule holds for a request from an address."""

    ALWAYS = "always"
    SOMETIMES = "sometimes"  # together with further conditions, or beyond a rate
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of requests from an address.

    Attributes
    ----------
    blocked_by, let_in_by : str
        The rule that ends it for all of them: one of the two, or neither.
    perhaps_let_in_by : tuple of str
        Rules asked before that one, which let in what fits further conditions.
    """

    blocked_by: str = ""
    let_in_by: str = ""
    perhaps_let_in_by: tuple[str, ...] = ()


def block_of(address: Address) -> str:
    """Return the block of just this address."""
    return str(ip_network(address))


def custom_rules(policy: Mapping[str, Any]) -> list[Rule]:
    """Return the custom rules of a policy, as they are written."""
    found = (policy.get("properties") or {}).get("customRules") or ()
    return list((found.get("rules") or ()) if isinstance(found, Mapping) else found)


def fate(rules: Iterable[Rule], address: Address) -> Fate:
    """Ask the rules in their order. What they leave open the managed rules decide, by what the request says."""
    perhaps: list[str] = []
    for rule in sorted(rules, key=lambda rule: int(rule["priority"])):
        fit, action = _fit(rule, address), str(rule["action"]).lower()
        if fit is Fit.ALWAYS and action == "block":
            return Fate(blocked_by=rule["name"], perhaps_let_in_by=tuple(perhaps))
        if fit is Fit.ALWAYS and action in _LETS_THROUGH:
            return Fate(let_in_by=rule["name"], perhaps_let_in_by=tuple(perhaps))
        if fit is Fit.SOMETIMES and action in _LETS_THROUGH:
            perhaps.append(rule["name"])
    return Fate(perhaps_let_in_by=tuple(perhaps))


def named(rules: Iterable[Rule], name: str) -> Rule | None:
    """Return the rule of a name, in any case."""
    return next((rule for rule in rules if str(rule.get("name", "")).lower() == name.lower()), None)


def listed(rule: Rule) -> list[str] | None:
    """Return the blocks that a rule lists, None where it asks for anything else than where a request comes from."""
    conditions = list(rule.get("matchConditions") or ())
    if rule.get("ruleType", "MatchRule") != "MatchRule" or len(conditions) != 1 or _is_negated(conditions[0]):
        return None
    return _values(conditions[0]) if _by_source(conditions[0]) else None


def objection(rule: Rule) -> str:
    """Say why nothing can be blocked by a rule, ``""`` where it blocks whatever it lists."""
    if listed(rule) is None:
        conditions = list(rule.get("matchConditions") or ())
        if len(conditions) == 1 and _variables(conditions[0]) == ["remoteaddr"] and _spelling(conditions[0]) is FRONT_DOORS:
            return "asks for RemoteAddr, which a client may write itself (X-Forwarded-For): it must ask for SocketAddr"
        return "has other conditions than one of the addresses that it lists"
    if str(rule["action"]).lower() != "block":
        return f"has the action {rule['action']}"
    return "" if _is_on(rule) else "is disabled"


def has(rule: Rule, address: Address) -> bool:
    """Whether a rule lists a block of just this address."""
    return any(str(_network(each)) == block_of(address) for each in listed(rule) or ())


def with_block(rules: Sequence[Rule], name: str, address: Address, priority: int, spelling: Spelling) -> list[Rule]:
    """Return the rules with the address in the one of this name, which is made where it is not there."""
    present = named(rules, name)
    if present is None:
        of_gateways = {"matchVariables": [{"variableName": spelling.source}]}
        condition = {
            **(of_gateways if spelling is GATEWAYS else {"matchVariable": spelling.source}),
            "operator": "IPMatch",
            spelling.negated: False,
            spelling.values: [block_of(address)],
            "transforms": [],
        }
        made = {"name": name, "priority": priority, spelling.state: "Enabled", "ruleType": "MatchRule", "action": "Block"}
        return [*rules, {**made, "matchConditions": [condition]}]
    return [_listing(rule, [*(listed(rule) or ()), block_of(address)]) if rule is present else rule for rule in rules]


def without_block(rules: Sequence[Rule], name: str, address: Address) -> list[Rule]:
    """Return the rules with the address taken out of the one of this name. A rule cannot list nothing: it goes with its last."""
    kept: list[Rule] = []
    ours = named(rules, name)
    for rule in rules:
        blocks = listed(rule) if rule is ours else None
        if blocks is None:
            kept.append(rule)
        elif left := [each for each in blocks if str(_network(each)) != block_of(address)]:
            kept.append(_listing(rule, left))
    return kept


def free_priority(rules: Iterable[Rule]) -> int | None:
    """Return the first number that no rule has, None where all are taken."""
    taken = {int(rule["priority"]) for rule in rules}
    return next((each for each in PRIORITIES if each not in taken), None)


def most_ranges(policy: Mapping[str, Any]) -> int:
    """Return how many ranges a condition takes in a policy: the engine, and with it the limit, is that of its rule set."""
    sets = ((policy.get("properties") or {}).get("managedRules") or {}).get("managedRuleSets") or ()
    older = any(each.get("ruleSetType") == "OWASP" and _version(str(each.get("ruleSetVersion", ""))) < (3, 2) for each in sets)
    return MOST_RANGES_BEFORE_3_2 if older else MOST_RANGES


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def _listing(rule: Rule, blocks: Sequence[str]) -> Rule:
    (condition,) = rule["matchConditions"]
    return {**rule, "matchConditions": [{**condition, _spelling(condition).values: list(blocks)}]}


def _fit(rule: Rule, address: Address) -> Fit:
    if not _is_on(rule):
        return Fit.NEVER
    fits = {_condition(each, address) for each in rule.get("matchConditions") or ()}
    if Fit.NEVER in fits:
        return Fit.NEVER
    certain = fits == {Fit.ALWAYS} and rule.get("ruleType", "MatchRule") == "MatchRule"
    return Fit.ALWAYS if certain else Fit.SOMETIMES


def _condition(condition: Mapping[str, Any], address: Address) -> Fit:
    if str(condition.get("operator", "")).lower() == _ANY:
        found = True
    elif _by_source(condition):
        found = any((network := _network(each)) is not None and address in network for each in _values(condition))
    else:
        return Fit.SOMETIMES
    return Fit.ALWAYS if found is not _is_negated(condition) else Fit.NEVER


def _by_source(condition: Mapping[str, Any]) -> bool:
    source = _spelling(condition).source.lower()
    return _variables(condition) == [source] and str(condition.get("operator", "")).lower() == _IP_MATCH


def _spelling(condition: Mapping[str, Any]) -> Spelling:
    return FRONT_DOORS if "matchVariable" in condition else GATEWAYS


def _variables(condition: Mapping[str, Any]) -> list[str]:
    if "matchVariable" in condition:
        return [str(condition["matchVariable"]).lower()]
    return [str(each.get("variableName", "")).lower() for each in condition.get("matchVariables") or ()]


def _values(condition: Mapping[str, Any]) -> list[str]:
    return list(condition.get(_spelling(condition).values) or ())


def _is_negated(condition: Mapping[str, Any]) -> bool:
    return bool(condition.get(_spelling(condition).negated))


def _is_on(rule: Rule) -> bool:
    return str(rule.get("state") or rule.get("enabledState") or "Enabled").lower() == "enabled"


def _network(text: str) -> Any:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None
