"""A machine is guessed at; later it guesses at others itself. The first notifies, the two together isolate it.

The database's flow log comes first, and names the machine by its address only.
"""

from __future__ import annotations

from datetime import timedelta

from offline.replay.guessing import openssh
from offline.replay.vnet_stories import guessing
from offline.report.record import Scene
from offline.scenes.azure.stage import AzureStage
from shared_model.events import EntityKind


def run(stage: AzureStage) -> Scene:
    """Play the scene: verdict on the host's log, notice, verdict on its flow logs, quarantine, undo."""
    machine, database, at = stage.estate.machines["web-6"], stage.estate.machines["database-1"], stage.now()
    lines = openssh(machine.name, at - timedelta(minutes=20))
    flows = guessing(stage.site(at, "ssh-patator", machine), machine.host, database.host, at)
    story = (
        "To be guessed at is no reason to be isolated. Twenty minutes later the machine guesses at the database, whose flow log "
        "tells of it first."
    )
    source = f"{lines.source}; {flows.source}"
    with stage.timeline.scene("Password guessing, in and out", story, flows.provenance, source) as scene:
        scene.attackers = {machine.private_address, machine.name}
        before = stage.groups(machine)
        stage.host_log(lines, machine)
        guessed, alone = stage.timeline.alarmed, stage.groups(machine)
        stage.flow_log(flows, database, steps=2, alone=True)
        after = stage.groups(machine)
        stage.flow_log(flows, machine, alone=True)
        unchanged = stage.groups(machine) == after
        stage.timeline.diff(f"Security groups of {machine.name}'s interfaces", before, after)
        stage.take_back("quarantine_instance", EntityKind.INSTANCE, machine.id)
        scene.conclude(
            "told of the guessing, contained when the database saw it guess itself, undone exactly",
            verdict_on_the_host_log=guessed,
            restraint_on_one_signal=alone == before,
            quarantine_by_the_databases_flow_log=after != before,
            nothing_more_by_its_own=unchanged,
            exact_undo=stage.groups(machine) == before,
        )
    return scene
