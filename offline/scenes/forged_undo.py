"""Whoever holds the responder writes that a containment was undone: nobody believes it, and the machine stays isolated."""

from __future__ import annotations

from console.aws.stack import Deployment
from offline import forging
from offline.aws import on_call
from offline.findings import domain_request, port_probe
from offline.journal import OperatorClients
from offline.report.record import Provenance, Scene
from offline.scenes.stage import Stage

_ACTION = "quarantine_instance"


def run(stage: Stage) -> Scene:
    """Play the scene: contain, forge the end, let the schedule look, show what is believed, undo in earnest."""
    aws, timeline, machine = stage.aws, stage.timeline, stage.launch("web-forged")
    story = "Somebody holds the responder's role, which may add to the journal, and wants the isolated machine forgotten."
    source = "GuardDuty findings in their true format; the entry is forged here"
    with timeline.scene("A forged undo is not believed", story, Provenance.GENERATED, source) as scene:
        before, journal = stage.groups(machine), Deployment("breakwater", OperatorClients(aws)).journal
        for finding in (port_probe(stage.world, machine), domain_request(stage.world, machine)):
            stage.put(finding, f"{finding['detail']['type']} on {machine.name}")
            timeline.drain()
        isolated = stage.groups(machine)
        timeline.diff(f"Security groups of {machine.name}", before, isolated)

        applied = next(each for each in stage.journal(_ACTION, "instance", machine.id) if each.step == "APPLIED")
        doubt = forging.play(timeline, journal, applied, by=on_call.arn_of("ada"), schedule=aws.tick)
        still = stage.groups(machine)

        stage.take_back(_ACTION, "instance", machine.id)
        restored = stage.groups(machine)
        scene.conclude(
            "not believed, told, still isolated; undone when ada asked for it",
            quarantine=isolated != before,
            alarm=any("UNORDERED" in each.text for each in scene.timeline),
            doubt=bool(doubt),
            containment_stands=still == isolated,
            exact_undo=restored == before,
        )
    return scene
