"""Somebody else uses an instance's credentials: the session is revoked, and only the session."""

from __future__ import annotations

from offline.findings import stolen_session
from offline.replay.calls import stratus
from offline.report.record import Kind, Scene
from offline.scenes.stage import Stage


def run(stage: Stage) -> Scene:
    """Play the scene: verdict on the fast path, second signal, revocation, the slow path, an undo that has to wait."""
    role, machine = stage.world.roles["web"], stage.launch("web-5")
    session, target = machine.id, f"{role.id}:{machine.id}"
    calls = stratus(
        "aws.lateral-movement.ec2-serial-console-send-ssh-public-key", role, session, stage.now(), instead="serial-console"
    )
    story = "An application's session turns to serial consoles; then a finding on S3 data events names the same session."
    with stage.timeline.scene("Stolen instance credentials", story, calls.provenance, calls.source) as scene:
        scene.attackers = {target}
        before = stage.policies(role)
        stage.whole_story(calls)
        alarmed, alone = stage.timeline.alarmed, stage.policies(role)
        stage.put(stolen_session(role, session), "Exfiltration:S3/AnomalousBehavior by the same session")
        stage.timeline.drain()
        after = stage.policies(role)
        stage.timeline.diff(f"Inline policies of {role.name}", before, after)
        seen = stage.timeline.verdicts
        stage.trail(calls.all, "the same calls over the slow path")
        if stage.timeline.verdicts == seen:
            stage.timeline.note(Kind.NOOP, "merged by event id: no second verdict")
        again = stage.timeline.verdicts - seen
        stage.take_back("revoke_sessions", "session", target)
        scene.conclude(
            "session revoked, slow path without a second verdict, undo waits until its tokens have ended",
            verdict=alarmed,
            restraint_on_one_signal=alone == before,
            revocation=after != before and target in str(after),
            one_verdict_on_two_paths=again == 0,
            revocation_outlives_an_early_undo=stage.policies(role) == after,
        )
    return scene
