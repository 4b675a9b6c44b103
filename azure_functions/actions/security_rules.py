"""What a list of security rules lets through, decided here rather than asked for.

Rules are taken in the order of their priorities; the first that matches a packet decides. A question such as "does
anything of this address still reach that interface?" is about many packets at once: it is answered by taking from the
set of all packets what each rule decides, and looking at what an Allow takes.

What cannot be known here (what a service tag stands for) counts as letting through when it is an Allow, and as stopping
nothing when it is a Deny. Format: Azure Resource Manager, ``networkSecurityGroups``, ``effectiveNetworkSecurityGroups``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from azure_functions.actions.prefixes import Fit, Place, fit_local, fit_remote, is_block

_PORTS = (0, 65_535)
_WITH_PORTS = frozenset({"tcp", "udp"})
#: Stands for every protocol that rules cannot name.
_OTHER = "other"
PROTOCOLS = frozenset({"tcp", "udp", "icmp", "esp", "ah", _OTHER})
_ANY_PROTOCOL = frozenset({"*", "all", "any"})
Ports = tuple[int, int]


class Direction(StrEnum):
    """As a rule names it, seen from the interface."""

    INBOUND = "Inbound"
    OUTBOUND = "Outbound"


@dataclass(frozen=True, slots=True)
class Side:
    """One end of the packets that a rule matches.

    Attributes
    ----------
    prefixes : tuple of str
        Addresses, CIDR blocks and service tags, lower case.
    groups : tuple of str
        Ids of application security groups, lower case.
    ports : tuple of (int, int)
        First and last port of each range.
    """

    prefixes: tuple[str, ...]
    groups: tuple[str, ...]
    ports: tuple[Ports, ...]


@dataclass(frozen=True, slots=True)
class SecurityRule:
    """One rule, of a security group or of the effective ones that Azure reports."""

    name: str
    priority: int
    direction: str
    allows: bool
    protocol: str
    source: Side
    destination: Side

    def __str__(self) -> str:
        return f"{'Allow' if self.allows else 'Deny'} {self.name} (priority {self.priority})"


@dataclass(frozen=True, slots=True)
class Traffic:
    """Everything between one remote address and one address of an interface, in one direction, with every protocol and port."""

    direction: Direction
    remote: str
    place: Place


@dataclass(frozen=True, slots=True)
class Passage:
    """An Allow through which some of the traffic passes; not ``certain`` where it cannot be evaluated here."""

    rule: SecurityRule
    certain: bool

    def __str__(self) -> str:
        return str(self.rule) if self.certain else f"{self.rule}, which cannot be evaluated here,"


@dataclass(frozen=True, slots=True)
class _Box:
    """Packets: any of these protocols, source port and destination port within bounds (both ends included)."""

    protocols: frozenset[str]
    source: Ports
    destination: Ports

    def meets(self, other: _Box) -> bool:
        return bool(
            self.protocols & other.protocols
            and max(self.source[0], other.source[0]) <= min(self.source[1], other.source[1])
            and max(self.destination[0], other.destination[0]) <= min(self.destination[1], other.destination[1])
        )

    def without(self, other: _Box) -> list[_Box]:
        """Return what is left of this box, in boxes that do not meet."""
        if not self.meets(other):
            return [self]
        left = []
        if outside := self.protocols - other.protocols:
            left.append(_Box(outside, self.source, self.destination))
        inside = self.protocols & other.protocols
        source = max(self.source[0], other.source[0]), min(self.source[1], other.source[1])
        left += [_Box(inside, ports, self.destination) for ports in _around(self.source, source)]
        destination = max(self.destination[0], other.destination[0]), min(self.destination[1], other.destination[1])
        left += [_Box(inside, source, ports) for ports in _around(self.destination, destination)]
        return left


def passages(rules: Iterable[SecurityRule], traffic: Traffic) -> tuple[Passage, ...]:
    """Return every Allow through which some of this traffic passes, in order; empty when all of it is denied.

    What no rule matches is denied: Azure's own last rule does so in either direction.
    """
    left = [_Box(_WITH_PORTS, _PORTS, _PORTS), _Box(PROTOCOLS - _WITH_PORTS, _PORTS, _PORTS)]
    found = []
    for rule in in_order(rules, traffic.direction):
        fit = _fit(rule, traffic)
        if fit is Fit.NO:
            continue
        taken = [box for box in _boxes(rule) if any(box.meets(part) for part in left)]
        if rule.allows and taken:
            found.append(Passage(rule, certain=fit is Fit.YES))
        if fit is Fit.YES:
            for box in taken:
                left = [rest for part in left for rest in part.without(box)]
        if not left:
            break
    return tuple(found)


def in_order(rules: Iterable[SecurityRule], direction: Direction) -> list[SecurityRule]:
    """Return the rules of one direction as they are tried: lowest priority number first."""
    return sorted((rule for rule in rules if rule.direction == direction), key=lambda rule: rule.priority)


def read_rules(group: Mapping[str, Any]) -> tuple[SecurityRule, ...]:
    """Read the rules, own and default, of a security group as Resource Manager describes it."""
    properties = group.get("properties") or {}
    return tuple(
        read_rule(rule.get("name", ""), rule.get("properties") or {})
        for rule in (*(properties.get("securityRules") or ()), *(properties.get("defaultSecurityRules") or ()))
    )


def read_effective_rules(rules: Sequence[Mapping[str, Any]]) -> tuple[SecurityRule, ...]:
    """Read the effective rules of one group, with the addresses that Azure expanded their service tags to."""
    read = (read_rule(str(rule.get("name", "")).rpartition("/")[2], rule) for rule in rules)
    return tuple(replace(rule, source=_unexpanded(rule.source), destination=_unexpanded(rule.destination)) for rule in read)


def _unexpanded(side: Side) -> Side:
    """Effective rules write the asterisk as a block of IPv4, also where the rule is for both versions of IP."""
    return replace(side, prefixes=tuple("*" if prefix == "0.0.0.0/0" else prefix for prefix in side.prefixes))


def read_rule(name: str, data: Mapping[str, Any]) -> SecurityRule:
    """Read the properties of one rule."""
    return SecurityRule(
        name=name,
        priority=int(data["priority"]),
        direction=str(data["direction"]).capitalize(),
        allows=str(data["access"]).lower() == "allow",
        protocol=str(data.get("protocol", "*")).lower(),
        source=_side(data, "source"),
        destination=_side(data, "destination"),
    )


def _side(data: Mapping[str, Any], end: str) -> Side:
    prefixes = _one_or_many(data, f"{end}AddressPrefix", f"{end}AddressPrefixes")
    if expanded := data.get(f"expanded{end.capitalize()}AddressPrefix"):
        prefixes = [*expanded, *(prefix for prefix in prefixes if is_block(prefix))]
    groups = data.get(f"{end}ApplicationSecurityGroups") or ()
    return Side(
        tuple(str(prefix).lower() for prefix in prefixes),
        tuple(str(group["id"]).lower() for group in groups),
        tuple(_ports(text) for text in _one_or_many(data, f"{end}PortRange", f"{end}PortRanges")) or (_PORTS,),
    )


def _one_or_many(data: Mapping[str, Any], one: str, many: str) -> list[str]:
    """Join the singular and the plural form of a property; effective rules may hold several in the singular one."""
    texts = [*(data.get(many) or ()), data.get(one) or ""]
    return list(dict.fromkeys(part.strip() for text in texts for part in str(text).split(",") if part.strip()))


def _ports(text: str) -> Ports:
    if text == "*":
        return _PORTS
    first, dash, last = text.partition("-")
    return int(first), int(last if dash else first)


def _around(whole: Ports, part: Ports) -> list[Ports]:
    before, after = (whole[0], part[0] - 1), (part[1] + 1, whole[1])
    return [ports for ports in (before, after) if ports[0] <= ports[1]]


def _fit(rule: SecurityRule, traffic: Traffic) -> Fit:
    inbound = traffic.direction is Direction.INBOUND
    remote, local = (rule.source, rule.destination) if inbound else (rule.destination, rule.source)
    fits = (
        fit_remote(remote.prefixes, remote.groups, traffic.remote, traffic.place),
        fit_local(local.prefixes, local.groups, traffic.place),
        Fit.YES if rule.protocol in PROTOCOLS | _ANY_PROTOCOL else Fit.UNKNOWN,
    )
    if Fit.NO in fits:
        return Fit.NO
    return Fit.UNKNOWN if Fit.UNKNOWN in fits else Fit.YES


def _boxes(rule: SecurityRule) -> list[_Box]:
    protocols = PROTOCOLS if rule.protocol not in PROTOCOLS else frozenset({rule.protocol})
    boxes = []
    if with_ports := protocols & _WITH_PORTS:
        boxes += [_Box(with_ports, source, destination) for source in rule.source.ports for destination in rule.destination.ports]
    every_port = _PORTS in rule.source.ports and _PORTS in rule.destination.ports
    # Whether a rule with ports matches a protocol that has none is not documented: an Allow may, a Deny need not.
    if (without := protocols - _WITH_PORTS) and (rule.allows or every_port):
        boxes.append(_Box(without, _PORTS, _PORTS))
    return boxes
