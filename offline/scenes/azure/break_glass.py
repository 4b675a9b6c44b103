"""A break-glass account does what an attacker would: it is told of, and never touched."""

from __future__ import annotations

from offline.azure.incident_bodies import MASS_DOWNLOAD, account
from offline.replay.activity import blinding
from offline.report.record import Scene
from offline.scenes.azure.stage import AzureStage
from shared_model.events import EntityKind


def run(stage: AzureStage) -> Scene:
    """Play the scene: two independent signals on a principal of the never-touch list."""
    world = stage.estate.services.world
    person = stage.person(world.break_glass, "break-glass", "token-on-call")
    calls = blinding(person, stage.now())
    story = "Two independent signals about the break-glass account: enough for anybody else."
    with stage.timeline.scene("The break-glass account is refused", story, calls.provenance, calls.source) as scene:
        scene.attackers = {person.session}
        before = stage.estate.rights_of(world.break_glass)
        who = account(world.break_glass, "break-glass", world.tenant_id)
        stage.incident(MASS_DOWNLOAD, [who], "names break-glass, from storage logs")
        stage.operations(calls.history, "what the session did before")
        stage.operations(calls.attack, "logs, flow logs, protection and workspace are taken away")
        entries = stage.operator.journal("revoke_sessions", EntityKind.PRINCIPAL, world.break_glass)
        reasons = [str(entry.detail.get("reason", "")) for entry in entries]
        scene.conclude(
            "refused with its reason, nothing changed",
            verdict=stage.timeline.alarmed,
            refusal_by_name=bool(reasons) and "never-touch" in reasons[-1],
            untouched_account=stage.estate.rights_of(world.break_glass) == before,
            nothing_applied=not any(entry.step == "APPLIED" for entry in entries),
        )
    return scene
