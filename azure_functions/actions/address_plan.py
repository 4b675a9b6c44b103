"""Where a deny of an address takes effect: a group for each interface and direction, found before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

from azure_functions.actions import address_rules as own
from azure_functions.actions.interfaces import Wiring, in_scale_set, is_interface, is_machine, passing
from azure_functions.actions.prefixes import PLATFORM_ADDRESS, within
from azure_functions.actions.resource_manager import Resource
from azure_functions.actions.security_rules import Direction, read_rule, read_rules
from response.addresses import not_of_another_host
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict


@dataclass(slots=True)
class Draft:
    """Which group denies what.

    Attributes
    ----------
    priorities : dict of security group id to dict of Direction to int
        Where deny rules go, and at which priority.
    defeated : list of str
        Why there is no place in which a deny would take effect, for each interface and direction without one.
    """

    priorities: dict[str, dict[Direction, int]] = field(default_factory=dict)
    defeated: list[str] = field(default_factory=list)


def draft(address: str, wirings: Iterable[Wiring], groups: Mapping[str, Resource], containment: str) -> Draft:
    """Find the place of every deny rule.

    What the rules of others deny already needs none. Rules of this containment count as not there, so that a half-made
    containment drafts the same again.

    Parameters
    ----------
    address : str
    wirings : iterable of Wiring
    groups : mapping of id to security group
        Every group in force on these interfaces.
    containment : str
        Id of the containment, which names its rules.
    """
    result = Draft()
    for wiring in wirings:
        if not wiring.positions(address):
            continue  # no address of this version of IP: nothing can come from there
        for direction in Direction:
            if any(_denied_by_others(wiring, groups[guard], direction, address) for guard in wiring.guards(address)):
                continue
            _place(result, address, wiring, groups, containment, direction)
    return result


def unblockable(address: str, wirings: Iterable[Wiring]) -> str:
    """Return why an address must never be blocked, ``""`` where it may."""
    if address == PLATFORM_ADDRESS:
        return f"{address} is Azure's own: health probes, DHCP and DNS come from there"
    if reason := not_of_another_host(ip_address(address)):
        return f"{address} is {reason}"
    for wiring in wirings:
        if any(within(address, position.place.network) for position in wiring.positions_all):
            return f"{address} is in the virtual network of {_short(wiring.id)} or one peered with it: quarantine that machine"
    return ""


def named_targets(verdict: Verdict) -> tuple[str, ...]:
    """Return the ids of the interfaces and machines that a verdict names or that its address has reached, lower case."""
    named = (verdict.entity, *verdict.related, *verdict.reached)
    return tuple(dict.fromkeys(entity.id.lower() for entity in named if _is_target(entity)))


def nothing_named(address: str, verdict: Verdict) -> str:
    """Return what is missing where a verdict names no interface or machine whose groups could be read."""
    places = (EntityKind.INTERFACE, EntityKind.INSTANCE)
    others = [entity.id for entity in (verdict.entity, *verdict.related, *verdict.reached) if entity.kind in places]
    by_hand = f"deny {address} by hand where it came in"
    if part := next((other for other in others if in_scale_set(other)), ""):
        return f"{part} belongs to a scale set in Uniform mode: deny {address} in the security group of its subnet by hand"
    if others:
        return f"{others[0]} is no network interface or machine that Resource Manager knows: {by_hand}"
    return f"the verdict names no interface or machine that the address talked to: {by_hand}"


def _is_target(entity: Entity) -> bool:
    if entity.kind is EntityKind.INTERFACE:
        return is_interface(entity.id)
    return entity.kind is EntityKind.INSTANCE and is_machine(entity.id)


def _denied_by_others(wiring: Wiring, group: Resource, direction: Direction, address: str) -> bool:
    theirs = [rule for rule in read_rules(group) if not own.is_ours(rule.name)]
    return not passing(wiring, theirs, direction, address)


def _place(
    result: Draft, address: str, wiring: Wiring, groups: Mapping[str, Resource], containment: str, direction: Direction
) -> None:
    name = own.rule_name(containment, direction)
    tried = []
    for guard in wiring.guards(address):
        rules = read_rules(groups[guard])
        theirs = [rule for rule in rules if rule.name != name]
        present = next((rule.priority for rule in rules if rule.name == name), None)
        priority = own.free_priority(theirs, direction) if present is None else present
        if priority is None:
            tried.append(f"all of {own.BAND[0]}–{own.BAND[-1]} are taken in {_short(guard)}")
            continue
        rule = read_rule(name, own.deny(address, direction, priority, containment=containment, flush_before=True))
        defeating = passing(wiring, [*theirs, rule], direction, address)
        if not defeating:
            result.priorities.setdefault(guard, {})[direction] = priority
            return
        tried.append(f"{defeating[0]} of {_short(guard)} stands before any deny")
    reason = "; ".join(tried) or "no security group is in force on it"
    result.defeated.append(f"{direction.lower()} at {_short(wiring.id)}: {reason}")


def _short(resource_id: str) -> str:
    return resource_id.rpartition("/")[2]
