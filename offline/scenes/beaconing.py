"""A web server calls its controller: the flow logs alone notify; with a finding from DNS logs it is isolated."""

from __future__ import annotations

from offline.findings import domain_request
from offline.replay.flows import recorded_capture
from offline.report.record import Scene
from offline.scenes.stage import Stage


def run(stage: Stage) -> Scene:
    """Play the scene: verdict on flow logs, notice, second signal, quarantine, undo."""
    machine = stage.launch("web-3")
    flows = recorded_capture(
        stage.world,
        machine,
        stage.now(),
        capture="8-1",
        label="command_and_control",
        minutes=25,
        instead="beacon-odd-port",
        held_out=True,
    )
    story = "Flow logs of half an hour, in five objects. The model finds the calls home; a DNS finding is the second signal."
    with stage.timeline.scene("Command and control in the flow logs", story, flows.provenance, flows.source) as scene:
        scene.attackers = {machine.private_address}
        before = stage.groups(machine)
        stage.flow_log(flows, objects=5)
        alone = stage.groups(machine)
        stage.put(domain_request(stage.world, machine), f"Trojan:EC2/DGADomainRequest.B on {machine.name}, from DNS logs")
        stage.timeline.drain()
        after = stage.groups(machine)
        stage.timeline.diff(f"Security groups of {machine.name}", before, after)
        stage.take_back("quarantine_instance", "instance", machine.id)
        restored = stage.groups(machine)
        stage.timeline.diff(f"Security groups of {machine.name} after the undo", after, restored)
        scene.conclude(
            "one signal notified, two contained, undone exactly",
            verdict=stage.timeline.alarmed,
            restraint_on_one_signal=alone == before,
            quarantine=after != before,
            exact_undo=restored == before,
        )
    return scene
