"""Fifty verdicts at once: the budget is soon used up, and one question asks a person about all that came after."""

from __future__ import annotations

from collections import Counter

from offline.findings import domain_request
from offline.operator_policy import read, write
from offline.report.record import Kind, Provenance, Scene
from offline.scenes.stage import Stage

_ACTION = "quarantine_instance"
_MACHINES = 50


def run(stage: Stage) -> Scene:
    """Play the scene: a rule that needs no second signal, a budget of one an hour, fifty findings in one go."""
    aws, timeline = stage.aws, stage.timeline
    source = "GuardDuty findings in their true format"
    story = f"A detector gone wild, or an attacker who wants it so: {_MACHINES} machines at once, each on a signal that suffices."
    with timeline.scene("A burst becomes one question", story, Provenance.GENERATED, source) as scene:
        machines = [stage.launch(f"burst-{number:02}") for number in range(1, _MACHINES + 1)]
        before = read(aws)
        rules = [{**rule, "alone": True} if rule["action"] == _ACTION else rule for rule in before["rules"]]
        write(aws, {**before, "rules": rules, "budget": {**before["budget"], "containments_per_hour": 1}})
        timeline.note(Kind.EVENT, "the policy: one signal is enough for a quarantine, and one containment an hour")
        try:
            for machine in machines:
                aws.put_event(domain_request(stage.world, machine))
            timeline.handed(
                f"{_MACHINES} GuardDuty findings, Trojan:EC2/DGADomainRequest.B, on as many machines", "", events=_MACHINES
            )
            with timeline.folded():
                timeline.drain()
        finally:
            write(aws, before)
        last = {machine.id: stage.journal(_ACTION, "instance", machine.id)[-1] for machine in machines}
        steps = Counter(str(entry.step) for entry in last.values())
        questions = {entry.detail["question"] for entry in last.values() if entry.step == "PROPOSED"}
        asked = [entry for entry in last.values() if entry.detail.get("asks")]
        for entry in asked[:1]:
            plan = entry.plan or {}
            title = f"What the question shows, of {plan['target']['id']}; the others wait for the same answer"
            timeline.diff(title, plan["before"], plan["after"])
        timeline.note(Kind.DECISION, ", ".join(f"{count} {step}" for step, count in sorted(steps.items())))
        scene.conclude(
            f"{steps['PROPOSED']} wait for one answer, nothing is lost, no flood of changes",
            budget_kept=steps["VERIFIED"] <= 1,
            one_question=len(asked) == len(questions) == 1,
            nothing_lost=steps["PROPOSED"] + steps["VERIFIED"] == _MACHINES,
        )
    return scene
