"""The auditor's scene: the journal of the whole demo verifies; one entry that is written over afterwards is named."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from azure_functions.adapters.table_rows import encode_key, pack_json
from azure_functions.registry import JOURNAL
from offline import auditing
from offline.azure.incident_bodies import GENERATED_DOMAIN, host
from offline.report.record import Kind, Provenance, Scene
from offline.scenes.azure.stage import AzureStage
from response.audit import Report, verify
from shared_model.events import EntityKind


def run(stage: AzureStage) -> Scene:
    """Play the scene: anchor, verify, write over an entry as the account's owner could, verify, put it back."""
    timeline, machine = stage.timeline, stage.estate.machines["web-audit"]
    story = "A month later an auditor asks whether the journal is what was written. Somebody has made a refusal look harmless."
    with timeline.scene("The journal verifies", story, Provenance.GENERATED, "the journal of this demo") as scene:
        stage.incident(GENERATED_DOMAIN, [host(machine)], f"names {machine.name}, from DNS logs")
        timeline.note(Kind.EVENT, "the schedule anchors the heads of all streams")
        stage.azure.host.fire_timer("expire_containments")
        timeline.drain()
        entry = stage.operator.journal("quarantine_instance", EntityKind.INSTANCE, machine.id)[-1]
        table = stage.azure.storage.tables.get_table_client(JOURNAL)

        @contextmanager
        def written_over(detail: dict[str, Any]) -> Iterator[None]:
            kept = table.get_entity(encode_key(entry.stream), f"{entry.sequence:010}")
            table.upsert_entity({**kept, **pack_json("entry", {**entry.as_written(), "detail": detail})})
            try:
                yield
            finally:
                table.upsert_entity(kept)

        auditing.play(
            scene,
            timeline,
            entry,
            machine.name,
            verify=lambda: _verified(stage),
            written_over=written_over,
            by="the account's owner",
        )
    return scene


def _verified(stage: AzureStage) -> Report:
    """What ``breakwater --cloud azure journal verify`` does."""
    journal = stage.operator.written
    return verify(journal, journal.streams(), now_ms=time.time_ns() // 1_000_000)
