"""The policy asks: nothing is changed until a person says yes to the very plan that was shown, and one yes counts once."""

from __future__ import annotations

import uuid

from offline.findings import domain_request, port_probe
from offline.operator_policy import arm, write
from offline.report.record import Kind, Provenance, Scene
from offline.scenes.stage import Stage
from response.answers import answer_body
from response.containment import fold
from response.proposals import digest

_ACTION = "quarantine_instance"
#: Of another account, whose IAM nobody here can ask: moto attests one and the same id of whoever sends.
_OPERATOR = "arn:aws:iam::210987654321:user/ada"


def run(stage: Stage) -> Scene:
    """Play the scene: proposal, its diff, a yes, the change, the same yes once more, undo."""
    aws, timeline, machine = stage.aws, stage.timeline, stage.launch("web-approval")
    story = "The policy wants a person's word: two signals become a proposal, whose plan the operator sees before saying yes."
    with timeline.scene("A person approves", story, Provenance.GENERATED, "GuardDuty findings in their true format") as scene:
        before = stage.groups(machine)
        enforcing = arm(aws, mode="approve")
        timeline.note(Kind.EVENT, "the operator sets every action to approve")
        try:
            for finding in (port_probe(stage.world, machine), domain_request(stage.world, machine)):
                stage.put(finding, f"{finding['detail']['type']} on {machine.name}")
                timeline.drain()
            asked = stage.groups(machine)
            entries = stage.journal(_ACTION, "instance", machine.id)
            (proposal,) = fold(entries[0].stream, entries).proposals.values()
            timeline.diff(f"Proposed for {machine.name}", proposal.plan.before, proposal.plan.after)
            timeline.note(Kind.EVENT, "the operator approves the plan that was shown", proposal.id, proposal.correlation_id)
            for again in ("", "once more"):
                if again:
                    timeline.note(Kind.EVENT, "the same approval is sent once more", proposal.id, proposal.correlation_id)
                plan, request = digest(proposal.plan), str(uuid.uuid4())
                stage.send_text("Answers", answer_body(proposal.id, approves=True, by=_OPERATOR, request=request, plan=plan))
                timeline.drain()
        finally:
            write(aws, enforcing)
        after, steps = stage.groups(machine), stage.steps(_ACTION, "instance", machine.id)
        timeline.diff(f"Security groups of {machine.name}", before, after)
        stage.take_back(_ACTION, "instance", machine.id)
        scene.conclude(
            "asked first, contained on a yes, once, undone exactly",
            untouched_before_the_answer=asked == before,
            contained_after_it=after != before and steps.count("APPLIED") == 1,
            second_yes_refused=steps[-1] == "REFUSED",
            exact_undo=stage.groups(machine) == before,
        )
    return scene
