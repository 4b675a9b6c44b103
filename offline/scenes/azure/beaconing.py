"""A web server calls its controller: the flow logs alone notify; with an incident from DNS logs it is isolated."""

from __future__ import annotations

from offline.azure.incident_bodies import GENERATED_DOMAIN, host
from offline.replay.vnet_stories import capture
from offline.report.record import Scene
from offline.scenes.azure.stage import AzureStage
from shared_model.events import EntityKind


def run(stage: AzureStage) -> Scene:
    """Play the scene: verdict on flow logs, notice, second signal, quarantine, undo."""
    machine, at = stage.estate.machines["web-3"], stage.now()
    site = stage.site(at, "8-1#command_and_control", machine)
    flows = capture(
        site, machine.host, at, capture="8-1", label="command_and_control", minutes=25, instead="beacon-odd-port", held_out=True
    )
    story = "VNet flow logs, in blobs that grow. The model finds the calls home; an incident from DNS logs is the second signal."
    with stage.timeline.scene("Command and control in the flow logs", story, flows.provenance, flows.source) as scene:
        scene.attackers = {machine.private_address}
        before = stage.groups(machine)
        stage.flow_log(flows, machine, steps=5)
        found, alone = stage.timeline.alarmed, stage.groups(machine)
        stage.incident(GENERATED_DOMAIN, [host(machine)], f"names {machine.name}, from DNS logs")
        after = stage.groups(machine)
        stage.timeline.diff(f"Security groups of {machine.name}'s interfaces", before, after)
        stage.take_back("quarantine_instance", EntityKind.INSTANCE, machine.id)
        restored = stage.groups(machine)
        stage.timeline.diff(f"Security groups of {machine.name}'s interfaces after the undo", after, restored)
        scene.conclude(
            "one signal notified, two contained, undone exactly",
            verdict=found,
            restraint_on_one_signal=alone == before,
            quarantine=after != before,
            exact_undo=restored == before,
        )
    return scene
