"""An address from outside guesses at passwords: a deny rule keeps it out, and only it."""

from __future__ import annotations

from offline.azure.incident_bodies import GUESSING_ADDRESS, address
from offline.replay.vnet_stories import guessed_at
from offline.report.record import Scene
from offline.scenes.azure.stage import AzureStage
from shared_model.events import EntityKind

#: In the office's range, which the network's own rules let in.
_OUTSIDE = "203.0.113.77"


def run(stage: AzureStage) -> Scene:
    """Play the scene: an incident about the address, verdict on the flow logs, deny rules, undo."""
    machine, at = stage.estate.machines["web-8"], stage.now()
    flows = guessed_at(stage.site(at, "ssh-patator", machine), machine.host, _OUTSIDE, at)
    edge = stage.estate.services.world.edge_group
    story = f"Syslog of some hosts names {_OUTSIDE}; then the flow logs show that it talks to {machine.name}, both ways."
    with stage.timeline.scene("An address from outside is denied", story, flows.provenance, flows.source) as scene:
        scene.attackers = {_OUTSIDE}
        before, groups = stage.estate.rules_of(edge), stage.groups(machine)
        stage.incident(GUESSING_ADDRESS, [address(_OUTSIDE)], f"names {_OUTSIDE}, from Syslog")
        alone = stage.estate.rules_of(edge)
        stage.flow_log(flows, machine, steps=2)
        after = stage.estate.rules_of(edge)
        stage.timeline.diff("Rules of the network security group edge", before, after)
        stage.take_back("block_address", EntityKind.ADDRESS, _OUTSIDE)
        restored = stage.estate.rules_of(edge)
        stage.timeline.diff("Rules of the network security group edge after the undo", after, restored)
        scene.conclude(
            "denied in and out before any Allow, the machine itself untouched, undone exactly",
            verdict=stage.timeline.alarmed,
            restraint_on_one_signal=alone == before,
            deny_rules=sum("Deny" in rule and _OUTSIDE in rule for rule in after.values()) == 2,
            untouched_machine=stage.groups(machine) == groups,
            exact_undo=restored == before,
        )
    return scene
