"""Nobody attacks: nothing may be said, nothing may change."""

from __future__ import annotations

from offline.replay.calls import ordinary_calls
from offline.replay.flows import ordinary_traffic
from offline.report.record import Scene
from offline.scenes.stage import Stage


def run(stage: Stage) -> Scene:
    """Play the scene: half an hour of traffic, and an application's calls."""
    machine, role = stage.launch("web-7"), stage.world.roles["web"]
    flows = ordinary_traffic(stage.world, machine, stage.now())
    calls = ordinary_calls(role, machine.id, stage.now())
    source = f"{flows.source}; {calls.source}"
    story = "Half an hour of every machine's traffic and an application's calls: scored like all else."
    with stage.timeline.scene("Ordinary work", story, flows.provenance, source) as scene:
        before, policies = stage.groups(machine), stage.policies(role)
        stage.flow_log(flows, objects=3)
        stage.trail(calls.all, "what an application does all day")
        scene.conclude(
            "no verdict, nothing changed",
            silence=not stage.timeline.alarmed,
            no_change=(stage.groups(machine), stage.policies(role)) == (before, policies),
        )
    return scene
