"""The page behind a link: a GET shows and changes nothing, a POST acts once, for a person who has signed in."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from infra_tests.response.linked import ADA, ADDRESS, BOB, ISSUER, Browser, Linked
from infra_tests.response.test_approval import LOCKED, OPEN, asking
from infra_tests.response.world import Site, verdict
from response.actions import Mode
from response.journal import Step
from response.page import plan as plan_of_page
from response.people import is_about
from response.policy import FourEyes
from shared_model.events import Entity, EntityKind, Telemetry


def opened(linked: Linked, who: Any = ADA) -> tuple[Browser, str]:
    browser, url = linked.browser(who), linked.link()
    assert browser.open(url).status == 200
    return browser, url


# --- GET ----------------------------------------------------------------------------------------------------------


def test_the_page_shows_what_an_approver_must_know(linked: Linked) -> None:
    body = linked.browser().open(linked.link()).body
    for needed in ("lock i-1", "scans its network", "T1046", "0.99", "What is already out.", "Answer until", "in 4 h 00 min"):
        assert needed in body, needed
    assert "<del>-  &quot;eni-a&quot;: &quot;open&quot;,</del>" in body
    assert "<ins>+  &quot;eni-a&quot;: &quot;locked&quot;,</ins>" in body
    assert f"breakwater undo {linked.proposal.id}" in body


def test_opening_it_changes_nothing_however_often_and_by_whomever(linked: Linked) -> None:
    before = len(linked.account.journal.stream(linked.proposal.stream))
    for _ in range(3):  # a scanner, a preview, the person
        assert linked.browser().open(linked.link()).status == 200
    assert linked.sent == []
    assert len(linked.account.journal.stream(linked.proposal.stream)) == before
    assert linked.account.world["i-1"] == OPEN


def test_its_headers_hold_it_to_itself(linked: Linked) -> None:
    headers = linked.browser().open(linked.link()).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert (policy["default-src"], policy["frame-ancestors"], policy["base-uri"]) == ("'none'", "'none'", "'none'")
    assert "unsafe" not in headers["content-security-policy"]
    if linked.by_platform:
        assert (policy["form-action"], policy.get("script-src"), policy.get("connect-src")) == ("'self'", None, None)
    else:
        assert policy["form-action"] == "'none'"
        assert policy["connect-src"] == "'self' https://login.example.com https://tokens.example.com"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["x-frame-options"] == "DENY"


def test_it_needs_nothing_from_elsewhere(linked: Linked) -> None:
    body = linked.browser().open(linked.link()).body
    without_script = re.sub(r"<script>.*?</script>", "", body, flags=re.DOTALL)
    assert not re.findall(r"\b(?:src|srcset|@import|url)\s*[=(]", without_script)
    assert linked.by_platform == ("<script>" not in body)


def test_a_cookie_of_this_host_alone_ties_the_form_to_the_browser(linked: Linked) -> None:
    reply = linked.browser().open(linked.link())
    assert re.fullmatch(r"__Host-breakwater=[0-9a-f]{64}; Path=/; Secure; HttpOnly; SameSite=Lax", reply.cookie)


def test_nobody_is_asked_for_an_answer_before_the_platform_knows_them() -> None:
    linked = Linked(asking(), by_platform=True)
    nobody = linked.browser().open(linked.link()).body
    assert "<form" not in nobody
    assert "/.auth/login/aad?post_login_redirect_uri=%2Fproposals%2F" in nobody
    ada = linked.browser(ADA).open(linked.link()).body
    assert "<form" in ada
    assert f"ada@example.com (00u1 of {ISSUER})" in ada


@pytest.mark.parametrize(("changes", "status"), [({"plan": "0" * 16}, 409), ({"proposal_id": "0" * 32}, 404)])
def test_a_link_that_fits_no_present_plan_shows_none(linked: Linked, changes: dict[str, str], status: int) -> None:
    reply = linked.browser().open(linked.link(**changes))
    assert reply.status == status
    assert "lock i-1" not in reply.body


def test_a_wrong_signature_shows_nothing(linked: Linked) -> None:
    reply = linked.browser().open(linked.link()[:-2] + "AA")
    assert reply.status == 403
    assert "i-1" not in reply.body


def test_an_expired_link_shows_nothing(linked: Linked) -> None:
    url = linked.link()
    linked.account.now_ms = linked.proposal.expires_ms
    reply = linked.browser().open(url)
    assert (reply.status, "i-1" in reply.body) == (410, False)


def test_could_not_look_is_another_answer_than_not_there(linked: Linked) -> None:
    linked.key.is_out = True
    reply = linked.browser().open(linked.link())
    assert reply.status == 503
    assert reply.headers["retry-after"] == "5"


def test_a_change_that_is_too_long_to_be_seen_cannot_be_approved_here() -> None:
    account = Site(mode=Mode.APPROVE)
    account.world["i-1"] = {f"eni-{number}": "open" for number in range(plan_of_page.MOST_LINES)}
    assert account.contain("i-1").decisions[0].step is Step.PROPOSED
    linked = Linked(account)
    body = linked.browser().open(linked.link()).body
    assert "<form" not in body
    assert "longer than this page shows" in body


# --- POST ---------------------------------------------------------------------------------------------------------


def test_a_yes_acts_once_in_the_name_of_who_signed_in(linked: Linked) -> None:
    browser, url = opened(linked)
    assert browser.post(url, answer="approve", reason="it mines").status == 202
    assert linked.account.world["i-1"] == OPEN
    assert linked.settle().step is Step.APPLIED
    assert linked.account.world["i-1"] == LOCKED
    approved = next(entry for entry in linked.account.stream("i-1").entries if entry.step is Step.APPROVED)
    assert approved.actor == f"ada@example.com (00u1 of {ISSUER})"
    assert (approved.detail["attested"], approved.detail["reason"]) == (f"{ISSUER}#00u1", "it mines")
    again = browser.post(url, answer="approve")
    assert again.status == 409
    assert "This has been answered" in again.body
    assert "VERIFIED" in again.body
    assert linked.sent == []
    seen = linked.browser().open(url)
    assert (seen.status, "<form" in seen.body, "ada@example.com" in seen.body) == (200, False, True)


def test_a_double_click_is_one_answer(linked: Linked) -> None:
    browser, url = opened(linked)
    assert [browser.post(url, answer="approve").status for _ in range(2)] == [202, 202]
    assert {linked.settle().step, linked.settle().step} == {Step.APPLIED}
    steps = linked.account.steps("i-1")
    assert steps.count(Step.APPROVED) == steps.count(Step.APPLYING) == 1
    assert Step.REFUSED not in steps[steps.index(Step.APPROVED) :]


def test_a_no_needs_a_reason_and_holds(linked: Linked) -> None:
    browser, url = opened(linked)
    reply = browser.post(url, answer="deny", reason="  ")
    assert (reply.status, linked.sent) == (422, [])
    assert browser.post(url, answer="deny", reason="a scanner of ours").status == 202
    assert linked.settle().step is Step.DENIED
    assert "a scanner of ours" in browser.open(url).body
    assert linked.account.world["i-1"] == OPEN


@pytest.mark.parametrize("answer", ["", "yes", "approve\n", "approve,deny"])
def test_what_is_neither_yes_nor_no_is_not_sent(linked: Linked, answer: str) -> None:
    browser, url = opened(linked)
    assert (browser.post(url, answer=answer).status, linked.sent) == (422, [])


def test_nobody_answers_without_having_signed_in(linked: Linked) -> None:
    browser, url = opened(linked)
    browser.sign_in = None
    fields = {"on_behalf_of": json.dumps({"subject": "00u1"}), "by": "ada", "x-ms-client-principal": "ada"}
    assert (browser.post(url, answer="approve", **fields).status, linked.sent) == (401, [])


@pytest.mark.parametrize("fetched", ["same-origin", ""], ids=["", "an old browser"])
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "http://approve.example.com", f"{ADDRESS}.evil.example"])
def test_another_site_cannot_answer_in_a_persons_name(linked: Linked, origin: str, fetched: str) -> None:
    browser, url = opened(linked)
    assert (browser.post(url, origin=origin, fetched=fetched, answer="approve").status, linked.sent) == (403, [])


@pytest.mark.parametrize("fetched", ["cross-site", "same-site", "none"])
def test_what_the_browser_itself_says_was_sent_from_elsewhere_is_no_answer(linked: Linked, fetched: str) -> None:
    browser, url = opened(linked)
    assert (browser.post(url, fetched=fetched, answer="approve").status, linked.sent) == (403, [])


def test_a_form_of_another_browser_or_link_does_not_fit(linked: Linked) -> None:
    browser, url = opened(linked)
    other, _ = opened(linked, BOB)
    other.cookies = "__Host-breakwater=" + "f" * 64
    assert other.post(url, answer="approve").status == 403
    other.cookies = ""
    assert other.post(url, answer="approve").status == 403
    for field in ("token", "request"):
        assert browser.post(url, answer="approve", **{field: "0" * 64}).status == 403
    assert linked.sent == []


def test_an_answer_to_a_plan_that_changed_since_is_not_sent(linked: Linked) -> None:
    browser, url = opened(linked)
    linked.account.world["i-1"]["eni-b"] = "db"
    linked.account.answer("i-1", "carol")  # proposes the present plan instead
    assert browser.post(url, answer="approve").status == 409
    assert linked.sent == []
    assert browser.open(url).status == 409
    assert browser.open(linked.link()).status == 200


def test_what_was_overtaken_says_so(linked: Linked) -> None:
    browser, url = opened(linked)
    linked.account.world["i-1"] = dict(LOCKED)
    browser.post(url, answer="approve")
    assert linked.settle().step is Step.NOOP
    body = browser.open(url).body
    assert "Overtaken" in body
    assert "already so" in body


def test_a_queue_that_is_out_of_service_is_said(linked: Linked) -> None:
    browser, url = opened(linked)
    linked.is_out = True
    assert browser.post(url, answer="approve").status == 503


def test_a_refused_answer_and_its_reason_stand_on_the_page(linked: Linked) -> None:
    session = Entity(EntityKind.SESSION, "AROAEXAMPLEEXAMPLE12:ada@example.com", "123456789012")
    account = Site(mode=Mode.APPROVE)
    account.respond(verdict("i-1", "v1", Telemetry.FLOW_LOGS, related=(session,)))
    account.respond(verdict("i-1", "v2", Telemetry.API_CALLS, related=(session,)))
    linked = Linked(account, by_platform=linked.by_platform)
    browser, url = opened(linked)
    browser.post(url, answer="approve")
    assert linked.settle().step is Step.REFUSED
    body = browser.open(url).body
    assert "someone else must answer" in body
    assert browser.post(url, answer="approve").status == 202  # the page decides nothing
    other, _ = opened(linked, BOB)
    linked.sent.clear()
    assert other.post(url, answer="approve").status == 202
    assert linked.settle().step is Step.APPLIED


# --- four eyes ----------------------------------------------------------------------------------------------------


def test_two_people_who_signed_in_may_approve_and_one_cannot_twice() -> None:
    linked = Linked(asking(FourEyes.TWO))
    for who, step in ((ADA, Step.APPROVED), (ADA, Step.REFUSED), (BOB, Step.APPLIED)):
        browser, url = opened(linked, who)
        assert browser.post(url, answer="approve").status == 202
        assert linked.settle().step is step
    assert linked.account.world["i-1"] == LOCKED


def test_one_person_is_not_two_by_answering_in_two_ways() -> None:
    linked = Linked(asking(FourEyes.TWO))
    linked.account.answer("i-1", "ada, at the console")
    browser, url = opened(linked)
    browser.post(url, answer="approve")
    answered = linked.settle()
    assert answered.step is Step.REFUSED
    assert "both by the console" in answered.reason


@pytest.mark.parametrize(
    ("named", "is_ada"),
    [
        ("arn:aws:sts::123456789012:assumed-role/Admin/ada@example.com", True),
        ("arn:aws:iam::123456789012:user/people/Ada", True),
        ("AROAEXAMPLEEXAMPLE12:ada", True),
        (f"{ISSUER}#00u1", True),
        ("00u1", True),
        ("arn:aws:iam::123456789012:user/adam", False),
        ("arn:aws:iam::123456789012:role/ada-tools", False),
    ],
)
def test_whom_a_verdict_names_is_known_by_the_name_that_they_sign_in_with(named: str, is_ada: bool) -> None:
    about = Entity(EntityKind.PRINCIPAL, named, "123456789012")
    found = verdict("i-1", "v1", Telemetry.API_CALLS, related=(about,))
    assert is_about(found, ADA.person) is is_ada
    assert not is_about(found, BOB.person)
