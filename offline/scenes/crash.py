"""The responding function dies between two changes: the next delivery finishes what the journal says, once."""

from __future__ import annotations

from offline.findings import domain_request, port_probe
from offline.report.record import Kind, Provenance, Scene
from offline.scenes.stage import Stage

_ACTION = "quarantine_instance"


def run(stage: Stage) -> Scene:
    """Play the scene: kill the function after its first change, let the queue deliver again, undo."""
    aws, timeline, machine = stage.aws, stage.timeline, stage.launch("web-crash")
    story = "The machine has two interfaces. The function is killed when one is isolated; the queue delivers the verdict again."
    with timeline.scene(
        "A crash in the middle heals", story, Provenance.GENERATED, "GuardDuty findings in their true format"
    ) as scene:
        before = stage.groups(machine)
        first, second = port_probe(stage.world, machine), domain_request(stage.world, machine)
        stage.put(first, f"{first['detail']['type']} on {machine.name}")
        timeline.drain()

        aws.kill_at("respond", "ModifyNetworkInterfaceAttribute", when="after")
        stage.put(second, f"{second['detail']['type']} on {machine.name}")
        timeline.note(Kind.EVENT, "respond is killed right after its first change")
        timeline.drain()
        after, steps = stage.groups(machine), stage.steps(_ACTION, "instance", machine.id)
        timeline.diff(f"Security groups of {machine.name}", before, after)

        stage.take_back(_ACTION, "instance", machine.id)
        restored = stage.groups(machine)
        scene.conclude(
            "finished by the next delivery with the plan of before, applied once, undone exactly",
            one_plan=steps.count("APPLIED") == 1,
            whole=steps[-1] == "VERIFIED" and len({group for groups in after.values() for group in groups}) == 1,
            exact_undo=restored == before,
        )
    return scene
