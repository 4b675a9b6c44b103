"""Answers that Azure really gave: every recorded group and interface can be read and judged."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from typing import Any

import pytest

from azure_functions.actions.address_rules import BAND, deny, free_priority
from azure_functions.actions.interfaces import Interfaces, interface_ids, is_interface, managed_elsewhere
from azure_functions.actions.prefixes import Place
from azure_functions.actions.resource_manager import ResourceManager
from azure_functions.actions.security_rules import Direction, Traffic, passages, read_rule, read_rules
from training.data_root import data_root

ROOT = data_root()
FOLDER = ROOT / "azure_arm_cassettes" if ROOT else None
pytestmark = pytest.mark.skipif(
    FOLDER is None or not FOLDER.is_dir(), reason="the recorded calls are not here: set BREAKWATER_DATA"
)
REMOTE = "203.0.113.9"
PLACE = Place("10.0.0.4", frozenset(), ("10.0.0.0/16",))


def recorded(kind: str) -> dict[str, dict[str, Any]]:
    """Every recorded resource of a type, by its id and version."""
    return {f"{one['id']} {one.get('etag')}".lower(): one for one in _resources() if str(one.get("type")).lower() == kind.lower()}


def _resources() -> Iterator[dict[str, Any]]:
    assert FOLDER is not None
    for file in sorted(FOLDER.glob("*.json.xz")):
        with lzma.open(file) as lines:
            for interaction in json.load(lines)["interactions"]:
                body = interaction["response"]["body"]
                data = body.get("data", body) if isinstance(body, dict) else {}
                found = data.get("value", [data]) if isinstance(data, dict) else []
                yield from (one for one in found if isinstance(one, dict) and one.get("id"))


class Nothing(ResourceManager):
    """Resource Manager without any network."""

    def __init__(self) -> None:
        pass

    def virtual_network(self, network_id: str) -> None:
        return None


def test_recorded_groups_are_judged_and_a_deny_holds_where_nothing_stands_before_it() -> None:
    groups = recorded("Microsoft.Network/networkSecurityGroups")
    assert len(groups) > 20
    defeated = set()
    for group in groups.values():
        rules = read_rules(group)
        for direction in Direction:
            traffic = Traffic(direction, REMOTE, PLACE)
            priority = free_priority(rules, direction)
            assert priority is not None
            ours = read_rule("ours", deny(REMOTE, direction, priority, containment="c", flush_before=True))
            earlier = [rule for rule in rules if rule.direction == direction and rule.priority < priority]
            left = passages([*rules, ours], traffic)
            assert left == passages(earlier, traffic)
            defeated.update(str(passage) for passage in left)
    assert all(int(text.split("priority ")[1].split(")")[0]) in BAND for text in defeated)


def test_what_the_default_rules_say_is_read_from_azures_own_list() -> None:
    group = next(iter(recorded("Microsoft.Network/networkSecurityGroups").values()))
    defaults = read_rules({"properties": {"defaultSecurityRules": group["properties"]["defaultSecurityRules"]}})
    inbound = passages(defaults, Traffic(Direction.INBOUND, REMOTE, PLACE))
    assert [passage.rule.name for passage in inbound if passage.certain] == []  # nothing surely comes in
    outbound = passages(defaults, Traffic(Direction.OUTBOUND, REMOTE, PLACE))
    assert "AllowInternetOutBound" in {passage.rule.name for passage in outbound if passage.certain}
    platform = passages(defaults, Traffic(Direction.INBOUND, "168.63.129.16", PLACE))
    assert platform[0].certain


def test_recorded_interfaces_are_read() -> None:
    interfaces = recorded("Microsoft.Network/networkInterfaces")
    assert len(interfaces) >= 3
    for interface in interfaces.values():
        wiring = Interfaces(Nothing()).wiring(interface)
        assert wiring.id == interface["id"].lower()
        assert is_interface(interface["id"])
        assert len(wiring.positions_all) == len(interface["properties"]["ipConfigurations"])
        assert wiring.positions(REMOTE)


def test_recorded_machines_name_their_interfaces() -> None:
    machines = recorded("Microsoft.Compute/virtualMachines")
    assert machines
    for machine in machines.values():
        assert all(is_interface(interface) for interface in interface_ids(machine))
        assert managed_elsewhere(machine) == ""
    assert any(interface_ids(machine) for machine in machines.values())
