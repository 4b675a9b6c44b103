"""Where there is a page, who asks for an undo is who has signed in there: a queue attests nobody."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from azure_functions import expire_containments, respond
from azure_functions.adapters.journal import TableJournal
from azure_functions.settings import Settings
from infra_tests.azure_functions.app import App
from infra_tests.azure_functions.test_handlers import guarded_by, two_signals
from infra_tests.azure_functions.test_proposal_page import ADA, CLAIMS, TENANT, Browser, linked_app
from offline.azure.faults import Fault
from response.containment import fold
from response.journal import Step
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict


@pytest.fixture
def contained(app: App, monkeypatch: pytest.MonkeyPatch) -> App:
    """An app with a page, as the templates configure it, that has isolated the web server."""
    linked_app(app, monkeypatch, ask=False)
    app.settings = replace(app.settings, attested_undo="yes")
    for module in (respond, expire_containments):
        app.install(monkeypatch, module)
    app.set_policy()
    return app


def contain(app: App, *about: Entity) -> str:
    for body in two_signals(app):
        found = Verdict.from_json(body)
        app.message("respond", replace(found, related=(*found.related, *about)).to_json())
    return next(entry.containment_id for entry in app.journal() if entry.step is Step.APPLIED)


def ask(app: App, containment: str) -> str:
    """Ask by the console, and return the link under the incident."""
    app.message("undo_containment", json.dumps({"undo": containment, "approved_by": "bob@example.com"}))
    return undo_link(app, containment)


def undo_link(app: App, containment: str) -> str:
    """Return the newest link under the incident that leads to the undo of a containment."""
    urls = [html.unescape(u) for c in app.comments() for u in re.findall(rf"https://\S+/proposals/{containment}\?[^\s<]+", c)]
    return next(url for url in reversed(urls) if url.endswith("&undo=yes"))


def settle(app: App) -> None:
    for body in app.taken("link-undos"):
        app.message("undo_links", body)


def signed_in(app: App, link: str, claims: Mapping[str, Any] = CLAIMS) -> Browser:
    browser = Browser(app, link, claims)
    assert browser.get().status_code == 200
    return browser


def test_who_undoes_is_who_signed_in_and_not_who_the_request_names(contained: App) -> None:
    before = guarded_by(contained)
    containment = contain(contained)
    isolated = guarded_by(contained)
    link = ask(contained, containment)
    refused = contained.journal()[-1]
    assert (refused.step, refused.detail["sign_in"], guarded_by(contained)) == (Step.REFUSED, True, isolated)
    assert "nothing attests that bob@example.com asked" in refused.detail["reason"]
    assert isolated != before
    ada = signed_in(contained, link)
    assert guarded_by(contained) == isolated  # a look changes nothing
    assert ada.post(answer="undo").status_code == 202
    settle(contained)
    assert guarded_by(contained) == before
    undoing = next(entry for entry in contained.journal() if entry.step is Step.UNDOING)
    assert undoing.actor == f"ada@example.com ({ADA} of {TENANT})"
    assert undoing.detail["requested_by"] == f"{TENANT}#{ADA}"
    again = ada.post(answer="undo")
    assert (again.status_code, contained.taken("link-undos")) == (409, [])
    assert b"This was undone" in ada.get().get_body()


def test_where_no_link_can_be_made_the_notice_says_so_and_without_the_setting_it_is_undone_unattested(
    contained: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = guarded_by(contained)
    containment = contain(contained)
    contained.services.vault.faults.order(Fault(403, times=9))  # the key is switched off, say
    request = json.dumps({"undo": containment, "approved_by": "bob@example.com"})
    contained.message("undo_containment", request)
    told = contained.comments()[-1]
    assert "This has no link" in told
    assert "Undo without a link" in told
    assert "https://" not in told
    assert guarded_by(contained) != before
    # What docs/response.md says to do: the app starts anew without the setting.
    contained.settings = replace(contained.settings, attested_undo=Settings.from_environment({}).attested_undo)
    contained.install(monkeypatch, expire_containments)
    contained.message("undo_containment", request)
    assert guarded_by(contained) == before
    undoing = next(entry for entry in contained.journal() if entry.step is Step.UNDOING)
    assert (undoing.actor, undoing.detail["unattested"]) == ("bob@example.com", True)
    assert "nothing attests it" in contained.comments()[-1]


def test_whom_the_verdict_is_about_undoes_nothing_whatever_name_is_given(contained: App) -> None:
    containment = contain(contained, Entity(EntityKind.PRINCIPAL, ADA, contained.services.world.subscription_id))
    isolated = guarded_by(contained)
    ada = signed_in(contained, ask(contained, containment))
    assert ada.post(answer="undo").status_code == 202
    settle(contained)
    assert any("someone else must ask" in entry.detail.get("reason", "") for entry in contained.journal())
    assert guarded_by(contained) == isolated


def test_the_end_of_its_time_is_told_with_a_link(contained: App) -> None:
    containment = contain(contained)
    contained.now_ms += 25 * 3_600_000
    contained.scheduled()
    assert signed_in(contained, undo_link(contained, containment)).post(answer="undo").status_code == 202


def test_an_undo_that_the_responder_has_forged_is_no_reason_not_to_undo(contained: App) -> None:
    before, containment = guarded_by(contained), contain(contained)
    journal = TableJournal(contained.clients)
    stream = next(entry.stream for entry in contained.journal() if entry.step is Step.APPLIED)
    folded = fold(stream, journal.stream(stream))
    journal.append(folded.entry(Step.UNDOING, folded.containments[containment], now_ms=contained.now_ms, actor="ada@example.com"))
    assert b"This is being undone" in Browser(contained, ask(contained, containment), CLAIMS).get().get_body()
    contained.now_ms += 16 * 60_000
    assert signed_in(contained, ask(contained, containment)).post(answer="undo").status_code == 202
    settle(contained)
    assert guarded_by(contained) == before


def test_what_was_changed_since_is_written_over_when_that_is_ticked(contained: App) -> None:
    before = guarded_by(contained)
    containment = contain(contained)
    change = {"id": contained.services.world.open_group}
    arm = contained.services.arm
    arm.change(contained.services.world.web_interface, lambda nic: nic["properties"].update(networkSecurityGroup=change))
    link = ask(contained, containment)
    signed_in(contained, link).post(answer="undo", overwrite="yes")
    settle(contained)
    assert guarded_by(contained) == before


@pytest.mark.parametrize("how", ["nobody", "another site", "another form", "a yes", "a link to a plan"])
def test_nothing_else_asks_for_an_undo(contained: App, how: str) -> None:
    link = ask(contained, contain(contained))
    ada = signed_in(contained, link)
    if how == "nobody":
        status = Browser(contained, link, None, ada.cookies, ada.form).post(answer="undo").status_code
        assert status == 401
    elif how == "another site":
        body = b"answer=undo"
        headers = {"Origin": "https://evil.example", "X-MS-CLIENT-PRINCIPAL": ada._headers()["X-MS-CLIENT-PRINCIPAL"]}
        assert contained.page("POST", link, headers=headers, body=body).status_code == 403
    elif how == "another form":
        assert ada.post(form={**ada.form, "token": "0" * 64}, answer="undo").status_code == 403
    elif how == "a yes":
        assert ada.post(answer="approve").status_code == 422
    else:
        plan = link.replace("&undo=yes", "")
        assert Browser(contained, plan, CLAIMS).get().status_code == 403
    assert contained.taken("link-undos") == []


@pytest.mark.parametrize(("function", "speaks"), [("undo_containment", True), ("undo_links", False)])
def test_nobody_speaks_for_others_but_the_page(contained: App, function: str, speaks: bool) -> None:
    containment = contain(contained)
    body: dict[str, Any] = {"undo": containment, "approved_by": "mallory@example.com"}
    if speaks:
        body["on_behalf_of"] = {"directory": TENANT, "subject": ADA, "names": ["ada@example.com"]}
    contained.message(function, json.dumps(body))
    (letter,) = contained.dead_letters("containments" if speaks else "link-undos")
    assert letter["field"] == "on_behalf_of"
    assert Step.UNDOING not in contained.steps()
