"""A break-glass role does what an attacker would: it is told of, and never touched."""

from __future__ import annotations

from offline.findings import stolen_session
from offline.replay.calls import stratus
from offline.report.record import Scene
from offline.scenes.stage import Stage

_SESSION = "on-call"


def run(stage: Stage) -> Scene:
    """Play the scene: two independent signals on a role of the never-touch list."""
    role = stage.world.roles["break-glass"]
    calls = stratus("aws.exfiltration.rds-share-snapshot", role, _SESSION, stage.now(), instead="secrets-batch-harvest")
    story = "Two independent signals about a session of the break-glass role: enough for anybody else."
    with stage.timeline.scene("The break-glass role is refused", story, calls.provenance, calls.source) as scene:
        scene.attackers = {f"{role.id}:{_SESSION}"}
        before = stage.policies(role)
        stage.put(stolen_session(role, _SESSION), f"Exfiltration:S3/AnomalousBehavior by a session of {role.name}")
        stage.timeline.drain()
        stage.whole_story(calls)
        entries = stage.journal("revoke_sessions", "session", f"{role.id}:{_SESSION}")
        reasons = [str(entry.detail.get("reason", "")) for entry in entries]
        scene.conclude(
            "refused with its reason, nothing changed",
            verdict=stage.timeline.alarmed,
            refusal_by_name=bool(reasons) and "break-glass" in reasons[-1],
            untouched_role=stage.policies(role) == before,
        )
    return scene
