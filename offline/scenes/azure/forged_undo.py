"""Whoever holds the responder writes that a containment was undone: nobody believes it, and the machine stays isolated."""

from __future__ import annotations

from offline import forging
from offline.azure.incident_bodies import GENERATED_DOMAIN, PORT_PROBE, host
from offline.report.record import Provenance, Scene
from offline.scenes.azure.stage import AzureStage
from shared_model.events import EntityKind

_ACTION = "quarantine_instance"


def run(stage: AzureStage) -> Scene:
    """Play the scene: contain, forge the end, let the schedule look, show what is believed, undo in earnest."""
    timeline, machine, journal = stage.timeline, stage.estate.machines["web-10"], stage.operator.written
    story = "Somebody holds the responder's identity, which may add to the journal, and wants the isolated machine forgotten."
    source = "incidents of Microsoft Sentinel in the form of a playbook's trigger; the entry is forged here"
    with timeline.scene("A forged undo is not believed", story, Provenance.GENERATED, source) as scene:
        before = stage.groups(machine)
        stage.incident(PORT_PROBE, [host(machine)], f"names {machine.name}, from network analytics")
        stage.incident(GENERATED_DOMAIN, [host(machine)], f"names {machine.name}, from DNS logs")
        isolated = stage.groups(machine)
        timeline.diff(f"Security groups of {machine.name}'s interfaces", before, isolated)

        entries = stage.operator.journal(_ACTION, EntityKind.INSTANCE, machine.id)
        applied = next(each for each in entries if each.step == "APPLIED")
        doubt = forging.play(
            timeline,
            journal,
            applied,
            by=stage.operator.name,
            schedule=lambda: stage.azure.host.fire_timer("expire_containments"),
        )
        still = stage.groups(machine)

        stage.take_back(_ACTION, EntityKind.INSTANCE, machine.id)
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
