"""The policy observes: the journal and the notice hold the exact change, and nothing is changed."""

from __future__ import annotations

from offline.findings import domain_request, port_probe
from offline.operator_policy import arm, write
from offline.report.record import Kind, Provenance, Scene
from offline.scenes.stage import Stage


def run(stage: Stage) -> Scene:
    """Play the scene: two independent signals in mode observe."""
    aws, timeline, machine = stage.aws, stage.timeline, stage.launch("web-dry-run")
    story = "The same evidence as before, but the policy only observes: it says what it would do, on the event path itself."
    with timeline.scene(
        "Dry run: what would be done", story, Provenance.GENERATED, "GuardDuty findings in their true format"
    ) as scene:
        before = stage.groups(machine)
        enforcing = arm(aws, mode="observe")
        timeline.note(Kind.EVENT, "the operator sets every action to observe")
        try:
            for finding in (port_probe(stage.world, machine), domain_request(stage.world, machine)):
                stage.put(finding, f"{finding['detail']['type']} on {machine.name}")
                timeline.drain()
        finally:
            write(aws, enforcing)
        last = stage.journal("quarantine_instance", "instance", machine.id)[-1]
        plan = last.plan or {}
        timeline.diff(f"What would change on {machine.name}", plan.get("before", {}), plan.get("after", {}))
        scene.conclude(
            "told with its exact change, nothing changed",
            observed=last.step == "OBSERVED",
            plan_with_a_change=bool(plan) and plan["before"] != plan["after"],
            untouched_machine=stage.groups(machine) == before,
        )
    return scene
