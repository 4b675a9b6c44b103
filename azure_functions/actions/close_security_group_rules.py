"""Close the rules of a network security group that the calls of a verdict have opened, and no others.

The group is written whole without them, against its ETag: the right to delete single rules would also take away the denies of
``block_address``, and belongs to the undo alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from azure_functions.actions import address_rules as own
from azure_functions.actions.interfaces import merged_tags
from azure_functions.actions.permissions import FOLLOW_OPERATIONS, WRITE_SECURITY_GROUP
from azure_functions.actions.persistence import Persistence
from azure_functions.actions.resource_manager import Resource, ResourceId, ResourceManager, unless_changing
from azure_functions.actions.rights import cannot_apply, refused_where_forbidden
from azure_functions.actions.security_rules import read_rule
from azure_functions.clients import Clients
from azure_functions.cloud_errors import CloudForbidden, CloudRefusal
from azure_functions.registry import Group
from response.actions import CannotApply, CloudUnavailable, Difference, Plan, UndoResult, Verification
from response.resources import ARM_ID
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict

_TYPE = "microsoft.network/networksecuritygroups"
_RULES = "securityrules"
_TRACKED = "connections that came in through these rules live on: block_address the other side to cut them"
_CHANGED = "a rule that was changed rather than made is closed whole: what it was before stands in no record"
_INSTEAD = "Take the group off what it protects, or close the rules by hand"
_CLOSED = "closed"

Rule = Mapping[str, Any]


class CloseSecurityGroupRules:
    """Rules are named by their ids, as the call's own record does: whatever else the group allows stays as it is."""

    name: ClassVar[str] = "close_security_group_rules"
    group: ClassVar[Group] = Group.NETWORK
    handles: ClassVar[frozenset[EntityKind]] = frozenset({EntityKind.SECURITY_GROUP})
    carries: ClassVar[frozenset[str]] = frozenset({ARM_ID})
    gives_back: ClassVar[str] = "the way in, or out, that the rules were"
    permissions: ClassVar[tuple[str, ...]] = (*WRITE_SECURITY_GROUP, *FOLLOW_OPERATIONS)
    undo_permissions: ClassVar[tuple[str, ...]] = (*WRITE_SECURITY_GROUP, *FOLLOW_OPERATIONS)

    def __init__(self, clients: Clients, *, persistence: Persistence | None = None) -> None:
        persistence = persistence or Persistence()
        self._arm = ResourceManager(clients, self.group, persistence)
        self._undoing = ResourceManager(clients, Group.UNDO, persistence)

    @refused_where_forbidden
    def plan(self, target: Entity, verdict: Verdict) -> Plan:
        group_id = target.id.lower()
        if not _is_group(group_id):
            return _refused(target, f"{target.id} is no id of a network security group: close it where it is kept")
        named = _named(verdict, group_id)
        if not named:
            by_hand = f"look at {target.id} and close by hand what should not be open"
            return _refused(target, f"the verdict does not say which rules were opened: {by_hand}")
        group = self._arm.security_group(group_id)
        if group is None:
            return _refused(target, f"there is no security group {target.id} (any more)")
        now = _allowing(group)
        opened = {name: now[name] for name in named if name in now}
        state = {"group": group_id, "named": list(named)}
        flushes = own.flushes(group)
        return Plan(
            action=self.name,
            target=target,
            before={**state, "rules": opened},
            after={**state, "rules": dict.fromkeys(opened)},
            touches=(*map(_say, opened.values()), _behind(group), *(() if flushes else (_TRACKED,)), _CHANGED),
            summary=f"close {len(opened)} rules of {group['name']}",
            tags=merged_tags(group.get("tags") or {}),
            resources=(group_id, *(f"{group_id}/{_RULES}/{name}" for name in opened)),
            region=str(group.get("location", "")).lower().replace(" ", ""),
        )

    def covers(self, plan: Plan, verdict: Verdict) -> bool:
        """Whether the verdict names no rule that this plan did not look at."""
        return bool(named := _named(verdict, plan.after["group"])) and set(named) <= set(plan.after["named"])

    def check(self, plan: Plan) -> str:
        return self._arm.persistence.with_turns(lambda: self._objection(plan))

    def _objection(self, plan: Plan) -> str:
        group = self._arm.security_group(plan.before["group"])
        return _not_as_planned(plan, unless_changing(group)) if group is not None else ""

    def apply(self, plan: Plan) -> None:
        closing = plan.before["rules"]

        def without(group: Resource) -> list[Any]:
            # Each time that the group is written again: what somebody has put in a rule's place by now is theirs.
            if objection := _not_as_planned(plan, group):
                raise CannotApply(f"nothing was closed: {objection}")
            return [rule for rule in _listed(group) if rule["name"].lower() not in closing]

        try:
            self._write(self._arm, plan.after["group"], without)
        except (CloudRefusal, CloudForbidden) as refusal:
            raise cannot_apply(refusal, _INSTEAD) from refusal

    def verify(self, plan: Plan) -> Verification:
        try:
            group = self._arm.security_group(plan.after["group"])
        except (CloudUnavailable, CloudRefusal):
            return Verification.UNREACHABLE
        now = _allowing(group) if group is not None else {}
        rules = plan.before["rules"]
        open_again = now.keys() & rules.keys() or any(_same(rule, other) for rule in rules.values() for other in now.values())
        return Verification.DRIFTED if open_again else Verification.VERIFIED

    def compare(self, plan: Plan) -> tuple[Difference, ...]:
        group = self._undoing.security_group(plan.before["group"])
        now = _rules(group) if group is not None else {}
        return tuple(_compared(name, rule, now, gone=group is None) for name, rule in plan.before["rules"].items())

    def undo(self, plan: Plan) -> UndoResult:
        group_id, rules = plan.before["group"], plan.before["rules"]
        left: dict[str, str] = {}

        def with_them(group: Resource) -> list[Any]:
            left.clear()
            now = _rules(group)
            left.update((name, why) for name, rule in rules.items() if (why := _in_its_place(name, rule, now)))
            back = [name for name in rules if name not in now and name not in left]
            return [*_listed(group), *({"name": rules[name]["name"], "properties": _properties(rules[name])} for name in back)]

        try:
            found = self._write(self._undoing, group_id, with_them)
        except (CloudRefusal, CloudForbidden) as refusal:
            return UndoResult.holding(*(f"{_say(rule)} stays closed: {refusal}" for rule in rules.values()))
        if not found:
            return UndoResult.leaving(*(f"{group_id} is gone, and {_say(rule)} with it" for rule in rules.values()))
        return UndoResult(tuple(_say(rule) for name, rule in rules.items() if name not in left), tuple(left.values()))

    def _write(self, arm: ResourceManager, group_id: str, change: Callable[[Resource], list[Any]]) -> bool:
        """Write the group with other rules, where they are others. Returns whether it is there."""

        def attempt() -> bool:
            group = arm.security_group(group_id)
            if group is None:
                return False
            wanted = change(group)
            if len(wanted) != len(_listed(group)):
                group["properties"]["securityRules"] = wanted
                arm.write_security_group(group, etag=group["etag"])
            return True

        return arm.persistence.with_turns(attempt)


def _is_group(text: str) -> bool:
    try:
        parsed = ResourceId.parse(text)
    except ValueError:
        return False
    return parsed.type == _TYPE and not parsed.child


def _named(verdict: Verdict, group_id: str) -> tuple[str, ...]:
    """Return the names of the rules of this group that were opened, in lower case."""
    prefix = f"{group_id}/{_RULES}/"
    ids = (entity.id.lower() for entity in verdict.opened if entity.kind is EntityKind.SECURITY_GROUP_RULE)
    return tuple(dict.fromkeys(each.removeprefix(prefix) for each in ids if each.startswith(prefix)))


def _listed(group: Resource) -> list[Any]:
    return list(group["properties"].get("securityRules") or ())


def _rules(group: Resource) -> dict[str, dict[str, Any]]:
    """Return the rules of a group by their names in lower case, as plain data that a plan can hold."""
    return {
        str(rule["name"]).lower(): {
            "name": str(rule["name"]),
            **{key: value for key, value in rule["properties"].items() if key != "provisioningState"},
        }
        for rule in _listed(group)
    }


def _allowing(group: Resource) -> dict[str, dict[str, Any]]:
    return {name: rule for name, rule in _rules(group).items() if str(rule["access"]).lower() == "allow"}


def _not_as_planned(plan: Plan, group: Resource) -> str:
    """Return which rule is another one by now than what the plan is to close, ``""`` where each is that or gone."""
    now = _rules(group)
    for name, rule in plan.before["rules"].items():
        if name in now and now[name] != rule:
            return f"{name} of {plan.before['group']} is {_say(now[name])} now, no longer {_say(rule)}: plan again"
    return ""


def _properties(rule: Rule) -> dict[str, Any]:
    return {key: value for key, value in rule.items() if key != "name"}


def _same(one: Rule, other: Rule) -> bool:
    """Say whether two rules let the same through."""
    return replace(read_rule("", one), priority=0) == replace(read_rule("", other), priority=0)


def _say(rule: Rule) -> str:
    """One rule in words: ``open-ssh, Allow Inbound Tcp *:* → *:22 at 300 (temporary)``."""
    note = f" ({rule['description']})" if rule.get("description") else ""
    return f"{rule['name']}, {own.say(rule)} at {rule['priority']}{note}"


def _in_its_place(name: str, rule: Rule, now: Mapping[str, Rule]) -> str:
    """Return why a rule cannot be put back, ``""`` where it can be or is there."""
    if name in now:
        there = now[name]
        return "" if there == rule else f"someone has put {_say(there)} there since; it was {_say(rule)}"
    taken = next((other for other in now.values() if _place(other) == _place(rule)), None)
    return f"{_say(rule)} stays closed: {taken['name']} has its priority by now" if taken else ""


def _place(rule: Rule) -> tuple[str, int]:
    return str(rule["direction"]).lower(), int(rule["priority"])


def _compared(name: str, rule: Rule, now: Mapping[str, Rule], *, gone: bool) -> Difference:
    there = now.get(name)
    is_now = "the group is gone" if gone else _CLOSED if there is None else _say(there)
    return Difference(f"rule {rule['name']}", _say(rule), _CLOSED, is_now, gone or (there is not None and there != rule))


def _behind(group: Resource) -> str:
    counts = [len(group["properties"].get(kind) or ()) for kind in ("networkInterfaces", "subnets")]
    return f"everything behind {group['id']} ({counts[0]} interfaces and {counts[1]} subnets)"


def _refused(target: Entity, reason: str) -> Plan:
    return Plan.refused(
        action=CloseSecurityGroupRules.name,
        target=target,
        summary=f"close rules of {target.id}",
        refusal=reason,
        resources=(target.id.lower(),),
    )
