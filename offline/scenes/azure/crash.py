"""The responding app dies between two changes: the message comes again and finishes what the journal says, once."""

from __future__ import annotations

from offline.azure.incident_bodies import GENERATED_DOMAIN, PORT_PROBE, host
from offline.report.record import Kind, Provenance, Scene
from offline.scenes.azure.stage import AzureStage
from shared_model.events import EntityKind

_ACTION = "quarantine_instance"
_WRITE = "Microsoft.Network/networkInterfaces/write"


def run(stage: AzureStage) -> Scene:
    """Play the scene: kill the app after its first change, let the queue deliver again, undo."""
    timeline, machine = stage.timeline, stage.estate.machines["web-crash"]
    story = "The machine has two interfaces. The app is killed when one is isolated; the queue delivers the verdict again."
    source = "incidents of Microsoft Sentinel in the form of a playbook's trigger"
    with timeline.scene("A crash in the middle heals", story, Provenance.GENERATED, source) as scene:
        before = stage.groups(machine)
        stage.incident(PORT_PROBE, [host(machine)], f"names {machine.name}, from network analytics")
        stage.azure.kill_at(_WRITE)
        timeline.note(Kind.EVENT, "the app will be killed right after its first change, before it hears of it")
        stage.incident(GENERATED_DOMAIN, [host(machine)], f"names {machine.name}, from DNS logs")
        after, steps = stage.groups(machine), stage.operator.steps(_ACTION, EntityKind.INSTANCE, machine.id)
        timeline.diff(f"Security groups of {machine.name}'s interfaces", before, after)

        stage.take_back(_ACTION, EntityKind.INSTANCE, machine.id)
        restored = stage.groups(machine)
        scene.conclude(
            "finished by the next delivery with the plan of before, applied once, undone exactly",
            taken_up_again=steps.count("APPLYING") == 2,
            one_plan=steps.count("APPLIED") == 1,
            whole=steps[-1] == "VERIFIED" and len({*after.values()}) == 1,
            exact_undo=restored == before,
        )
    return scene
