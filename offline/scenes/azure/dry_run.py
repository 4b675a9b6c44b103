"""The policy observes: the journal and the comment on the incident hold the exact change, and nothing is changed."""

from __future__ import annotations

from offline.azure.incident_bodies import GENERATED_DOMAIN, PORT_PROBE, host
from offline.report.record import Kind, Provenance, Scene
from offline.scenes.azure.stage import AzureStage
from shared_model.events import EntityKind


def run(stage: AzureStage) -> Scene:
    """Play the scene: two independent signals in mode observe."""
    timeline, operator, machine = stage.timeline, stage.operator, stage.estate.machines["web-dry-run"]
    story = "The same evidence as before, but the policy only observes: it says what it would do, on the event path itself."
    source = "incidents of Microsoft Sentinel in the form of a playbook's trigger"
    with timeline.scene("Dry run: what would be done", story, Provenance.GENERATED, source) as scene:
        before, policy = stage.groups(machine), operator.policy()
        observing = {**policy, "rules": [{**rule, "mode": "observe"} for rule in policy["rules"]]}
        timeline.note(Kind.EVENT, "the operator sets every rule to observe")
        with operator.under(observing):
            for rule in (PORT_PROBE, GENERATED_DOMAIN):
                incident = stage.incident(rule, [host(machine)], f"names {machine.name}")
        last = operator.journal("quarantine_instance", EntityKind.INSTANCE, machine.id)[-1]
        plan = last.plan or {}
        timeline.diff(f"What would change on {machine.name}", plan.get("before", {}), plan.get("after", {}))
        comments = stage.azure.services.arm.incidents.comments(incident)
        scene.conclude(
            "told with its exact change, nothing changed",
            observed=last.step == "OBSERVED",
            plan_with_a_change=bool(plan) and plan["before"] != plan["after"],
            comment_on_the_incident=any(machine.id.lower() in comment for comment in comments),
            untouched_machine=stage.groups(machine) == before,
        )
    return scene
