"""The auditor's scene: the journal of the whole demo verifies; one entry that is written over afterwards is named."""

from __future__ import annotations

import time

from console.aws.stack import Deployment
from offline.findings import domain_request
from offline.journal import OperatorClients
from offline.report.record import Kind, Provenance, Scene
from offline.scenes.stage import Stage
from response.audit import Report, verify


def run(stage: Stage) -> Scene:
    """Play the scene: anchor, verify, write over an entry as an administrator could, verify, put it back."""
    aws, timeline, machine = stage.aws, stage.timeline, stage.launch("web-audit")
    story = "A month later an auditor asks whether the journal is what was written. Somebody has made a refusal look harmless."
    with timeline.scene("The journal verifies", story, Provenance.GENERATED, "the journal of this demo") as scene:
        finding = domain_request(stage.world, machine)
        stage.put(finding, f"{finding['detail']['type']} on {machine.name}")
        timeline.drain()
        timeline.note(Kind.EVENT, "the schedule anchors the heads of all streams")
        aws.tick()
        timeline.drain()
        sound = _verified(stage)
        timeline.note(
            Kind.DECISION, f"verify: {sound.entries} entries in {sound.streams} streams, {sound.anchors} anchors, all sound"
        )

        entry = stage.journal("quarantine_instance", "instance", machine.id)[-1]
        key = {"pk": {"S": entry.stream}, "sk": {"S": f"{entry.sequence:010}"}}
        table, dynamo = aws.outputs()["JournalTableName"], aws.client("dynamodb")
        kept = dynamo.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
        forged = {**kept, "detail": {"S": '{"reason":"nothing to see here"}'}}
        dynamo.put_item(TableName=table, Item=forged)
        try:
            timeline.note(Kind.EVENT, f"an administrator writes over entry {entry.sequence} of {machine.name}'s stream")
            timeline.diff("The entry", {"detail": kept["detail"]["S"]}, {"detail": forged["detail"]["S"]})
            accused = _verified(stage).problems
            for problem in accused:
                timeline.note(Kind.REFUSAL, f"verify: {problem.fault}", f"{problem.stream}/{problem.sequence}: {problem.what}")
        finally:
            dynamo.put_item(TableName=table, Item=kept)
        scene.conclude(
            "sound as written; the one changed entry is named",
            sound_journal=not sound.problems and sound.anchors > 0,
            the_entry_named=[(each.stream, each.sequence) for each in accused] == [(entry.stream, entry.sequence)],
            sound_again=not _verified(stage).problems,
        )
    return scene


def _verified(stage: Stage) -> Report:
    """What ``breakwater journal verify`` does."""
    deployment = Deployment("breakwater", OperatorClients(stage.aws))
    return verify(deployment.journal, [*deployment.streams()], now_ms=time.time_ns() // 1_000_000)
