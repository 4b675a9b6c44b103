"""Register of scenario families and of the functions that tell their stories."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from shared_model.events import Telemetry
from training.scenarios.connections import Connection
from training.scenarios.family import BENIGN, Family, Split
from training.scenarios.site import Site

Network = Iterator[Connection]
NetworkStory = Callable[[Site], Network]

#: Families of network behaviour and the story of each, in order of definition.
NETWORK: dict[Family, NetworkStory] = {}

#: MITRE ATT&CK technique of each attack class of the network detector, in the order of the model's outputs.
NETWORK_CLASSES: dict[str, str] = {
    BENIGN: "",
    "scan": "T1046",
    "brute_force": "T1110",
    "command_and_control": "T1071",
    "exfiltration": "T1048",
    "denial_of_service": "T1498",
    "lateral_movement": "T1021",
}


def benign_network(name: str, imitates: str, split: Split) -> Callable[[NetworkStory], NetworkStory]:
    """Register a benign story."""
    return _register(Family(f"network/{name}", Telemetry.FLOW_LOGS, BENIGN, "", imitates, split))


def network_attack(
    name: str, verdict: str, technique: str, imitates: str, split: Split
) -> Callable[[NetworkStory], NetworkStory]:
    """Register an attack story. ``verdict`` is one of :data:`NETWORK_CLASSES`."""
    if verdict not in NETWORK_CLASSES:
        raise ValueError(f"network/{name}: {verdict!r} is not a class of the network detector")
    return _register(Family(f"network/{name}", Telemetry.FLOW_LOGS, verdict, technique, imitates, split))


def _register(family: Family) -> Callable[[NetworkStory], NetworkStory]:
    def register(story: NetworkStory) -> NetworkStory:
        if any(known.name == family.name for known in NETWORK):
            raise ValueError(f"two families are named {family.name}")
        NETWORK[family] = story
        return story

    return register
