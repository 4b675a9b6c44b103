"""Somebody else uses a person's token: sessions end, sign-in is blocked, role assignments go; and come back."""

from __future__ import annotations

from offline.azure.incident_bodies import MASS_DOWNLOAD, account
from offline.replay.activity import blinding
from offline.report.record import Kind, Scene
from offline.scenes.azure.stage import AzureStage
from shared_model.events import EntityKind


def run(stage: AzureStage) -> Scene:
    """Play the scene: verdict on Activity records, second signal, three actions on the person, a duplicate export, undo."""
    world, estate = stage.estate.services.world, stage.estate
    person = stage.person(world.mallory, "mallory", "token-of-mallory")
    calls = blinding(person, stage.now())
    story = "A session that deployed web apps takes the subscription's logs away; then storage logs name the same person."
    with stage.timeline.scene("Stolen token of a person", story, calls.provenance, calls.source) as scene:
        scene.attackers = {person.session}
        before = estate.rights_of(world.mallory)
        stage.operations(calls.history, "what the session did before")
        stage.operations(calls.attack, "logs, flow logs, protection and workspace are taken away")
        found, alone = stage.timeline.alarmed, estate.rights_of(world.mallory)
        stage.incident(MASS_DOWNLOAD, [account(world.mallory, "mallory", world.tenant_id)], "names mallory, from storage logs")
        after = estate.rights_of(world.mallory)
        stage.timeline.diff("Rights of mallory", before, after)
        seen = stage.timeline.verdicts
        stage.operations(calls.attack, "exported once more")
        if stage.timeline.verdicts == seen:
            stage.timeline.note(Kind.NOOP, "known by its operation ids: no second verdict")
        again = stage.timeline.verdicts - seen
        for action in ("block_sign_in", "remove_role_assignments"):
            stage.take_back(action, EntityKind.PRINCIPAL, world.mallory)
        restored = estate.rights_of(world.mallory)
        stage.timeline.diff("Rights of mallory after the undo", after, restored)
        scene.conclude(
            "sessions ended, sign-in blocked, roles removed; a duplicate export without a second verdict; undone",
            verdict=found,
            restraint_on_one_signal=alone == before,
            ended_sessions="APPLIED" in stage.operator.steps("revoke_sessions", EntityKind.PRINCIPAL, world.mallory),
            blocked_sign_in=not after["may sign in"],
            removed_roles=not after["role assignments"],
            one_verdict_on_two_exports=again == 0,
            undo=restored["may sign in"] and restored["role assignments"] == before["role assignments"],
        )
    return scene
