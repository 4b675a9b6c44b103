"""Nobody attacks: nothing may be said, nothing may change."""

from __future__ import annotations

from offline.replay.activity import work
from offline.replay.vnet_stories import ordinary
from offline.report.record import Scene
from offline.scenes.azure.stage import AzureStage


def run(stage: AzureStage) -> Scene:
    """Play the scene: half an hour of traffic, and a developer's operations."""
    machine, at, world = stage.estate.machines["web-7"], stage.now(), stage.estate.services.world
    flows = ordinary(stage.site(at, "ordinary", machine), machine.host, at)
    calls = work(stage.person(world.alice, "alice", "token-of-alice"), at)
    source = f"{flows.source}; {calls.source}"
    story = "Half an hour of every machine's traffic and a developer's operations: scored like all else."
    with stage.timeline.scene("Ordinary work", story, flows.provenance, source) as scene:
        before, rights = stage.groups(machine), stage.estate.rights_of(world.alice)
        stage.flow_log(flows, machine, steps=3)
        stage.operations(calls.history, "what a developer does all day")
        scene.conclude(
            "no verdict, nothing changed",
            silence=not stage.timeline.alarmed,
            no_change=(stage.groups(machine), stage.estate.rights_of(world.alice)) == (before, rights),
        )
    return scene
