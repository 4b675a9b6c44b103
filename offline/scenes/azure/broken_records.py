"""A flood among records that are none: what is broken is kept with its reason, all else goes on."""

from __future__ import annotations

import json

from azure_functions.registry import API_CALLS
from offline.replay.activity import work
from offline.replay.vnet_stories import capture
from offline.report.record import Kind, Scene
from offline.scenes.azure.stage import AzureStage

_BROKEN_RECORDS = (
    '{"time":"2026-03-02T09:00:00.0000000Z","flowLogVersion":4,"flowRecords":{"flows":[]}}',
    '{"time":"2026-03-02T09:00:00.0000000Z","macAddress":"000D3A000001","flowRecords":"torn off"}',
)


def run(stage: AzureStage) -> Scene:
    """Play the scene: broken records in a flow-log blob, a broken Activity record, an event that is none."""
    machine, at, world = stage.estate.machines["web-4"], stage.now(), stage.estate.services.world
    site = stage.site(at, "34-1#denial_of_service", machine)
    flows = capture(
        site, machine.host, at, capture="34-1", label="denial_of_service", minutes=1, instead="ack-flood-outward", held_out=False
    )
    calls = [dict(each) for each in work(stage.person(world.alice, "alice", "token-of-alice-2"), at, operations=12).history]
    calls[3] = {**calls[3], "time": "the day before yesterday"}
    story = f"A flood leaves {machine.name} while its logs are damaged. One signal only: a person is told, nothing is changed."
    with stage.timeline.scene("Broken records beside a flood", story, flows.provenance, flows.source) as scene:
        scene.attackers = {machine.private_address}
        before, known = stage.groups(machine), list(stage.operator.lake("rejected/"))
        buried = len(stage.operator.dead_letters(API_CALLS))
        stage.flow_log(flows, machine, damaged=_BROKEN_RECORDS)
        found = stage.timeline.alarmed
        stage.operations(calls, "one of them without a usable time")
        rejected = [each for each in stage.operator.lake("rejected/") if each not in known]
        for each in rejected:
            place = f"record {each['record']}" + (f", field {each['field']}" if each["field"] else "")
            stage.timeline.note(Kind.REFUSAL, f"rejected {place}", str(each["reason"]), str(each["source"]).partition(":")[2])
        stage.event(
            API_CALLS, json.dumps({"records": [{"category": "Unheard-of"}]}).encode(), "an event whose only record is none"
        )
        stage.timeline.drain()
        letters = stage.operator.dead_letters(API_CALLS)
        scene.conclude(
            f"{len(rejected)} records rejected with their reason, 1 dead letter; the flood found all the same, nothing changed",
            verdict=found,
            rejection_of_three_records=len(rejected) == 3,
            dead_letter=len(letters) == buried + 1 and all(letter["reason"] for letter in letters),
            restraint_on_one_signal=stage.groups(machine) == before,
        )
    return scene
