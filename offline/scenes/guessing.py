"""A machine is guessed at; later it guesses at others itself. The first notifies, the two together isolate it."""

from __future__ import annotations

from datetime import timedelta

from offline.replay.flows import guessing_outward
from offline.replay.guessing import openssh
from offline.report.record import Scene
from offline.scenes.stage import Stage


def run(stage: Stage) -> Scene:
    """Play the scene: verdict on the host's log, notice, verdict on its flow logs, quarantine, undo."""
    machine, at = stage.launch("web-6"), stage.now()
    lines = openssh(machine.name, at - timedelta(minutes=20))
    flows = guessing_outward(stage.world, machine, stage.world.instances["database"], at)
    story = "To be guessed at is no reason to be isolated. Twenty minutes later the machine guesses at the database."
    source = f"{lines.source}; {flows.source}"
    with stage.timeline.scene("Password guessing, in and out", story, flows.provenance, source) as scene:
        scene.attackers = {machine.private_address, machine.id, machine.name}
        before = stage.groups(machine)
        stage.host_log(lines, machine)
        guessed, alone = stage.timeline.alarmed, stage.groups(machine)
        stage.flow_log(flows, objects=2)
        after = stage.groups(machine)
        stage.timeline.diff(f"Security groups of {machine.name}", before, after)
        stage.take_back("quarantine_instance", "instance", machine.id)
        scene.conclude(
            "told of the guessing, contained when it guessed itself, undone exactly",
            verdict_on_the_host_log=guessed,
            restraint_on_one_signal=alone == before,
            quarantine=after != before,
            exact_undo=stage.groups(machine) == before,
        )
    return scene
