"""The deny rules of one containment of one address in a network security group: their names, place and content.

Breakwater reserves the priorities 100 to 199, the first ones there are: nothing that stands behind them undoes a deny. A
rule is named after its containment, so that undo takes away exactly what was added and two containments of one address
do not share a rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from azure_functions.actions.security_rules import Direction, SecurityRule, read_rule

#: Priorities that Breakwater's deny rules use. Rules of one's own belong behind them.
BAND = range(100, 200)
_PREFIX = "breakwater-"
_FLUSH_WAS_OFF = "flushConnection was off before"
_ENDS = {Direction.INBOUND: ("in", "source"), Direction.OUTBOUND: ("out", "destination")}


def rule_name(containment: str, direction: Direction) -> str:
    """Return the name of a containment's rule in one direction."""
    return f"{_PREFIX}{containment[:16]}-{_ENDS[direction][0]}"


def is_ours(name: str) -> bool:
    """Say whether a rule is one of Breakwater's."""
    return name.lower().startswith(_PREFIX)


def deny(address: str, direction: Direction, priority: int, *, containment: str, flush_before: bool) -> dict[str, Any]:
    """Return the properties of a rule that denies an address everything in one direction."""
    other = "destination" if direction is Direction.INBOUND else "source"
    mark = "" if flush_before else f" {_FLUSH_WAS_OFF}."
    return {
        "description": f"Breakwater containment {containment}: undo it there, not here.{mark}",
        "protocol": "*",
        f"{_ENDS[direction][1]}AddressPrefix": address,
        f"{other}AddressPrefix": "*",
        "sourcePortRange": "*",
        "destinationPortRange": "*",
        "access": "Deny",
        "priority": priority,
        "direction": str(direction),
    }


def free_priority(rules: Iterable[SecurityRule], direction: Direction) -> int | None:
    """Return the first priority of the band that no rule of this direction has, None where all are taken."""
    taken = {rule.priority for rule in rules if rule.direction == direction}
    return next((priority for priority in BAND if priority not in taken), None)


def own_rules(group: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the properties of Breakwater's rules in a security group, by name."""
    rules = group["properties"].get("securityRules") or ()
    return {rule["name"]: rule["properties"] for rule in rules if is_ours(rule["name"])}


def says_the_same(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Say whether a rule denies what was wanted, at whichever priority of the band it found its place."""
    ours = read_rule("", wanted)
    return int(found["priority"]) in BAND and replace(read_rule("", found), priority=ours.priority) == ours


def say(rule: Mapping[str, Any]) -> str:
    """One rule in words: ``Deny Inbound * 198.51.100.66:* → *:*``, without its priority, which is any of the band."""
    source, destination = (
        f"{','.join(rule.get(f'{end}AddressPrefixes') or ()) or rule.get(f'{end}AddressPrefix')}:"
        f"{','.join(rule.get(f'{end}PortRanges') or ()) or rule.get(f'{end}PortRange')}"
        for end in ("source", "destination")
    )
    return f"{rule['access']} {rule['direction']} {rule['protocol']} {source} → {destination}"


def flush_was_off(group: Mapping[str, Any]) -> bool:
    """Say whether ``flushConnection`` of a security group was off before Breakwater's first rule came.

    The rules that stand there say so. The last one to go leaves the property as it was before the first.
    """
    if not flushes(group):
        return True
    return any(_FLUSH_WAS_OFF in str(rule.get("description", "")) for rule in own_rules(group).values())


def flushes(group: Mapping[str, Any]) -> bool:
    """Say whether a security group re-evaluates open connections when its rules change."""
    return bool(group["properties"].get("flushConnection"))
