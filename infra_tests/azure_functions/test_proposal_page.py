"""The page behind a link, through the functions of the app: from the comment to the change, in the name of who signed in."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

import azure.functions as func
import pytest

from azure_functions import answer_proposals, expire_containments, proposal_page, respond
from azure_functions.actions.catalogue import ACTIONS
from azure_functions.actions.leaves import LEAVES
from azure_functions.adapters.link_key import LinkKey
from azure_functions.registry import Group
from infra_tests.azure_functions.app import App
from infra_tests.azure_functions.test_handlers import guarded_by, two_signals
from offline.azure.faults import Fault
from offline.azure.vault import GIVEN, KEY
from response.answers import answer_body
from response.journal import Step

PAGE, TENANT = "https://breakwater-page-x.azurewebsites.net/api", "72f988bf-0000-4000-8000-000000000000"
ADA, ON_CALL, BOB = (f"33333333-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))
CLAIMS = {"oid": ADA, "tid": TENANT, "preferred_username": "ada@example.com", "name": "Ada"}


@dataclass
class Browser:
    """Makes the requests that the platform makes of a browser's."""

    app: App
    link: str
    claims: Mapping[str, Any] | None = None
    cookies: str = ""
    form: dict[str, str] = field(default_factory=dict)

    def get(self) -> func.HttpResponse:
        reply = self.app.page("GET", self.link, headers=self._headers())
        self.cookies = reply.headers.get("set-cookie", "").partition(";")[0] or self.cookies
        hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', reply.get_body().decode())
        self.form = {name: html.unescape(value) for name, value in hidden}
        return reply

    def post(self, *, form: Mapping[str, str] | None = None, **filled: str) -> func.HttpResponse:
        origin = {"Origin": PAGE.removesuffix("/api"), "Sec-Fetch-Site": "same-origin"}
        body = urlencode({**(self.form if form is None else form), **filled}).encode()
        return self.app.page("POST", self.link, headers=self._headers() | origin, body=body)

    def _headers(self) -> dict[str, str]:
        headers = {"Cookie": self.cookies} if self.cookies else {}
        return headers | ({"X-MS-CLIENT-PRINCIPAL": principal(self.claims)} if self.claims is not None else {})


def linked_app(app: App, monkeypatch: pytest.MonkeyPatch, *, ask: bool = True) -> App:
    """The app with a page, as the templates configure it, where somebody is asked, unless ``ask`` is left out."""
    told = {"link_key": KEY, "page_url": PAGE, "page_operator_ids": f"{ADA},{ON_CALL}"}
    app.settings = replace(app.settings, **told, tenant_id=TENANT)
    for module in (respond, answer_proposals, expire_containments, proposal_page):
        app.install(monkeypatch, module)
    app.set_policy(mode="approve")
    for body in two_signals(app) if ask else ():
        app.message("respond", body)
    return app


def only_link(app: App) -> str:
    """As it stands under the incident."""
    (found,) = {url for comment in app.comments() for url in re.findall(r"https://\S+/proposals/[^\s<]+", comment)}
    return html.unescape(found)


@pytest.fixture
def linked(app: App, monkeypatch: pytest.MonkeyPatch) -> App:
    return linked_app(app, monkeypatch)


@pytest.fixture
def link(linked: App) -> str:
    return only_link(linked)


def settle(app: App) -> None:
    for body in app.taken("link-answers"):
        app.message("answer_links", body)


def test_a_link_leads_to_the_change_in_the_name_of_who_signed_in(linked: App, link: str) -> None:
    before = guarded_by(linked)
    for _ in range(2):  # a scanner opens it before the person does
        assert Browser(linked, link).get().status_code == 200
    ada = Browser(linked, link, CLAIMS)
    assert ada.get().status_code == 200
    assert linked.taken("link-answers") == []
    assert ada.post(answer="approve", reason="it mines").status_code == 202
    assert guarded_by(linked) == before
    settle(linked)
    assert guarded_by(linked) != before
    approved = next(entry for entry in linked.journal() if entry.step is Step.APPROVED)
    assert approved.actor == f"ada@example.com ({ADA} of {TENANT})"
    assert (approved.detail["attested"], approved.detail["reason"]) == (f"{TENANT}#{ADA}", "it mines")
    again = ada.post(answer="approve")
    assert (again.status_code, linked.taken("link-answers")) == (409, [])
    assert b"This has been answered" in again.get_body()
    vaulted = {(call.client_id, call.operation) for call in linked.services.calls.calls() if call.service == "vault"}
    respond_id, page_id = linked.settings.respond_client_id, linked.settings.page_client_id
    assert vaulted == {(respond_id, right) for right in GIVEN["respond"]} | {(page_id, right) for right in GIVEN["page"]}


def test_the_page_sends_people_to_the_platforms_sign_in_and_back(linked: App, link: str) -> None:
    body = Browser(linked, link).get().get_body().decode()
    assert "/.auth/login/aad?post_login_redirect_uri=%2Fapi%2Fproposals%2F" in body
    assert "<form" not in body
    assert "<script" not in body
    assert html.escape(LEAVES["quarantine_instance"][0]) in body


def test_every_action_says_what_it_does_not_stop() -> None:
    assert set(LEAVES) == {action.name for action in ACTIONS}
    assert all(LEAVES.values())


@pytest.mark.parametrize(
    "claims",
    [
        None,
        {},
        CLAIMS | {"oid": BOB},
        CLAIMS | {"tid": "11111111-0000-4000-8000-000000000000"},
        {"tid": TENANT, "groups": ON_CALL},
    ],
)
def test_only_operators_of_the_tenant_are_heard(linked: App, link: str, claims: dict[str, Any] | None) -> None:
    browser = Browser(linked, link, CLAIMS)
    browser.get()
    browser.claims = claims
    assert (browser.post(answer="approve").status_code, linked.taken("link-answers")) == (401, [])


def test_a_member_of_an_operators_group_is_heard(linked: App, link: str) -> None:
    browser = Browser(linked, link, CLAIMS | {"oid": BOB, "groups": ON_CALL})
    browser.get()
    assert browser.post(answer="approve").status_code == 202


@pytest.mark.parametrize(
    "header", ["", "%%%", "bm90IGpzb24=", base64.b64encode(b"[1]").decode(), base64.b64encode(b'{"auth_typ": "other"}').decode()]
)
def test_a_principal_of_another_form_is_nobody(linked: App, link: str, header: str) -> None:
    browser = Browser(linked, link, CLAIMS)
    browser.get()
    sent = {"Cookie": browser.cookies, "Origin": PAGE.removesuffix("/api"), "X-MS-CLIENT-PRINCIPAL": header}
    reply = linked.page("POST", link, headers=sent, body=urlencode(browser.form | {"answer": "approve"}).encode())
    assert (reply.status_code, linked.taken("link-answers")) == (401, [])


def test_another_sites_form_is_refused(linked: App, link: str) -> None:
    browser = Browser(linked, link, CLAIMS)
    browser.get()
    sent = {"Cookie": browser.cookies, "Origin": "https://evil.example", "X-MS-CLIENT-PRINCIPAL": principal(CLAIMS)}
    reply = linked.page("POST", link, headers=sent, body=urlencode(browser.form | {"answer": "approve"}).encode())
    assert (reply.status_code, linked.taken("link-answers")) == (403, [])
    assert browser.post(form={"answer": "approve"}).status_code == 403
    assert browser.post(reason="x" * 20_000).status_code == 403


def test_two_people_who_signed_in_may_approve_what_two_must(linked: App, link: str) -> None:
    linked.set_policy(actions={"quarantine_instance": {"mode": "approve", "four_eyes": "two"}})
    linked.now_ms += 120_000  # functions notice within a minute
    before = guarded_by(linked)
    for claims in (CLAIMS, CLAIMS | {"oid": BOB, "groups": ON_CALL, "preferred_username": "bob@example.com"}):
        assert guarded_by(linked) == before
        browser = Browser(linked, link, claims)
        browser.get()
        assert browser.post(answer="approve").status_code == 202
        settle(linked)
    assert guarded_by(linked) != before


@pytest.mark.parametrize(("queue", "speaks"), [("answer_proposals", True), ("answer_links", False)])
def test_nobody_speaks_for_others_but_the_page(linked: App, link: str, queue: str, speaks: bool) -> None:
    browser = Browser(linked, link, CLAIMS)
    browser.get()
    browser.post(answer="approve")
    (sent,) = linked.taken("link-answers")
    body = json.loads(sent) if speaks else json.loads(answer_body("0" * 32, approves=True, by="ada", request="r", plan="p"))
    linked.message(queue, json.dumps(body))
    (letter,) = linked.dead_letters("answers" if queue == "answer_proposals" else "link-answers")
    assert letter["field"] == "on_behalf_of"
    assert Step.APPROVED not in linked.steps()


def test_a_signature_of_another_version_or_none_is_refused(app: App) -> None:
    signer, verifier = LinkKey(app.clients, KEY, Group.RESPOND), LinkKey(app.clients, KEY, Group.PAGE)
    signature = signer.sign(b"message")
    assert verifier.verify(b"message", signature)
    assert not verifier.verify(b"another", signature)
    assert not verifier.verify(b"message", bytes(16) + signature[16:])
    for length in (0, 16, 79, 81):
        assert not verifier.verify(b"message", signature[:length].ljust(length, b"x"))
    for bit in range(8 * 16, 8 * len(signature), 37):
        flipped = bytearray(signature)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not verifier.verify(b"message", bytes(flipped)), bit


@pytest.mark.parametrize("status", [403, 500])
def test_a_vault_that_does_not_answer_is_no_wrong_link(linked: App, link: str, status: int) -> None:
    linked.services.vault.faults.order(Fault(status, times=9))
    assert Browser(linked, link).get().status_code == 503


def test_without_a_page_there_is_none(app: App) -> None:
    reply = app.page("GET", f"{PAGE}/proposals/{'0' * 32}", headers={})
    assert reply.status_code == 404


def test_no_log_line_holds_a_link(linked: App, link: str) -> None:
    browser = Browser(linked, link, CLAIMS)
    browser.get()
    browser.post(answer="approve")
    (signature,) = re.findall(r"signature=([\w-]+)", link)
    assert {line["status"] for line in linked.lines("page")} == {200, 202}
    assert signature not in json.dumps(linked.lines())


def principal(claims: Mapping[str, Any]) -> str:
    listed = [{"typ": name, "val": value} for name, value in claims.items()]
    return base64.b64encode(json.dumps({"auth_typ": "aad", "claims": listed}).encode()).decode()
