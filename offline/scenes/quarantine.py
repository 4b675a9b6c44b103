"""Two GuardDuty findings about one machine: the first notifies, the second isolates it; a person takes it back."""

from __future__ import annotations

import json
from typing import Any

from offline.findings import domain_request, port_probe, turned
from offline.report.record import Kind, Provenance, Scene
from offline.scenes.stage import Stage
from offline.seed import Instance
from training.data_root import data_root

_RECORDED = ("UnauthorizedAccess-EC2-TorClient.json", "Trojan-EC2-DGADomainRequest-B.json")


def run(stage: Stage) -> Scene:
    """Play the scene: signal, corroboration, containment, replay, refusal, undo."""
    recorded = _recorded()
    provenance = Provenance.RECORDED_MOVED if recorded else Provenance.GENERATED
    source = "GuardDuty findings, turned towards the seeded machine" if recorded else "GuardDuty findings in their true format"
    aws, timeline, machine, bastion = stage.aws, stage.timeline, stage.world.instances["web-1"], stage.world.instances["bastion"]
    story = "Something in the flow logs, then a request for a generated domain: two independent signals about web-1."
    with timeline.scene("GuardDuty findings: quarantine, undo", story, provenance, source) as scene:
        before, untouched = stage.groups(machine), stage.groups(bastion)
        findings = _about(stage, machine, recorded)
        for finding in findings:
            stage.put(finding, f"{_type(finding)} on {machine.name}")
            timeline.drain()
        after = stage.groups(machine)
        timeline.diff(f"Security groups of {machine.name}", before, after)

        timeline.note(Kind.EVENT, "the same findings once more, after the queue has forgotten them")
        aws.control.advance_clock(301)
        steps = stage.steps("quarantine_instance", "instance", machine.id)
        for finding in findings:
            aws.put_event(finding)
        timeline.drain()
        replayed = stage.steps("quarantine_instance", "instance", machine.id)

        for finding in _about(stage, bastion, recorded):
            stage.put(finding, f"{_type(finding)} on {bastion.name}, which is tagged break-glass")
        timeline.drain()

        stage.take_back("quarantine_instance", "instance", machine.id)
        restored = stage.groups(machine)
        timeline.diff(f"Security groups of {machine.name} after the undo", after, restored)
        scene.conclude(
            "contained, replayed as a no-op, protected machine refused, undone exactly",
            quarantine=after != before,
            replay_without_effect=replayed == steps,
            refusal_of_the_protected_machine=stage.groups(bastion) == untouched,
            exact_undo=restored == before,
        )
    return scene


def _recorded() -> list[dict[str, Any]]:
    root = data_root()
    if root is None or not all((root / "guardduty" / name).is_file() for name in _RECORDED):
        return []
    return [json.loads((root / "guardduty" / name).read_text()) for name in _RECORDED]


def _about(stage: Stage, machine: Instance, recorded: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if recorded:
        return [turned(finding, machine) for finding in recorded]
    return [port_probe(stage.world, machine), domain_request(stage.world, machine)]


def _type(finding: dict[str, Any]) -> str:
    detail = finding["detail"]
    return str(detail.get("type") or detail.get("Type"))
