"""A link from the incident's comment to the change, through the app in the real Functions library, under the templates' roles."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator

import pytest
import yaml

from infra_tests.response.world import verdict
from offline.azure.credential import TENANT_ID
from offline.azure.embedded import ROOT, EmbeddedAzure
from offline.azure.operator import Operator
from offline.azure.page import ADA, SETTINGS, SIGNED_IN, Browser, link_to
from shared_model.events import Entity, EntityKind, Telemetry


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAzure]:
    with EmbeddedAzure.start(
        tmp_path_factory.mktemp("azure-links"), settings={**SETTINGS, "BREAKWATER_ATTESTED_UNDO": "yes"}
    ) as running:
        running.services.grant_deployed(armed=True)
        policy = yaml.safe_load((ROOT / "policy" / "azure.yaml").read_text(encoding="utf-8"))
        for rule in policy["rules"]:
            rule["mode"] = "approve"
        running.put_policy(yaml.safe_dump(policy))
        yield running


def groups(azure: EmbeddedAzure) -> object:
    world = azure.services.world
    return azure.services.arm.resource(world.web_interface)["properties"].get("networkSecurityGroup")


def test_a_link_leads_to_the_change_in_the_name_of_who_signed_in(azure: EmbeddedAzure) -> None:
    world = azure.services.world
    queue = azure.storage.queues.get_queue_client("verdicts")
    machine, now_ms = Entity(EntityKind.INSTANCE, world.web.lower(), world.subscription_id), time.time_ns() // 1_000_000
    for telemetry in (Telemetry.FLOW_LOGS, Telemetry.API_CALLS):
        signal = verdict("", f"v-{telemetry}", telemetry, time_ms=now_ms, entity=machine, correlation_id=world.incident)
        queue.send_message(base64.b64encode(signal.to_json().encode()).decode())
    azure.host.drain()
    written = Operator(azure).journal("quarantine_instance", EntityKind.INSTANCE, world.web)
    (entry,) = (each for each in written if each.step == "PROPOSED")
    link = link_to(entry.containment_id, azure.services.arm.incidents.comments(world.incident))
    before = groups(azure)
    for _ in range(2):  # a scanner opens it before the person does
        assert Browser(azure).open(link).status == 200
    ada = Browser(azure, SIGNED_IN)
    shown = ada.open(link)
    assert shown.status == 200
    assert shown.headers["referrer-policy"] == "same-origin"
    assert shown.headers["content-type"].startswith("text/html")
    assert shown.headers["set-cookie"].endswith("; Secure; HttpOnly")
    unnamed = Browser(azure, cookie=ada.cookie, form=ada.form)
    assert unnamed.send(link, answer="approve").status == 401
    assert groups(azure) == before
    assert ada.send(link, answer="approve").status == 202
    azure.host.drain()
    assert groups(azure) != before
    answered = ada.send(link, answer="approve")
    assert answered.status == 409
    assert f"ada@example.com ({ADA} of {TENANT_ID})" in answered.body.decode()
    isolated, operator = groups(azure), Operator(azure, "somebody@example.com")
    operator.undo(entry.containment_id)
    azure.host.drain()
    assert groups(azure) == isolated  # nothing attests who asked: there is a link instead
    undo = link_to(entry.containment_id, azure.services.arm.incidents.comments(world.incident))
    assert undo.endswith("&undo=yes")
    assert ada.open(undo).status == 200
    assert ada.send(undo, answer="undo").status == 202
    azure.host.drain()
    assert groups(azure) == before
    undoing = [each for each in operator.journal("quarantine_instance", EntityKind.INSTANCE, world.web) if each.step == "UNDOING"]
    assert [each.detail["requested_by"] for each in undoing] == [f"{TENANT_ID}#{ADA}"]
    assert not [call for call in azure.services.calls.calls() if call.status == 403]
