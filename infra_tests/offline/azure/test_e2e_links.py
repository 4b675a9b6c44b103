"""A link from the incident's comment to the change, through the app in the real Functions library, under the templates' roles."""

from __future__ import annotations

import base64
import html
import re
import time
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import yaml

from infra_tests.response.world import verdict
from offline.azure.credential import TENANT_ID
from offline.azure.embedded import ROOT, EmbeddedAzure
from offline.azure.functions_host.http_calls import HttpAnswer
from offline.azure.vault import KEY
from shared_model.events import Entity, EntityKind, Telemetry

ORIGIN, ADA = "https://breakwater-page-x.azurewebsites.net", "33333333-0000-4000-8000-000000000001"
CLAIMS = {"oid": ADA, "tid": TENANT_ID, "preferred_username": "ada@example.com"}


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAzure]:
    told = {"BREAKWATER_PAGE_URL": f"{ORIGIN}/api", "BREAKWATER_LINK_KEY": KEY, "BREAKWATER_PAGE_OPERATOR_IDS": ADA}
    with EmbeddedAzure.start(tmp_path_factory.mktemp("azure-links"), settings=told) as running:
        running.services.grant_deployed(armed=True)
        policy = yaml.safe_load((ROOT / "policy" / "azure.yaml").read_text(encoding="utf-8"))
        for action in policy["actions"].values():
            action["mode"] = "approve"
        running.put_policy(yaml.safe_dump(policy))
        yield running


def ask(
    azure: EmbeddedAzure, link: str, *, form: dict[str, str] | None = None, cookie: str = "", claims: bool = True
) -> HttpAnswer:
    """Send a browser's request, GET without a form and POST with one."""
    parts = urlsplit(link)
    headers = {"origin": ORIGIN, "sec-fetch-site": "same-origin"} | ({"cookie": cookie} if cookie else {})
    return azure.host.request(
        "show_proposal" if form is None else "answer_proposal",
        method="GET" if form is None else "POST",
        body=b"" if form is None else urlencode(form).encode(),
        headers=headers,
        query=dict(parse_qsl(parts.query)),
        route_params={"proposal": parts.path.rpartition("/")[2]},
        claims=CLAIMS if claims else {},
    )


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
    comments = azure.services.arm.incidents.comments(world.incident)
    (link,) = {html.unescape(url) for text in comments for url in re.findall(r"https://\S+/proposals/[^\s<]+", text)}
    before = groups(azure)
    for _ in range(2):  # a scanner opens it before the person does
        assert ask(azure, link, claims=False).status == 200
    shown = ask(azure, link)
    assert shown.status == 200
    assert shown.headers["referrer-policy"] == "same-origin"
    assert shown.headers["content-type"].startswith("text/html")
    cookie = shown.headers["set-cookie"]
    assert cookie.endswith("; Secure; HttpOnly")
    form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', shown.body.decode())) | {"answer": "approve"}
    given = cookie.partition(";")[0]
    assert ask(azure, link, form=form, cookie=given, claims=False).status == 401
    assert groups(azure) == before
    assert ask(azure, link, form=form, cookie=given).status == 202
    azure.host.drain()
    assert groups(azure) != before
    answered = ask(azure, link, form=form, cookie=given)
    assert answered.status == 409
    assert f"ada@example.com ({ADA} of {TENANT_ID})" in answered.body.decode()
    assert not [call for call in azure.services.calls.calls() if call.status == 403]
