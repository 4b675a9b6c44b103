"""Close the rules of a security group that the calls of a verdict have opened, and no others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lambdas.actions.consistency import verified_in_time
from lambdas.actions.places import tags_of
from lambdas.actions.security_group_rules import Rule, SecurityGroupRules, same, say
from lambdas.clients import Clients
from lambdas.cloud_errors import CloudRefusal
from lambdas.registry import Group
from response.actions import CannotApply, CloudUnavailable, Difference, Plan, UndoResult, Verification
from response.resources import SECURITY_GROUP, SECURITY_GROUP_RULE
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict

_TRACKED = "connections that came in through these rules and are tracked live on: block_address the other side to cut them"
#: So many interfaces a plan names; a group may have thousands.
_NAMED = 5
_CLOSED = "closed"


class CloseSecurityGroupRules:
    """Rules are named by their ids, as the call's own answer did: whatever else the group allows stays as it is."""

    name: ClassVar[str] = "close_security_group_rules"
    group: ClassVar[Group] = Group.NETWORK
    handles: ClassVar[frozenset[EntityKind]] = frozenset({EntityKind.SECURITY_GROUP})
    carries: ClassVar[frozenset[str]] = frozenset({SECURITY_GROUP, SECURITY_GROUP_RULE})
    gives_back: ClassVar[str] = "the way in, or out, that the rules were"
    permissions: ClassVar[tuple[str, ...]] = (
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroupRules",
        "ec2:DescribeSecurityGroups",
        "ec2:RevokeSecurityGroupEgress",
        "ec2:RevokeSecurityGroupIngress",
    )
    undo_permissions: ClassVar[tuple[str, ...]] = (
        "ec2:AuthorizeSecurityGroupEgress",
        "ec2:AuthorizeSecurityGroupIngress",
        "ec2:CreateTags",  # the tags that a rule had
        "ec2:DescribeSecurityGroupRules",
        "ec2:DescribeSecurityGroups",
    )

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._rules = SecurityGroupRules(clients)

    def plan(self, target: Entity, verdict: Verdict) -> Plan:
        named = _named(verdict)
        if not named:
            by_hand = f"look at {target.id} and close by hand what should not be open"
            return _refused(target, f"the verdict does not say which rules were opened: {by_hand}")
        group = self._rules.group(target.id)
        if group is None:
            return _refused(target, f"there is no security group {target.id} in this account and region (any more)")
        if group["GroupName"] == "default":
            reason = f"{target.id} is a default security group, which nothing here rewrites: revoke {', '.join(named)} by hand"
            return _refused(target, reason)
        now = self._rules.read(target.id)
        opened = {name: now[name] for name in named if name in now}
        users = self._rules.used_by(target.id)
        state = {"named": list(named)}
        return Plan(
            action=self.name,
            target=target,
            before={**state, "rules": opened},
            after={**state, "rules": dict.fromkeys(opened)},
            touches=(*map(say, opened.values()), _used(target.id, users), _TRACKED),
            summary=f"close {len(opened)} rules of {target.id} ({group['GroupName']})",
            tags=tags_of(group),
            resources=(target.id, *opened),
            region=str(self._clients("ec2").meta.region_name),
        )

    def covers(self, plan: Plan, verdict: Verdict) -> bool:
        """Whether the verdict names no rule that this plan did not look at."""
        return bool(named := _named(verdict)) and set(named) <= set(plan.after["named"])

    def check(self, plan: Plan) -> str:
        now = self._rules.read(plan.target.id)
        for name, rule in plan.before["rules"].items():
            if name in now and now[name] != rule:
                return f"{name} of {plan.target.id} is {say(now[name])} now, no longer {say(rule)}: plan again"
        return ""

    def apply(self, plan: Plan) -> None:
        now = self._rules.read(plan.target.id)
        try:
            self._rules.revoke(plan.target.id, {name: now[name] for name in plan.before["rules"] if name in now})
        except CloudRefusal as refusal:
            raise CannotApply(f"{refusal}. Take the group off what it protects") from refusal

    def verify(self, plan: Plan) -> Verification:
        return verified_in_time(lambda: self._look(plan))

    def _look(self, plan: Plan) -> Verification:
        try:
            now = self._rules.read(plan.target.id)
        except (CloudUnavailable, CloudRefusal):
            return Verification.UNREACHABLE
        closed = not any(same(rule, other) for rule in plan.before["rules"].values() for other in now.values())
        return Verification.VERIFIED if closed else Verification.DRIFTED

    def compare(self, plan: Plan) -> tuple[Difference, ...]:
        gone = self._rules.group(plan.target.id) is None
        now = {} if gone else self._rules.read(plan.target.id)
        return tuple(_compared(rule, now, gone=gone) for rule in plan.before["rules"].values())

    def undo(self, plan: Plan) -> UndoResult:
        rules: Mapping[str, Rule] = plan.before["rules"]
        if self._rules.group(plan.target.id) is None:
            return UndoResult.leaving(*(f"{plan.target.id} is gone, and {say(rule)} with it" for rule in rules.values()))
        result = UndoResult()
        now = self._rules.read(plan.target.id)
        for rule in rules.values():
            there = next((other for other in now.values() if same(rule, other)), None)
            if there is None:
                result += self._rules.authorize(plan.target.id, rule)
            elif _noted(there) == _noted(rule):
                result += UndoResult((say(rule),))
            else:
                result += UndoResult.leaving(f"someone has put {say(there)} there since; it was {say(rule)}")
        return result


def _named(verdict: Verdict) -> tuple[str, ...]:
    return tuple(entity.id for entity in verdict.opened if entity.kind is EntityKind.SECURITY_GROUP_RULE)


def _compared(rule: Rule, now: Mapping[str, Rule], *, gone: bool) -> Difference:
    there = next((other for other in now.values() if same(rule, other)), None)
    changed = gone or (there is not None and _noted(there) != _noted(rule))
    is_now = "the group is gone" if gone else _CLOSED if there is None else say(there)
    return Difference(f"rule {say(rule)}", say(rule), _CLOSED, is_now, changed)


def _noted(rule: Rule) -> tuple[Any, Any]:
    return rule.get("Description"), rule["Tags"]


def _used(group: str, users: list[str]) -> str:
    if not users:
        return f"nothing has {group} now"
    more = f" and {len(users) - _NAMED} more" if len(users) > _NAMED else ""
    return f"{len(users)} interfaces that have {group}: {', '.join(users[:_NAMED])}{more}"


def _refused(target: Entity, reason: str) -> Plan:
    return Plan.refused(
        action=CloseSecurityGroupRules.name,
        target=target,
        summary=f"close rules of {target.id}",
        refusal=reason,
        resources=(target.id,),
    )
