"""A flood among lines and records that are none: what is broken is kept with its reason, all else goes on."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

from offline.replay.calls import ordinary_calls
from offline.replay.flows import recorded_capture, with_broken_lines
from offline.report.record import Kind, Scene
from offline.scenes.stage import Stage

_BROKEN_LINES = ("this line is no record", "5 123456789012 vpc-1 subnet-1 i-1 eni-1 198.51.100.7 no-address 1 2 6")


def run(stage: Stage) -> Scene:
    """Play the scene: broken lines in a flow-log object, a broken CloudTrail record, an event that is none."""
    machine, role, at = stage.launch("web-4"), stage.world.roles["web"], stage.now()
    flows = recorded_capture(
        stage.world,
        machine,
        at,
        capture="34-1",
        label="denial_of_service",
        minutes=1,
        instead="ack-flood-outward",
        held_out=False,
    )
    calls = [dict(each) for each in ordinary_calls(role, machine.id, at).all[:12]]
    calls[3] = {**calls[3], "eventTime": "the day before yesterday"}
    story = "A flood leaves web-4 while its logs are damaged. One signal only: a person is told, nothing is changed."
    with stage.timeline.scene("Broken records beside a flood", story, flows.provenance, flows.source) as scene:
        scene.attackers = {machine.private_address}
        before, known, buried = stage.groups(machine), list(_rejected(stage)), len(stage.aws.dead_letters("findings"))
        stage.flow_log(with_broken_lines(flows, _BROKEN_LINES))
        found = stage.timeline.alarmed
        stage.trail(calls, "one of them without a usable time")
        rejected = [each for each in _rejected(stage) if each not in known]
        for each in rejected:
            place = f"record {each['record']}" + (f", field {each['field']}" if each["field"] else "")
            stage.timeline.note(Kind.REFUSAL, f"rejected {place}", str(each["reason"]), str(each["source"]).partition(":")[2])
        broken = {"source": "aws.guardduty", "detail-type": "GuardDuty Finding", "detail": {"id": "f-1"}}
        stage.put(broken, "an event that says it is a finding and names no type")
        stage.timeline.drain()
        letters = stage.aws.dead_letters("findings")
        scene.conclude(
            f"{len(rejected)} records rejected with their reason, 1 dead letter; the flood found all the same, nothing changed",
            verdict=found,
            rejection_of_three_records=len(rejected) == 3,
            dead_letter=len(letters) == buried + 1 and all("reason" in letter["MessageAttributes"] for letter in letters),
            restraint_on_one_signal=stage.groups(machine) == before,
        )
    return scene


def _rejected(stage: Stage) -> Iterator[dict[str, Any]]:
    """What the functions kept in the lake of the records that they could not use."""
    s3, lake = stage.aws.client("s3"), stage.lake
    for item in s3.list_objects_v2(Bucket=lake, Prefix="rejected/").get("Contents", ()):
        body = gzip.decompress(s3.get_object(Bucket=lake, Key=item["Key"])["Body"].read())
        yield from (json.loads(line) for line in body.splitlines())
