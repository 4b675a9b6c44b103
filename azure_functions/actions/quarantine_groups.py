"""The quarantine security group of a resource group and region: allows nothing, made when needed, known by its tag."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from azure_functions.actions.group_writes import GroupWrites
from azure_functions.actions.resource_manager import Resource, ResourceId, ResourceManager
from azure_functions.actions.security_rules import Direction, SecurityRule, Side, in_order, read_rules
from response.actions import CannotApply

TAG_KEY, TAG_VALUE = "breakwater:role", "quarantine"
_EVERY_PORT = ((0, 65_535),)
#: Azure's own name servers and metadata service: a rule for everything does not reach them, only one that names their tag.
#: Through the first, data leaves in questions for names; the second gives out tokens of the machine's identity.
#: https://learn.microsoft.com/azure/virtual-network/service-tags-overview
_PLATFORM = ("AzurePlatformDNS", "AzurePlatformIMDS")


def group_id(interface: Resource) -> str:
    """Return the id of the quarantine group for an interface: beside it, since a group serves interfaces of its own region."""
    parsed = ResourceId.parse(interface["id"])
    region = str(interface["location"]).lower().replace(" ", "")
    return (
        f"/subscriptions/{parsed.subscription}/resourceGroups/{parsed.group}/providers/"
        f"Microsoft.Network/networkSecurityGroups/breakwater-quarantine-{region}"
    )


def is_quarantine(group: Resource) -> bool:
    """Say whether a security group is a quarantine of Breakwater's, by its tag."""
    return (group.get("tags") or {}).get(TAG_KEY) == TAG_VALUE


class QuarantineGroups:
    """Finds, makes and mends quarantine groups."""

    def __init__(self, arm: ResourceManager) -> None:
        self._arm = arm
        self._writes = GroupWrites(arm)

    def ensure(self, wanted: str, location: str) -> None:
        """See to it that this group is there and allows nothing.

        Raises
        ------
        CannotApply
            A group of this name is not Breakwater's.
        """

        def attempt() -> None:
            group = self._arm.security_group(wanted)
            if group is None:
                self._arm.write_security_group({"id": wanted, "location": location, **_content()})
                return
            if not is_quarantine(group):
                raise CannotApply(
                    f"{wanted} does not carry the tag {TAG_KEY}={TAG_VALUE}: rename it, or tag it when it is Breakwater's"
                )
            if not _is_whole(group):
                group["properties"]["securityRules"] = _content()["properties"]["securityRules"]
                self._arm.write_security_group(group, etag=group["etag"])

        self._arm.persistence.with_turns(attempt)

    def end_connections(self, wanted: str) -> None:
        """Have Azure look anew at the connections that are open.

        It does so when ``flushConnection`` is turned on: here off and on, because the group may have it from an earlier
        containment, and what an interface brings into a group later is not said to be looked at.
        """
        for on in (False, True):
            self._writes.set_flush(wanted, on=on)

    def is_closed(self, wanted: str) -> bool:
        """Say whether this group is there, allows nothing, and has open connections looked at."""
        group = self._arm.security_group(wanted)
        return group is not None and _is_whole(group) and bool(group["properties"].get("flushConnection"))


def _is_whole(group: Resource) -> bool:
    """Say whether a group denies everything, and also what is denied only by name."""
    rules = read_rules(group)
    outward = in_order(rules, Direction.OUTBOUND)
    return denies_everything(rules) and all(any(_names(rule, tag.lower()) for rule in outward) for tag in _PLATFORM)


def _names(rule: SecurityRule, tag: str) -> bool:
    return not rule.allows and rule.protocol == "*" and rule.destination == Side((tag,), (), _EVERY_PORT)


def denies_everything(rules: tuple[SecurityRule, ...]) -> bool:
    """Say whether in either direction nothing is allowed before everything is denied."""
    return all(_ends_in_denial(in_order(rules, direction)) for direction in Direction)


def _ends_in_denial(rules: Iterable[SecurityRule]) -> bool:
    deciding = next((rule for rule in rules if rule.allows or _is_total(rule)), None)
    return deciding is not None and not deciding.allows


def _is_total(rule: SecurityRule) -> bool:
    sides = (rule.source, rule.destination)
    return (
        not rule.allows
        and rule.protocol in ("*", "all")
        and all(side.ports == _EVERY_PORT and "*" in side.prefixes for side in sides)
    )


def _content() -> dict[str, Any]:
    everything = {
        "protocol": "*",
        "sourceAddressPrefix": "*",
        "sourcePortRange": "*",
        "destinationPortRange": "*",
        "access": "Deny",
        "description": "Breakwater quarantine: allows nothing. Do not add rules.",
    }
    denied = {Direction.INBOUND: ("*",), Direction.OUTBOUND: (*_PLATFORM, "*")}
    rules = [
        {
            "name": f"Deny{'All' if end == '*' else end}{direction}",
            "properties": {**everything, "destinationAddressPrefix": end, "direction": str(direction), "priority": priority},
        }
        for direction, ends in denied.items()
        for priority, end in enumerate(ends, 100)
    ]
    return {"tags": {TAG_KEY: TAG_VALUE}, "properties": {"securityRules": rules}}
