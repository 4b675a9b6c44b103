"""The quarantine security group of a resource group and region: allows nothing, made when needed, known by its tag."""

from __future__ import annotations

from typing import Any

from azure_functions.actions.group_writes import GroupWrites
from azure_functions.actions.resource_manager import Resource, ResourceId, ResourceManager
from azure_functions.actions.security_rules import Direction, SecurityRule, in_order, read_rules
from response.actions import CannotApply

TAG_KEY, TAG_VALUE = "breakwater:role", "quarantine"
_EVERY_PORT = ((0, 65_535),)


def group_id(interface: Resource) -> str:
    """Return the id of the quarantine group for an interface: beside it, since a group serves interfaces of its own region."""
    parsed = ResourceId.parse(interface["id"])
    region = str(interface["location"]).lower().replace(" ", "")
    return (
        f"/subscriptions/{parsed.subscription}/resourceGroups/{parsed.group}/providers/"
        f"Microsoft.Network/networkSecurityGroups/breakwater-quarantine-{region}"
    )


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
            if (group.get("tags") or {}).get(TAG_KEY) != TAG_VALUE:
                raise CannotApply(
                    f"{wanted} does not carry the tag {TAG_KEY}={TAG_VALUE}: rename it, or tag it when it is Breakwater's"
                )
            if not allows_nothing(group):
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
        return group is not None and allows_nothing(group) and bool(group["properties"].get("flushConnection"))


def allows_nothing(group: Resource) -> bool:
    """Say whether the first rule of either direction denies everything."""
    return denies_everything(read_rules(group))


def denies_everything(rules: tuple[SecurityRule, ...]) -> bool:
    """Say whether the first rule of either direction denies everything."""
    return all(bool(first := in_order(rules, direction)[:1]) and _is_total(first[0]) for direction in Direction)


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
        "destinationAddressPrefix": "*",
        "destinationPortRange": "*",
        "access": "Deny",
        "priority": 100,
        "description": "Breakwater quarantine: allows nothing. Do not add rules.",
    }
    rules = [
        {"name": f"DenyAll{direction}", "properties": {**everything, "direction": str(direction)}} for direction in Direction
    ]
    return {"tags": {TAG_KEY: TAG_VALUE}, "properties": {"securityRules": rules}}
