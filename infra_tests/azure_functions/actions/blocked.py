"""Where an address is denied, and what can be seen of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from azure_functions.actions.address_rules import BAND
from azure_functions.actions.block_address import BlockAddress
from infra_tests.azure_functions.actions.cloud import ATTACKER, Cloud, about
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict


@pytest.fixture
def action(cloud: Cloud) -> BlockAddress:
    return BlockAddress(cloud.clients, persistence=cloud.persistence)


def seen_at(*places: str, address: str = ATTACKER, name: str = "v") -> Verdict:
    kinds = [EntityKind.INSTANCE if "/virtualmachines" in place.lower() else EntityKind.INTERFACE for place in places]
    related = (Entity(kind, place.lower()) for kind, place in zip(kinds, places, strict=True))
    return replace(about(EntityKind.ADDRESS, address, *related, completed_flow=True), id=name)


def denies(cloud: Cloud, group: str) -> dict[str, tuple[str, int]]:
    """Direction → remote prefix and priority of the deny rules in the reserved band."""
    found = {}
    for properties in cloud.rules(group).values():
        if properties["access"] == "Deny" and properties["priority"] in BAND:
            end = "source" if properties["direction"] == "Inbound" else "destination"
            found[properties["direction"]] = properties[f"{end}AddressPrefix"], properties["priority"]
    return found
