"""Two Sentinel incidents about one machine: the first notifies, the second isolates it; a person takes it back."""

from __future__ import annotations

from offline.azure.incident_bodies import GENERATED_DOMAIN, PORT_PROBE, host
from offline.report.record import Provenance, Scene
from offline.scenes.azure.stage import AzureStage
from shared_model.events import EntityKind


def run(stage: AzureStage) -> Scene:
    """Play the scene: signal, corroboration, isolation, comments on the incident, replay, refusal, undo."""
    timeline, machine, bastion = stage.timeline, stage.estate.machines["web-1"], stage.estate.machines["bastion"]
    story = "An incident drawn from flow logs, then one from DNS logs: two independent signals about web-1."
    source = "incidents of Microsoft Sentinel in the form of a playbook's trigger"
    with timeline.scene("Sentinel incidents: quarantine, undo", story, Provenance.GENERATED, source) as scene:
        before, untouched = stage.groups(machine), stage.groups(bastion)
        stage.incident(PORT_PROBE, [host(machine)], f"names {machine.name}, from network analytics")
        alone = stage.groups(machine)
        incident = stage.incident(GENERATED_DOMAIN, [host(machine)], f"names {machine.name}, from DNS logs")
        after = stage.groups(machine)
        timeline.diff(f"Security groups of {machine.name}'s interfaces", before, after)
        comments = stage.azure.services.arm.incidents.comments(incident)
        for rule in (PORT_PROBE, GENERATED_DOMAIN):
            stage.incident(rule, [host(bastion)], f"names {bastion.name}, which is tagged break-glass")
        stage.take_back("quarantine_instance", EntityKind.INSTANCE, machine.id)
        restored = stage.groups(machine)
        timeline.diff(f"Security groups of {machine.name}'s interfaces after the undo", after, restored)
        scene.conclude(
            "contained, told on the incident, protected machine refused, undone exactly",
            restraint_on_one_signal=alone == before,
            quarantine=after != before,
            comment_on_the_incident=any(machine.id.lower() in comment for comment in comments),
            refusal_of_the_protected_machine=stage.groups(bastion) == untouched,
            exact_undo=restored == before,
        )
    return scene
