"""What comes from outside onto the page: names that an attacker chose, forms that are none."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra_tests.response.linked import ADA, Linked, inputs
from infra_tests.response.test_approval import asking
from infra_tests.response.test_page import opened
from infra_tests.response.world import NOW_MS, Site, verdict
from response.actions import Mode
from response.page.document import Reply
from shared_model.events import Telemetry
from shared_model.verdicts import Evidence


class Tags(HTMLParser):
    """Counts tags, and keeps their attributes."""

    def __init__(self, body: str) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.feed(body)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _ in attrs)))


HOSTILE = st.one_of(
    st.text(min_size=1, max_size=60),
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            "</pre></main><script src=//evil.example/x></script>",
            '" onmouseover="alert(1)',
            "'><img src=x onerror=alert(1)>",
            "</style><svg/onload=alert(1)>",
            "<!--",
            "&lt;script&gt;",
            "javascript:alert(1)",
            "\u202etxt.exe",
        ]
    ),
)


@settings(max_examples=60, deadline=None)
@given(title=HOSTILE, evidence=HOSTILE, tag=HOSTILE, touched=HOSTILE, by_platform=st.booleans(), name=HOSTILE)
def test_what_an_attacker_names_is_text_and_nothing_else(
    title: str, evidence: str, tag: str, touched: str, by_platform: bool, name: str
) -> None:
    def page_of(*texts: str) -> str:
        title, evidence, tag, touched, name = texts
        account = Site(mode=Mode.APPROVE)
        account.world["i-1"] = {"eni-a": f"open{tag}"}
        plan = account.action.plan
        account.action.plan = lambda *found: replace(plan(*found), touches=(touched,), summary=tag)  # type: ignore[method-assign]
        for number, telemetry in enumerate((Telemetry.FLOW_LOGS, Telemetry.DNS_LOGS)):
            found = (Evidence("f-1", NOW_MS, 0.5, evidence),)
            account.respond(verdict("i-1", f"v{number}", telemetry, title=title, evidence=found))
        linked = Linked(account, by_platform=by_platform)
        return linked.browser(replace(ADA, names=(name,))).open(linked.link()).body

    def parts(body: str) -> list[tuple[str, tuple[str, ...]]]:
        return [each for each in Tags(body).found if each[0] not in ("ins", "del")]

    assert parts(page_of(title, evidence, tag, touched, name)) == parts(page_of("t", "e", "g", "u", "n"))


def test_what_turns_the_order_of_letters_is_seen() -> None:
    account = Site(mode=Mode.APPROVE)
    account.world["i-1"] = {"eni-a": "\u202enepo"}
    account.contain("i-1")
    linked = Linked(account)
    body = linked.browser().open(linked.link()).body
    assert "\u202e" not in body
    assert "\\u202enepo" in body


@pytest.mark.parametrize("form", [{}, {"answer": "approve"}, {"token": "x", "request": "y"}])
def test_a_form_that_is_none_is_refused(linked: Linked, form: dict[str, str]) -> None:
    browser, url = opened(linked)
    browser.last = Reply(200, "", {})
    assert (browser.post(url, **form).status, linked.sent) == (403, [])


def test_the_page_to_come_back_to_shows_nothing() -> None:
    reply = Linked(asking()).page.signed_in()
    assert (reply.status, inputs(reply.body), reply.cookie) == (200, {}, "")
