"""Nobody attacks: nothing may be said, nothing may change; of a recorded machine that the internet scans, scans may be said."""

from __future__ import annotations

from ipaddress import ip_address

from offline.replay.activity import work
from offline.replay.vnet_recording import SOURCE, recorded_minutes
from offline.replay.vnet_stories import ordinary
from offline.report.record import Scene
from offline.scenes.azure.stage import AzureStage


def run(stage: AzureStage) -> Scene:
    """Play the scene: half an hour of traffic, and a developer's operations."""
    machine, at, world = stage.estate.machines["web-7"], stage.now(), stage.estate.services.world
    flows = ordinary(stage.site(at, "ordinary", machine), machine.host, at)
    calls = work(stage.person(world.alice, "alice", "token-of-alice"), at)
    scanned = stage.estate.machines["web-9"]
    recorded = recorded_minutes(stage.estate.flow_log, scanned.macs[0], scanned.private_address, at)
    source = "; ".join([flows.source, *([SOURCE] if recorded else []), calls.source])
    story = "Half an hour of every machine's traffic and a developer's operations, scored like all else; then real scans."
    with stage.timeline.scene("Ordinary work", story, flows.provenance, source) as scene:
        before, rights = (stage.groups(machine), stage.groups(scanned)), stage.estate.rights_of(world.alice)
        stage.flow_log(flows, machine, steps=3)
        stage.operations(calls.history, "what a developer does all day")
        silence = not stage.timeline.alarmed
        if recorded:
            stage.recorded_flow_log(recorded, scanned)  # a scanner may be named as what it is
        over = [each.entity for each in scene.scores if each.probability >= each.threshold]
        scene.conclude(
            "no verdict on anybody's work, nothing changed",
            silence=silence,
            then_only_strangers_named=all(map(_is_stranger, over)),
            no_change=((stage.groups(machine), stage.groups(scanned)), stage.estate.rights_of(world.alice)) == (before, rights),
        )
    return scene


def _is_stranger(entity: str) -> bool:
    kind, _, address = entity.partition(" ")
    return kind == "address" and ip_address(address).is_global
