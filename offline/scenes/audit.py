"""The auditor's scene: the journal of the whole demo verifies; one entry that is written over afterwards is named."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from console.aws.stack import Deployment
from offline import auditing
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
        entry = stage.journal("quarantine_instance", "instance", machine.id)[-1]
        key = {"pk": {"S": entry.stream}, "sk": {"S": f"{entry.sequence:010}"}}
        table, dynamo = aws.outputs()["JournalTableName"], aws.client("dynamodb")

        @contextmanager
        def written_over(detail: dict[str, Any]) -> Iterator[None]:
            kept = dynamo.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
            dynamo.put_item(TableName=table, Item={**kept, "detail": {"S": json.dumps(detail)}})
            try:
                yield
            finally:
                dynamo.put_item(TableName=table, Item=kept)

        auditing.play(
            scene,
            timeline,
            entry,
            machine.name,
            verify=lambda: _verified(stage),
            written_over=written_over,
            by="an administrator",
        )
    return scene


def _verified(stage: Stage) -> Report:
    """What ``breakwater journal verify`` does."""
    deployment = Deployment("breakwater", OperatorClients(stage.aws))
    return verify(deployment.journal, [*deployment.streams()], now_ms=time.time_ns() // 1_000_000)
