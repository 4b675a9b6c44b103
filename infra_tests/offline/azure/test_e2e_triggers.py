"""One event of each trigger, followed by its correlation id through the staged app on the embedded Azure."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from azure_functions.registry import QUEUES, VNET_FLOW_LOGS
from offline.azure.embedded import PLAYBOOK_PRINCIPAL_ID, EmbeddedAzure
from offline.azure.functions_host.delivery import Fate

EVENTS = Path(__file__).resolve().parents[2] / "events" / "azure"
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
BLOB = "y=2026/m=11/d=01/h=00/m=00/macAddress=00224871C205/PT1H.json"


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAzure]:
    with EmbeddedAzure.start(tmp_path_factory.mktemp("azure")) as running:
        running.services.grant_deployed(armed=False)
        yield running
        assert {queue.name for queue in running.storage.queues.list_queues()} == set(QUEUES), "something became poison"


def lines(azure: EmbeddedAzure, function: str) -> list[dict[str, Any]]:
    return [json.loads(logged.record.message) for logged in azure.host.logs(function)]


def said(azure: EmbeddedAzure, function: str, message: str) -> list[dict[str, Any]]:
    return [line for line in lines(azure, function) if line["message"] == message]


def letters(azure: EmbeddedAzure, queue: str) -> list[dict[str, Any]]:
    peeked = azure.storage.queues.get_queue_client(queue).peek_messages(10)
    return [json.loads(base64.b64decode(message.content)) for message in peeked]


def metrics_of(azure: EmbeddedAzure, invocation_id: str) -> dict[str, float]:
    found = (json.loads(logged.record.message) for logged in azure.host.logs(invocation_id=invocation_id))
    return next(line["metrics"] for line in found if line["message"] == "metrics")


@pytest.mark.parametrize(
    ("hub", "function", "file"),
    [
        ("api-calls", "detect_api_calls", "activity_log.json"),
        ("system-logs", "detect_system_logs", "system_logs.json"),
        ("findings", "triage_alerts", "exported_alerts.json"),
    ],
)
def test_an_event_of_a_hub_is_followed_to_the_journal(azure: EmbeddedAzure, hub: str, function: str, file: str) -> None:
    azure.host.hub(hub).send((EVENTS / file).read_bytes())
    assert {delivery.fate for delivery in azure.host.drain()} == {Fate.DONE}
    sent = {line["correlation_id"] for line in said(azure, function, "verdict")}
    decided = {line["correlation_id"] for line in said(azure, "respond", "decision")}
    assert sent
    assert sent & decided
    written = {line["correlation_id"] for line in said(azure, "respond", "journal")}
    assert sent & written


def test_an_incident_from_the_playbook_is_followed_to_the_journal(azure: EmbeddedAzure) -> None:
    incident = (EVENTS / "sentinel_incident.json").read_bytes()
    answer = azure.host.request("triage_findings", body=incident, principal_id=PLAYBOOK_PRINCIPAL_ID)
    assert answer.status in (200, 202), answer.body
    azure.host.drain()
    sent = {line["correlation_id"] for line in said(azure, "triage_findings", "verdict")}
    assert sent
    assert sent <= {line["correlation_id"] for line in said(azure, "respond", "decision")}


def test_of_a_blob_that_grows_only_what_is_new_is_read(azure: EmbeddedAzure) -> None:
    counts = []
    for hours in (1, 1, 3):
        azure.write_flow_blob(VNET_FLOW_LOGS, BLOB, flow_blob(hours))
        (delivery,) = [each for each in azure.host.drain() if each.source.startswith(VNET_FLOW_LOGS)]
        assert delivery.fate is Fate.DONE, delivery.outcome.error
        counts.append(metrics_of(azure, delivery.outcome.invocation_id).get("Events", 0))
    assert counts == [1, 0, 2]


def test_a_verdict_that_cannot_be_read_goes_to_the_dead_letters_with_its_reason(azure: EmbeddedAzure) -> None:
    azure.storage.queues.get_queue_client("verdicts").send_message(base64.b64encode(b"no verdict").decode())
    assert [delivery.fate for delivery in azure.host.drain()] == [Fate.DONE]
    (letter,) = letters(azure, "verdicts-dead-letters")
    assert {"reason", "source", "record", "field"} <= set(letter)


def test_an_export_that_comes_twice_decides_nothing_twice(azure: EmbeddedAzure) -> None:
    export = (EVENTS / "activity_log.json").read_bytes()
    azure.host.hub("api-calls").send(export)
    azure.host.drain()
    before = len(said(azure, "respond", "journal"))
    azure.host.hub("api-calls").send(export)
    assert {delivery.fate for delivery in azure.host.drain()} == {Fate.DONE}
    assert len(said(azure, "respond", "journal")) == before


def flow_blob(hours: int) -> bytes:
    """A VNet flow-log blob with one denied connection a record, as Network Watcher appends them."""
    watched = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop"
    refused = [f"{1793491200000 + hour * 1000},203.0.113.9,10.0.0.4,40{hour:03d},22,6,I,D,NX,0,0,0,0" for hour in range(hours)]
    records = [
        {
            "time": f"2026-11-01T{hour:02d}:00:00.0000000Z",
            "flowLogVersion": 4,
            "flowLogGUID": "00000000-0000-4000-8000-000000000001",
            "macAddress": "00224871C205",
            "category": "FlowLogFlowEvent",
            "flowLogResourceID": f"{watched.upper()}/PROVIDERS/MICROSOFT.NETWORK/NETWORKWATCHERS/W/FLOWLOGS/F",
            "targetResourceID": f"{watched}/providers/Microsoft.Network/virtualNetworks/shop",
            "operationName": "FlowLogFlowEvent",
            "flowRecords": {
                "flows": [
                    {
                        "aclID": "00000000-1234-abcd-ef00-c1c2c3c4c5c6",
                        "flowGroups": [{"rule": "DefaultRule_DenyAllInBound", "flowTuples": [refused[hour]]}],
                    }
                ]
            },
        }
        for hour in range(hours)
    ]
    return json.dumps({"records": records}).encode()
